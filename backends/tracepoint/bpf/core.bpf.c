/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * System calls on TCP sockets where the kernel's types are known: descriptor -> socket -> addresses -> sequence numbers,
 * all resolved in the kernel. Built twice: typed tracepoints (tp_btf, 5.5) dereference the first hops, raw tracepoints
 * (RAW_TP) read them by helper.
 *
 * sys_enter finds the socket and samples the sequence state; sys_exit samples it again. The bytes of a call lie exactly
 * at the first sample when the difference is the return value: a peek moves nothing, a racing call moves more.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "backends/bpf/wire.h"
#include "backends/bpf/kernel_types.bpf.h"
#include "backends/bpf/deliver.bpf.h"
#include "backends/bpf/emit.bpf.h"
#include "backends/bpf/flow.bpf.h"

#ifdef RAW_TP
#define ATTACH(tracepoint) SEC("raw_tracepoint/" #tracepoint)
#define FIELD(pointer, field) BPF_CORE_READ(pointer, field)
#define CURRENT_TASK() ((struct task_struct *)bpf_get_current_task())
#else
#define ATTACH(tracepoint) SEC("tp_btf/" #tracepoint)
#define FIELD(pointer, field) ((pointer)->field)
#define CURRENT_TASK() bpf_get_current_task_btf()
#endif

enum tcp_state { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_SYN_RECV = 3, STATE_FIN_WAIT1 = 4,
                 STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8, STATE_LAST_ACK = 9, STATE_LISTEN = 10 };

/* The enter half of a call, by thread. Indexed by the low bits of the thread id: no hashing, no removal. Two threads
 * that share a slot and are in a call at once lose one half, which is counted. */
struct call {
  u64 tid_op;  /* tid << 32 | op; 0: none */
  u64 sk;
  u64 at_ns;
  u64 buffer;
  u64 size;
  u32 sequence;
  u32 is_rx;
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
    if ((mode & 0170000) != 0140000 /* S_IFSOCK */)
      return 0;
    cfg->socket_file_ops = operations;
  }
  struct socket *socket = BPF_CORE_READ(file, private_data);
  return BPF_CORE_READ(socket, sk);
}

