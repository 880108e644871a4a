/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The kernel types that the CO-RE programs read, cut down to the fields used. The loader relocates every access to the
 * running kernel; what differs between kernels in more than an offset stands here, one block per difference.
 */
#ifndef TRACER_KERNEL_TYPES_BPF_H
#define TRACER_KERNEL_TYPES_BPF_H

#include <linux/types.h>

typedef __u64 u64;
typedef __u32 u32;
typedef __u16 u16;
typedef __u8 u8;
typedef __s64 s64;
typedef __s32 s32;

#define RELOCATE __attribute__((preserve_access_index))

struct inode {
  u16 i_mode;
} RELOCATE;

struct file {
  struct inode *f_inode;
  const void *f_op;
  void *private_data;
} RELOCATE;

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
} RELOCATE;

struct files_struct {
  struct fdtable *fdt;
} RELOCATE;

struct thread_info {
  u32 status;          /* x86 */
  unsigned long flags; /* arm64 */
} RELOCATE;

typedef struct {
  int counter;
} atomic_t;

struct signal_struct {
  atomic_t live;
} RELOCATE;

struct mm_struct {
  unsigned long arg_start;
  unsigned long arg_end;
} RELOCATE;

struct task_struct {
  struct thread_info thread_info;
  unsigned int flags;
  struct mm_struct *mm;
  struct files_struct *files;
  struct task_struct *group_leader;
  struct task_struct *real_parent;
  struct signal_struct *signal;
  int tgid;
  int pid;
  int exit_code;
  char comm[16];
} RELOCATE;

struct linux_binprm {
  const char *filename;
} RELOCATE;

struct in6_addr {
  union {
    u8 u6_addr8[16];
    u32 u6_addr32[4];
  } in6_u;
};

struct ns_common {
  unsigned int inum;
} RELOCATE;

struct net {
  struct ns_common ns;
} RELOCATE;

typedef struct {
  struct net *net;
} possible_net_t;

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  u16 skc_num;
  u16 skc_family;
  volatile unsigned char skc_state;
  unsigned long skc_flags;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
} RELOCATE;

struct sock {
  struct sock_common __sk_common;
  u16 sk_protocol;
} RELOCATE;

struct socket {
  struct sock *sk;
} RELOCATE;

struct inet_sock {
  __be16 inet_sport;
} RELOCATE;

struct tcp_ulp_ops {
  char name[16];
} RELOCATE;

struct inet_connection_sock {
  struct inet_sock icsk_inet;
  const struct tcp_ulp_ops *icsk_ulp_ops; /* an upper layer, such as kernel TLS, moves the bytes */
} RELOCATE;

struct tcp_sock {
  struct inet_connection_sock inet_conn;
  u32 write_seq;
  u32 copied_seq;
  u32 rcv_nxt;
  u64 bytes_received;
} RELOCATE;

enum tcp_state { /* include/net/tcp_states.h */
  STATE_ESTABLISHED = 1,
  STATE_SYN_SENT = 2,
  STATE_SYN_RECV = 3,
  STATE_FIN_WAIT1 = 4,
  STATE_CLOSE = 7,
  STATE_CLOSE_WAIT = 8,
  STATE_LAST_ACK = 9,
  STATE_LISTEN = 10,
};

#define PF_KTHREAD 0x00200000 /* task_struct.flags, include/linux/sched.h */

/* What a message is copied from or to. */
struct iovec {
  void *iov_base;
  u64 iov_len;
} RELOCATE;

struct iov_iter {
  u64 iov_offset;
  u64 count;
  u64 nr_segs;
} RELOCATE;

/* Until 6.3 the segments were `iov`, since 6.4 `__iov`: de4f5fed3f23 ("iov_iter: add iter_iovec() helper"). */
struct iov_iter___until_6_3 {
  const struct iovec *iov;
} RELOCATE;
struct iov_iter___since_6_4 {
  const struct iovec *__iov;
} RELOCATE;

/* One piece of user memory without an iovec: fcb14cb1bdac ("new iov_iter flavour - ITER_UBUF"), 6.0. */
struct iov_iter___since_6_0 {
  void *ubuf;
} RELOCATE;

/* The kind was a bit in `type` until 5.13: 8cd54c1c8480 ("iov_iter: separate direction from flavour"). Its values were
 * numbered anew several times, so they are always asked for by name. Bit 0 of `type` was the direction. */
