/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * System calls that move bytes through a TCP socket.
 *
 * What a call sent lies where the send sequence number stood when the call began, if it stands exactly so much further
 * when the call returns. What a call received ends where the receive sequence number stands when the call returns, if
 * that is exactly so much further than the last reception known of. Otherwise another call moved bytes meanwhile, and
 * the whole difference is told as a gap: its size is sure, its bytes have no sure place.
 */
#ifndef TRACER_SOCKET_CALLS_BPF_H
#define TRACER_SOCKET_CALLS_BPF_H

/* The enter half of a sending call, by thread. Indexed by the low bits of the thread id: no hashing, no removal. Of two
 * threads that share a slot and send at once one is told as a gap. */
struct call {
  u64 tid_op; /* tid << 32 | op; 0: none */
  u64 sk;
  u64 at_ns;
  u64 sequence;
};

#define CALL_SLOTS 32768u
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, CALL_SLOTS);
  __type(key, u32);
  __type(value, struct call);
} calls SEC(".maps");

static __always_inline struct call *my_call(u32 tid) {
  u32 slot = tid & (CALL_SLOTS - 1);
  return bpf_map_lookup_elem(&calls, &slot);
}

/* The socket behind a descriptor of the current task; 0: not a socket. All sockets share one table of file operations,
 * whose address is learned from the first: after that one read tells a file from a socket. */
