/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The socket layer: whoever moves bytes through a TCP socket, by whatever system call, by io_uring, in the kernel,
 * passes here, and the socket is an argument.
 *
 * Hooked is tcp_sendmsg_locked rather than tcp_sendmsg: under the socket's lock the send sequence number moves for
 * one caller at a time, so two threads that send at once are both exact.
 */
#ifndef TRACER_SOCKET_LAYER_BPF_H
#define TRACER_SOCKET_LAYER_BPF_H

#include "backends/ebpf/bpf/iterator.bpf.h"
#include "backends/bpf/stream.bpf.h"

enum call_kind { CALL_SEND = 1, CALL_SENDPAGE, CALL_RECEIVE, CALL_SPLICE };

/* A call that has begun, by thread: see socket_calls.bpf.h. */
struct call {
  u64 tid_kind; /* tid << 32 | enum call_kind; 0: none */
  u64 sk;
  u64 at_ns;
  u64 sequence;
  u64 left; /* bytes that it may still move */
  u64 told; /* bytes of it that were told before its end */
  struct iterator from;
};

#define CALL_SLOTS 32768u
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, CALL_SLOTS);
  __type(key, u32);
  __type(value, struct call);
} calls SEC(".maps");

static __always_inline struct call *my_call(u64 id) {
  u32 slot = (u32)id & (CALL_SLOTS - 1);
  return bpf_map_lookup_elem(&calls, &slot);
}

/* On preemptible kernels several copies of a program are attached, since any may be skipped (see hold_processor()):
 * here the later ones find the first one's work. */
static __always_inline int has_begun(u64 id, u32 kind, u64 sk) {
  struct call *call = my_call(id);
  return call && call->tid_kind == ((id << 32) | kind) && call->sk == sk &&
         bpf_ktime_get_ns() - call->at_ns < ONE_CALL_NS;
}

/* 0: nothing to do. */
static __always_inline struct call *begin_call(u64 id, u64 sk) {
  struct call *call = my_call(id);
  u64 now = bpf_ktime_get_ns();
  if (!call)
    return 0;
  call->tid_kind = 0;
  call->sk = sk;
  call->at_ns = now;
  call->told = 0;
  return call;
}

static __always_inline struct call *end_call(u64 id, u32 kind) {
  struct call *call = my_call(id);
  if (!call || call->tid_kind != ((id << 32) | kind))
    return 0;
  call->tid_kind = 0;
  return call;
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
  struct call *call = my_call(bpf_get_current_pid_tgid());
  (void)moved;
  if (!call)
    return;
  if (call->from.segments == SEGMENTS_ONE) {
    state->base = call->from.base + state->skip;
    state->size = call->from.size - state->skip;
    state->skip = 0;
  } else {
    state->skip += call->from.skip;
    state->iov = call->from.vector;
    state->iov_count = call->from.count;
  }
}

static __always_inline int on_send_enter(void *ctx, struct sock *sk, struct msghdr *message, u64 size) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  if (!cfg)
    return 0;
  if (size == cfg->beat_nonce && SOCKET_FIELD(sk, __sk_common.skc_state) == STATE_CLOSE) {
    emit_beat(ctx, cfg);
    return 0;
  }
  struct call *call = is_self(cfg, id >> 32) ? 0 : begin_call(id, (u64)sk);
  struct flow *flow = call ? flow_of(ctx, cfg, sk, 0) : 0;
  if (!flow)
    return 0;
  /* Now, because the receiver may be done before this call returns. */
  u32 tgid = caller(flow, WIRE_TX, id);
  if (flow->user[WIRE_TX] != tgid)
    announce_user(ctx, cfg, flow, WIRE_TX, tgid);
  read_iterator(&call->from, message);
  call->sequence = sequence_of(sk, WIRE_TX);
  call->left = size;
  call->tid_kind = (id << 32) | CALL_SEND;
  return 0;
}

static __always_inline int on_sendpage_enter(void *ctx, struct sock *sk) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  struct call *call = !cfg || is_self(cfg, id >> 32) ? 0 : begin_call(id, (u64)sk);
  if (!call || !flow_of(ctx, cfg, sk, 0))
    return 0;
  call->from.segments = SEGMENTS_NONE;
  call->sequence = sequence_of(sk, WIRE_TX);
  call->left = ~0ull;
  call->tid_kind = (id << 32) | CALL_SENDPAGE;
  return 0;
}

