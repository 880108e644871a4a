// A capture method. A Backend that exists is capturing; destroying it detaches everything it attached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/capability.h"
#include "core/event.h"

namespace tracer {

struct BackendCounters {
  std::uint64_t produced = 0;         // events that the capture side made
  std::uint64_t delivered = 0;        // of those, handed to the EventHandler
  std::uint64_t lost_ring_full = 0;   // of those, refused by the buffer between kernel and tracer
  std::uint64_t lost_user = 0;        // of those, dropped after the buffer (malformed, over a limit)
  std::uint64_t lost_bytes = 0;       // stream bytes in the lost events, where the capture side could count them
  std::uint64_t self_events = 0;      // the tracer's own, left out on purpose
  std::uint64_t flows_untracked = 0;  // sockets that a full table in the kernel left out
  std::uint64_t missed_runs = 0;      // runs of an attached program that the kernel skipped
  bool missed_runs_measured = false;  // false: this kernel does not say; then missed_runs means nothing
  std::uint64_t unread = 0;           // of those, still in a buffer: delivered later, or never; 0 where nobody can tell
  std::uint64_t files_filtered = 0;   // opens that were not asked for and so stayed in the kernel: no events, no loss
};

enum class Drained : std::uint8_t {
  idle,   // nothing more to read now
  more,   // the budget ended first
  ended,  // a file is finished: there will never be more
};

// How much of one direction of one flow the core wants. See DESIGN "Verdicts".
struct StreamVerdict {
  enum class Mode : std::uint8_t {
    normal,  // the first `per_call_max` bytes of every call
    whole,   // every byte
    sizes,   // no bytes, but one event per call with its time and size
    quiet,   // no events; the kernel goes on counting
  };
  Mode mode = Mode::normal;
  std::uint64_t skip_until = 0;  // bytes before this offset are not wanted
};

// Something that happened beside the capture and that it cannot see into, as trace_end's `blind` names it.
struct BlindSpot {
  std::string_view what;  // static storage: "io_uring", "unix_sockets", …
  std::uint64_t count = 0;
};

// A backend's own signs of life: harmless I/O of the tracer itself that must come back through drain().
struct Beats {
  std::uint64_t sent = 0, seen = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  // Readable when drain() has urgent work. The owner also calls drain() on a timer; see poll_interval_ms in the
  // options.
  [[nodiscard]] virtual int fd() const = 0;
  // Hands at most `budget` events to `handler`. Never blocks.
  [[nodiscard]] virtual Result<Drained> drain(EventHandler& handler, std::size_t budget) = 0;
  // A hint from the core; a late or ignored one costs copies, never correctness.
  virtual void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) = 0;
  [[nodiscard]] virtual BackendCounters counters() const = 0;
  // The trace ends: what is held back, to be told together with more of its kind, comes with the drains from now on.
  virtual void hold_nothing_back() {}

  // Does something that the capture must see. It is told to nobody, but counted in beats() when drain() meets it: a
  // tracepoint that falls silent sends no notice. Fails where it cannot be done now (loopback is down): that says
  // nothing of the capture. Call only from the thread that drains.
  [[nodiscard]] virtual Result<void> send_beat() { return fail(Errc::not_supported, "this backend has no heartbeat"); }
  [[nodiscard]] virtual Beats beats() const { return {}; }
  [[nodiscard]] virtual std::vector<BlindSpot> blind() const { return {}; }
  // Gives up what costs most and can be spared, and says which facets that ends; empty: there is no such part.
  [[nodiscard]] virtual std::vector<Facet> shed() { return {}; }
  // CPU time that the kernel has spent in what this backend attached, since it was opened; nullopt: not measured.
  [[nodiscard]] virtual std::optional<std::uint64_t> probe_time_ns() const { return std::nullopt; }
};

// A facet that was asked for and did not attach; the next backend may have it.
struct RefusedFacet {
  Facet facet{};
  std::string reason;
};

// What really happened at opening, per program or probe: "loaded" is not "attached" and "attached" is not "captured".
struct AttachOutcome {
  std::string what;
  bool attached = false;
  std::string reason;               // why not; for a refused BPF program the verifier's last lines
  std::string_view code{};          // the same as a stable name: "VERIFIER_REJECTION"; empty: none. Static storage
  std::optional<double> load_ms{};  // a BPF program: how long the kernel took to verify and compile it
};

struct OpenedBackend {
  std::unique_ptr<Backend> backend;
  BackendKind kind{};
  Mechanism mechanism{};
  ClockDomain clock = ClockDomain::monotonic;
  std::vector<AttachOutcome> outcomes;
  std::vector<RefusedFacet> refused;      // of those it was opened for
  bool ordered = true;                    // events come in the order of their causes; else a ReorderWindow is needed
  bool self_test_seen = false;            // an own event went through the whole path
  bool slow_to_detach = false;            // destroying the backend takes seconds, by the kernel
  std::vector<std::string_view> missing;  // record fields that this mechanism can never fill here
};

// One way to get one facet, known before anything is opened.
struct MechanismEntry {
  BackendKind backend{};
  Mechanism mechanism{};
  std::span<const Capability> needs;
  std::span<const std::string_view> missing;  // record fields it can never fill
};

}  // namespace tracer
