/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * System calls that move bytes through a TCP socket.
 */
#ifndef TRACER_SOCKET_CALLS_BPF_H
#define TRACER_SOCKET_CALLS_BPF_H

#include "backends/bpf/stream.bpf.h"
#include "backends/bpf/user_segments.bpf.h"

/* The enter half of a sending call. */
struct call {
  u64 tid_op; /* tid << 32 | op; 0: none */
  u64 sk;
  u64 at_ns;
  u64 sequence;
  u64 fd, buffer; /* first and second argument: which call of the thread this is */
};

#include "backends/bpf/call_slots.bpf.h"

/* The socket behind a descriptor of the current task; 0: not a socket. All sockets share one table of file operations,
 * whose address is learned from the first: after that one read tells a file from a socket. */
static __always_inline struct sock *socket_of(struct wire_config *cfg, struct task_struct *task, u64 fd) {
  struct files_struct *open_files = TASK_FIELD(task, files);
  struct fdtable *table = TASK_FIELD(open_files, fdt);
  u32 limit = TASK_FIELD(table, max_fds);
  struct file **files = TASK_FIELD(table, fd);
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

/* A call by its 32-bit number: what it moves is not followed. */
static __always_inline void count_32bit(struct wire_config *cfg, struct pt_regs *regs, u32 op) {
  struct task_struct *task = CURRENT_TASK();
  struct wire_counters *count = my_counters();
  if (!count || !TASK_IS_32BIT(task))
    return;
  u32 fd = COMPAT_ARGUMENT_0(regs);
  if (op == WIRE_OP_32BIT_SOCKETCALL)
    bpf_probe_read_user(&fd, sizeof(fd), (void *)(u64)COMPAT_ARGUMENT_1(regs));
  struct sock *sk = socket_of(cfg, task, fd);
  if (sk && tcp_sock_of(sk))
    count->calls_32bit++;
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
  announce_user(ctx, cfg, flow, WIRE_RX, tgid);
}

/* A descriptor of the current task that this call moves bytes through; 0: not a socket. */
static __always_inline struct sock *sending_socket(struct wire_config *cfg, struct task_struct *task,
                                                   struct pt_regs *regs, u32 op) {
  return socket_of(cfg, task, op == WIRE_OP_SPLICE ? SYSCALL_ARGUMENT_2(regs) : SYSCALL_ARGUMENT_0(regs));
}

static __always_inline int is_of(const struct call *call, u64 id, u32 op, struct pt_regs *regs) {
  return call && call->tid_op == ((id << 32) | op) && call->fd == SYSCALL_ARGUMENT_0(regs) &&
         call->buffer == SYSCALL_ARGUMENT_1(regs);
}

static __always_inline int has_begun(u32 op, struct pt_regs *regs) {
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call((u32)id);
  return is_of(call, id, op, regs) && bpf_ktime_get_ns() - call->at_ns < ONE_CALL_NS;
}

/* 1: the call was seen to begin, and it is this program that is to tell of it. */
static __always_inline int end_call(u32 op, struct pt_regs *regs) {
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call((u32)id);
  if (!is_of(call, id, op, regs))
    return 0;
  call->tid_op = 0;
  return 1;
}

/* Where there are copies of the programs, all calls are marked when they begin, so that only one copy tells of them. */
static __always_inline int on_enter(void *ctx, struct wire_config *cfg, struct pt_regs *regs, u32 op) {
  struct task_struct *task = CURRENT_TASK();
  if (TASK_IS_32BIT(task))
    return 0; /* the number is one of another table */
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call((u32)id);
  if (!call)
    return 0;
  if ((s32)SYSCALL_ARGUMENT_0(regs) == WIRE_BEAT_FD && SYSCALL_ARGUMENT_2(regs) == cfg->beat_nonce) {
    emit_beat(ctx, cfg);
    return 0;
  }
  if (is_self(cfg, id >> 32))
    return 0;
  call->sk = 0;
  if (op < WIRE_OP_READ) {
    struct sock *sk = sending_socket(cfg, task, regs, op);
    if (sk && flow_of(ctx, cfg, sk, 0)) {
      call->sk = (u64)sk;
      call->sequence = sequence_of(sk, WIRE_TX);
    } else if (!cfg->twice) {
      return 0;
    }
  }
  call->fd = SYSCALL_ARGUMENT_0(regs);
  call->buffer = SYSCALL_ARGUMENT_1(regs);
  call->at_ns = bpf_ktime_get_ns();
  call->tid_op = (id << 32) | op;
  return 0;
}

static __always_inline int on_received(void *ctx, struct wire_config *cfg, struct task_struct *task,
                                       struct pt_regs *regs, u32 op, u32 tgid, u64 result, struct moved_call *told) {
  u64 size = SYSCALL_ARGUMENT_2(regs);
  u32 flags = op == WIRE_OP_RECVFROM || op == WIRE_OP_RECVMMSG ? (u32)SYSCALL_ARGUMENT_3(regs)
              : op == WIRE_OP_RECVMSG                          ? (u32)size
                                                               : 0;
  if (flags & (0x2 /* MSG_PEEK */ | 0x2000 /* MSG_ERRQUEUE */))
    return 0; /* moves nothing */
  struct sock *sk = socket_of(cfg, task, SYSCALL_ARGUMENT_0(regs));
  if (!sk)
    return 0;
  if (op == WIRE_OP_RECVMMSG)
    result = 0; /* a count of messages */
  struct flow *flow = flow_of(ctx, cfg, sk, result);
  if (!flow)
    return 0;
  told->zero_copy = op == WIRE_OP_SPLICE || (flags & 0x20 /* MSG_TRUNC: taken, not copied */);
  return received(ctx, cfg, sk, flow, 0, result, op == WIRE_OP_READ || op == WIRE_OP_RECVFROM ? size : 0, tgid, told);
}

static __always_inline int on_sent(void *ctx, struct wire_config *cfg, struct call *call, u32 op, u32 tgid, u64 result,
                                   struct moved_call *told) {
  u64 key = call->sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return 0;
  told->at_ns = call->at_ns;
  told->zero_copy = op == WIRE_OP_SENDFILE || op == WIRE_OP_SPLICE;
  return sent(ctx, cfg, (struct sock *)call->sk, flow, call->sequence, op == WIRE_OP_SENDMMSG ? 0 : result, tgid, told);
}

static __always_inline int on_exit(void *ctx, struct wire_config *cfg, struct pt_regs *regs, u32 op, int begun,
                                   long result) {
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call((u32)id);
  if (!call || result < 0 || is_self(cfg, id >> 32))
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
  if (begun && op < WIRE_OP_READ && call->sk)
    something = on_sent(ctx, cfg, call, op, id >> 32, (u64)result, &told);
  else if (op >= WIRE_OP_READ || op == WIRE_OP_SPLICE)
    something = on_received(ctx, cfg, task, regs, op, id >> 32, (u64)result, &told);
  if (something)
    deliver(ctx, cfg, &told);
  return 0;
}

#endif