static __always_inline void announce_user(void *ctx, const struct wire_config *cfg, struct task_struct *task,
                                          struct flow *flow, int direction, u32 tgid) {
  struct wire_process process = {};
  flow->user[direction] = tgid;
  fill_header(&process.header, WIRE_OWNER, flow->id, 0);
  process.header.direction = direction;
  process.uid = bpf_get_current_uid_gid();
  BPF_CORE_READ_STR_INTO(&process.comm, task, group_leader, comm);
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

static __always_inline int on_enter(void *ctx, struct pt_regs *regs, long number) {
  u32 op = op_of(number);
  if (op == WIRE_OP_NONE)
    return 0;
  struct task_struct *task = CURRENT_TASK();
  if (TASK_IS_32BIT(task))
    return 0; /* the number is one of another table */
  u64 fd = SYSCALL_ARGUMENT_0(regs);
  u64 buffer = SYSCALL_ARGUMENT_1(regs);
  u64 size = SYSCALL_ARGUMENT_2(regs);
  u64 fourth = SYSCALL_ARGUMENT_3(regs);
  u64 id = bpf_get_current_pid_tgid();
  u32 tgid = id >> 32;
  struct wire_config *cfg = my_config();
  if (!cfg)
    return 0;
  if (cfg->self_tgid == tgid) {
    if ((s32)fd == WIRE_BEAT_FD) {
      struct wire_header beat;
      fill_header(&beat, WIRE_BEAT, size, 0);
      emit(ctx, cfg, &beat, sizeof(beat), 0, 1);
      return 0;
    }
    if (!cfg->trace_self)
      return 0;
  }
  struct call *call = my_call((u32)id);
  if (!call)
    return 0;
  if (op == WIRE_OP_ACCEPT || op == WIRE_OP_ACCEPT4) {
    call->tid_op = (id << 32) | op;
    return 0;
  }

  struct sock *sk = socket_of(cfg, task, op == WIRE_OP_SPLICE ? size : fd);
  u32 rx = op >= WIRE_OP_READ;
  if (op == WIRE_OP_SPLICE && !sk) {
    sk = socket_of(cfg, task, fd);
    rx = 1;
  }
  if (!sk)
    return 0;

  /* A peek and the error queue move nothing; a truncating read moves bytes that user memory never sees. */
  u32 flags = op == WIRE_OP_RECVFROM || op == WIRE_OP_RECVMMSG ? (u32)fourth : op == WIRE_OP_RECVMSG ? (u32)size : 0;
  if (flags & (0x2 /* MSG_PEEK */ | 0x2000 /* MSG_ERRQUEUE */))
    return 0;
  if (flags & 0x20 /* MSG_TRUNC */)
    op = WIRE_OP_SPLICE;

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
    flow = insert_flow(cfg, key, &fresh);
    if (!flow)
      return 0;
  }
  if (!flow->announced)
    announce(ctx, cfg, flow, sk, flow->role == WIRE_ROLE_UNKNOWN);

  call->tid_op = (id << 32) | op;
  call->sk = key;
  call->buffer = buffer;
  call->size = size;
  call->is_rx = rx;
  call->sequence = sequence_of(sk, rx ? WIRE_RX : WIRE_TX);
  call->at_ns = rx ? 0 : bpf_ktime_get_ns();
  return 0;
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

static __always_inline int on_exit(void *ctx, struct pt_regs *regs, long ret) {
  (void)regs;
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call((u32)id);
  if (!call || call->tid_op >> 32 != (u32)id)
    return 0;
  u32 op = (u32)call->tid_op;
  call->tid_op = 0;
  struct wire_config *cfg = my_config();
  struct task_struct *task = CURRENT_TASK();
  u32 tgid = id >> 32;
  if (!cfg)
    return 0;
  if (op == WIRE_OP_ACCEPT || op == WIRE_OP_ACCEPT4) {
    if (ret >= 0)
      accept_owner(ctx, cfg, task, (u64)ret, tgid);
    return 0;
  }
  if (ret <= 0)
    return 0;
  struct sock *sk = (struct sock *)call->sk;
  u64 key = call->sk;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return 0;

  u32 direction = call->is_rx ? WIRE_RX : WIRE_TX;
  u32 sampled = call->sequence;
  u32 now = sequence_of(sk, direction);
  u64 moved = now - sampled;
  if (!moved)
    return 0; /* a peek */
  u64 asked = (u64)ret;
  /* sendmmsg and recvmmsg return a count of messages: there the difference is the only size. */
  u32 exact = op == WIRE_OP_SENDMMSG || op == WIRE_OP_RECVMMSG || moved == asked;
  if (!exact && direction == WIRE_RX && moved == asked + 1 && (BPF_CORE_READ(sk, __sk_common.skc_flags) & 2 /* SOCK_DONE */)) {
    moved = asked; /* the call also took the FIN, which counts as one */
    exact = 1;
  }
  if (exact && direction == WIRE_RX && op == WIRE_OP_RECVMMSG && (BPF_CORE_READ(sk, __sk_common.skc_flags) & 2) &&
      now == BPF_CORE_READ((struct tcp_sock *)sk, rcv_nxt))
    moved -= 1;
  if (!moved)
    return 0; /* nothing but the FIN */

  u64 begin = extend_sequence(flow->end[direction & 1], sampled);
  u64 end = begin + moved;
  if ((s64)(end - flow->end[direction & 1]) > 0)
    flow->end[direction & 1] = end;

  if (flow->user[direction & 1] != tgid)
    announce_user(ctx, cfg, task, flow, direction & 1, tgid);

  if (direction == WIRE_TX) {
    tell_held(ctx, cfg, flow);
    flow->answered = 0;
  } else if (!only_sizes(flow)) {
    tell_held(ctx, cfg, flow); /* what follows has bytes, which must not be taken for what was kept back */
  } else if (hold_back(flow, op, begin, end, (u64)ret, call->size)) {
    return 0;
  } else if (flow->held_begin) {
    begin = flow->held_begin;
    moved = end - begin;
    flow->held_begin = 0;
  }
  struct moved_call delivered = {
      .flow = flow->id,
      .at_ns = call->at_ns,
      .begin = begin,
      .moved = moved,
      .buffer = call->buffer,
      .size = call->size,
      .op = op,
      .direction = direction,
      .exact = exact,
      .zero_copy = op == WIRE_OP_SENDFILE || op == WIRE_OP_SPLICE,
  };
  deliver(ctx, cfg, &delivered);
  return 0;
}

static __always_inline void emit_end(void *ctx, const struct wire_config *cfg, struct flow *flow, struct sock *sk,
                                     u32 flags) {
  struct wire_end end = {};
  fill_header(&end.header, WIRE_END, flow->id, 0);
  end.header.direction = flags == WIRE_END_RX ? WIRE_RX : WIRE_TX;
  end.flags = flags;
  if (flags == WIRE_END_TX) {
    /* A FIN takes a sequence number, but at the change to FIN_WAIT1 or LAST_ACK it is not counted yet. */
    end.tx_end = extend_sequence(flow->end[WIRE_TX], sequence_of(sk, WIRE_TX));
  } else {
    end.rx_end = extend_sequence(flow->end[WIRE_RX], BPF_CORE_READ((struct tcp_sock *)sk, rcv_nxt));
    if (BPF_CORE_READ(sk, __sk_common.skc_flags) & 2 /* SOCK_DONE: the FIN is counted */)
      end.rx_end -= 1;
  }
  emit(ctx, cfg, &end, sizeof(end), 0, 0);
}

static __always_inline void sample_closed(struct flow *flow, struct sock *sk) {
  flow->closed = 1;
  flow->closed_end[WIRE_TX] = extend_sequence(flow->end[WIRE_TX], sequence_of(sk, WIRE_TX) - flow->fin_sent);
  flow->closed_end[WIRE_RX] = received_end(flow, sk);
  flow->closed_received = kernel_received(sk);
  flow->closed_raw = BPF_CORE_READ((struct tcp_sock *)sk, bytes_received);
}

static __always_inline void emit_close(void *ctx, const struct wire_config *cfg, struct flow *flow, struct sock *sk) {
  struct wire_end end = {};
  /* What the process read after TCP_CLOSE counts, unless the counters were cleared. */
  if (!flow->closed || BPF_CORE_READ((struct tcp_sock *)sk, bytes_received) == flow->closed_raw) {
    u64 tx_end = flow->closed_end[WIRE_TX];
    u64 closed = flow->closed;
    sample_closed(flow, sk);
    if (closed)
      flow->closed_end[WIRE_TX] = tx_end;
  }
  fill_header(&end.header, WIRE_CLOSE, flow->id, 0);
  end.flags = WIRE_END_TX | WIRE_END_RX | WIRE_END_KERNEL;
  end.tx_end = flow->closed_end[WIRE_TX];
  end.rx_end = flow->closed_end[WIRE_RX];
  end.kernel_tx = end.tx_end - flow->first[WIRE_TX];
  end.kernel_rx = flow->closed_received - flow->received_before;
  emit(ctx, cfg, &end, sizeof(end), 0, 0);
}

static __always_inline void end_flow(void *ctx, const struct wire_config *cfg, u64 key, struct sock *sk) {
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return;
  if (flow->announced) {
    tell_held(ctx, cfg, flow);
    emit_close(ctx, cfg, flow, sk);
  }
  bpf_map_delete_elem(&flows, &key);
}

static __always_inline int on_state(void *ctx, struct sock *sk, int old_state, int new_state) {
  struct wire_config *cfg = my_config();
  if (!cfg || !is_tcp(sk))
    return 0;
  u64 key = (u64)sk;
  if (new_state == STATE_SYN_SENT || new_state == STATE_SYN_RECV) {
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    end_flow(ctx, cfg, key, sk); /* a socket that was disconnected and connects again */
    if (new_state == STATE_SYN_SENT && is_self(cfg, tgid))
      return 0;
    struct flow fresh = {};
    /* Only connect(2) runs as the process that asked; an accepted socket is made by whoever took the packet. */
    fresh.role = new_state == STATE_SYN_SENT ? WIRE_ROLE_CLIENT : WIRE_ROLE_SERVER;
    fresh.owner = new_state == STATE_SYN_SENT ? tgid : 0;
    insert_flow(cfg, key, &fresh);
    return 0;
  }
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow)
    return 0;
  if (new_state == STATE_ESTABLISHED && (old_state == STATE_SYN_SENT || old_state == STATE_SYN_RECV)) {
    begin_offsets(flow, sk);
    announce(ctx, cfg, flow, sk, 0);
    return 0;
  }
  if (!flow->announced)
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

static __always_inline void on_fork(void *ctx, struct task_struct *parent, struct task_struct *child) {
  struct wire_config *cfg = my_config();
  struct wire_process process = {};
  u32 child_tgid = FIELD(child, tgid);
  (void)parent;
  fill_header(&process.header, WIRE_FORK, 0, 0);
  if (!cfg || child_tgid == process.header.tgid)
    return; /* a thread */
  process.child = child_tgid;
  process.uid = bpf_get_current_uid_gid();
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

struct exec_record {
  struct wire_process process;
  char path[WIRE_PATH_SIZE];
};

static __always_inline void on_exec(void *ctx, struct linux_binprm *program) {
  struct wire_config *cfg = my_config();
  struct exec_record record = {};
  if (!cfg)
    return;
  fill_header(&record.process.header, WIRE_EXEC, 0, 0);
  record.process.uid = bpf_get_current_uid_gid();
  bpf_get_current_comm(record.process.comm, sizeof(record.process.comm));
  long length = bpf_probe_read_kernel_str(record.path, sizeof(record.path), FIELD(program, filename));
  u64 kept = length > 0 ? (u64)length - 1 : 0;
  record.process.header.kept = kept;
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
}

static __always_inline void on_process_exit(void *ctx, struct task_struct *task) {
  struct wire_config *cfg = my_config();
  struct wire_process process = {};
  if (!cfg || BPF_CORE_READ(task, signal, live.counter) != 0)
    return; /* other threads go on */
  fill_header(&process.header, WIRE_EXIT, 0, 0);
  process.exit_code = BPF_CORE_READ(task, exit_code);
  process.uid = bpf_get_current_uid_gid();
  BPF_CORE_READ_STR_INTO(&process.comm, task, group_leader, comm);
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

ATTACH(sys_enter) int tracer_sys_enter(u64 *ctx) { return on_enter(ctx, (struct pt_regs *)ctx[0], (long)ctx[1]); }

ATTACH(sys_exit) int tracer_sys_exit(u64 *ctx) { return on_exit(ctx, (struct pt_regs *)ctx[0], (long)ctx[1]); }

ATTACH(inet_sock_set_state) int tracer_set_state(u64 *ctx) {
  return on_state(ctx, (struct sock *)ctx[0], (int)ctx[1], (int)ctx[2]);
}

ATTACH(tcp_destroy_sock) int tracer_destroy(u64 *ctx) {
  struct wire_config *cfg = my_config();
  if (cfg)
    end_flow(ctx, cfg, ctx[0], (struct sock *)ctx[0]);
  return 0;
}

ATTACH(sched_process_fork) int tracer_fork(u64 *ctx) {
  on_fork(ctx, (struct task_struct *)ctx[0], (struct task_struct *)ctx[1]);
  return 0;
}

ATTACH(sched_process_exec) int tracer_exec(u64 *ctx) {
  on_exec(ctx, (struct linux_binprm *)ctx[2]);
  return 0;
}

ATTACH(sched_process_exit) int tracer_exit(u64 *ctx) {
  on_process_exit(ctx, (struct task_struct *)ctx[0]);
  return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
