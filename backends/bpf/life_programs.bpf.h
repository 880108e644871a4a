/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The programs at the tracepoints of sockets' and processes' lives, the same wherever kernel types are known. ATTACH()
 * says how: as typed or as raw tracepoints.
 */
#ifndef TRACER_LIFE_PROGRAMS_BPF_H
#define TRACER_LIFE_PROGRAMS_BPF_H

#include "backends/bpf/process_life.bpf.h"
#include "backends/bpf/socket_life.bpf.h"

#define SET_STATE(copy)                                              \
  ATTACH(inet_sock_set_state) int tracer_set_state##copy(u64 *ctx) { \
    hold_processor();                                                \
    on_state(ctx, (struct sock *)ctx[0], (int)ctx[1], (int)ctx[2]);  \
    release_processor();                                             \
    return 0;                                                        \
  }
SET_STATE()
ONE_COPY(SET_STATE)

#define DESTROY(copy)                                           \
  ATTACH(tcp_destroy_sock) int tracer_destroy##copy(u64 *ctx) { \
    struct wire_config *cfg = my_config();                      \
    hold_processor();                                           \
    if (cfg)                                                    \
      end_flow(ctx, cfg, ctx[0], (struct sock *)ctx[0]);        \
    release_processor();                                        \
    return 0;                                                   \
  }
DESTROY()
ONE_COPY(DESTROY)

/* Which process was told of last, so that a copy knows that the first program was not skipped. Told twice is no
 * harm. */
struct life {
  u64 process; /* tgid << 32 | what */
  u64 at_ns;
};
#define LIFE_SLOTS 4096u
#define ONE_LIFE_NS 50000ull
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, LIFE_SLOTS);
  __type(key, u32);
  __type(value, struct life);
} lives SEC(".maps");

static __always_inline int is_told(u32 tgid, u32 what) {
  u32 slot = tgid & (LIFE_SLOTS - 1);
  struct life *life = bpf_map_lookup_elem(&lives, &slot);
  u64 process = ((u64)tgid << 32) | what, now = bpf_ktime_get_ns();
  if (!life || (life->process == process && now - life->at_ns < ONE_LIFE_NS))
    return 1;
  life->process = process;
  life->at_ns = now;
  return 0;
}

#define FORK(copy)                                             \
  ATTACH(sched_process_fork) int tracer_fork##copy(u64 *ctx) { \
    struct task_struct *child = (struct task_struct *)ctx[1];  \
    hold_processor();                                          \
    if (!is_told(FIELD(child, pid), WIRE_FORK))                \
      on_fork(ctx, (struct task_struct *)ctx[0], child);       \
    release_processor();                                       \
    return 0;                                                  \
  }
FORK()
ONE_COPY(FORK)

#define EXEC(copy)                                             \
  ATTACH(sched_process_exec) int tracer_exec##copy(u64 *ctx) { \
    hold_processor();                                          \
    if (!is_told(bpf_get_current_pid_tgid() >> 32, WIRE_EXEC)) \
      on_exec(ctx, (struct task_struct *)ctx[0], (struct linux_binprm *)ctx[2]); \
    release_processor();                                       \
    return 0;                                                  \
  }
EXEC()
ONE_COPY(EXEC)

#define EXIT(copy)                                             \
  ATTACH(sched_process_exit) int tracer_exit##copy(u64 *ctx) { \
    hold_processor();                                          \
    if (!is_told(bpf_get_current_pid_tgid(), WIRE_EXIT))       \
      on_process_exit(ctx, (struct task_struct *)ctx[0]);      \
    release_processor();                                       \
    return 0;                                                  \
  }
EXIT()
ONE_COPY(EXIT)

#endif
