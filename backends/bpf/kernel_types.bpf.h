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

struct task_struct {
  struct thread_info thread_info;
  struct files_struct *files;
  struct task_struct *group_leader;
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

struct tcp_sock {
  u32 write_seq;
  u32 copied_seq;
  u32 rcv_nxt;
  u64 bytes_received;
} RELOCATE;

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long di, si, dx, r10, r8, r9, orig_ax;
} RELOCATE;
#define SYSCALL_NUMBER(regs) ((long)FIELD(regs, orig_ax))
#define SYSCALL_ARGUMENT_0(regs) FIELD(regs, di)
#define SYSCALL_ARGUMENT_1(regs) FIELD(regs, si)
#define SYSCALL_ARGUMENT_2(regs) FIELD(regs, dx)
#define SYSCALL_ARGUMENT_3(regs) FIELD(regs, r10)
/* TS_COMPAT, arch/x86/include/asm/thread_info.h: this call came in by the 32-bit entry, its number is a 32-bit one. */
#define TASK_IS_32BIT(task) (FIELD(task, thread_info.status) & 0x2)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  u64 regs[31];
  u64 orig_x0;
  s32 syscallno;
} RELOCATE;
#define SYSCALL_NUMBER(regs) ((long)FIELD(regs, syscallno))
#define SYSCALL_ARGUMENT_0(regs) FIELD(regs, orig_x0)
#define SYSCALL_ARGUMENT_1(regs) FIELD(regs, regs[1])
#define SYSCALL_ARGUMENT_2(regs) FIELD(regs, regs[2])
#define SYSCALL_ARGUMENT_3(regs) FIELD(regs, regs[3])
/* TIF_32BIT, arch/arm64/include/asm/thread_info.h */
#define TASK_IS_32BIT(task) (FIELD(task, thread_info.flags) & (1 << 22))
#else
#error "no system call convention for this architecture"
#endif

#endif
