#include "backends/procfs/process_message.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tracer::procfs {

std::optional<ProcessMessage> parse_process_message(Bytes body) {
  cn_msg head;
  if (body.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, body.data(), sizeof head);
  if (head.id.idx != CN_IDX_PROC || head.id.val != CN_VAL_PROC) return std::nullopt;
  const Bytes said = body.subspan(sizeof head, std::min<std::size_t>(head.len, body.size() - sizeof head));

  // The union grew over the years: what is not there stays zero, and the shortest kind must be whole.
  proc_event event{};
  constexpr std::size_t shortest = offsetof(proc_event, event_data) + sizeof event.event_data.exec;
  if (said.size() < shortest) return std::nullopt;
  std::memcpy(&event, said.data(), std::min(said.size(), sizeof event));

  ProcessMessage message{.at_ns = event.timestamp_ns};
  std::uint32_t tid = 0;
  switch (event.what) {
    case proc_event::PROC_EVENT_FORK: {
      const auto& fork = event.event_data.fork;
      message.kind = ProcessMessage::Kind::forked;
      message.tgid = static_cast<std::uint32_t>(fork.parent_tgid);
      message.child_tgid = static_cast<std::uint32_t>(fork.child_tgid);
      if (fork.child_pid != fork.child_tgid || message.child_tgid == 0) return std::nullopt;
      tid = message.tgid;  // whichever thread of the parent it was
      break;
    }
    case proc_event::PROC_EVENT_EXEC:
      message.kind = ProcessMessage::Kind::execed;
      tid = static_cast<std::uint32_t>(event.event_data.exec.process_pid);
      message.tgid = static_cast<std::uint32_t>(event.event_data.exec.process_tgid);
      break;
    case proc_event::PROC_EVENT_COMM:
      message.kind = ProcessMessage::Kind::renamed;
      tid = static_cast<std::uint32_t>(event.event_data.comm.process_pid);
      message.tgid = static_cast<std::uint32_t>(event.event_data.comm.process_tgid);
      break;
    case proc_event::PROC_EVENT_EXIT: {
      const auto& exit = event.event_data.exit;
      message.kind = ProcessMessage::Kind::exited;
      tid = static_cast<std::uint32_t>(exit.process_pid);
      message.tgid = static_cast<std::uint32_t>(exit.process_tgid);
      message.parent_tgid = static_cast<std::uint32_t>(exit.parent_tgid);
      message.wait_status = exit.exit_code;
      break;
    }
    default:
      return std::nullopt;
  }
  if (tid != message.tgid || message.tgid == 0) return std::nullopt;
  return message;
}

ExitReason exit_reason_of(std::uint32_t wait_status) {
  const int status = static_cast<int>(wait_status);
  if (WIFEXITED(status)) return {.exit_code = WEXITSTATUS(status), .signal = std::nullopt};
  if (WIFSIGNALED(status)) return {.exit_code = std::nullopt, .signal = WTERMSIG(status)};
  return {};
}

}  // namespace tracer::procfs
