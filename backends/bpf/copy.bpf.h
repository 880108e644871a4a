/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Copies what one system call moved out of user memory: every segment of every message, gathered into records of at
 * most COPY_CHUNK bytes, each with its stream offset.
 *
 * The loop's state lives in a map value, not in registers: reloaded values are unknown to the verifier, so its states
 * merge and the cost stays linear in the number of steps (kept in registers, the same loop passes a million
 * instructions). Lengths are u64, clamped and then masked; the buffer is twice the chunk, because "filled + n <= chunk"
 * is a relation that verifiers do not keep.
 */
#ifndef TRACER_COPY_BPF_H
#define TRACER_COPY_BPF_H

#include "backends/bpf/emit.bpf.h"

/* Verifiers before 5.3 know no loops and take 4096 instructions in all: for them the loop is unrolled around a call.
 * Those since 5.17 know bpf_loop(), whose body they check once (COPY_BPF_LOOP). */
#ifdef EMIT_PERF
#define COPY_CHUNK 4096ull
#define COPY_STEPS 24
#define COPY_LOOP _Pragma("unroll")
#define COPY_STEP static __attribute__((noinline))
#else
#define COPY_CHUNK 16384ull /* a power of two */
#ifdef COPY_BPF_LOOP
#define COPY_STEPS 1152 /* a vector of 1024 segments, the most that a call may have, and 1 MiB in whole chunks */
#else
#define COPY_STEPS 160 /* pieces copied + messages begun, per call */
#endif
#define COPY_LOOP
#define COPY_STEP static __always_inline
#endif

/* Programs that can interrupt each other need a place each; see deliver.bpf.h. */
#ifdef KERNEL_SEGMENTS
#define COPY_PLACES 2
#else
#define COPY_PLACES 1
#endif

#ifndef READ_SEGMENT /* address and size of the segment that `from` points at; not 0: it cannot be read */
#define READ_SEGMENT(to, from) bpf_probe_read_user(to, sizeof(to), (void *)(from))
#endif

struct copy_record {
  struct wire_data data;
  __u8 payload[2 * COPY_CHUNK];
};

struct copy_state {
  __u64 base, size;         /* what is left of the current segment */
  __u64 iov, iov_count;     /* segments that follow */
  __u64 messages, message_count; /* mmsghdrs that follow */
  __u64 message_left;       /* bytes left of the current message (sendmmsg, recvmmsg) */
  __u64 skip;               /* stream bytes to pass over first */
  __u64 left;               /* bytes to copy still */
  __u64 filled;             /* bytes in the record */
  __u64 offset;             /* stream offset of the record's first byte */
  __u64 rest_moved;         /* bytes after the last copied one that moved too */
  __u32 fault;
  __u32 pad0;
};

struct copy_work {
  struct copy_state state;
  struct copy_record record;
};

/* Indexed by processor, not per-CPU: a per-CPU value may not pass 32 KiB. The loader sets max_entries: COPY_PLACES for
 * each processor. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct copy_work);
} copy_works SEC(".maps");

static __always_inline struct copy_work *my_copy_work(__u32 place) {
  __u32 index = bpf_get_smp_processor_id() * COPY_PLACES + (place & (COPY_PLACES - 1));
  return bpf_map_lookup_elem(&copy_works, &index);
}

/* Emits what is gathered; the last record of a call also covers `rest` bytes that were not copied. */
static __always_inline void copy_flush(void *ctx, const struct wire_config *cfg, struct copy_work *work, __u64 rest) {
  struct copy_state *state = &work->state;
  struct copy_record *record = &work->record;
  __u64 filled = state->filled;
  if (filled > COPY_CHUNK)
    filled = COPY_CHUNK;
  record->data.header.kept = filled;
  record->data.offset = state->offset;
  record->data.moved = filled + rest;
  __u64 size = sizeof(struct wire_data) + filled;
  asm volatile("" : "+r"(size));
  if (size > sizeof(struct wire_data) + COPY_CHUNK)
    return;
  emit(ctx, cfg, record, size, filled + rest, 0);
  state->offset += filled + rest;
  state->filled = 0;
}

