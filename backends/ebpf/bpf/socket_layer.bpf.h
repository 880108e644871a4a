/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The socket layer: whoever moves bytes through a TCP socket, by whatever system call, by io_uring, in the kernel,
 * passes here, and the socket is an argument.
 *
 * Hooked is tcp_sendmsg_locked rather than tcp_sendmsg: under the socket's lock the send sequence number moves for
 * one caller at a time, so two threads that send at once are both exact, as long as neither has to wait for room.
 *
 * What a call moved has two witnesses: the sequence number, which every caller moves, and the call's own iterator.
 * Bytes are copied only where both agree; else other calls, urgent data or device memory came in between, and it is a
 * gap.
 */
#ifndef TRACER_SOCKET_LAYER_BPF_H
#define TRACER_SOCKET_LAYER_BPF_H

#include "backends/ebpf/bpf/iterator.bpf.h"
#include "backends/bpf/stream.bpf.h"

enum call_kind { CALL_SEND = 1, CALL_SENDPAGE, CALL_RECEIVE, CALL_SPLICE };

/* A call that has begun. */
struct call {
  u64 tid_kind; /* tid << 32 | enum call_kind; 0: none */
  u64 sk;
  u64 flow;     /* its id: the socket's address may be given out again */
  u64 message;  /* the msghdr, which lives as long as the call */
  u64 offered;  /* bytes that its iterator held when the call began */
  u64 at_ns;
  u64 sequence; /* when the call began, or when it was last told of */
  u64 left;     /* bytes that it may still move */
  u64 told;     /* bytes of it that were told before its end */
  struct iterator from;
};

#include "backends/bpf/call_slots.bpf.h"

/* On preemptible kernels several copies of a program are attached, since any may be skipped (see hold_processor()):
 * here the later ones find the first one's work. */
static __always_inline int has_begun(u64 id, u32 kind, u64 sk, u64 message) {
  struct wire_config *cfg = my_config();
  struct call *call = my_call((u32)id);
  return cfg && cfg->twice && call && call->tid_kind == ((id << 32) | kind) && call->sk == sk &&
         call->message == message && bpf_ktime_get_ns() - call->at_ns < ONE_CALL_NS;
}

/* 0: the call is not followed. */
static __always_inline struct call *begin_call(void *ctx, struct wire_config *cfg, u64 id, struct sock *sk) {
  struct call *call = is_self(cfg, id >> 32) ? 0 : my_call((u32)id);
  if (!call)
    return 0;
  call->tid_kind = 0; /* should the end of this thread's last call have been missed */
  struct flow *flow = flow_of(ctx, cfg, sk, 0);
  if (!flow)
    return 0;
  call->sk = (u64)sk;
  call->flow = flow->id;
  call->message = 0;
  call->offered = 0;
  call->at_ns = bpf_ktime_get_ns();
  call->told = 0;
  return call;
}

/* Takes the call out of its slot; 0: it was not seen to begin, or another copy of the program has told of it. `sk` 0:
 * whichever it began with. */
static __always_inline int end_call(struct call *out, u64 id, u32 kind, u64 sk) {
  struct call *call = my_call((u32)id);
  if (!call || call->tid_kind != ((id << 32) | kind) || (sk && call->sk != sk))
    return 0;
  *out = *call;
  call->tid_kind = 0;
  return 1;
}

/* The process that a call works for. Before 5.12 io_uring's workers are kernel threads without a process (3bfe6106693b,
 * "io-wq: fork worker threads from original task"): there it is whoever used the socket last, or made it. */
static __always_inline u32 caller(const struct flow *flow, int direction, u64 id) {
  struct task_struct *task = CURRENT_TASK();
#ifdef SEALED
  if (!task || !HAS_TYPED_TASK)
    return id >> 32;
#endif
  if (!(TASK_FIELD(task, flags) & PF_KTHREAD))
    return id >> 32;
  u32 known = flow->user[direction] ? flow->user[direction] : flow->user[!direction];
  if (!known)
    known = flow->owner;
  return known ? known : id >> 32;
}

