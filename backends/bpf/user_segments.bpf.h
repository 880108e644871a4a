/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Where the bytes of a system call lie, by its arguments: all of it is user memory.
 */
#ifndef TRACER_USER_SEGMENTS_BPF_H
#define TRACER_USER_SEGMENTS_BPF_H

#include "backends/bpf/deliver.bpf.h"

static __always_inline void describe_segments(struct copy_state *state, const struct moved_call *call) {
  __u32 op = call->op;
  if (op == WIRE_OP_WRITE || op == WIRE_OP_READ || op == WIRE_OP_RECVFROM) {
    state->base = call->buffer + state->skip;
    state->size = state->left;
    state->skip = 0;
  } else if (op == WIRE_OP_WRITEV || op == WIRE_OP_READV) {
    state->iov = call->buffer;
    state->iov_count = call->size;
  } else if (op == WIRE_OP_SENDMSG || op == WIRE_OP_RECVMSG) {
    __u64 vector[2] = {0, 0};
    if (bpf_probe_read_user(vector, sizeof(vector), (void *)(call->buffer + USER_MSGHDR_IOV)))
      state->fault = 1;
    state->iov = vector[0];
    state->iov_count = vector[1];
  } else {
    state->messages = call->buffer;
    state->message_count = call->size;
  }
}

#endif
