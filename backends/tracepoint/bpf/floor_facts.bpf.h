/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Where the floor gets its facts from. By themselves the programs know no kernel type:
 *
 *   records      of syscalls:*, sched:* and sock:*; where their fields lie is found at start (struct wire_layout)
 *   FLOOR_TYPED  the arguments of typed raw tracepoints, read by dereference only. For kernels that refuse
 *                bpf_probe_read_kernel and hide tracefs (lockdown=confidentiality): descriptors cannot be looked up in
 *                the kernel there, since a table of pointers is no typed memory, and so are followed as on the floor.
 *
 * All answer 1 where there is something to look at.
 */
#ifndef TRACER_FLOOR_FACTS_BPF_H
#define TRACER_FLOOR_FACTS_BPF_H

struct state_change {
  u64 socket;
  u32 old_state, new_state;
};

#ifdef FLOOR_TYPED

#define ON(event) SEC("tp_btf/" #event)
#define PASS_ON 0

/* The parts of these structures that only this file needs. */
struct linux_binprm___user {
  unsigned long exec;
} RELOCATE;

static __always_inline long entered_call(u64 *ctx) { return (long)ctx[1]; }

static __always_inline int entered_arguments(u64 *ctx, u64 *arguments) {
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  arguments[0] = SYSCALL_ARGUMENT_0(regs);
  arguments[1] = SYSCALL_ARGUMENT_1(regs);
  arguments[2] = SYSCALL_ARGUMENT_2(regs);
  arguments[3] = SYSCALL_ARGUMENT_3(regs);
  return !call_is_32bit(regs);
}

/* One more: mmap says the file by its fifth. */
static __always_inline int entered_file_arguments(u64 *ctx, u64 *arguments) {
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  arguments[4] = SYSCALL_ARGUMENT_4(regs);
  return entered_arguments(ctx, arguments);
}

static __always_inline long left_number(u64 *ctx) {
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  return SYSCALL_NUMBER(regs);
}

/* This program sees the end of every call. */
static __always_inline int is_followed(u64 *ctx) {
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  return op_of(SYSCALL_NUMBER(regs)) != WIRE_OP_NONE;
}

static __always_inline long left_call(u64 *ctx) { return (long)ctx[1]; }

static __always_inline void copy_address(u8 *to, const struct in6_addr *from) {
  for (int i = 0; i < 16; i++)
    to[i] = from->in6_u.u6_addr8[i];
}

static __always_inline int state_changed(u64 *ctx, struct state_change *change) {
  change->socket = ctx[0];
  change->old_state = ctx[1];
  change->new_state = ctx[2];
  return bpf_skc_to_tcp_sock((struct sock *)ctx[0]) != 0;
}

static __always_inline int state_addresses(u64 *ctx, struct wire_open *record) {
  struct sock *sk = (struct sock *)ctx[0];
  struct tcp_sock *tcp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
  if (!tcp)
    return 0;
  /* Not skc_num: it is cleared before the change to TCP_CLOSE is told. */
  record->local_port = tcp->inet_conn.icsk_inet.inet_sport;
  record->remote_port = sk->__sk_common.skc_dport;
  if (sk->__sk_common.skc_family == 2 /* AF_INET */) {
    __be32 local = sk->__sk_common.skc_rcv_saddr, remote = sk->__sk_common.skc_daddr;
    record->local_address[10] = record->local_address[11] = 0xff;
    record->remote_address[10] = record->remote_address[11] = 0xff;
    __builtin_memcpy(&record->local_address[12], &local, 4);
    __builtin_memcpy(&record->remote_address[12], &remote, 4);
  } else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
    copy_address(record->local_address, &sk->__sk_common.skc_v6_rcv_saddr);
    copy_address(record->remote_address, &sk->__sk_common.skc_v6_daddr);
  }
  return 1;
}

static __always_inline int socket_destroyed(u64 *ctx, u64 *socket) {
  *socket = ctx[0];
  return 1;
}

static __always_inline int child_made(u64 *ctx, u32 *child) {
  struct task_struct *task = (struct task_struct *)ctx[1];
  *child = task->tgid;
  return task->tgid == task->pid; /* else a thread */
}

static __always_inline void find_arguments(u64 *ctx, u64 *begin, u64 *end) {
  struct mm_struct *memory = ((struct task_struct *)ctx[0])->mm;
  *begin = memory->arg_start;
  *end = memory->arg_end;
}

/* The kernel's own copy cannot be read; it has put another one onto the new program's stack (AT_EXECFN). */
static __always_inline long executed_path(u64 *ctx, u8 *path, u32 size) {
  struct linux_binprm___user *program = (struct linux_binprm___user *)ctx[2];
  return bpf_probe_read_user_str(path, size, (void *)program->exec);
}

static __always_inline int process_ended(u64 *ctx) {
  struct task_struct *task = (struct task_struct *)ctx[0];
  return task->signal->live.counter == 0;
}

static __always_inline s32 exit_status(u64 *ctx) { return ((struct task_struct *)ctx[0])->exit_code; }
static __always_inline u32 parent_of(u64 *ctx) { return ((struct task_struct *)ctx[0])->real_parent->tgid; }

#else /* records */

#define ON(event) SEC("tracepoint")
/* A program on a tracepoint's perf event that answers 0 takes the event away from everybody else who listens by perf
 * (perf_trace_run_bpf_submit in kernel/events/core.c). */
