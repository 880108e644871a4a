/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Programs at the entries and returns of functions of user programs: what they are given, and one of each for every
 * function, since kernels before 5.15 give a program no other hint of where it was attached.
 */
#ifndef TRACER_FUNCTION_PROGRAMS_BPF_H
#define TRACER_FUNCTION_PROGRAMS_BPF_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* The interrupted registers, by ABI. */
#ifdef __TARGET_ARCH_arm64
struct registers {
  __u64 x[31], sp, pc, pstate;
};
#define ARGUMENT(ctx, place) ((ctx)->x[(place) - 1])
#define RESULT(ctx) ((ctx)->x[0])
#define STACK(ctx) ((ctx)->sp)
#define RETURN_POPS 0 /* bytes that a return takes off the stack */
#else
struct registers {
  __u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
};
#define REGISTER_1 rdi
#define REGISTER_2 rsi
#define REGISTER_3 rdx
#define REGISTER_4 rcx
#define REGISTER_5 r8
#define ARGUMENT(ctx, place) ((ctx)->REGISTER_##place)
#define RESULT(ctx) ((ctx)->rax)
#define STACK(ctx) ((ctx)->rsp)
#define RETURN_POPS 8
#endif

/* By its place from 1; 0: there is none. All are read at their own places: a read at a computed place of the context is
 * refused. */
static __always_inline __u64 argument(struct registers *ctx, __u8 place) {
  __u64 a1 = ARGUMENT(ctx, 1), a2 = ARGUMENT(ctx, 2), a3 = ARGUMENT(ctx, 3), a4 = ARGUMENT(ctx, 4);
  __u64 a5 = ARGUMENT(ctx, 5);
  asm volatile("" : "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5));
  return place == 1 ? a1 : place == 2 ? a2 : place == 3 ? a3 : place == 4 ? a4 : place == 5 ? a5 : 0;
}

/* Call on_entry(ctx, number) and on_return(ctx, number), which whoever includes this has. */
#define FUNCTION(prefix, n)                                                                          \
  SEC("uprobe") int prefix##entry_##n(struct registers *ctx) { return on_entry(ctx, 0x##n); }        \
  SEC("uretprobe") int prefix##return_##n(struct registers *ctx) { return on_return(ctx, 0x##n); }
#define SIXTEEN_FUNCTIONS(prefix, h)                                                                     \
  FUNCTION(prefix, h##0) FUNCTION(prefix, h##1) FUNCTION(prefix, h##2) FUNCTION(prefix, h##3)            \
  FUNCTION(prefix, h##4) FUNCTION(prefix, h##5) FUNCTION(prefix, h##6) FUNCTION(prefix, h##7)            \
  FUNCTION(prefix, h##8) FUNCTION(prefix, h##9) FUNCTION(prefix, h##a) FUNCTION(prefix, h##b)            \
  FUNCTION(prefix, h##c) FUNCTION(prefix, h##d) FUNCTION(prefix, h##e) FUNCTION(prefix, h##f)

/* For links that carry a number to the program (uprobe_multi, 6.6): one for all functions. */
#define ANY_FUNCTION(prefix)                                          \
  SEC("uprobe") int prefix##entry_any(struct registers *ctx) {        \
    return on_entry(ctx, (__u32)bpf_get_attach_cookie(ctx));          \
  }                                                                   \
  SEC("uprobe") int prefix##return_any(struct registers *ctx) {       \
    return on_return(ctx, (__u32)bpf_get_attach_cookie(ctx));         \
  }

#endif