static __always_inline void describe_segments(struct copy_state *state, const struct moved_call *moved) {
  if (moved->vector) {
    state->skip += moved->vector_skip;
    state->iov = moved->vector;
    state->iov_count = moved->vector_count;
    return;
  }
  /* A single segment, or the first of several where only that is known: then it may be shorter than what was moved. */
  u64 skip = state->skip < moved->size ? state->skip : moved->size;
  state->base = moved->base + skip;
  state->size = moved->size - skip;
  state->skip = 0;
}

/* Tells `moved` bytes of a call, of which `taken` went through its iterator. 0: nothing was told. */
static __always_inline int tell(void *ctx, const struct call *call, struct sock *sk, u64 id, int direction, u64 moved,
                                u64 taken) {
  u64 key = (u64)sk;
  struct wire_config *cfg = my_config();
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!cfg || !flow || flow->id != call->flow)
    return 0;
  u32 tgid = caller(flow, direction, id);
  struct moved_call told = {.zero_copy = call->from.segments == SEGMENTS_NONE};
  int something;
  if (direction == WIRE_TX) {
    told.at_ns = call->at_ns;
    something = sent(ctx, cfg, sk, flow, call->sequence, moved, tgid, &told);
  } else {
    u32 sampled = call->sequence;
    something = received(ctx, cfg, sk, flow, &sampled, moved, call->from.segments == SEGMENTS_ONE ? call->left : 0,
                         tgid, &told);
  }
  if (!something)
    return 0;
  if (call->from.segments != SEGMENTS_NONE && taken != moved)
    told.exact = 0;
  if (call->from.segments == SEGMENTS_VECTOR) {
    told.vector = call->from.vector;
    told.vector_count = call->from.count;
    told.vector_skip = call->from.skip;
  } else {
    told.base = call->from.base;
    told.size = call->from.size;
  }
  deliver(ctx, cfg, &told);
  return 1;
}

/* The call is over. */
static __always_inline void tell_rest(void *ctx, const struct call *call, struct sock *sk, struct msghdr *message,
                                      u64 id, int direction, long result) {
  if (result <= (long)call->told)
    return;
  u64 taken = message ? call->offered - iterator_count(message) - call->told : 0;
  tell(ctx, call, sk, id, direction, result - call->told, taken);
}

static __always_inline int on_send_enter(void *ctx, struct sock *sk, struct msghdr *message, u64 size) {
  u64 id = bpf_get_current_pid_tgid();
  u64 key = (u64)sk;
  struct wire_config *cfg = my_config();
  if (!cfg)
    return 0;
  if (size == cfg->beat_nonce && SOCKET_FIELD(sk, __sk_common.skc_state) == STATE_CLOSE) {
    emit_beat(ctx, cfg);
    return 0;
  }
  struct call *call = begin_call(ctx, cfg, id, sk);
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!call || !flow)
    return 0;
  /* Now, because the receiver may be done before this call returns. */
  u32 tgid = caller(flow, WIRE_TX, id);
  if (flow->user[WIRE_TX] != tgid)
    announce_user(ctx, cfg, flow, WIRE_TX, tgid);
  read_iterator(&call->from, message);
  call->message = (u64)message;
  call->offered = iterator_count(message);
  call->sequence = sequence_of(sk, WIRE_TX);
  call->left = size;
  call->tid_kind = (id << 32) | CALL_SEND;
  return 0;
}

static __always_inline int on_sendpage_enter(void *ctx, struct sock *sk, u64 size) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  struct call *call = cfg ? begin_call(ctx, cfg, id, sk) : 0;
  if (!call)
    return 0;
  call->from.segments = SEGMENTS_NONE;
  call->sequence = sequence_of(sk, WIRE_TX);
  call->left = size;
  call->tid_kind = (id << 32) | CALL_SENDPAGE;
  return 0;
}

