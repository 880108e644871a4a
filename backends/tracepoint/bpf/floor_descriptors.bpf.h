/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The end of calls that make or change descriptors: which of them is a TCP socket from now on, and of which flow.
 */
#ifndef TRACER_FLOOR_DESCRIPTORS_BPF_H
#define TRACER_FLOOR_DESCRIPTORS_BPF_H

static __always_inline void duplicate(void *ctx, const struct wire_config *cfg, u32 tgid, s32 from, s32 to,
                                      u32 close_on_exec) {
  if (from == to)
    return;
  forget_descriptor(tgid, to);
  struct wire_fd_value *known = descriptor(tgid, from);
  if (!known)
    return;
  if (known->kind == WIRE_FD_KIND_ASKED)
    ask(ctx, cfg, tgid, to, close_on_exec); /* the answer will be for the other number */
  else
    set_descriptor(tgid, to, known->flow, known->kind, close_on_exec);
}

#define CLOEXEC 02000000 /* SOCK_CLOEXEC, O_CLOEXEC */

static __always_inline int on_descriptor_exit(u64 *ctx, const struct wire_config *cfg, struct call *call, u32 op,
                                              u64 id, s32 result) {
  u32 tgid = id >> 32;
  u64 first = call->argument[0];
  u64 second = call->argument[1];
  u64 third = call->argument[2];
  u64 fourth = call->argument[3];

  if (op == WIRE_OP_CONNECT) {
    /* Only a TCP socket changes its state to SYN_SENT inside the call. */
    if (!call->socket)
      return 0;
    struct wire_fd_value *known = descriptor(tgid, first);
    u32 close_on_exec = known ? known->close_on_exec : 0;
    u64 flow = begin_flow(cfg);
    if (!flow)
      return 0;
    set_descriptor(tgid, first, flow, WIRE_FD_KIND_TCP, close_on_exec);
    note(ctx, cfg, WIRE_FD_CONNECT, flow, first, -1, call->socket, second, 0);
    return 0;
  }
  if (result < 0)
    return 0;
  if (op == WIRE_OP_SOCKET) {
    u32 tcp = (first == 2 || first == 10) && (second & 0xf) == 1 /* SOCK_STREAM */;
    set_descriptor(tgid, result, 0, tcp ? WIRE_FD_KIND_TCP : WIRE_FD_KIND_OTHER, (second & CLOEXEC) != 0);
  } else if (op == WIRE_OP_ACCEPT || op == WIRE_OP_ACCEPT4) {
    struct wire_fd_value *listener = descriptor(tgid, first);
    u32 kind = listener ? listener->kind : WIRE_FD_KIND_TCP;
    u32 close_on_exec = op == WIRE_OP_ACCEPT4 && (fourth & CLOEXEC);
    if (kind == WIRE_FD_KIND_OTHER) {
      set_descriptor(tgid, result, 0, WIRE_FD_KIND_OTHER, close_on_exec);
      return 0;
    }
    u64 flow = begin_flow(cfg);
    if (!flow)
      return 0;
    set_descriptor(tgid, result, flow, WIRE_FD_KIND_TCP, close_on_exec);
    note(ctx, cfg, WIRE_FD_ACCEPT, flow, result, first, 0, second, 0);
    /* It may pass the socket on and be gone before anybody can ask who it was. */
    struct stream *stream = bpf_map_lookup_elem(&streams, &flow);
    if (stream)
      tell_user(ctx, cfg, stream, flow, WIRE_RX, id);
  } else if (op == WIRE_OP_DUP) {
    duplicate(ctx, cfg, tgid, first, result, 0);
  } else if (op == WIRE_OP_DUP2 || op == WIRE_OP_DUP3) {
    duplicate(ctx, cfg, tgid, first, result, op == WIRE_OP_DUP3 && (third & CLOEXEC));
  } else if (op == WIRE_OP_FCNTL) {
    if (second == 0 /* F_DUPFD */ || second == 1030 /* F_DUPFD_CLOEXEC */) {
      duplicate(ctx, cfg, tgid, first, result, second == 1030);
    } else if (second == 2 /* F_SETFD */) {
      struct wire_fd_value *known = descriptor(tgid, first);
      if (known)
        known->close_on_exec = third & 1;
    }
  } else if (op == WIRE_OP_GETFD) {
    ask(ctx, cfg, tgid, result, 1);
#ifndef EMIT_PERF /* close_range came with 5.9 */
  } else if (op == WIRE_OP_CLOSE_RANGE) {
    for (u32 i = 0; i < DESCRIPTORS_INHERITED; i++) {
      u64 fd = (u32)first + (u64)i;
      if (fd > (u32)second)
        break;
      struct wire_fd_key key = {tgid, fd};
      struct wire_fd_value *known = bpf_map_lookup_elem(&descriptors, &key);
      if (!known)
        continue;
      if (third & 4 /* CLOSE_RANGE_CLOEXEC */)
        known->close_on_exec = 1;
      else
        bpf_map_delete_elem(&descriptors, &key);
    }
#endif
  }
  return 0;
}

#endif
