/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * From "this call moved so many bytes" to records: what the core wants of the session decides what is copied.
 */
#ifndef TRACER_TLS_COPY_BPF_H
#define TRACER_TLS_COPY_BPF_H

#include "backends/bpf/verdicts.bpf.h"
#include "backends/ebpf/bpf/tls_session.bpf.h"

#ifdef EMIT_PERF
#define PIECES 4 /* of one call; unrolled */
#define PIECE_LOOP _Pragma("unroll")
#else
#define PIECES 16
#define PIECE_LOOP
#endif

/* Bytes that are not copied, and why. */
static __noinline int tell_size(void *ctx, struct tls_call *call, __u64 moved, __u32 why) {
  struct wire_config *cfg = my_config();
  if (!cfg || !call)
    return 0;
  struct wire_data *data = begin_record(sizeof(*data), WIRE_PLAIN, call->id, call->at_ns, moved);
  if (!data)
    return 0;
  data->header.direction = call->direction;
  data->header.rest = why;
  data->offset = call->offset;
  data->moved = moved;
  end_record(ctx, cfg, data, sizeof(*data), moved);
  return 0;
}

/* One record of those that are made for `room` bytes; 0: nothing more can be told of this call. */
static __always_inline int tell_piece(void *ctx, const struct wire_config *cfg, struct tls_call *call, const __u64 room) {
  __u64 size = call->left;
  if (size > room)
    size = room;
  __u64 moved = call->left > size ? size : size + call->rest;
  struct wire_data *data = begin_record(sizeof(*data) + room, WIRE_PLAIN, call->id, call->at_ns, moved);
  if (data) {
    __u64 kept = size;
    data->header.direction = call->direction;
    data->header.rest = WIRE_REST_SNAP;
    asm volatile("" : "+r"(kept));
    if (kept > room)
      kept = room;
    if (bpf_probe_read_user(data + 1, kept, (const void *)call->from)) {
      data->header.rest = WIRE_REST_FAULT;
      kept = 0;
    }
    data->header.kept = kept;
    data->offset = call->offset;
    data->moved = moved;
    __u64 bytes = sizeof(*data) + kept;
    end_record(ctx, cfg, data, bytes, moved);
  }
  call->from += size;
  call->offset += size;
  call->left -= size;
  return call->left != 0;
}

static __noinline int tell_next(void *ctx, struct tls_call *call) {
  struct wire_config *cfg = my_config();
  if (!cfg || !call)
    return 0;
#ifndef EMIT_PERF
  if (call->left <= 256)
    return tell_piece(ctx, cfg, call, 256);
  if (call->left <= 1024)
    return tell_piece(ctx, cfg, call, 1024);
  if (call->left <= 4096)
    return tell_piece(ctx, cfg, call, 4096);
#endif
  return tell_piece(ctx, cfg, call, PIECE);
}

/* The call moved so many bytes. */
static __noinline int tell_moved(void *ctx, struct tls_call *call, struct session *session, __u64 moved, __u32 op) {
  if (!call || !session)
    return 0;
  __u32 direction = op == TLS_OP_RECEIVE ? WIRE_RX : WIRE_TX;
  __u64 limit = PIECES * PIECE, skip_until = 0;
  __u32 number = session->id % WIRE_VERDICT_SLOTS;
  tell_session(ctx, session);
  call->id = session->id;
  call->direction = direction;
  if (direction == WIRE_RX) {
    call->at_ns = 0;
    call->offset = session->offset[WIRE_RX];
    session->offset[WIRE_RX] += moved;
  } else {
    call->offset = session->offset[WIRE_TX];
    session->offset[WIRE_TX] += moved;
  }
  struct wire_verdict *verdict = bpf_map_lookup_elem(&verdicts, &number);
  if (verdict && verdict->flow == call->id) {
    __u32 mode = direction == WIRE_RX ? verdict->mode[WIRE_RX] : verdict->mode[WIRE_TX];
    skip_until = direction == WIRE_RX ? verdict->skip_until[WIRE_RX] : verdict->skip_until[WIRE_TX];
    if (mode == WIRE_MODE_QUIET)
      return 0;
    if (mode == WIRE_MODE_SIZES)
      limit = 0;
    else if (mode == WIRE_MODE_NORMAL && limit > CALL_BYTES_NORMAL)
      limit = CALL_BYTES_NORMAL;
  }
  if (call->offset + moved < skip_until)
    return 0; /* wanted by nobody; the call that reaches the end is told */
  if (session->flags & SESSION_FILTERED)
    return tell_size(ctx, call, moved, WIRE_REST_FILTER);
  if (op == TLS_OP_SEND_FILE)
    return tell_size(ctx, call, moved, WIRE_REST_ZERO_COPY);
  if (!limit)
    return tell_size(ctx, call, moved, WIRE_REST_VERDICT);
  call->from = call->buffer;
  if (skip_until > call->offset) {
    __u64 skip = skip_until - call->offset;
    if (skip > moved)
      skip = moved;
    tell_size(ctx, call, skip, WIRE_REST_VERDICT);
    call->offset += skip;
    call->from += skip;
    moved -= skip;
    if (!moved)
      return 0;
  }
  /* What a call says that it moved is not believed beyond the buffer that it was given. */
  __u64 readable = call->buffer + call->size - call->from;
  if (!call->buffer || call->buffer + call->size < call->from || readable < moved)
    return tell_size(ctx, call, moved, WIRE_REST_FAULT);
  call->left = moved < limit ? moved : limit;
  call->rest = moved - call->left;
  PIECE_LOOP
  for (int i = 0; i < PIECES; i++)
    if (!tell_next(ctx, call))
      break;
  return 0;
}

#endif
