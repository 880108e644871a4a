#include "backends/tracepoint/trace_layout.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

namespace tracer {
namespace {

constexpr bool must = true;
constexpr std::array rows{
    TraceEventRow{"sched/sched_process_exec", TraceKind::exec, Facet::process, must},
    TraceEventRow{"sched/sched_process_exit", TraceKind::exit, Facet::process, must},
    TraceEventRow{"task/task_newtask", TraceKind::new_task, Facet::process, must},
    TraceEventRow{"syscalls/sys_enter_openat", TraceKind::open_enter, Facet::file, must},
    TraceEventRow{"syscalls/sys_exit_openat", TraceKind::open_exit, Facet::file, must},
    TraceEventRow{"syscalls/sys_enter_openat2", TraceKind::open_enter, Facet::file},
    TraceEventRow{"syscalls/sys_exit_openat2", TraceKind::open_exit, Facet::file},
    TraceEventRow{"syscalls/sys_enter_open", TraceKind::open_enter, Facet::file},
    TraceEventRow{"syscalls/sys_exit_open", TraceKind::open_exit, Facet::file},
    TraceEventRow{"syscalls/sys_enter_creat", TraceKind::open_enter, Facet::file, !must, O_CREAT | O_WRONLY | O_TRUNC},
    TraceEventRow{"syscalls/sys_exit_creat", TraceKind::open_exit, Facet::file},
    TraceEventRow{"sock/inet_sock_set_state", TraceKind::socket_state, Facet::connection, must},
};

struct FieldRow {
  TraceKind kind{};
  std::size_t index = 0;
  std::string_view name;
  bool required = true;
};
constexpr std::array field_rows{
    FieldRow{TraceKind::exec, exec_filename, "filename"},
    FieldRow{TraceKind::exit, exit_tid, "pid"},
    FieldRow{TraceKind::exit, exit_group_dead, "group_dead", false},  // 6.16
    FieldRow{TraceKind::new_task, new_task_tid, "pid"},
    FieldRow{TraceKind::new_task, new_task_flags, "clone_flags"},
    FieldRow{TraceKind::open_enter, open_flags, "flags", false},          // openat2 has them in memory
    FieldRow{TraceKind::open_enter, open_path, "__filename_val", false},  // 6.19
    FieldRow{TraceKind::open_exit, open_result, "ret"},
    FieldRow{TraceKind::socket_state, state_socket, "skaddr"},
    FieldRow{TraceKind::socket_state, state_old, "oldstate"},
    FieldRow{TraceKind::socket_state, state_new, "newstate"},
    FieldRow{TraceKind::socket_state, state_local_port, "sport"},
    FieldRow{TraceKind::socket_state, state_remote_port, "dport"},
    FieldRow{TraceKind::socket_state, state_protocol, "protocol"},
    FieldRow{TraceKind::socket_state, state_local, "saddr_v6"},  // v4-mapped where the socket is an IPv4 one
    FieldRow{TraceKind::socket_state, state_remote, "daddr_v6"},
};

template <typename T>
std::optional<T> value_at(Bytes raw, std::size_t at) {
  if (raw.size() < sizeof(T) || at > raw.size() - sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, raw.data() + at, sizeof(T));
  return value;
}

}  // namespace

std::span<const TraceEventRow> trace_events() { return rows; }

std::optional<Bytes> TraceEvent::bytes(Bytes raw, std::size_t field) const {
  const auto& at = fields[field];
  if (!at || at->offset > raw.size() || raw.size() - at->offset < at->size) return std::nullopt;
  return raw.subspan(at->offset, at->size);
}

std::optional<std::uint64_t> TraceEvent::number(Bytes raw, std::size_t field) const {
  const auto value = bytes(raw, field);
  if (!value) return std::nullopt;
  switch (value->size()) {
    case 1:
      return value_at<std::uint8_t>(*value, 0);
    case 2:
      return value_at<std::uint16_t>(*value, 0);
    case 4:
      return value_at<std::uint32_t>(*value, 0);
    case 8:
      return value_at<std::uint64_t>(*value, 0);
    default:
      return std::nullopt;
  }
}

std::optional<std::string_view> TraceEvent::text(Bytes raw, std::size_t field) const {
  const auto location = number(raw, field);  // offset in the low half, size in the high one
  if (!location) return std::nullopt;
  const std::size_t offset = *location & 0xffff, size = *location >> 16U & 0xffff;
  if (offset > raw.size() || raw.size() - offset < size) return std::nullopt;
  const std::string_view all = as_text(raw.subspan(offset, size));
  return all.substr(0, all.find('\0'));
}

bool TraceLayout::add(const TraceEventRow& row, std::uint16_t id, const EventFormat& format) {
  TraceEvent event;
  event.row = &row;
  for (const FieldRow& wanted : field_rows) {
    if (wanted.kind != row.kind) continue;
    const EventField* field = format.find(wanted.name);
    const bool address = wanted.index >= state_local && row.kind == TraceKind::socket_state;
    if (field != nullptr && (!address || field->size == 16))
      event.fields[wanted.index] = *field;
    else if (wanted.required)
      return false;
  }
  by_id_[id] = std::move(event);
  return true;
}

const TraceEvent* TraceLayout::find(Bytes raw) const {
  const auto id = value_at<std::uint16_t>(raw, 0);  // common_type
  if (!id) return nullptr;
  const auto found = by_id_.find(*id);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::uint32_t common_tid(Bytes raw) { return value_at<std::uint32_t>(raw, 4).value_or(0); }

}  // namespace tracer