static __always_inline int on_receive_enter(void *ctx, struct sock *sk, struct msghdr *message, u64 size, u64 flags) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  struct call *call = cfg ? begin_call(ctx, cfg, id, sk) : 0;
  if (!call || flags & (0x2 /* MSG_PEEK */ | 0x2000 /* MSG_ERRQUEUE */))
    return 0; /* moves nothing */
  read_iterator(&call->from, message);
  if (flags & 0x20 /* MSG_TRUNC: taken, not copied */)
    call->from.segments = SEGMENTS_NONE;
  else if (call->from.segments == SEGMENTS_ONE && call->from.size > size)
    call->from.size = size;
  call->message = (u64)message;
  call->offered = iterator_count(message);
  call->sequence = sequence_of(sk, WIRE_RX);
  call->left = size;
  call->tid_kind = (id << 32) | CALL_RECEIVE;
  return 0;
}

/* release_sock() begins: the socket's lock is given up at the end of every call and whenever one waits. A kretprobe has
 * room for few calls at once (on most kernels max(10, 2 * processors)): threads that wait in tcp_recvmsg use it up, and
 * then this is the only thing that is seen of what they receive. */
static __always_inline int on_release(void *ctx, struct sock *sk) {
  u64 id = bpf_get_current_pid_tgid();
  struct call *slot = my_call((u32)id);
  if (!slot || slot->tid_kind >> 32 != (u32)id || slot->sk != (u64)sk || (u32)slot->tid_kind == CALL_SPLICE)
    return 0;
  struct call call = *slot;
  int direction = (u32)call.tid_kind == CALL_RECEIVE ? WIRE_RX : WIRE_TX;
  u8 state = SOCKET_FIELD(sk, __sk_common.skc_state);
  if (direction == WIRE_TX && state != STATE_ESTABLISHED && state != STATE_CLOSE_WAIT)
    return 0; /* a FIN counts as one */
  u32 reached = direction == WIRE_RX ? payload_read(sk) : sequence_of(sk, WIRE_TX);
  u64 passed = (u32)(reached - (u32)call.sequence);
  u64 moved = passed;
  if (call.from.segments != SEGMENTS_NONE)
    moved = call.offered - iterator_count((struct msghdr *)call.message) - call.told;
  if (moved && (moved > call.left || moved > passed))
    return 0; /* the slot's call is over, its end was missed */
  if (moved && !tell(ctx, &call, sk, id, direction, moved, moved))
    return 0;
  slot->sequence = reached;
  if (!moved)
    return 0; /* by others */
  slot->told = call.told + moved;
  slot->left = call.left - moved;
  if (slot->left == 0)
    slot->tid_kind = 0;
  slot->from.base = call.from.base + moved;
  slot->from.size = call.from.size - moved;
  slot->from.skip = call.from.skip + moved;
  return 0;
}

/* From the socket into a pipe: the bytes are in no process's memory. */
static __always_inline int on_splice_exit(void *ctx, struct sock *sk, long result) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  if (!cfg || result <= 0 || is_self(cfg, id >> 32))
    return 0;
  struct flow *flow = flow_of(ctx, cfg, sk, result);
  if (!flow)
    return 0;
  struct moved_call told = {.zero_copy = 1};
  if (received(ctx, cfg, sk, flow, 0, result, 0, caller(flow, WIRE_RX, id), &told))
    deliver(ctx, cfg, &told);
  return 0;
}

/* The only moment at which the process that serves a new connection is known for sure. */
static __always_inline int on_accept_exit(void *ctx, u64 accepted) {
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  struct wire_config *cfg = my_config();
  struct flow *flow = bpf_map_lookup_elem(&flows, &accepted);
  if (!cfg || !flow || is_self(cfg, tgid) || flow->owner == tgid)
    return 0;
  flow->owner = tgid;
  announce_user(ctx, cfg, flow, WIRE_RX, tgid);
  return 0;
}

#endif
