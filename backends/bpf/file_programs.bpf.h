/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The programs that see files opened and mapped, the same wherever kernel types are known. ATTACH() says how: as typed
 * or as raw tracepoints. Nothing but user memory and the call's registers is read, so they run sealed as well.
 */
#ifndef TRACER_FILE_PROGRAMS_BPF_H
#define TRACER_FILE_PROGRAMS_BPF_H

#include "backends/bpf/file_calls.bpf.h"

/* The copies stand in for programs that the kernel skips (hold_processor()). They need no agreement: to begin a call
 * twice is no harm, and the first that ends it takes it away from the others. */
#define FILE_ENTER(copy)                                                                          \
  ATTACH(sys_enter) int tracer_file_enter##copy(u64 *ctx) {                                       \
    u32 op = file_op_of((long)ctx[1]);                                                            \
    struct pt_regs *regs = (struct pt_regs *)ctx[0];                                              \
    struct wire_config *cfg = my_config();                                                        \
    if (op == WIRE_FILE_OP_NONE || !cfg)                                                          \
      return 0;                                                                                   \
    if (call_is_32bit(regs)) {                                                                    \
      struct wire_counters *count = my_counters();                                                \
      if (count && sizeof(#copy) == 1 && (op == WIRE_FILE_OP_32BIT || op == WIRE_FILE_OP_OPENAT2)) \
        count->opens_32bit++; /* the number of openat2 is the same */                             \
      return 0;                                                                                   \
    }                                                                                             \
    if (op == WIRE_FILE_OP_32BIT)                                                                 \
      return 0;                                                                                   \
    u64 arguments[5] = {SYSCALL_ARGUMENT_0(regs), SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs), \
                        SYSCALL_ARGUMENT_3(regs), SYSCALL_ARGUMENT_4(regs)};                      \
    hold_processor();                                                                             \
    begin_file_call(ctx, cfg, op, arguments);                                                     \
    release_processor();                                                                          \
    return 0;                                                                                     \
  }
#define FILE_EXIT(copy)                                          \
  ATTACH(sys_exit) int tracer_file_exit##copy(u64 *ctx) {        \
    struct pt_regs *regs = (struct pt_regs *)ctx[0];             \
    u32 op = file_op_of(SYSCALL_NUMBER(regs));                   \
    struct wire_config *cfg = my_config();                       \
    if (op == WIRE_FILE_OP_NONE || op >= WIRE_FILE_OP_CLOSE || !cfg) \
      return 0;                                                  \
    hold_processor();                                            \
    end_file_call(ctx, cfg, op, (long)ctx[1]);                   \
    release_processor();                                         \
    return 0;                                                    \
  }
FILE_ENTER()
THREE_COPIES(FILE_ENTER)
FILE_EXIT()
THREE_COPIES(FILE_EXIT)

#endif
