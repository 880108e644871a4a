// Records of tracepoints, in the order of time, to events.
#pragma once

#include <cstdint>
#include <string>

#include "backends/tracepoint/open_joiner.h"
#include "backends/tracepoint/socket_states.h"
#include "backends/tracepoint/task_map.h"
#include "backends/tracepoint/trace_layout.h"
#include "backends/tracepoint/trace_record.h"

namespace tracer {

// The parts of the heartbeat: a thread that is made, an open that fails, a socket that listens.
enum BeatPart : std::uint32_t { beat_thread = 1, beat_open = 2, beat_socket = 4 };

struct TraceDecoderOptions {
  std::uint32_t self_tgid = 0;  // its events are told to nobody
  std::string proc = "/proc";
  // False: in a pid namespace of its own, where the numbers inside records are not those of the records' own context.
  bool numbers_agree = true;
  // The facets that are wanted.
  bool processes = true, files = true, connections = true;
};

class TraceDecoder {
 public:
  TraceDecoder(const TraceLayout& layout, TraceDecoderOptions options, std::function<std::uint64_t()> now);

  // The part of a heartbeat that this record is; 0: none. Looks only, and may be asked out of order.
  [[nodiscard]] std::uint32_t beat_part(const TraceRecord& record) const;
  // False: none of ours, or damaged.
  [[nodiscard]] bool decode(const TraceRecord& record, EventHandler& handler);
  // All records made before `until_ns` were decoded.
  void settle(std::uint64_t until_ns, EventHandler& handler) { opens_.tell(until_ns, handler); }
  [[nodiscard]] std::optional<std::uint64_t> waiting_since() const { return opens_.waiting_since(); }

  [[nodiscard]] std::uint64_t self_events() const { return self_events_; }
  [[nodiscard]] const OpenCounters& opens() const { return opens_.counters(); }
  [[nodiscard]] std::uint64_t flows_untracked() const { return sockets_.untracked(); }

 private:
  ProcessRef context_of(const TraceRecord& record);
  bool on_exec(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler);
  bool on_exit(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler);
  bool on_new_task(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler);
  bool on_state(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler);

  const TraceLayout& layout_;
  TraceDecoderOptions options_;
  TaskMap tasks_;
  OpenJoiner opens_;
  SocketStates sockets_;
  std::uint64_t self_events_ = 0;
};

}  // namespace tracer
