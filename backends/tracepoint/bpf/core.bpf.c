/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * System calls on TCP sockets where the kernel's types are known: descriptor -> socket -> addresses -> sequence
 * numbers, all resolved in the kernel. Typed tracepoints (tp_btf, 5.5) dereference the first hops, raw tracepoints
 * (RAW_TP) read them by helper; each is built again with bpf_loop().
 *
 * This file only says what is attached where; what happens there stands in the headers.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#ifndef RAW_TP
#define TYPED_CONTEXT
#endif
#include "backends/bpf/kernel_types.bpf.h"

#ifdef RAW_TP
#define ATTACH(tracepoint) SEC("raw_tracepoint/" #tracepoint)
#else
#define ATTACH(tracepoint) SEC("tp_btf/" #tracepoint)
#endif

#include "backends/tracepoint/bpf/socket_calls.bpf.h"

/* The copies are attached where these programs can be preempted: see hold_processor(). */
#define WITH_COPIES(program) program() THREE_COPIES(program)

#define SYS_ENTER(copy)                                                      \
  ATTACH(sys_enter) int tracer_sys_enter##copy(u64 *ctx) {                   \
    u32 op = op_of((long)ctx[1]);                                            \
    struct wire_config *cfg = my_config();                                   \
    if (op >= WIRE_OP_32BIT) {                                               \
      if (cfg && sizeof(#copy) == 1) /* the first of the copies */           \
        count_32bit(cfg, (struct pt_regs *)ctx[0], op);                      \
      return 0;                                                              \
    }                                                                        \
    if (op == WIRE_OP_NONE || !cfg || (op >= WIRE_OP_READ && !cfg->twice) || \
        (cfg->twice && has_begun(op, (struct pt_regs *)ctx[0])))             \
      return 0; /* receptions are looked at when they return */              \
    hold_processor();                                                        \
    on_enter(ctx, cfg, (struct pt_regs *)ctx[0], op);                        \
    release_processor();                                                     \
    return 0;                                                                \
  }
#define SYS_EXIT(copy)                                   \
  ATTACH(sys_exit) int tracer_sys_exit##copy(u64 *ctx) { \
    struct pt_regs *regs = (struct pt_regs *)ctx[0];     \
    u32 op = op_of(SYSCALL_NUMBER(regs));                \
    struct wire_config *cfg = my_config();               \
    if (op == WIRE_OP_NONE || op >= WIRE_OP_32BIT || !cfg) \
      return 0;                                          \
    int begun = end_call(op, regs);                      \
    if (!begun && cfg->twice)                            \
      return 0; /* the copy before this one was here */  \
    hold_processor();                                    \
    on_exit(ctx, cfg, regs, op, begun, (long)ctx[1]);    \
    release_processor();                                 \
    return 0;                                            \
  }
WITH_COPIES(SYS_ENTER)
WITH_COPIES(SYS_EXIT)

#include "backends/bpf/file_programs.bpf.h"
#include "backends/tracepoint/bpf/blind.bpf.h"

#include "backends/bpf/life_programs.bpf.h"

char _license[] SEC("license") = "Dual MIT/GPL";
