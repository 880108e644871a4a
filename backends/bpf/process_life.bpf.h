/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Processes: fork, exec, exit of the last thread.
 */
#ifndef TRACER_PROCESS_LIFE_BPF_H
#define TRACER_PROCESS_LIFE_BPF_H

#include "backends/bpf/exec_record.bpf.h"
#include "backends/bpf/stream.bpf.h"

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

static __always_inline void on_exec(void *ctx, struct task_struct *task, struct linux_binprm *program) {
  struct wire_config *cfg = my_config();
  struct exec_record *record = begin_exec_record();
  if (!cfg || !record)
    return;
  struct task_struct *parent = FIELD(task, real_parent);
  record->process.parent = FIELD(parent, tgid);
  u64 path = 0;
#ifdef SEALED
  (void)program; /* a string cannot be read by dereference: user space asks /proc */
#else
  long length = bpf_probe_read_kernel_str(record->text, WIRE_PATH_SIZE, FIELD(program, filename));
  path = length > 0 ? (u64)length - 1 : 0;
#endif
  struct mm_struct *memory = FIELD(task, mm);
  finish_exec_record(ctx, cfg, record, path, FIELD(memory, arg_start), FIELD(memory, arg_end));
}

static __always_inline void on_process_exit(void *ctx, struct task_struct *task) {
  struct wire_config *cfg = my_config();
  struct wire_process process = {};
  struct signal_struct *signal = FIELD(task, signal);
  if (!cfg)
    return;
  forget_tls_call(cfg);
  if (FIELD(signal, live.counter) != 0) { /* other threads go on */
    answer_thread_beat(ctx, cfg);
    return;
  }
  fill_header(&process.header, WIRE_EXIT, 0, 0);
  process.header.tid = process.header.tgid; /* the last thread speaks for the process */
  process.exit_code = FIELD(task, exit_code);
  process.uid = bpf_get_current_uid_gid();
  read_process_name(process.comm, task);
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

#endif
