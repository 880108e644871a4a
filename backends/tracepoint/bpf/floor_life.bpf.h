/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The floor's view of lives: TCP sockets by their state changes, processes by fork, exec and exit.
 */
#ifndef TRACER_FLOOR_LIFE_BPF_H
#define TRACER_FLOOR_LIFE_BPF_H

#include "backends/bpf/exec_record.bpf.h"

ON(inet_sock_set_state) int floor_state(u64 *ctx) {
  struct wire_config *cfg = my_config();
  struct state_change change = {};
  struct wire_open record = {};
  if (!cfg || !state_changed(ctx, &change))
    return PASS_ON;
  if (change.new_state == 2 /* TCP_SYN_SENT */) {
    u64 id = bpf_get_current_pid_tgid();
    struct call *call = my_call((u32)id);
    if (call && call->tid_op == ((id << 32) | WIRE_OP_CONNECT))
      call->socket = change.socket;
    return PASS_ON;
  }
  fill_header(&record.header, WIRE_STATE, change.socket, 0);
  record.old_state = change.old_state;
  record.new_state = change.new_state;
  if (!state_addresses(ctx, &record))
    return PASS_ON;
  record.flags = WIRE_FLAG_LOCAL | WIRE_FLAG_REMOTE;
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
  return PASS_ON;
}

ON(tcp_destroy_sock) int floor_destroy(u64 *ctx) {
  struct wire_config *cfg = my_config();
  struct wire_open record = {};
  u64 socket = 0;
  if (!cfg || !socket_destroyed(ctx, &socket))
    return PASS_ON;
  fill_header(&record.header, WIRE_STATE, socket, 0);
  record.new_state = WIRE_STATE_DESTROYED;
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
  return PASS_ON;
}

ON(sched_process_fork) int floor_fork(u64 *ctx) {
  struct wire_config *cfg = my_config();
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  u32 child = 0;
  if (!cfg || !child_made(ctx, &child))
    return PASS_ON;
  if (cfg->self_tgid != tgid) {
    COPY_LOOP
    for (s32 fd = 0; fd < DESCRIPTORS_INHERITED; fd++) {
      struct wire_fd_value *known = descriptor(tgid, fd);
      if (!known)
        continue;
      if (known->kind != WIRE_FD_KIND_ASKED) /* that one is asked about when the child uses it */
        set_descriptor(child, fd, known->flow, known->kind, known->close_on_exec);
    }
  }
  struct wire_process process = {};
  fill_header(&process.header, WIRE_FORK, 0, 0);
  process.child = child;
  process.uid = bpf_get_current_uid_gid();
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
  return PASS_ON;
}

ON(sched_process_exec) int floor_exec(u64 *ctx) {
  struct wire_config *cfg = my_config();
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  if (!cfg)
    return PASS_ON;
  COPY_LOOP
  for (s32 fd = 0; fd < DESCRIPTORS_INHERITED; fd++) {
    struct wire_fd_key key = {tgid, fd};
    struct wire_fd_value *known = bpf_map_lookup_elem(&descriptors, &key);
    if (known && known->close_on_exec)
      bpf_map_delete_elem(&descriptors, &key);
  }
  struct exec_record *record = begin_exec_record();
  u64 begin, end;
  if (!record)
    return PASS_ON;
  record->process.parent = parent_of(ctx);
  long length = executed_path(ctx, record->text, WIRE_PATH_SIZE);
  find_arguments(ctx, &begin, &end);
  finish_exec_record(ctx, cfg, record, length > 0 ? (u64)length - 1 : 0, begin, end);
  return PASS_ON;
}

ON(sched_process_exit) int floor_process_exit(u64 *ctx) {
  struct wire_config *cfg = my_config();
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  if (!cfg)
    return PASS_ON;
  forget_tls_call(cfg);
  if (!process_ended(ctx)) {
    answer_thread_beat(ctx, cfg);
    return PASS_ON;
  }
  COPY_LOOP
  for (s32 fd = 0; fd < DESCRIPTORS_INHERITED; fd++) {
    struct wire_fd_key key = {tgid, fd};
    bpf_map_delete_elem(&descriptors, &key);
  }
  struct wire_process process = {};
  fill_header(&process.header, WIRE_EXIT, 0, 0);
  process.uid = bpf_get_current_uid_gid();
  process.exit_code = exit_status(ctx);
  bpf_get_current_comm(process.comm, sizeof(process.comm));
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
  return PASS_ON;
}

#endif
