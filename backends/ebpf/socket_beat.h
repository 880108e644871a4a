// The heartbeat of programs that see functions of TCP and no system call: a send on a socket that was never connected.
#pragma once

#include <memory>

#include "backends/bpf/beat_sender.h"
#include "core/base/result.h"

namespace tracer {

// Sends fail at once with EPIPE, deep enough in the kernel for the programs to see them; nothing is read or sent.
[[nodiscard]] Result<std::unique_ptr<BeatSender>> make_socket_beat();

}  // namespace tracer
