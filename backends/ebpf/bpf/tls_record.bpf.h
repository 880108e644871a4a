/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * A record is begun, filled in and ended: in the ring buffer, where it has its place by then, or on the way there. What is
 * under way when a program is preempted belongs to it alone: see tls.bpf.c.
 */
#ifndef TRACER_TLS_RECORD_BPF_H
#define TRACER_TLS_RECORD_BPF_H

#include "backends/bpf/emit.bpf.h"

#define PIECE 16384ull /* bytes in one record at most */

#ifdef EMIT_PERF
struct piece {
  struct wire_data data;
  __u8 bytes[PIECE];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct piece);
} tls_pieces SEC(".maps");
#endif

static __noinline int count_lost(__u64 moved) {
  struct wire_counters *count = my_counters();
  __u32 zero = 0;
  __u64 *lost = bpf_map_lookup_elem(&losses, &zero);
  if (!count || !lost)
    return 0;
  __sync_fetch_and_add(lost, 1);
  __sync_fetch_and_add(&count->failed, 1);
  if (moved)
    __sync_fetch_and_add(&count->failed_bytes, moved);
  return 0;
}

static __noinline int count_produced(void) {
  struct wire_counters *count = my_counters();
  if (count)
    __sync_fetch_and_add(&count->produced, 1);
  return 0;
}

static __noinline int begin_header(struct wire_header *header, __u64 id, __u64 at_ns, __u32 kind) {
  __u32 zero = 0;
  __u64 *lost = bpf_map_lookup_elem(&losses, &zero);
  if (!header)
    return 0;
  fill_header(header, kind, id, at_ns);
  if (lost)
    header->lost = *lost;
  return 0;
}

/* 0: there is no room. `size` is a constant; `moved` is what the record covers of a stream. */
static __always_inline void *begin_record(__u64 size, __u16 kind, __u64 id, __u64 at_ns, __u64 moved) {
  count_produced();
#ifdef EMIT_PERF
  __u32 zero = 0;
  struct wire_header *header = bpf_map_lookup_elem(&tls_pieces, &zero);
  (void)size;
#else
  struct wire_header *header = bpf_ringbuf_reserve(&events, size, 0);
#endif
  if (!header) {
    count_lost(moved);
    return 0;
  }
  begin_header(header, id, at_ns, kind);
  return header;
}

static __always_inline void end_record(void *ctx, const struct wire_config *cfg, void *record, __u64 size,
                                       __u64 moved) {
#ifdef EMIT_PERF
  (void)cfg;
  if (bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, size))
    count_lost(moved);
#else
  (void)ctx;
  (void)size;
  (void)moved;
  __u64 flags = BPF_RB_NO_WAKEUP;
  if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= cfg->wake_bytes)
    flags = BPF_RB_FORCE_WAKEUP;
  bpf_ringbuf_submit(record, flags);
#endif
}

#endif
