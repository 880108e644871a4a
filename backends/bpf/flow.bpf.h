/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * One entry per TCP socket generation: made when the socket starts to connect, is accepted or is first used, removed
 * when it is destroyed. Keyed by the socket's address, which is never given out again before that.
 */
#ifndef TRACER_FLOW_BPF_H
#define TRACER_FLOW_BPF_H

#include "backends/bpf/deliver.bpf.h"
#include "backends/bpf/kernel_types.bpf.h"

struct flow {
  u64 id;
  u64 end[2];     /* offset one past the last byte seen, by direction */
  u64 first[2];   /* offset of the first byte that could be seen */
  u64 received_before; /* what the kernel had counted as received at first[WIRE_RX] */
  /* As the socket was when it reached TCP_CLOSE: tcp_disconnect (a close that resets) clears the counters after
   * that. */
  u64 closed_end[2];
  u64 closed_received; /* kernel_received() */
  u64 closed_raw;      /* bytes_received */
  /* Received bytes that were not told yet: see hold_back() in stream.bpf.h. */
  u64 held_begin, held_end; /* offsets; 0: none */
  u64 held_at_ns;      /* of the last of them */
  u32 user[2];    /* tgid that last moved bytes, by direction */
  u32 owner;      /* tgid that connected; 0: not known */
  u8 role;
  u8 announced;   /* WIRE_OPEN was sent */
  u8 fin_sent;
  u8 closed;
  u8 answered; /* received something since it last sent */
  u8 state;    /* the last one that was told of */
  u8 filtered; /* its payload is not wanted; decided when it is announced */
  u8 pad0;
};

/* Preallocated: before 6.1 an entry allocated by a tracing program can deadlock, and the kernel's log says so
 * (94dacdbd5d2d, "bpf: Tighten the requirements for preallocated hash maps"). */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct flow);
} flows SEC(".maps");

/* The low 32 bits of an offset are the TCP sequence number; `near` is an offset that it lies close to. */
static __always_inline u64 extend_sequence(u64 near, u32 sequence) {
  return near + (s64)(s32)(sequence - (u32)near);
}

static __always_inline u32 sequence_of(struct sock *sk, int direction) {
  return direction == WIRE_TX ? TCP_FIELD(sk, write_seq) : TCP_FIELD(sk, copied_seq);
}

/* Bytes that processes have taken from the socket, by the kernel's own count. A FIN counts as one in rcv_nxt and in
 * bytes_received, and in copied_seq once the end was read; SOCK_DONE (bit 1 of skc_flags) says that a FIN came. */
static __always_inline u64 kernel_received(struct sock *sk) {
  u32 unread = TCP_FIELD(sk, rcv_nxt) - TCP_FIELD(sk, copied_seq);
  u64 received = TCP_FIELD(sk, bytes_received);
  u64 fin_read = !unread && (SOCKET_FIELD(sk, __sk_common.skc_flags) & 2);
  return received - unread - fin_read;
}

/* The sequence number one past the last payload byte that was read. */
static __always_inline u32 payload_read(struct sock *sk) {
  u32 copied = TCP_FIELD(sk, copied_seq);
  if (copied == TCP_FIELD(sk, rcv_nxt) && (SOCKET_FIELD(sk, __sk_common.skc_flags) & 2))
    copied -= 1;
  return copied;
}

static __always_inline u64 received_end(const struct flow *flow, struct sock *sk) {
  return extend_sequence(flow->end[WIRE_RX], payload_read(sk));
}

static __always_inline void begin_offsets(struct flow *flow, struct sock *sk) {
  flow->first[WIRE_TX] = flow->end[WIRE_TX] = (1ull << 32) | sequence_of(sk, WIRE_TX);
  flow->first[WIRE_RX] = flow->end[WIRE_RX] = (1ull << 32) | sequence_of(sk, WIRE_RX);
  flow->received_before = kernel_received(sk);
}

static __always_inline struct flow *insert_flow(const struct wire_config *cfg, u64 key, struct flow *fresh) {
  fresh->id = next_flow_id(cfg, fresh->role == WIRE_ROLE_SERVER);
  if (bpf_map_update_elem(&flows, &key, fresh, BPF_NOEXIST) == -7 /* E2BIG: the table is full */) {
    struct wire_counters *count = my_counters();
    if (count)
      count->flows_untracked++;
    return 0;
  }
  return bpf_map_lookup_elem(&flows, &key); /* another processor may have been first: then it is that one */
}

static __always_inline void read_addresses(struct wire_open *open, struct sock *sk) {
  open->flags |= WIRE_FLAG_LOCAL | WIRE_FLAG_REMOTE;
  open->local_port = bpf_htons(SOCKET_FIELD(sk, __sk_common.skc_num));
  open->remote_port = SOCKET_FIELD(sk, __sk_common.skc_dport);
  if (SOCKET_FIELD(sk, __sk_common.skc_family) == 2 /* AF_INET */) {
    u32 local = SOCKET_FIELD(sk, __sk_common.skc_rcv_saddr);
    u32 remote = SOCKET_FIELD(sk, __sk_common.skc_daddr);
    open->local_address[10] = open->local_address[11] = 0xff;
    open->remote_address[10] = open->remote_address[11] = 0xff;
    __builtin_memcpy(&open->local_address[12], &local, 4);
    __builtin_memcpy(&open->remote_address[12], &remote, 4);
  } else if (bpf_core_field_exists(((struct sock_common *)0)->skc_v6_daddr)) {
    for (int i = 0; i < 4; i++) {
      u32 local = SOCKET_FIELD(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
      u32 remote = SOCKET_FIELD(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
      __builtin_memcpy(&open->local_address[4 * i], &local, 4);
      __builtin_memcpy(&open->remote_address[4 * i], &remote, 4);
    }
  }
  struct net *net = SOCKET_FIELD(sk, __sk_common.skc_net.net);
  open->network_namespace = SOCKET_FIELD(net, ns.inum);
}

/* Of the addresses only the ports are sure now: a process may come to use the socket later, and of a connection whose
 * addresses are translated each end knows others. */
static __always_inline int is_filtered(const struct wire_config *cfg, u16 local_port, u16 remote_port) {
  u32 count = cfg->port_count;
#pragma unroll
  for (u32 i = 0; i < WIRE_FILTER_PORTS; i++)
    if (i < count && (cfg->ports[i] == local_port || cfg->ports[i] == remote_port))
      return 0;
  return count != 0;
}

static __always_inline void announce(void *ctx, const struct wire_config *cfg, struct flow *flow, struct sock *sk,
                                     int preexisting) {
  struct wire_open open = {};
  fill_header(&open.header, WIRE_OPEN, flow->id, 0);
  if (flow->role == WIRE_ROLE_CLIENT && flow->owner)
    open.header.tgid = open.header.tid = flow->owner; /* this may run in softirq, as whoever was on the processor */
  else
    open.header.tgid = open.header.tid = 0;
  open.flags = WIRE_FLAG_OFFSETS;
  read_addresses(&open, sk);
  flow->filtered = is_filtered(cfg, open.local_port, open.remote_port);
  open.role = flow->role;
  open.tx_offset = flow->first[WIRE_TX];
  open.rx_offset = flow->first[WIRE_RX];
  if (preexisting)
    open.flags |= WIRE_FLAG_PREEXISTING;
  flow->announced = !emit(ctx, cfg, &open, sizeof(open), 0, 0); /* without it the flow has no name: it is tried again */
}

#endif
