/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What user space wants of each flow, and of each session of a TLS library: both are told apart by their numbers.
 */
#ifndef TRACER_VERDICTS_BPF_H
#define TRACER_VERDICTS_BPF_H

#include "backends/bpf/wire.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WIRE_VERDICT_SLOTS);
#ifndef EMIT_PERF
  __uint(map_flags, BPF_F_MMAPABLE);
#endif
  __type(key, __u32);
  __type(value, struct wire_verdict);
} verdicts SEC(".maps");

#define CALL_BYTES_DEFAULT (256ull << 10) /* until the core has said anything: nearly every message whole */
#define CALL_BYTES_NORMAL 65536ull
#define CALL_BYTES_WHOLE (1ull << 20)

#endif
