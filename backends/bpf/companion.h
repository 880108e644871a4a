// What is attached beside a backend's own programs, shares their maps, and speaks through their buffer: breakpoints in
// TLS libraries. Owned by the backend; destroying it detaches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/backend.h"

namespace tracer {

class BpfObject;

class Companion {
 public:
  virtual ~Companion() = default;
  // Every event on its way to the handler, also of the backend's own programs. It may add what it knows. False: the
  // event is nobody's business.
  [[nodiscard]] virtual bool pass(Event& event) = 0;
  // Between two readings: a slice of its own work, at most about 10 ms.
  virtual void work() = 0;
  [[nodiscard]] virtual std::vector<BlindSpot> blind() const = 0;
  [[nodiscard]] virtual std::vector<AttachOutcome> outcomes() const = 0;
  [[nodiscard]] virtual std::optional<std::uint64_t> run_time_ns() const = 0;
  // Runs of its programs that the kernel skipped, where it counts them.
  [[nodiscard]] virtual std::uint64_t missed_runs() const { return 0; }
  // Detaching takes seconds, by the kernel.
  [[nodiscard]] virtual bool slow_to_detach() const = 0;
};

// `carrier`: loaded, and has the maps that are shared; outlives the companion.
using CompanionFactory = std::function<Result<std::unique_ptr<Companion>>(BpfObject& carrier)>;

// A factory is there, and facet https is wanted. `facets` empty: all.
[[nodiscard]] inline bool wants_plaintext(const CompanionFactory& make, std::span<const Facet> facets) {
  return make && (facets.empty() || std::ranges::find(facets, Facet::https) != facets.end());
}

}  // namespace tracer
