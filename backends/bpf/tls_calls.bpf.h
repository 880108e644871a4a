/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Which flow is used inside of a call into a TLS library: the calls are noted by the programs at its functions (tls.bpf.c,
 * which shares this map), the flows by those that see bytes move.
 */
#ifndef TRACER_TLS_CALLS_BPF_H
#define TRACER_TLS_CALLS_BPF_H

#include "backends/bpf/wire.h"

/* The outermost call of a thread. Stays when the call is over, for the next one. */
struct tls_call {
  __u64 session; /* address of the library's object; 0: no call is under way */
  __u64 stack;   /* stack pointer at its entry: a call further out or on a returned frame is told by it */
  __u64 at_ns;
  __u64 buffer, size, moved; /* arguments */
  __u64 flow;    /* the first that moved bytes inside; 0: none */
  __u32 tgid;
  __u32 slot;
  __u32 several; /* 1: another flow moved bytes too */
  /* tls.bpf.c's own: what is still to be told when the call returns. */
  __u32 handshake; /* 1: it is one, or one was made inside */
  __u32 direction;
  __u32 filtered; /* 1: nobody wants the bytes of `flow` */
  __u64 id;      /* of the session */
  __u64 from;    /* in the process's memory */
  __u64 offset;
  __u64 left;    /* bytes to copy */
  __u64 rest;    /* bytes behind those that moved too */
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32); /* tid */
  __type(value, struct tls_call);
} tls_calls SEC(".maps");

/* The current thread moved bytes through this flow. */
static __always_inline void note_flow_used(const struct wire_config *cfg, __u64 flow, __u32 filtered) {
  if (!cfg->plaintext)
    return;
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  struct tls_call *call = bpf_map_lookup_elem(&tls_calls, &tid);
  if (!call || !call->session)
    return;
  if (!call->flow) {
    call->flow = flow;
    call->filtered = filtered;
  } else if (call->flow != flow) {
    call->several = 1;
  }
}

/* The current thread ends. */
static __always_inline void forget_tls_call(const struct wire_config *cfg) {
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  if (cfg->plaintext)
    bpf_map_delete_elem(&tls_calls, &tid);
}

#endif