#define PASS_ON 1

/* The records that BPF programs on syscalls:* get (perf_call_bpf_enter in kernel/trace/trace_syscalls.c). The number
 * is an int and what follows it is not initialised; before 6.x it was a long, whose low half comes first where it
 * matters. */
struct enter_record {
  u64 common;
  s32 number;
  u32 pad0;
  u64 argument[6];
};
struct exit_record {
  u64 common;
  s32 number;
  u32 pad0;
  long result;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct wire_layout);
} layout SEC(".maps");

static __always_inline struct wire_layout *my_layout(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&layout, &zero);
}

static __always_inline long entered_call(u64 *ctx) { return ((struct enter_record *)ctx)->number; }

static __always_inline int entered_arguments(u64 *ctx, u64 *arguments) {
  /* Not by record->argument[i]: a program that reads past the arguments of the call it is attached to is refused. */
  bpf_probe_read_kernel(arguments, 4 * sizeof(*arguments), ((struct enter_record *)ctx)->argument);
  return 1;
}

static __always_inline int entered_file_arguments(u64 *ctx, u64 *arguments) {
  bpf_probe_read_kernel(arguments, 5 * sizeof(*arguments), ((struct enter_record *)ctx)->argument);
  return 1;
}

static __always_inline long left_number(u64 *ctx) { return ((struct exit_record *)ctx)->number; }
static __always_inline long left_call(u64 *ctx) { return ((struct exit_record *)ctx)->result; }

static __always_inline int state_changed(u64 *ctx, struct state_change *change) {
  struct wire_layout *at = my_layout();
  u16 protocol = 0;
  if (!at)
    return 0;
  bpf_probe_read_kernel(&protocol, at->state_protocol_size == 1 ? 1 : 2, (void *)ctx + at->state_protocol);
  bpf_probe_read_kernel(&change->socket, sizeof(change->socket), (void *)ctx + at->state_socket);
  bpf_probe_read_kernel(&change->old_state, sizeof(change->old_state), (void *)ctx + at->state_old);
  bpf_probe_read_kernel(&change->new_state, sizeof(change->new_state), (void *)ctx + at->state_new);
  return protocol == 6 /* IPPROTO_TCP */;
}

static __always_inline int state_addresses(u64 *ctx, struct wire_open *record) {
  struct wire_layout *at = my_layout();
  u16 family = 0;
  if (!at)
    return 0;
  bpf_probe_read_kernel(&family, sizeof(family), (void *)ctx + at->state_family);
  bpf_probe_read_kernel(&record->local_port, 2, (void *)ctx + at->state_source_port);
  bpf_probe_read_kernel(&record->remote_port, 2, (void *)ctx + at->state_destination_port);
  record->local_port = __builtin_bswap16(record->local_port);
  record->remote_port = __builtin_bswap16(record->remote_port);
  if (family == 2 /* AF_INET */) {
    record->local_address[10] = record->local_address[11] = 0xff;
    record->remote_address[10] = record->remote_address[11] = 0xff;
    bpf_probe_read_kernel(&record->local_address[12], 4, (void *)ctx + at->state_source4);
    bpf_probe_read_kernel(&record->remote_address[12], 4, (void *)ctx + at->state_destination4);
  } else {
    bpf_probe_read_kernel(&record->local_address, 16, (void *)ctx + at->state_source6);
    bpf_probe_read_kernel(&record->remote_address, 16, (void *)ctx + at->state_destination6);
  }
  return 1;
}

static __always_inline int socket_destroyed(u64 *ctx, u64 *socket) {
  struct wire_layout *at = my_layout();
  return at && !bpf_probe_read_kernel(socket, sizeof(*socket), (void *)ctx + at->destroy_socket);
}

/* A thread or a process: the record does not say, the call that made it does. */
static __always_inline int child_made(u64 *ctx, u32 *child) {
  struct wire_layout *at = my_layout();
  u64 id = bpf_get_current_pid_tgid();
  struct call *call = my_call((u32)id);
  if (!at)
    return 0;
  if (call && (call->tid_op == ((id << 32) | WIRE_OP_CLONE) || call->tid_op == ((id << 32) | WIRE_OP_CLONE3)) &&
      (call->argument[0] & 0x10000 /* CLONE_THREAD */))
    return 0;
  return !bpf_probe_read_kernel(child, sizeof(*child), (void *)ctx + at->fork_child);
}

static __always_inline long executed_path(u64 *ctx, u8 *path, u32 size) {
  struct wire_layout *at = my_layout();
  u32 location = 0;
  if (!at)
    return 0;
  bpf_probe_read_kernel(&location, sizeof(location), (void *)ctx + at->exec_filename);
  return bpf_probe_read_kernel_str(path, size, (void *)ctx + (location & 0xffff));
}

/* The leader's exit stands for the process's. */
static __always_inline int process_ended(u64 *ctx) {
  u64 id = bpf_get_current_pid_tgid();
  (void)ctx;
  return (u32)id == id >> 32;
}

/* The records do not say them. */
static __always_inline s32 exit_status(u64 *ctx) {
  (void)ctx;
  return WIRE_EXIT_UNKNOWN;
}
static __always_inline u32 parent_of(u64 *ctx) {
  (void)ctx;
  return 0;
}
static __always_inline void find_arguments(u64 *ctx, u64 *begin, u64 *end) {
  (void)ctx;
  *begin = *end = 0;
}

#endif
#endif
