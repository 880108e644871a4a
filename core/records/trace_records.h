// Records about the trace itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/capability.h"
#include "core/event.h"
#include "core/records/flow_identity.h"

namespace tracer {

struct RejectedChoice {
  BackendKind backend{};
  std::optional<Mechanism> mechanism;
  std::string reason;
};

// The choice for one facet. No backend: none can show it here.
struct FacetPlan {
  Facet facet{};
  std::optional<BackendKind> backend;
  std::optional<Mechanism> mechanism;
  std::vector<std::string> missing;  // record fields that the choice can never fill
  std::vector<RejectedChoice> rejected;
};

// Every facet is named once, in the order of Facet.
struct Plan {
  std::vector<FacetPlan> facets;
};

struct AttachedProgram {
  std::string what;
  bool attached = false;
  std::string reason;
  std::optional<double> load_ms{};
};

struct TraceStart {
  std::string schema_version, version, host, boot_id, kernel;
  Plan plan;
  std::vector<std::string> scope;  // which namespaces are covered
  std::vector<AttachedProgram> attached;
  std::vector<std::string> blind;  // what this run cannot see
  bool self_test_seen = false;
  double attached_after_ms = 0;  // from process start
};

struct LossCount {
  std::string_view cause;  // a GapCause name, "sink_slow", "flow_limit", ...; static storage
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
};

struct Loss {
  LossCount count;         // since the last record of this cause
  std::string_view where;  // static storage: "kernel", "tracker", "sink"
};

struct BackendSwitch {
  Facet facet{};
  BackendKind from_backend{};
  Mechanism from_mechanism{};
  std::optional<BackendKind> to_backend;  // absent: none is left that can show the facet
  std::optional<Mechanism> to_mechanism;
  std::string reason;
  double unwatched_ms = 0;
};

// Something that happened and that the tracer could not look into; counted as what it is.
struct BlindCount {
  std::string_view what;  // static storage: a protocol, or a name that docs/records.md explains
  std::optional<std::uint64_t> flows, count, bytes;
};

// Of the connections whose bytes an independent witness counted: what became of those bytes.
// flowed = analyzed + skipped + without_payload + lost.
struct Coverage {
  std::uint64_t connections = 0;
  std::uint64_t bytes_flowed = 0;           // by the witness, both directions
  std::uint64_t bytes_analyzed = 0;         // reached an analyzer, or the choice of one
  std::uint64_t bytes_skipped = 0;          // not asked for: verdict_skip, filter
  std::uint64_t bytes_without_payload = 0;  // told by a mechanism that only counts, or never in user memory
  std::uint64_t bytes_lost = 0;             // the rest
};

struct TraceEnd {
  std::string reason;  // "signal SIGINT", "duration", "count", "output closed", ...
  double duration_ms = 0;
  std::uint64_t events_produced = 0, events_delivered = 0;  // by the backends; produced = delivered + lost
  std::uint64_t records_decoded = 0, records_filtered = 0, records_written = 0;
  std::uint64_t flows_filtered = 0;          // connections of which a filter kept all payload in the kernel
  std::uint64_t self = 0;                    // the tracer's own events, left out
  std::vector<LossCount> lost;               // every cause that is not zero
  std::uint64_t unjoined = 0;                // both ends may have been seen but could not be proven one connection
  std::uint64_t unwitnessed = 0;             // connections without the kernel's own byte count
  std::uint64_t ledger_mismatch = 0;         // connections whose ledger and witness disagree
  std::optional<std::uint64_t> missed_runs;  // absent: this kernel does not measure them
  Coverage coverage;
  std::vector<BlindCount> blind;  // seen and not understood, or known not to have been seen

  // The row of that name, made where there is none.
  [[nodiscard]] BlindCount& blind_row(std::string_view what);
};

}  // namespace tracer
