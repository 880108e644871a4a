/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * "This call moved bytes through this socket" -> which flow, which offsets, by whom, and whether they are exact.
 *
 * What was sent lies where the send sequence number stood when the call began, if it stands exactly so much further
 * when the call returns. What was received ends where the receive sequence number stands when the call returns, if
 * that is exactly so much further than the last reception known of, or than when the call began. Otherwise another
 * call moved bytes meanwhile, and the whole difference is told as a gap: its size is sure, its bytes have no sure
 * place.
 */
#ifndef TRACER_STREAM_BPF_H
#define TRACER_STREAM_BPF_H

#include "backends/bpf/deliver.bpf.h"
#include "backends/bpf/flow.bpf.h"
#include "backends/bpf/tls_calls.bpf.h"

/* Two programs that both see the beginning of one call do so within this time. */
#define ONE_CALL_NS 1000000ull

/* Of the thread-group leader. */
static __always_inline void read_process_name(char *comm, struct task_struct *task) {
#ifdef SEALED
  u64 id = bpf_get_current_pid_tgid();
  if (task && HAS_TYPED_TASK) {
    u64 *name = (u64 *)task->group_leader->comm;
    ((u64 *)comm)[0] = name[0];
    ((u64 *)comm)[1] = name[1];
    comm[WIRE_COMM_SIZE - 1] = 0;
  } else if ((u32)id == id >> 32) {
    bpf_get_current_comm(comm, WIRE_COMM_SIZE); /* for another thread user space must look */
  }
#else
  BPF_CORE_READ_STR_INTO((char (*)[WIRE_COMM_SIZE])comm, task, group_leader, comm);
#endif
}

/* The current process as the tracer's own pid namespace counts it; 0: it is in another one. */
static __always_inline u32 local_tgid(const struct wire_config *cfg) {
  struct bpf_pidns_info info = {};
  if (!cfg->pid_namespace_inode || !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_ns_current_pid_tgid))
    return 0;
  if (bpf_get_ns_current_pid_tgid(cfg->pid_namespace_device, cfg->pid_namespace_inode, &info, sizeof(info)))
    return 0;
  return info.tgid;
}

/* `tgid` uses the flow now. It need not be the current process: the kernel may work for it in a thread of its own. */
static __always_inline void announce_user(void *ctx, const struct wire_config *cfg, struct flow *flow, int direction,
                                          u32 tgid) {
  struct wire_process process = {};
  flow->user[direction] = tgid;
  fill_header(&process.header, WIRE_OWNER, flow->id, 0);
  process.header.direction = direction;
  process.uid = bpf_get_current_uid_gid();
  if (process.header.tgid == tgid) {
    read_process_name(process.comm, CURRENT_TASK());
    process.local_tgid = local_tgid(cfg);
  } else {
    process.header.tgid = process.header.tid = tgid;
  }
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

static __always_inline int only_sizes(const struct flow *flow) {
  u32 slot = flow->id % WIRE_VERDICT_SLOTS;
  struct wire_verdict *verdict = bpf_map_lookup_elem(&verdicts, &slot);
  u32 mode = verdict && verdict->flow == flow->id ? verdict->mode[WIRE_RX] : WIRE_MODE_DEFAULT;
  return mode == WIRE_MODE_SIZES || (flow->filtered && mode != WIRE_MODE_QUIET);
}

/* Where only sizes and times are wanted, the reads in the middle of a long message need not be told one by one. A read
 * that filled its buffer is most likely followed by another, so it is kept back and told with the first that did not,
 * with what the process sends next, or at the end. The first read of an answer is told at once, for its time. */
static __always_inline int hold_back(struct flow *flow, u64 begin, u64 end, u64 got, u64 asked) {
  u8 first = !flow->answered;
  flow->answered = 1;
  if (first || got != asked)
    return 0;
  if (!flow->held_begin)
    flow->held_begin = begin;
  flow->held_end = end;
  flow->held_at_ns = bpf_ktime_get_ns();
  return 1;
}

static __always_inline void tell_held(void *ctx, const struct wire_config *cfg, struct flow *flow) {
  if (!flow->held_begin)
    return;
  struct wire_data held;
  fill_header(&held.header, WIRE_DATA, flow->id, flow->held_at_ns);
  held.header.tgid = held.header.tid = flow->user[WIRE_RX];
  held.header.direction = WIRE_RX;
  held.header.rest = flow->filtered ? WIRE_REST_FILTER : WIRE_REST_VERDICT;
  held.offset = flow->held_begin;
  held.moved = flow->held_end - flow->held_begin;
  flow->held_begin = 0;
  emit(ctx, cfg, &held, sizeof(held), held.moved, 0);
}

/* A call on a socket that no stream is followed of. */
static __always_inline void count_other_socket(struct sock *sk) {
#ifndef KERNEL_SEGMENTS
  struct wire_counters *count = my_counters();
  u16 family = SOCKET_FIELD(sk, __sk_common.skc_family);
  if (!count)
    return;
  if (family == 1 /* AF_UNIX */)
    count->unix_sockets++;
  else if ((family == 2 /* AF_INET */ || family == 10 /* AF_INET6 */) &&
           (SOCKET_FIELD(sk, __sk_common.skc_dport) == bpf_htons(443) ||
            SOCKET_FIELD(sk, __sk_common.skc_num) == 443) &&
           BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) == 17 /* IPPROTO_UDP */)
    count->quic++;
#endif
  (void)sk;
}

