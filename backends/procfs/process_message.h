// Messages of the kernel's proc connector (NETLINK_CONNECTOR, CN_IDX_PROC). Pure: any bytes are taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"

namespace tracer::procfs {

// One thing that happened to a whole process. Numbers are those of the initial pid namespace.
struct ProcessMessage {
  enum class Kind : std::uint8_t { forked, execed, renamed, exited };
  Kind kind{};
  std::uint64_t at_ns = 0;        // CLOCK_MONOTONIC
  std::uint32_t tgid = 0;         // of the parent, for `forked`
  std::uint32_t child_tgid = 0;   // forked
  std::uint32_t parent_tgid = 0;  // exited, on kernels that say it; 0: not known
  std::uint32_t wait_status = 0;  // exited
};

// The body of a netlink message. nullopt: about a thread, of another kind, or not such a message.
[[nodiscard]] std::optional<ProcessMessage> parse_process_message(Bytes body);

struct ExitReason {
  std::optional<int> exit_code, signal;
};
[[nodiscard]] ExitReason exit_reason_of(std::uint32_t wait_status);

}  // namespace tracer::procfs