static __always_inline struct sock *socket_of(struct wire_config *cfg, struct task_struct *task, u64 fd) {
  struct files_struct *open_files = FIELD(task, files);
  struct fdtable *table = FIELD(open_files, fdt);
  u32 limit = FIELD(table, max_fds);
  struct file **files = FIELD(table, fd);
  struct file *file = 0;
  fd = (u32)fd;
  if (fd >= limit || bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
    return 0;
  u64 operations = (u64)BPF_CORE_READ(file, f_op);
  if (operations != cfg->socket_file_ops) {
    if (cfg->socket_file_ops)
      return 0;
    u16 mode = BPF_CORE_READ(file, f_inode, i_mode);
    if ((mode & 0170000) != 0140000 /* S_IFSOCK */ || !BPF_CORE_READ(file, private_data))
      return 0; /* a path descriptor of a socket has no socket behind it */
    cfg->socket_file_ops = operations;
  }
  struct socket *socket = BPF_CORE_READ(file, private_data);
  return BPF_CORE_READ(socket, sk);
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

static __always_inline void announce_user(void *ctx, const struct wire_config *cfg, struct task_struct *task,
                                          struct flow *flow, int direction, u32 tgid) {
  struct wire_process process = {};
  flow->user[direction] = tgid;
  fill_header(&process.header, WIRE_OWNER, flow->id, 0);
  process.header.direction = direction;
  process.uid = bpf_get_current_uid_gid();
  BPF_CORE_READ_STR_INTO(&process.comm, task, group_leader, comm);
  process.local_tgid = local_tgid(cfg);
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

/* accept(2) returned `fd`: the only moment at which the process that serves a new connection is known for sure. */
static __always_inline void accept_owner(void *ctx, struct wire_config *cfg, struct task_struct *task, u64 fd,
                                         u32 tgid) {
  struct sock *sk = socket_of(cfg, task, fd);
  if (!sk)
    return;
  u64 key = (u64)sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return;
  flow->owner = tgid;
  announce_user(ctx, cfg, task, flow, WIRE_RX, tgid);
}

static __always_inline int only_sizes(const struct flow *flow) {
  u32 slot = flow->id % WIRE_VERDICT_SLOTS;
  struct wire_verdict *verdict = bpf_map_lookup_elem(&verdicts, &slot);
  return verdict && verdict->flow == flow->id && verdict->mode[WIRE_RX] == WIRE_MODE_SIZES;
}

/* Where only sizes and times are wanted, the reads in the middle of a long message need not be told one by one. A read
 * that filled its buffer is most likely followed by another, so it is kept back and told with the first that did not,
 * with what the process sends next, or at the end. The first read of an answer is told at once, for its time. */
static __always_inline int hold_back(struct flow *flow, u32 op, u64 begin, u64 end, u64 got, u64 asked) {
  u8 first = !flow->answered;
  flow->answered = 1;
  if (first || got != asked || (op != WIRE_OP_READ && op != WIRE_OP_RECVFROM))
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
  held.header.rest = WIRE_REST_VERDICT;
  held.offset = flow->held_begin;
  held.moved = flow->held_end - flow->held_begin;
  flow->held_begin = 0;
  emit(ctx, cfg, &held, sizeof(held), held.moved, 0);
}

/* The flow of a TCP socket; made when it is first used. `received`: what this call has just taken out of it. */
static __always_inline struct flow *flow_of(void *ctx, struct wire_config *cfg, struct sock *sk, u64 received) {
  u64 key = (u64)sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow) {
    if (!is_tcp(sk))
      return 0;
    u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
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
  if (!flow->announced)
    announce(ctx, cfg, flow, sk, flow->role == WIRE_ROLE_UNKNOWN);
  return flow;
}

/* A descriptor of the current task that this call moves bytes through; 0: not a socket. */
static __always_inline struct sock *sending_socket(struct wire_config *cfg, struct task_struct *task,
                                                   struct pt_regs *regs, u32 op) {
  return socket_of(cfg, task, op == WIRE_OP_SPLICE ? SYSCALL_ARGUMENT_2(regs) : SYSCALL_ARGUMENT_0(regs));
}

static __always_inline int on_enter(void *ctx, struct pt_regs *regs, long number) {
  u32 op = op_of(number);
  if (op == WIRE_OP_NONE || op >= WIRE_OP_READ)
    return 0; /* receptions are looked at when they return */
  struct task_struct *task = CURRENT_TASK();
  if (TASK_IS_32BIT(task))
    return 0; /* the number is one of another table */
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  struct call *call = my_call((u32)id);
  if (!cfg || !call)
    return 0;
  if ((s32)SYSCALL_ARGUMENT_0(regs) == WIRE_BEAT_FD && SYSCALL_ARGUMENT_2(regs) == cfg->beat_nonce) {
    emit_beat(ctx, cfg);
    return 0;
  }
  if (is_self(cfg, id >> 32))
    return 0;
  struct sock *sk = sending_socket(cfg, task, regs, op);
  if (!sk || !flow_of(ctx, cfg, sk, 0))
    return 0;
  call->sk = (u64)sk;
  call->sequence = sequence_of(sk, WIRE_TX);
  call->at_ns = bpf_ktime_get_ns();
  call->tid_op = (id << 32) | op;
  return 0;
}

/* Both fill `told` and answer 1 where there is something to tell. */
static __always_inline int on_sent(void *ctx, struct wire_config *cfg, struct task_struct *task, struct call *call,
                                   u32 op, u64 id, u64 result, struct moved_call *told) {
  struct sock *sk = (struct sock *)call->sk;
  u64 key = call->sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return 0;
  u32 sampled = call->sequence;
  u64 moved = (u32)(sequence_of(sk, WIRE_TX) - sampled);
  if (!moved)
    return 0;
  u64 begin = extend_sequence(flow->end[WIRE_TX], sampled);
  if ((s64)(begin + moved - flow->end[WIRE_TX]) > 0)
    flow->end[WIRE_TX] = begin + moved;
  if (flow->user[WIRE_TX] != id >> 32)
    announce_user(ctx, cfg, task, flow, WIRE_TX, id >> 32);
  tell_held(ctx, cfg, flow);
  flow->answered = 0;
  told->flow = flow->id;
  told->at_ns = call->at_ns;
  told->begin = begin;
  told->moved = moved;
  told->direction = WIRE_TX;
  told->exact = op == WIRE_OP_SENDMMSG || moved == result; /* sendmmsg returns a count of messages */
  told->zero_copy = op == WIRE_OP_SENDFILE || op == WIRE_OP_SPLICE;
  return 1;
}

static __always_inline int on_received(void *ctx, struct wire_config *cfg, struct task_struct *task,
                                       struct pt_regs *regs, u32 op, u64 id, u64 result, struct moved_call *told) {
  u64 size = SYSCALL_ARGUMENT_2(regs);
  u32 flags = op == WIRE_OP_RECVFROM || op == WIRE_OP_RECVMMSG ? (u32)SYSCALL_ARGUMENT_3(regs)
              : op == WIRE_OP_RECVMSG                          ? (u32)size
                                                               : 0;
  if (flags & (0x2 /* MSG_PEEK */ | 0x2000 /* MSG_ERRQUEUE */))
    return 0; /* moves nothing */
  struct sock *sk = socket_of(cfg, task, SYSCALL_ARGUMENT_0(regs));
  if (!sk)
    return 0;
  struct flow *flow = flow_of(ctx, cfg, sk, op == WIRE_OP_RECVMMSG ? 0 : result);
  if (!flow)
    return 0;
  u64 begin = flow->end[WIRE_RX];
  u64 end = extend_sequence(begin, sequence_of(sk, WIRE_RX));
  if (op == WIRE_OP_RECVMMSG || end - begin != result)
    end = received_end(flow, sk); /* without the FIN, which counts as one and may have come with the last bytes */
  u64 moved = end - begin;
  if ((s64)moved <= 0)
    return 0; /* told already, with a call that raced with this one */
  flow->end[WIRE_RX] = end;
  if (flow->user[WIRE_RX] != id >> 32)
    announce_user(ctx, cfg, task, flow, WIRE_RX, id >> 32);

  if (!only_sizes(flow)) {
    tell_held(ctx, cfg, flow); /* what follows has bytes, which must not be taken for what was kept back */
  } else if (hold_back(flow, op, begin, end, result, size)) {
    return 0;
  } else if (flow->held_begin) {
    begin = flow->held_begin;
    flow->held_begin = 0;
  }
  told->flow = flow->id;
  told->begin = begin;
  told->moved = end - begin;
  told->direction = WIRE_RX;
  told->exact = op == WIRE_OP_RECVMMSG || moved == result;
  told->zero_copy = op == WIRE_OP_SPLICE || (flags & 0x20 /* MSG_TRUNC: taken, not copied */);
  return 1;
}

static __always_inline int on_exit(void *ctx, struct pt_regs *regs, long result) {
  u32 op = op_of(SYSCALL_NUMBER(regs));
  if (op == WIRE_OP_NONE)
    return 0;
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  struct call *call = my_call((u32)id);
  if (!cfg || !call)
    return 0;
  u64 expected = (id << 32) | op;
  int sending = call->tid_op == expected;
  if (sending)
    call->tid_op = 0;
  if (result < 0 || is_self(cfg, id >> 32))
    return 0;
  struct task_struct *task = CURRENT_TASK();
  if (TASK_IS_32BIT(task))
    return 0;
  if (op == WIRE_OP_ACCEPT || op == WIRE_OP_ACCEPT4) {
    accept_owner(ctx, cfg, task, (u64)result, id >> 32);
    return 0;
  }
  if (!result)
    return 0;
  struct moved_call told = {.op = op, .buffer = SYSCALL_ARGUMENT_1(regs), .size = SYSCALL_ARGUMENT_2(regs)};
  int something = 0;
  if (sending)
    something = on_sent(ctx, cfg, task, call, op, id, (u64)result, &told);
  else if (op >= WIRE_OP_READ || op == WIRE_OP_SPLICE)
    something = on_received(ctx, cfg, task, regs, op, id, (u64)result, &told);
  if (something)
    deliver(ctx, cfg, &told);
  return 0;
}

#endif
