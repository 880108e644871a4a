/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The floor's view of lives: TCP sockets by their state changes, processes by fork, exec and exit. Where fields lie in
 * these records is found at start from the format files (struct wire_layout).
 */
#ifndef TRACER_FLOOR_LIFE_BPF_H
#define TRACER_FLOOR_LIFE_BPF_H

SEC("tracepoint") int floor_state(void *ctx) {
  u32 zero = 0;
  struct wire_layout *at = bpf_map_lookup_elem(&layout, &zero);
  struct wire_config *cfg = my_config();
  if (!at || !cfg)
    return 0;
  struct wire_open record = {};
  u32 old_state = 0, new_state = 0;
  u64 socket = 0;
  u16 family = 0, protocol = 0;
  bpf_probe_read_kernel(&protocol, at->state_protocol_size == 1 ? 1 : 2, ctx + at->state_protocol);
  if (protocol != 6 /* IPPROTO_TCP */)
    return 0;
  bpf_probe_read_kernel(&socket, sizeof(socket), ctx + at->state_socket);
  bpf_probe_read_kernel(&old_state, sizeof(old_state), ctx + at->state_old);
  bpf_probe_read_kernel(&new_state, sizeof(new_state), ctx + at->state_new);
  bpf_probe_read_kernel(&family, sizeof(family), ctx + at->state_family);
  if (new_state == 2 /* TCP_SYN_SENT */) {
    u64 id = bpf_get_current_pid_tgid();
    struct call *call = my_call((u32)id);
    if (call && call->tid_op == ((id << 32) | WIRE_OP_CONNECT))
      call->socket = socket;
    return 0;
  }
  fill_header(&record.header, WIRE_STATE, socket, 0);
  record.old_state = old_state;
  record.new_state = new_state;
  bpf_probe_read_kernel(&record.local_port, 2, ctx + at->state_source_port);
  bpf_probe_read_kernel(&record.remote_port, 2, ctx + at->state_destination_port);
  record.local_port = __builtin_bswap16(record.local_port);
  record.remote_port = __builtin_bswap16(record.remote_port);
  if (family == 2) {
    record.local_address[10] = record.local_address[11] = 0xff;
    record.remote_address[10] = record.remote_address[11] = 0xff;
    bpf_probe_read_kernel(&record.local_address[12], 4, ctx + at->state_source4);
    bpf_probe_read_kernel(&record.remote_address[12], 4, ctx + at->state_destination4);
  } else {
    bpf_probe_read_kernel(&record.local_address, 16, ctx + at->state_source6);
    bpf_probe_read_kernel(&record.remote_address, 16, ctx + at->state_destination6);
  }
  record.flags = WIRE_FLAG_LOCAL | WIRE_FLAG_REMOTE;
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
  return 0;
}

SEC("tracepoint") int floor_destroy(void *ctx) {
  u32 zero = 0;
  struct wire_layout *at = bpf_map_lookup_elem(&layout, &zero);
  struct wire_config *cfg = my_config();
  struct wire_open record = {};
  u64 socket = 0;
  if (!at || !cfg)
    return 0;
  bpf_probe_read_kernel(&socket, sizeof(socket), ctx + at->destroy_socket);
  fill_header(&record.header, WIRE_STATE, socket, 0);
  record.new_state = WIRE_STATE_DESTROYED;
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
  return 0;
}

SEC("tracepoint") int floor_fork(void *ctx) {
  u32 zero = 0;
  struct wire_layout *at = bpf_map_lookup_elem(&layout, &zero);
  struct wire_config *cfg = my_config();
  u64 id = bpf_get_current_pid_tgid();
  u32 tgid = id >> 32;
  u32 child = 0;
  if (!at || !cfg)
    return 0;
  struct call *call = my_call((u32)id);
  if (call && (call->tid_op == ((id << 32) | WIRE_OP_CLONE) || call->tid_op == ((id << 32) | WIRE_OP_CLONE3)) &&
      (call->argument[0] & 0x10000 /* CLONE_THREAD */))
    return 0;
  bpf_probe_read_kernel(&child, sizeof(child), ctx + at->fork_child);
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
  return 0;
}

struct exec_record {
  struct wire_process process;
  char path[WIRE_PATH_SIZE];
};

SEC("tracepoint") int floor_exec(void *ctx) {
  u32 zero = 0;
  struct wire_layout *at = bpf_map_lookup_elem(&layout, &zero);
  struct wire_config *cfg = my_config();
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  if (!at || !cfg)
    return 0;
  COPY_LOOP
  for (s32 fd = 0; fd < DESCRIPTORS_INHERITED; fd++) {
    struct wire_fd_key key = {tgid, fd};
    struct wire_fd_value *known = bpf_map_lookup_elem(&descriptors, &key);
    if (known && known->close_on_exec)
      bpf_map_delete_elem(&descriptors, &key);
  }
  struct exec_record record = {};
  fill_header(&record.process.header, WIRE_EXEC, 0, 0);
  record.process.uid = bpf_get_current_uid_gid();
  bpf_get_current_comm(record.process.comm, sizeof(record.process.comm));
  u32 location = 0;
  bpf_probe_read_kernel(&location, sizeof(location), ctx + at->exec_filename);
  long length = bpf_probe_read_kernel_str(record.path, sizeof(record.path), ctx + (location & 0xffff));
  record.process.header.kept = length > 0 ? (u64)length - 1 : 0;
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
  return 0;
}

SEC("tracepoint") int floor_process_exit(void *ctx) {
  struct wire_config *cfg = my_config();
  u64 id = bpf_get_current_pid_tgid();
  /* Without the kernel's types the leader's exit stands for the process's. */
  if (!cfg || (u32)id != id >> 32)
    return 0;
  COPY_LOOP
  for (s32 fd = 0; fd < DESCRIPTORS_INHERITED; fd++) {
    struct wire_fd_key key = {(u32)id, fd};
    bpf_map_delete_elem(&descriptors, &key);
  }
  struct wire_process process = {};
  fill_header(&process.header, WIRE_EXIT, 0, 0);
  process.uid = bpf_get_current_uid_gid();
  bpf_get_current_comm(process.comm, sizeof(process.comm));
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
  return 0;
}

#endif