static __always_inline int tell_sent(void *ctx, struct call *call, struct sock *sk, u64 id, u64 result) {
  u64 key = (u64)sk;
  struct wire_config *cfg = my_config();
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!cfg || !flow)
    return 0;
  struct moved_call told = {.at_ns = call->at_ns, .zero_copy = call->from.segments == SEGMENTS_NONE};
  if (sent(ctx, cfg, sk, flow, call->sequence, result, caller(flow, WIRE_TX, id), &told))
    deliver(ctx, cfg, &told);
  return 0;
}

static __always_inline int on_send_exit(void *ctx, struct call *call, struct sock *sk, u64 id, long result) {
  if (result > (long)call->told)
    tell_sent(ctx, call, sk, id, result - call->told);
  return 0;
}

static __always_inline int on_receive_enter(struct sock *sk, struct msghdr *message, u64 size, u64 flags) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  struct call *call = !cfg || is_self(cfg, id >> 32) ? 0 : begin_call(id, (u64)sk);
  if (!call || flags & (0x2 /* MSG_PEEK */ | 0x2000 /* MSG_ERRQUEUE */))
    return 0; /* moves nothing */
  read_iterator(&call->from, message);
  if (flags & 0x20 /* MSG_TRUNC: taken, not copied */)
    call->from.segments = SEGMENTS_NONE;
  else if (call->from.segments == SEGMENTS_ONE && call->from.size > size)
    call->from.size = size;
  call->sequence = sequence_of(sk, WIRE_RX);
  call->left = size;
  call->tid_kind = (id << 32) | CALL_RECEIVE;
  return 0;
}

static __always_inline int tell_received(void *ctx, struct call *call, struct sock *sk, u64 id, u64 result) {
  struct wire_config *cfg = my_config();
  struct flow *flow = cfg ? flow_of(ctx, cfg, sk, result) : 0;
  if (!flow)
    return 0;
  struct moved_call told = {.zero_copy = call->from.segments == SEGMENTS_NONE};
  u32 sampled = call->sequence;
  u64 asked = call->from.segments == SEGMENTS_ONE ? call->from.size : 0;
  if (received(ctx, cfg, sk, flow, &sampled, result, asked, caller(flow, WIRE_RX, id), &told))
    deliver(ctx, cfg, &told);
  return 0;
}

static __always_inline int on_receive_exit(void *ctx, struct call *call, struct sock *sk, u64 id, long result) {
  if (result > (long)call->told)
    tell_received(ctx, call, sk, id, result - call->told);
  return 0;
}

/* release_sock() begins: the socket's lock is given up at the end of every call and whenever one waits. A kretprobe
 * has an instance for each call under way, and few of them (max(10, 2 * processors)): threads that wait in
 * tcp_recvmsg use them all up, and then this is the only thing that is seen of what they receive. */
static __always_inline int on_release(void *ctx, struct sock *sk) {
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call(id);
  if (!call || call->tid_kind >> 32 != (u32)id || call->sk != (u64)sk)
    return 0;
  u32 kind = call->tid_kind;
  int direction = kind == CALL_RECEIVE ? WIRE_RX : WIRE_TX;
  if (kind == CALL_SPLICE)
    return 0;
  if (direction == WIRE_TX) {
    u8 state = SOCKET_FIELD(sk, __sk_common.skc_state);
    if (state != STATE_ESTABLISHED && state != STATE_CLOSE_WAIT)
      return 0; /* a FIN counts as one */
  }
  u32 reached = direction == WIRE_RX ? payload_read(sk) : sequence_of(sk, WIRE_TX);
  u64 moved = (u32)(reached - (u32)call->sequence);
  if (!moved || moved > call->left)
    return 0;
  if (direction == WIRE_RX)
    tell_received(ctx, call, sk, id, moved);
  else
    tell_sent(ctx, call, sk, id, moved);
  call->told += moved;
  call->left -= moved;
  call->sequence += moved;
  if (call->from.segments == SEGMENTS_ONE) {
    call->from.base += moved;
    call->from.size -= moved;
  } else {
    call->from.skip += moved;
  }
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