#define USER_IOVEC_SIZE 16
#define USER_MSGHDR_IOV 16     /* offsetof(struct user_msghdr, msg_iov) */
#define USER_MMSGHDR_SIZE 64
#define USER_MMSGHDR_LENGTH 56 /* offsetof(struct mmsghdr, msg_len) */

/* One step: begin a message, or begin a segment where none is open, and copy a piece of it. Returns 1 when there is
 * nothing more to do. */
COPY_STEP int copy_step(void *ctx, const struct wire_config *cfg, struct copy_work *work) {
  struct copy_state *state = &work->state;
  if (!state->left || state->fault)
    return 1;
  if (!state->size) {
    if (!state->iov_count) {
#ifdef KERNEL_SEGMENTS
      return 1;
#else
      __u64 vector[2] = {0, 0};
      __u32 length = 0;
      if (!state->message_count)
        return 1;
      if (bpf_probe_read_user(vector, sizeof(vector), (void *)(state->messages + USER_MSGHDR_IOV)) ||
          bpf_probe_read_user(&length, sizeof(length), (void *)(state->messages + USER_MMSGHDR_LENGTH))) {
        state->fault = 1;
        return 1;
      }
      state->iov = vector[0];
      state->iov_count = vector[1];
      state->message_left = length;
      state->messages += USER_MMSGHDR_SIZE;
      state->message_count--;
      return 0;
#endif
    }
    __u64 segment[2] = {0, 0};
    if (READ_SEGMENT(segment, state->iov)) {
      state->fault = 1;
      return 1;
    }
    state->iov += USER_IOVEC_SIZE;
    state->iov_count--;
    __u64 size = segment[1];
    if (size > state->message_left)
      size = state->message_left;
    state->message_left -= size;
    if (!state->message_left)
      state->iov_count = 0;
    __u64 skip = state->skip;
    if (skip > size)
      skip = size;
    state->skip -= skip;
    state->base = segment[0] + skip;
    state->size = size - skip;
    if (!state->size)
      return 0;
  }
  __u64 filled = state->filled & (COPY_CHUNK - 1);
  __u64 n = COPY_CHUNK - filled;
  if (n > state->size)
    n = state->size;
  if (n > state->left)
    n = state->left;
  asm volatile("" : "+r"(n));
  if (n > COPY_CHUNK)
    return 1;
  if (bpf_probe_read_user(&work->record.payload[filled], n, (void *)state->base)) {
    state->fault = 1;
    return 1;
  }
  state->base += n;
  state->size -= n;
  state->left -= n;
  state->filled = filled + n;
  if (state->filled >= COPY_CHUNK)
    copy_flush(ctx, cfg, work, state->left ? 0 : state->rest_moved);
  return 0;
}

#ifdef COPY_BPF_LOOP
struct copy_loop {
  void *ctx;
  const struct wire_config *cfg;
  struct copy_work *work;
};

static long copy_loop_step(__u32 i, struct copy_loop *loop) {
  (void)i;
  return copy_step(loop->ctx, loop->cfg, loop->work);
}
#endif

/* Runs the copy that `work->state` describes and emits everything. The record's header is filled by the caller. */
static __always_inline void copy_run(void *ctx, const struct wire_config *cfg, struct copy_work *work) {
  struct copy_state *state = &work->state;
  __u64 begin = state->offset;
  __u64 all = state->left + state->rest_moved;
#ifdef COPY_BPF_LOOP
  struct copy_loop loop = {ctx, cfg, work};
  bpf_loop(COPY_STEPS, copy_loop_step, &loop, 0);
#else
  COPY_LOOP
  for (int i = 0; i < COPY_STEPS; i++)
    if (copy_step(ctx, cfg, work))
      break;
#endif
  /* What is neither emitted nor gathered is a gap: unread memory, too many segments, or more than the limit. */
  __u64 done = state->offset - begin + state->filled;
  if (done < all) {
    __u64 rest = all - done;
    if (state->fault)
      work->record.data.header.rest = WIRE_REST_FAULT;
    else if (rest > state->rest_moved)
      work->record.data.header.rest = WIRE_REST_SNAP;
    copy_flush(ctx, cfg, work, rest);
  } else if (state->filled) {
    copy_flush(ctx, cfg, work, 0);
  }
}

#endif
