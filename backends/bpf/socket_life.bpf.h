/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The life of a TCP socket: connecting, established, half closed, closed, destroyed.
 */
#ifndef TRACER_SOCKET_LIFE_BPF_H
#define TRACER_SOCKET_LIFE_BPF_H

#include "backends/bpf/stream.bpf.h"

static __always_inline void emit_end(void *ctx, const struct wire_config *cfg, struct flow *flow, struct sock *sk,
                                     u32 flags) {
  struct wire_end end = {};
  fill_header(&end.header, WIRE_END, flow->id, 0);
  end.header.tgid = end.header.tid = 0; /* this runs in softirq, as whoever was on the processor */
  end.header.direction = flags == WIRE_END_RX ? WIRE_RX : WIRE_TX;
  end.flags = flags;
  if (flags == WIRE_END_TX) {
    /* A FIN takes a sequence number, but at the change to FIN_WAIT1 or LAST_ACK it is not counted yet. */
    end.tx_end = extend_sequence(flow->end[WIRE_TX], sequence_of(sk, WIRE_TX));
  } else {
    end.rx_end = extend_sequence(flow->end[WIRE_RX], TCP_FIELD(sk, rcv_nxt));
    if (SOCKET_FIELD(sk, __sk_common.skc_flags) & 2 /* SOCK_DONE: the FIN is counted */)
      end.rx_end -= 1;
  }
  emit(ctx, cfg, &end, sizeof(end), 0, 0);
}

static __always_inline void sample_closed(struct flow *flow, struct sock *sk) {
  flow->closed = 1;
  flow->closed_end[WIRE_TX] = extend_sequence(flow->end[WIRE_TX], sequence_of(sk, WIRE_TX) - flow->fin_sent);
  flow->closed_end[WIRE_RX] = received_end(flow, sk);
  flow->closed_received = kernel_received(sk);
  flow->closed_raw = TCP_FIELD(sk, bytes_received);
}

/* Does the kernel itself encrypt what goes through the socket? Then what is seen of it is not what was sent. */
static __always_inline int is_kernel_tls(struct sock *sk) {
#ifdef TYPED_SOCKETS
  struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
  if (!tcp)
    return 0;
  const struct tcp_ulp_ops *upper = tcp->inet_conn.icsk_ulp_ops;
  return upper && upper->name[0] == 't' && upper->name[1] == 'l' && upper->name[2] == 's' && !upper->name[3];
#else
  const struct tcp_ulp_ops *upper = BPF_CORE_READ((struct tcp_sock *)sk, inet_conn.icsk_ulp_ops);
  char name[4] = {};
  if (!upper)
    return 0;
  bpf_core_read(name, sizeof(name), &upper->name);
  return name[0] == 't' && name[1] == 'l' && name[2] == 's' && !name[3];
#endif
}

static __always_inline void emit_close(void *ctx, const struct wire_config *cfg, struct flow *flow, struct sock *sk) {
  struct wire_end end = {};
  /* What the process read after TCP_CLOSE counts, unless the counters were cleared. */
  if (!flow->closed || TCP_FIELD(sk, bytes_received) == flow->closed_raw) {
    u64 tx_end = flow->closed_end[WIRE_TX];
    u64 closed = flow->closed;
    sample_closed(flow, sk);
    if (closed)
      flow->closed_end[WIRE_TX] = tx_end;
  }
  fill_header(&end.header, WIRE_CLOSE, flow->id, 0);
  end.header.tgid = end.header.tid = 0;
  end.flags = WIRE_END_TX | WIRE_END_RX | WIRE_END_KERNEL;
  end.tx_end = flow->closed_end[WIRE_TX];
  end.rx_end = flow->closed_end[WIRE_RX];
  if (flow->end[WIRE_TX] != flow->first[WIRE_TX]) /* else no call was ever seen: user space tells */
    count_untold(sk, end.tx_end - flow->end[WIRE_TX]);
  if (flow->end[WIRE_RX] != flow->first[WIRE_RX])
    count_untold(sk, end.rx_end - flow->end[WIRE_RX]);
  end.kernel_tx = end.tx_end - flow->first[WIRE_TX];
  end.kernel_rx = flow->closed_received - flow->received_before;
  struct wire_counters *count = my_counters();
  if (count && is_kernel_tls(sk))
    __sync_fetch_and_add(&count->kernel_tls, 1);
  emit(ctx, cfg, &end, sizeof(end), 0, 0);
}

/* Has the flow ever carried anything? If so its beginning is told before its end, should that have been lost. */
static __always_inline int established(void *ctx, const struct wire_config *cfg, struct flow *flow, struct sock *sk) {
  if (!flow->announced && flow->first[WIRE_TX])
    announce(ctx, cfg, flow, sk, flow->role == WIRE_ROLE_UNKNOWN);
  return flow->announced;
}

static __always_inline void end_flow(void *ctx, const struct wire_config *cfg, u64 key, struct sock *sk) {
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return;
  if (established(ctx, cfg, flow, sk)) {
    tell_held(ctx, cfg, flow);
    emit_close(ctx, cfg, flow, sk);
  }
  bpf_map_delete_elem(&flows, &key);
}

static __always_inline int on_state(void *ctx, struct sock *sk, int old_state, int new_state) {
  struct wire_config *cfg = my_config();
  if (!cfg || !tcp_sock_of(sk))
    return 0;
  u64 key = (u64)sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (flow && flow->state == new_state)
    return 0; /* the other copy of this program was here */
  if (new_state == STATE_SYN_SENT || new_state == STATE_SYN_RECV) {
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    end_flow(ctx, cfg, key, sk); /* a socket that was disconnected and connects again */
    if (new_state == STATE_SYN_SENT && is_self(cfg, tgid))
      return 0;
    struct flow fresh = {.state = new_state};
    /* Only connect(2) runs as the process that asked; an accepted socket is made by whoever took the packet. */
    fresh.role = new_state == STATE_SYN_SENT ? WIRE_ROLE_CLIENT : WIRE_ROLE_SERVER;
    fresh.owner = new_state == STATE_SYN_SENT ? tgid : 0;
    insert_flow(cfg, key, &fresh);
    return 0;
  }
  if (!flow)
    return 0;
  flow->state = new_state;
  if (new_state == STATE_ESTABLISHED && (old_state == STATE_SYN_SENT || old_state == STATE_SYN_RECV)) {
    begin_offsets(flow, sk);
    announce(ctx, cfg, flow, sk, 0);
    return 0;
  }
  if (!established(ctx, cfg, flow, sk))
    return 0;
  tell_held(ctx, cfg, flow);
  if (new_state == STATE_FIN_WAIT1 || new_state == STATE_LAST_ACK) {
    emit_end(ctx, cfg, flow, sk, WIRE_END_TX);
    flow->fin_sent = 1;
  } else if (new_state == STATE_CLOSE_WAIT) {
    emit_end(ctx, cfg, flow, sk, WIRE_END_RX);
  } else if (new_state == STATE_CLOSE) {
    /* The process may still hold the socket and read what it has not read: the flow stays until it is destroyed. */
    if (!flow->fin_sent)
      emit_end(ctx, cfg, flow, sk, WIRE_END_TX);
    emit_end(ctx, cfg, flow, sk, WIRE_END_RX);
    sample_closed(flow, sk);
  }
  return 0;
}

#endif