struct iov_iter___until_5_13 {
  unsigned int type;
} RELOCATE;
struct iov_iter___since_5_14 {
  u8 iter_type;
} RELOCATE;
enum iter_type___kinds { ITER_IOVEC___kinds = 1, ITER_UBUF___kinds = 2 }; /* not the real values */

struct msghdr {
  struct iov_iter msg_iter;
} RELOCATE;

/* Typed contexts (tp_btf, fentry) have arguments that the verifier knows: their fields are read by dereference, also
 * where lockdown=confidentiality refuses bpf_probe_read_kernel. Elsewhere every field is read by that helper.
 *
 *   TYPED_CONTEXT  the arguments of the tracepoint or function are typed
 *   TYPED_SOCKETS  so is every socket: they only ever come from such an argument, never from another structure
 *   SEALED         bpf_probe_read_kernel does not occur at all
 */
#ifdef TYPED_CONTEXT
#define FIELD(pointer, field) ((pointer)->field)
#define FIELD_AS(type, pointer, field) (((struct type *)(pointer))->field)
#else
#define FIELD(pointer, field) BPF_CORE_READ(pointer, field)
#define FIELD_AS(type, pointer, field) BPF_CORE_READ((struct type *)(pointer), field)
#endif

/* A helper of 5.11; before, the current task is an address like any other. */
#define HAS_TYPED_TASK bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)
#if defined(TYPED_CONTEXT) && defined(SEALED)
#define CURRENT_TASK() (HAS_TYPED_TASK ? bpf_get_current_task_btf() : 0)
#define TASK_FIELD(task, field) ((task)->field)
#elif defined(TYPED_CONTEXT)
#define CURRENT_TASK() (HAS_TYPED_TASK ? bpf_get_current_task_btf() : (struct task_struct *)bpf_get_current_task())
#define TASK_FIELD(task, field) (HAS_TYPED_TASK ? (task)->field : BPF_CORE_READ(task, field))
#else
#define CURRENT_TASK() ((struct task_struct *)bpf_get_current_task())
#define TASK_FIELD(task, field) BPF_CORE_READ(task, field)
#endif

#ifdef TYPED_SOCKETS
#define SOCKET_FIELD(pointer, field) ((pointer)->field)
#else
#define SOCKET_FIELD(pointer, field) BPF_CORE_READ(pointer, field)
#endif

/* A tracing program may be preempted: on a fully preemptible kernel where it hangs on a function, since 7.0 at a
 * tracepoint too. While it is, the kernel skips the same program for every other task on that processor
 * (__bpf_prog_enter_recur), and what those tasks do would be lost. So preemption is put off until a program is done.
 * It may still happen just before and just after, which is why there is a second copy of the programs that matter
 * (`again`), for when the first is skipped. Kernel functions (kfuncs) of 6.10; before, nothing can be done but
 * count. */
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/* Only objects that a kernel with those functions may load have copies. */
#if defined(COPY_BPF_LOOP) || defined(SEALED)
#define ONE_COPY(program) program(_again)
#define THREE_COPIES(program) program(_again) program(_again_2) program(_again_3)
#else
#define ONE_COPY(program)
#define THREE_COPIES(program)
#endif

static __always_inline void hold_processor(void) {
  if (bpf_preempt_disable)
    bpf_preempt_disable();
}

static __always_inline void release_processor(void) {
  if (bpf_preempt_enable)
    bpf_preempt_enable();
}

/* 0: not a TCP socket. Typed: a helper of 5.9, a cast would not be believed. */
static __always_inline struct tcp_sock *tcp_sock_of(struct sock *sk) {
#ifdef TYPED_SOCKETS
  return bpf_skc_to_tcp_sock(sk);
#else
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (family != 2 /* AF_INET */ && family != 10 /* AF_INET6 */)
    return 0;
  /* Until 5.5 sk_protocol was 8 bits of a bit-field: bf9765145b85 ("sock: Make sk_protocol a 16-bit value"). */
  return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) == 6 /* IPPROTO_TCP */ ? (struct tcp_sock *)sk : 0;
#endif
}