/* The flow of a TCP socket; made when it is first used. `received`: what this call has just taken out of it. */
static __always_inline struct flow *flow_of(void *ctx, struct wire_config *cfg, struct sock *sk, u64 received) {
  u64 key = (u64)sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow) {
    if (!tcp_sock_of(sk)) {
      count_other_socket(sk);
      return 0;
    }
    u8 state = SOCKET_FIELD(sk, __sk_common.skc_state);
    if (state == STATE_LISTEN || state == STATE_CLOSE || state == STATE_SYN_SENT)
      return 0;
    struct flow fresh = {};
    begin_offsets(&fresh, sk);
    fresh.end[WIRE_RX] = fresh.first[WIRE_RX] = received_end(&fresh, sk) - received;
    fresh.received_before -= received;
    flow = insert_flow(cfg, key, &fresh);
    if (!flow)
      return 0;
  }
  if (!flow->first[WIRE_TX])
    return 0; /* not established yet */
  if (!flow->announced)
    announce(ctx, cfg, flow, sk, flow->role == WIRE_ROLE_UNKNOWN);
  return flow;
}

/* Bytes went through the socket of which nothing was told, because the kernel skipped a program. Only the socket
 * layer can say so (at system calls it may as well be io_uring), and not where an upper layer moves them, as kernel
 * TLS does. */
static __always_inline void count_untold(struct sock *sk, s64 bytes) {
#ifdef KERNEL_SEGMENTS
  struct wire_counters *count = my_counters();
  if (bytes > 0 && count && !TCP_FIELD(sk, inet_conn.icsk_ulp_ops))
    __sync_fetch_and_add(&count->missed, 1);
#endif
  (void)sk;
  (void)bytes;
}

/* Both fill `told` and answer 1 where there is something to tell. `result` is what the call returned, 0 where that is
 * not a number of bytes; `tgid` the process that called. */

/* `sampled`: the send sequence number when the call began. */
static __always_inline int sent(void *ctx, const struct wire_config *cfg, struct sock *sk, struct flow *flow,
                                u32 sampled, u64 result, u32 tgid, struct moved_call *told) {
  note_flow_used(cfg, flow->id, flow->filtered);
  u64 moved = (u32)(sequence_of(sk, WIRE_TX) - sampled);
  if (flow->fin_sent && moved == result + 1)
    moved = result; /* another thread shut the socket down meanwhile: a FIN counts as one */
  if (!moved)
    return 0;
  u64 begin = extend_sequence(flow->end[WIRE_TX], sampled);
  count_untold(sk, begin - flow->end[WIRE_TX]);
  if ((s64)(begin + moved - flow->end[WIRE_TX]) > 0)
    flow->end[WIRE_TX] = begin + moved;
  if (flow->user[WIRE_TX] != tgid)
    announce_user(ctx, cfg, flow, WIRE_TX, tgid);
  tell_held(ctx, cfg, flow);
  flow->answered = 0;
  told->flow = flow->id;
  told->tgid = tgid;
  told->begin = begin;
  told->moved = moved;
  told->direction = WIRE_TX;
  told->exact = !result || moved == result;
  told->filtered = flow->filtered;
  return 1;
}

/* `asked`: the size of the caller's buffer, 0 where it has several; `sampled`: the receive sequence number when the
 * call began, null where that was not looked at. */
static __always_inline int received(void *ctx, const struct wire_config *cfg, struct sock *sk, struct flow *flow,
                                    const u32 *sampled, u64 result, u64 asked, u32 tgid, struct moved_call *told) {
  note_flow_used(cfg, flow->id, flow->filtered);
  u64 begin = flow->end[WIRE_RX];
  u64 end = extend_sequence(begin, sequence_of(sk, WIRE_RX));
  if (end - begin != result)
    end = received_end(flow, sk); /* without the FIN, which counts as one and may have come with the last bytes */
  if (end - begin != result && sampled) {
    /* Bytes before this call were taken in a way that is not watched. */
    u64 before = extend_sequence(begin, *sampled);
    if (end - before == result && (s64)(before - begin) > 0) {
      count_untold(sk, before - begin);
      begin = before;
    }
  }
  u64 moved = end - begin;
  if ((s64)moved <= 0)
    return 0; /* told already, with a call that raced with this one */
  flow->end[WIRE_RX] = end;
  if (flow->user[WIRE_RX] != tgid)
    announce_user(ctx, cfg, flow, WIRE_RX, tgid);

  if (!only_sizes(flow)) {
    tell_held(ctx, cfg, flow); /* what follows has bytes, which must not be taken for what was kept back */
  } else if (hold_back(flow, begin, end, result, asked)) {
    return 0;
  } else if (flow->held_begin) {
    begin = flow->held_begin;
    flow->held_begin = 0;
  }
  told->flow = flow->id;
  told->tgid = tgid;
  told->begin = begin;
  told->moved = end - begin;
  told->direction = WIRE_RX;
  told->exact = !result || moved == result;
  told->filtered = flow->filtered;
  return 1;
}

#endif
