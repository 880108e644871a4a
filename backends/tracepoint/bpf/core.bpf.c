/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * System calls on TCP sockets where the kernel's types are known: descriptor -> socket -> addresses -> sequence numbers,
 * all resolved in the kernel. Built twice: typed tracepoints (tp_btf, 5.5) dereference the first hops, raw tracepoints
 * (RAW_TP) read them by helper.
 *
 * This file only says what is attached where; what happens there stands in the headers.
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

#include "backends/tracepoint/bpf/socket_calls.bpf.h"
#include "backends/tracepoint/bpf/socket_life.bpf.h"
#include "backends/tracepoint/bpf/process_life.bpf.h"

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
