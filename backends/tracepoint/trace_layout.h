// Which tracepoints the mechanism without BPF listens to, and where their fields lie on this kernel.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "backends/tracepoint/event_format.h"
#include "core/base/bytes.h"
#include "core/capability.h"

namespace tracer {

enum class TraceKind : std::uint8_t { exec, exit, new_task, open_enter, open_exit, socket_state };

// Fields of a kind, in the order of its row in trace_layout.cpp.
enum ExecField : std::uint8_t { exec_filename };
enum ExitField : std::uint8_t { exit_tid, exit_group_dead };
enum NewTaskField : std::uint8_t { new_task_tid, new_task_flags };
enum OpenEnterField : std::uint8_t { open_flags, open_path };
enum OpenExitField : std::uint8_t { open_result };
enum StateField : std::uint8_t {
  state_socket,
  state_old,
  state_new,
  state_local_port,
  state_remote_port,
  state_protocol,
  state_local,
  state_remote,
};
inline constexpr std::size_t trace_fields_max = 8;

struct TraceEventRow {
  std::string_view name;  // CATEGORY/NAME
  TraceKind kind{};
  Facet facet{};
  // Optional: a kernel may not have the event, or it costs only a part of the facet.
  bool required = false;
  std::uint32_t open_flags = 0;  // open_enter: what the call stands for where it takes no flags
};
// All of them; those of the facet `process` are needed by the others too.
[[nodiscard]] std::span<const TraceEventRow> trace_events();

struct TraceEvent {
  const TraceEventRow* row = nullptr;
  std::array<std::optional<EventField>, trace_fields_max> fields;

  // Borrowed from `raw`. Absent: not on this kernel, or outside the record.
  [[nodiscard]] std::optional<std::uint64_t> number(Bytes raw, std::size_t field) const;
  [[nodiscard]] std::optional<std::string_view> text(Bytes raw, std::size_t field) const;  // __data_loc
  [[nodiscard]] std::optional<Bytes> bytes(Bytes raw, std::size_t field) const;
};

class TraceLayout {
 public:
  // False: a field without which the event says nothing is not there.
  [[nodiscard]] bool add(const TraceEventRow& row, std::uint16_t id, const EventFormat& format);
  // Null: not one of ours.
  [[nodiscard]] const TraceEvent* find(Bytes raw) const;

 private:
  std::unordered_map<std::uint16_t, TraceEvent> by_id_;
};

// The thread in whose context the record was made, as every record says it; 0: too short.
[[nodiscard]] std::uint32_t common_tid(Bytes raw);

}  // namespace tracer
