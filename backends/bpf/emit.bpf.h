/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The way out of the kernel: one buffer to user space, and per-processor counters that account for every record.
 * EMIT_PERF chooses a perf buffer (kernels before 5.8) over a ring buffer at compile time: a program that names the
 * wrong helper for the map does not load.
 */
#ifndef TRACER_EMIT_BPF_H
#define TRACER_EMIT_BPF_H

#include "backends/bpf/wire.h"

#ifdef EMIT_PERF
struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} events SEC(".maps");
#else
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 24); /* the loader sets the real size */
} events SEC(".maps");
#endif

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct wire_counters);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct wire_config);
} config SEC(".maps");

/* On all processors, so that every record can say what was lost before it, in the order of the records. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} losses SEC(".maps");

static __always_inline struct wire_counters *my_counters(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline struct wire_config *my_config(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&config, &zero);
}

/* True: leave this call out, it is the tracer's own. */
static __always_inline int is_self(const struct wire_config *cfg, __u32 tgid) {
  return cfg->self_tgid == tgid && !cfg->trace_self;
}

/* Hands one record over, which begins with its header; not 0: there was no room. `moved` is what the record covers of a
 * stream, for the account of what a full buffer cost. */
static __always_inline long emit(void *ctx, const struct wire_config *cfg, void *record, __u64 size, __u64 moved,
                                 int urgent) {
  struct wire_counters *count = my_counters();
  __u32 zero = 0;
  __u64 *lost = bpf_map_lookup_elem(&losses, &zero);
  long failed;
  if (!count || !lost)
    return -1;
  __sync_fetch_and_add(&count->produced, 1); /* softirq may come in between */
  ((struct wire_header *)record)->lost = *lost;
#ifdef EMIT_PERF
  (void)cfg;
  (void)urgent;
  failed = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, size);
#else
  (void)ctx;
  /* A wake-up costs the traced process a microsecond: user space looks every few milliseconds by itself. */
  __u64 flags = BPF_RB_NO_WAKEUP;
  if (urgent || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= cfg->wake_bytes)
    flags = BPF_RB_FORCE_WAKEUP;
  failed = bpf_ringbuf_output(&events, record, size, flags);
#endif
  if (failed) {
    __sync_fetch_and_add(lost, 1);
    __sync_fetch_and_add(&count->failed, 1);
    if (moved) /* adding a constant 0 is compiled to an atomic "or", which kernels before 5.12 do not know */
      __sync_fetch_and_add(&count->failed_bytes, moved);
  }
  return failed;
}

static __always_inline void fill_header(struct wire_header *header, __u16 kind, __u64 flow, __u64 at_ns) {
  __u64 id = bpf_get_current_pid_tgid();
  __u64 now = bpf_ktime_get_ns();
  header->at_ns = at_ns ? at_ns : now;
  header->emitted_ns = now;
  header->flow = flow;
  header->tgid = id >> 32;
  header->tid = (__u32)id;
  header->lost = 0;
  header->pad0 = 0;
  header->kept = 0;
  header->kind = kind;
  header->direction = 0;
  header->rest = 0;
}

static __always_inline void emit_beat(void *ctx, const struct wire_config *cfg) {
  struct wire_header beat;
  fill_header(&beat, WIRE_BEAT, cfg->beat_nonce, 0);
  emit(ctx, cfg, &beat, sizeof(beat), 0, 1);
}

/* The current thread ends: is it the tracer's sign of life? */
static __always_inline void answer_thread_beat(void *ctx, const struct wire_config *cfg) {
  __u64 name[WIRE_COMM_SIZE / 8] = {};
  const __u64 *expected = (const __u64 *)cfg->beat_name;
  bpf_get_current_comm(name, sizeof(name));
  if (name[0] == expected[0] && name[1] == expected[1])
    emit_beat(ctx, cfg);
}

#endif
