#include "backends/bpf/open_beat.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "backends/bpf/wire.h"

namespace tracer {

// There is no empty path: ENOENT before anything is looked at.
void OpenBeat::send(std::uint32_t nonce) { ::syscall(SYS_openat, WIRE_BEAT_FD, "", static_cast<unsigned long>(nonce)); }

}  // namespace tracer
