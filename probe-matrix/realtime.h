// What kernels that preempt themselves do to BPF programs.
#pragma once

#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

// PREEMPT_RT. `version` is the kernel's of uname(2): "#1 SMP PREEMPT_RT Debian 5.10.251-5 (2026-05-15)".
[[nodiscard]] bool is_realtime(std::string_view version);

// Whether a task may be preempted wherever nothing forbids it. Programs on functions are: meanwhile the kernel skips
// the same program for every other task on that processor (fentry on 6.1 with PREEMPT_RT: one call in a hundred is not
// seen), unless they can forbid it (6.10). `modes` is /sys/kernel/debug/sched/preempt, "none voluntary (full)", or
// empty.
[[nodiscard]] bool is_fully_preemptible(std::string_view version, std::string_view modes);

// Whether programs on system calls' events may be preempted as well: where anything may, and where the scheduler may do
// it at its next tick ("full (lazy)"), because tracepoints no longer forbid it (7.0). They cannot forbid it either: of
// what the kernel then skips it tells a number at best, and a transaction may be told with another's answer.
[[nodiscard]] bool may_preempt_tracepoints(std::string_view version, std::string_view modes);

// For a realtime kernel, from its type information: whether writing into a BPF ring buffer may sleep. A spinlock_t
// does there, and programs run where nothing may: two processors that meet at the buffer stop the machine. Its lock was
// a spinlock_t until 6.12, 8b62645b09f8 ("bpf: Use raw_spinlock_t in ringbuf"), which some older series have as well.
// Pure. An error: the types do not say.
[[nodiscard]] Result<bool> ring_lock_sleeps(Bytes types);

}  // namespace tracer
