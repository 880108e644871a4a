/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * From "this call moved these bytes" to records: what the core wants of the flow decides what is copied.
 */
#ifndef TRACER_DELIVER_BPF_H
#define TRACER_DELIVER_BPF_H

#include "backends/bpf/copy.bpf.h"
#include "backends/bpf/verdicts.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} flow_serials SEC(".maps");

/* What a system call number does to a socket: WIRE_OP_*. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WIRE_OPS);
  __type(key, __u32);
  __type(value, __u32);
} ops SEC(".maps");

static __always_inline __u32 op_of(long number) {
  __u32 index = number;
  if (number < 0 || number >= WIRE_OPS)
    return WIRE_OP_NONE;
  __u32 *op = bpf_map_lookup_elem(&ops, &index);
  return op ? *op : WIRE_OP_NONE;
}

/* Dense and unique without an atomic fetch: every processor counts for itself, once for sockets that are accepted,
 * which softirq may make in the middle of anything else, and once for all others. */
static __always_inline __u64 next_flow_id(const struct wire_config *cfg, __u32 accepted) {
  __u32 kind = accepted ? 1 : 0;
  __u64 *serial = bpf_map_lookup_elem(&flow_serials, &kind);
  if (!serial)
    return 0;
  *serial += 1;
  return (*serial * 2 + kind) * cfg->cpus + bpf_get_smp_processor_id();
}

/* One system call that moved bytes. */
struct moved_call {
  __u64 flow;
  __u64 at_ns;     /* 0: now */
  __u32 tgid;      /* 0: the current process */
  __u64 begin;     /* stream offset of the first byte */
  __u64 moved;
#ifdef KERNEL_SEGMENTS
  __u64 base, size; /* the only segment, or as much as is known of the first */
  __u64 vector, vector_count; /* array of segments in kernel memory; 0: base and size */
  __u64 vector_skip;
#else
  __u64 buffer;    /* second argument */
  __u64 size;      /* third argument */
  __u32 op;
#endif
  __u32 direction;
  __u32 exact;     /* 0: other calls moved bytes meanwhile, the place is not sure */
  __u32 zero_copy; /* the bytes are not in user memory */
  __u32 filtered;  /* the user does not want the bytes */
};

/* Where the bytes lie: each layer that sees calls defines its own. `skip` bytes of it are passed over first. */
static __always_inline void describe_segments(struct copy_state *state, const struct moved_call *call);

static __always_inline void describe_moved(struct wire_header *header, const struct moved_call *call) {
  fill_header(header, WIRE_DATA, call->flow, call->at_ns);
  header->direction = call->direction & 1;
  if (call->tgid)
    header->tgid = call->tgid;
}

/* Bytes that are not copied, and why. */
static __always_inline void tell_size(void *ctx, const struct wire_config *cfg, const struct moved_call *call,
                                      __u64 moved, __u8 rest) {
  struct wire_data data;
  describe_moved(&data.header, call);
  data.header.rest = rest;
  data.offset = call->begin;
  data.moved = moved;
  emit(ctx, cfg, &data, sizeof(data), moved, 0);
}

/* Two programs that can be under way on one processor at once must not copy into one place: a tracing program may be
 * preempted by another task, though not to run the same program (__bpf_prog_enter, 5.12, skips and counts it). So
 * senders and receivers copy into different ones, and what has no bytes goes by the stack. */
static __always_inline void deliver(void *ctx, const struct wire_config *cfg, const struct moved_call *call) {
  __u32 direction = call->direction & 1;
  __u64 limit = CALL_BYTES_DEFAULT;
  __u64 skip_until = 0;
  __u64 moved = call->moved;
  __u32 slot = call->flow % WIRE_VERDICT_SLOTS;
  struct wire_verdict *verdict = bpf_map_lookup_elem(&verdicts, &slot);
  if (verdict && verdict->flow == call->flow) {
    __u32 mode = verdict->mode[direction];
    skip_until = verdict->skip_until[direction];
    if (mode == WIRE_MODE_QUIET)
      return;
    if (mode == WIRE_MODE_SIZES)
      limit = 0;
    else if (mode == WIRE_MODE_WHOLE)
      limit = CALL_BYTES_WHOLE;
    else if (mode == WIRE_MODE_NORMAL)
      limit = CALL_BYTES_NORMAL;
  }
  if (call->begin + moved < skip_until)
    return; /* wanted by nobody; the call that reaches the end is told */

  __u64 skip = 0;
  if (call->filtered) {
    tell_size(ctx, cfg, call, moved, WIRE_REST_FILTER);
    return;
  }
  if (call->zero_copy || !call->exact) {
    tell_size(ctx, cfg, call, moved, call->exact ? WIRE_REST_ZERO_COPY : WIRE_REST_CONCURRENT);
    return;
  }
  if (!limit) {
    tell_size(ctx, cfg, call, moved, WIRE_REST_VERDICT);
    return;
  }
  if (skip_until > call->begin) {
    skip = skip_until - call->begin;
    if (skip > moved)
      skip = moved;
    tell_size(ctx, cfg, call, skip, WIRE_REST_VERDICT);
    moved -= skip;
    if (!moved)
      return;
  }
  if (limit > moved)
    limit = moved;

  struct copy_work *work = my_copy_work(direction);
  if (!work)
    return;
  struct copy_state *state = &work->state;
  __builtin_memset(state, 0, sizeof(*state));
  describe_moved(&work->record.data.header, call);
  work->record.data.header.rest = WIRE_REST_SNAP;
  state->offset = call->begin + skip;
  state->skip = skip;
  state->left = limit;
  state->rest_moved = moved - limit;
  state->message_left = ~0ull;
  describe_segments(state, call);
  copy_run(ctx, cfg, work);
}

#endif
