#include "backends/tracepoint/trace_decoder.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>

namespace tracer {
namespace {

constexpr std::uint64_t tcp = 6;
constexpr std::uint64_t listening = 10;  // include/net/tcp_states.h

void tell(EventHandler& handler, std::uint64_t at_ns, ProcessRef who, decltype(Event::body) body) {
  Event event;
  event.at = {at_ns};
  event.who = who;
  event.body = std::move(body);
  handler.on_event(event);
}

Endpoint endpoint_of(Bytes address, std::uint64_t port) {
  Endpoint out;
  std::ranges::transform(address.first(out.address.size()), out.address.begin(),
                         [](std::byte each) { return static_cast<std::uint8_t>(each); });
  out.port = static_cast<std::uint16_t>(port);
  return out;
}

}  // namespace

TraceDecoder::TraceDecoder(const TraceLayout& layout, TraceDecoderOptions options, std::function<std::uint64_t()> now)
    : layout_(layout),
      options_(std::move(options)),
      tasks_(options_.proc),
      opens_(
          [proc = options_.proc](std::uint32_t tgid, std::uint32_t descriptor, std::optional<std::uint32_t> flags) {
            return path_of_descriptor(proc, tgid, descriptor, flags);
          },
          std::move(now)) {}

ProcessRef TraceDecoder::context_of(const TraceRecord& record) {
  if (record.who.tgid != 0) return record.who;
  const std::uint32_t tid = common_tid(record.raw);
  return {tasks_.process_of(tid), tid};
}

// Where the record does not say whose thread it is, only the main one is known to be the tracer's.
std::uint32_t TraceDecoder::beat_part(const TraceRecord& record) const {
  const TraceEvent* event = layout_.find(record.raw);
  const std::uint32_t process = record.who.tgid != 0 ? record.who.tgid : common_tid(record.raw);
  if (event == nullptr || process != options_.self_tgid) return 0;
  switch (event->row->kind) {
    case TraceKind::new_task:
      return beat_thread;
    case TraceKind::open_exit:
      return event->number(record.raw, open_result) == static_cast<std::uint64_t>(-EFAULT) ? std::uint32_t{beat_open}
                                                                                           : 0;
    case TraceKind::socket_state:
      return event->number(record.raw, state_new) == listening ? std::uint32_t{beat_socket} : 0;
    default:
      return 0;
  }
}

bool TraceDecoder::decode(const TraceRecord& record, EventHandler& handler) {
  const TraceEvent* event = layout_.find(record.raw);
  if (event == nullptr) return false;
  const ProcessRef who = context_of(record);
  const bool self = who.tgid == options_.self_tgid;
  if (self) ++self_events_;
  switch (event->row->kind) {
    case TraceKind::exec:
      return on_exec(*event, record, who, handler);
    case TraceKind::exit:
      return on_exit(*event, record, who, handler);
    case TraceKind::new_task:
      return on_new_task(*event, record, who, handler);
    case TraceKind::open_enter: {
      if (self) return true;
      auto flags = event->number(record.raw, open_flags);
      if (!flags && event->row->open_flags != 0) flags = event->row->open_flags;
      opens_.entered(who.tid, flags ? std::optional(static_cast<std::uint32_t>(*flags)) : std::nullopt,
                     event->text(record.raw, open_path));
      return true;
    }
    case TraceKind::open_exit: {
      const auto result = event->number(record.raw, open_result);
      if (!result) return false;
      if (!self) opens_.returned(who.tid, who.tgid, static_cast<std::int64_t>(*result), record.at_ns);
      return true;
    }
    case TraceKind::socket_state:
      return on_state(*event, record, who, handler);
  }
  return false;
}

bool TraceDecoder::on_exec(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler) {
  const auto path = event.text(record.raw, exec_filename);
  if (!path) return false;
  // Whichever thread called exec, it is the only one now and has the process's number.
  if (who.tgid == 0) {
    who.tgid = who.tid;
    if (options_.numbers_agree) tasks_.made(who.tid, who.tid, 0);
  }
  if (options_.processes && who.tgid != options_.self_tgid)
    tell(handler, record.at_ns, who, ProcessStarted{*path, {}, tasks_.parent_of(who.tgid)});
  return true;
}

bool TraceDecoder::on_exit(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler) {
  opens_.thread_ended(who.tid);
  const auto dead = event.number(record.raw, exit_group_dead);
  // Where the record does not say it, the leader's exit stands for the process's.
  const bool last = dead ? *dead != 0 : who.tid == who.tgid;
  if (who.tid != who.tgid || last) tasks_.ended(who.tid);
  if (!last || who.tgid == 0) return true;
  tasks_.ended(who.tgid);
  if (options_.processes && who.tgid != options_.self_tgid)
    tell(handler, record.at_ns, {who.tgid, who.tgid}, ProcessExited{});
  return true;
}

bool TraceDecoder::on_new_task(const TraceEvent& event, const TraceRecord& record, ProcessRef who,
                               EventHandler& handler) {
  const auto tid = event.number(record.raw, new_task_tid);
  const auto flags = event.number(record.raw, new_task_flags);
  if (!tid || !flags) return false;
  if (!options_.numbers_agree) return true;
  const auto made = static_cast<std::uint32_t>(*tid);
  if (who.tgid == 0) {  // its maker is gone; what is no thread is a process of its own
    if ((*flags & CLONE_THREAD) == 0) tasks_.made(made, made, 0);
    return true;
  }
  if ((*flags & CLONE_THREAD) != 0) {
    tasks_.made(made, who.tgid, 0);
    return true;
  }
  const bool sibling = (*flags & CLONE_PARENT) != 0;
  (void)tasks_.process_of(who.tgid);  // that the parent is there is known from now on
  tasks_.made(made, made, sibling ? 0 : who.tgid);
  if (options_.processes) tell(handler, record.at_ns, who, ProcessForked{made});
  return true;
}

bool TraceDecoder::on_state(const TraceEvent& event, const TraceRecord& record, ProcessRef who, EventHandler& handler) {
  const auto protocol = event.number(record.raw, state_protocol);
  const auto socket = event.number(record.raw, state_socket);
  const auto from = event.number(record.raw, state_old), to = event.number(record.raw, state_new);
  const auto local = event.bytes(record.raw, state_local), remote = event.bytes(record.raw, state_remote);
  const auto local_port = event.number(record.raw, state_local_port);
  const auto remote_port = event.number(record.raw, state_remote_port);
  if (!protocol || !socket || !from || !to || !local || !remote || !local_port || !remote_port) return false;
  if (*protocol != tcp || !options_.connections) return true;
  sockets_.on_change({*socket, static_cast<std::uint32_t>(*from), static_cast<std::uint32_t>(*to),
                      endpoint_of(*local, *local_port), endpoint_of(*remote, *remote_port)},
                     record.at_ns, who, handler);
  return true;
}

}  // namespace tracer
