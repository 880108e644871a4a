/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The floor's view of files that are opened and mapped to be executed.
 */
#ifndef TRACER_FLOOR_FILES_BPF_H
#define TRACER_FLOOR_FILES_BPF_H

#include "backends/bpf/file_calls.bpf.h"

ON(sys_enter) int floor_file_enter(u64 *ctx) {
  u64 arguments[5] = {};
  u32 op = file_op_of(entered_call(ctx));
  struct wire_config *cfg = my_config();
  if (op == WIRE_FILE_OP_NONE || !cfg)
    return PASS_ON;
  if (!entered_file_arguments(ctx, arguments)) {
    struct wire_counters *count = my_counters();
    if (count && (op == WIRE_FILE_OP_32BIT || op == WIRE_FILE_OP_OPENAT2))
      count->opens_32bit++; /* the number of openat2 is the same */
    return PASS_ON;
  }
  if (op == WIRE_FILE_OP_32BIT)
    return PASS_ON;
  begin_file_call(ctx, cfg, op, arguments);
  return PASS_ON;
}

ON(sys_exit) int floor_file_exit(u64 *ctx) {
  u32 op = file_op_of(left_number(ctx));
  struct wire_config *cfg = my_config();
  if (op == WIRE_FILE_OP_NONE || op >= WIRE_FILE_OP_CLOSE || !cfg)
    return PASS_ON;
  end_file_call(ctx, cfg, op, left_call(ctx));
  return PASS_ON;
}

#endif