/* A socket that is known to be a TCP one. */
#ifdef TYPED_SOCKETS
#define TCP_FIELD(sk, field) ({                      \
  struct tcp_sock *tcp_ = bpf_skc_to_tcp_sock(sk);   \
  tcp_ ? tcp_->field : 0;                            \
})
#else
#define TCP_FIELD(sk, field) BPF_CORE_READ((struct tcp_sock *)(sk), field)
#endif

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long bx, di, si, dx, cx, r10, r8, r9, ax, orig_ax;
} RELOCATE;
/* Of a kernel function, at its entry and after it. */
#define CALL_ARGUMENT_0(regs) ((regs)->di)
#define CALL_ARGUMENT_1(regs) ((regs)->si)
#define CALL_ARGUMENT_2(regs) ((regs)->dx)
#define CALL_ARGUMENT_3(regs) ((regs)->cx)
#define CALL_ARGUMENT_4(regs) ((regs)->r8)
#define CALL_RESULT(regs) ((regs)->ax)
#define SYSCALL_NUMBER(regs) ((long)FIELD(regs, orig_ax))
#define SYSCALL_ARGUMENT_0(regs) FIELD(regs, di)
#define SYSCALL_ARGUMENT_1(regs) FIELD(regs, si)
#define SYSCALL_ARGUMENT_2(regs) FIELD(regs, dx)
#define SYSCALL_ARGUMENT_3(regs) FIELD(regs, r10)
#define SYSCALL_ARGUMENT_4(regs) FIELD(regs, r8)
#define COMPAT_ARGUMENT_0(regs) ((u32)FIELD(regs, bx)) /* of a 32-bit call */
#define COMPAT_ARGUMENT_1(regs) ((u32)FIELD(regs, cx))
/* TS_COMPAT, arch/x86/include/asm/thread_info.h: this call came in by the 32-bit entry, its number is a 32-bit one. */
#define TASK_IS_32BIT(task) (TASK_FIELD(task, thread_info.status) & 0x2)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  u64 regs[31];
  u64 orig_x0;
  s32 syscallno;
} RELOCATE;
/* Not (regs), as above: it would replace the field's name. */
#define CALL_ARGUMENT_0(context) ((context)->regs[0])
#define CALL_ARGUMENT_1(context) ((context)->regs[1])
#define CALL_ARGUMENT_2(context) ((context)->regs[2])
#define CALL_ARGUMENT_3(context) ((context)->regs[3])
#define CALL_ARGUMENT_4(context) ((context)->regs[4])
#define CALL_RESULT(context) ((context)->regs[0])
#define SYSCALL_NUMBER(context) ((long)FIELD(context, syscallno))
#define SYSCALL_ARGUMENT_0(context) FIELD(context, orig_x0)
#define SYSCALL_ARGUMENT_1(context) FIELD(context, regs[1])
#define SYSCALL_ARGUMENT_2(context) FIELD(context, regs[2])
#define SYSCALL_ARGUMENT_3(context) FIELD(context, regs[3])
#define SYSCALL_ARGUMENT_4(context) FIELD(context, regs[4])
#define COMPAT_ARGUMENT_0(context) ((u32)FIELD(context, orig_x0))
#define COMPAT_ARGUMENT_1(context) ((u32)FIELD(context, regs[1]))
/* TIF_32BIT, arch/arm64/include/asm/thread_info.h */
#define TASK_IS_32BIT(task) (TASK_FIELD(task, thread_info.flags) & (1 << 22))
#else
#error "no system call convention for this architecture"
#endif

/* The number of a 32-bit call is one of another table. Where only typed memory can be read and there is no typed task
 * (before 5.11) the mode of the program counts, and a 64-bit one that uses the 32-bit entry is not noticed. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs___mode {
  unsigned long cs;
} RELOCATE;
#define REGS_ARE_32BIT(regs) (((struct pt_regs___mode *)(regs))->cs == 0x23 /* __USER32_CS */)
#else
struct pt_regs___mode {
  u64 pstate;
} RELOCATE;
#define REGS_ARE_32BIT(regs) (((struct pt_regs___mode *)(regs))->pstate & 0x10 /* PSR_MODE32_BIT */)
#endif

static __always_inline int call_is_32bit(struct pt_regs *regs) {
#ifdef SEALED
  if (HAS_TYPED_TASK) {
    struct task_struct *task = bpf_get_current_task_btf();
    return TASK_IS_32BIT(task) != 0;
  }
  return REGS_ARE_32BIT(regs);
#else
  struct task_struct *task = CURRENT_TASK();
  (void)regs;
  return TASK_IS_32BIT(task) != 0;
#endif
}

#endif
