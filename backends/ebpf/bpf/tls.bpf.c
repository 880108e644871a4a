// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What processes send and receive in clear through TLS libraries. Needs no type information of the kernel. Lives beside a
 * carrier, the object whose programs see sockets: events, counters, config, losses, verdicts and tls_calls are the carrier's.
 *
 * Built twice: with a ring buffer, and with perf buffers (EMIT_PERF).
 *
 * Programs at breakpoints can be preempted (since 5.19), and another task may run the same program meanwhile. So nothing
 * is kept per processor between two steps, nor on a stack of 64 bytes or more, which newer kernels (6.13) have once per
 * processor: records are made in the ring buffer itself, and a call is put together in its entry of `tls_calls`, which
 * only its own thread uses. Kernels that have perf buffers only do not preempt these programs.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "backends/ebpf/bpf/function_programs.bpf.h"
#include "backends/ebpf/bpf/tls_copy.bpf.h"

/* An inner call lies nearer to the outer one's frame than this: else it is on another stack, or the outer one was left
 * without a return (longjmp). */
#define STACK_SPAN 65536ull

#define DESCRIPTORS_MAX (1 << 20) /* what a library takes for its own kind of handle may be an address */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, TLS_SLOTS);
  __type(key, __u32);
  __type(value, struct tls_slot);
} tls_slots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32); /* tgid */
  __type(value, __u32); /* enum tls_verdict */
} tls_processes SEC(".maps");

static __always_inline int is_wanted(__u32 tgid) {
  struct wire_config *cfg = my_config();
  if (!cfg || !cfg->plaintext || is_self(cfg, tgid))
    return 0;
  __u32 *verdict = bpf_map_lookup_elem(&tls_processes, &tgid);
  return !verdict || *verdict != TLS_VERDICT_LEFT_OUT;
}

static __always_inline struct tls_call *new_call(__u32 tid) {
  const struct blank *empty = blank();
  if (!empty)
    return 0;
  bpf_map_update_elem(&tls_calls, &tid, &empty->call, BPF_ANY);
  return bpf_map_lookup_elem(&tls_calls, &tid);
}

/* While a function runs whose return is watched, its return address on the stack is that of the kernel's own page in the
 * process. Has it gone by something else than a return (longjmp), others have mostly written there since. On arm64 it is
 * kept where the function likes. */
static __always_inline int is_running(const struct tls_call *call) {
#if RETURN_POPS
  __u64 back = 0;
  bpf_probe_read_user(&back, sizeof(back), (const void *)call->stack);
  return back && !(back & 4095);
#else
  (void)call;
  return 1;
#endif
}

/* The call goes on, and another function is called inside of it. */
static __always_inline int is_inside(const struct tls_call *call, __u32 tgid, __u64 stack) {
  return call->session && call->tgid == tgid && stack < call->stack && call->stack - stack < STACK_SPAN &&
         is_running(call);
}

static __noinline int begin_call(struct registers *ctx, const struct tls_slot *slot, __u32 number, __u64 session) {
  __u64 id = bpf_get_current_pid_tgid();
  __u64 stack = STACK(ctx);
  __u32 tid = (__u32)id;
  struct tls_call *call = bpf_map_lookup_elem(&tls_calls, &tid);
  if (!slot)
    return 0;
  if (!call) {
    call = new_call(tid);
    if (!call) {
      COUNT_LOSS(no_room);
      return 0;
    }
  } else if (is_inside(call, id >> 32, stack)) {
    if (call->session != session) {
      COUNT_LOSS(nested);
      return 0;
    }
    /* No function calls itself for the same session: then the outer call was left without a return. */
    if (call->slot != number) {
      call->handshake |= slot->op == TLS_OP_HANDSHAKE;
      return 0;
    }
  }
  call->session = session;
  call->stack = stack;
  call->at_ns = bpf_ktime_get_ns();
  call->buffer = argument(ctx, slot->buffer);
  call->size = (__u32)argument(ctx, slot->size);
  call->moved = argument(ctx, slot->moved);
  call->flow = 0;
  call->tgid = id >> 32;
  call->slot = number;
  call->several = 0;
  call->filtered = 0;
  call->handshake = slot->op == TLS_OP_HANDSHAKE;
  return 0;
}

static __noinline int set_descriptor(struct registers *ctx, const struct tls_slot *slot, __u64 address, __u32 tgid) {
  if (!slot)
    return 0;
  __s64 given = argument(ctx, slot->fd);
  if (!slot->wide)
    given = (__s32)given;
  struct session *session = session_of(address, tgid);
  if (!session)
    return 0;
  __s32 fd = given >= 0 && given < DESCRIPTORS_MAX ? (__s32)given : -1;
  if (session->fd != fd)
    session->flags &= ~SESSION_TOLD;
  session->fd = fd;
  if (!session->flow && !(session->flags & SESSION_USED))
    session->flags |= SESSION_FROM_START;
  return 0;
}

static __noinline int on_entry(struct registers *ctx, __u32 number) {
  __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  struct tls_slot *slot = bpf_map_lookup_elem(&tls_slots, &number);
  if (!slot || !is_wanted(tgid))
    return 0;
  __u64 address = argument(ctx, slot->session);
  if (!address)
    return 0;
  if (slot->op == TLS_OP_SET_FD) {
    set_descriptor(ctx, slot, address, tgid);
  } else if (slot->op == TLS_OP_CLEAR) {
    struct session *session = session_of(address, tgid);
    if (session) {
      begin_anew(ctx, session);
      session->flags = SESSION_FROM_START;
    }
  } else if (slot->op == TLS_OP_FREE) {
    struct session_key key = {.address = address, .tgid = tgid};
    tell_end(ctx, bpf_map_lookup_elem(&tls_sessions, &key));
    bpf_map_delete_elem(&tls_sessions, &key);
  } else if (slot->op != TLS_OP_NONE) {
    begin_call(ctx, slot, number, address);
  }
  return 0;
}

/* The call that returns, if it is the outermost one; it is over then. */
static __always_inline struct tls_call *end_call(__u64 id, __u64 stack, __u32 number) {
  __u32 tid = (__u32)id;
  struct tls_call *call = bpf_map_lookup_elem(&tls_calls, &tid);
  int known = call && call->tgid == id >> 32;
  if (known && call->session && call->stack > stack)
    return 0; /* inside of it */
  if (known && call->stack == stack && !call->session)
    return 0; /* a jump from one function into the next: the last one has told */
  if (!known || !call->session || call->stack != stack || call->slot != number) {
    COUNT_LOSS(unpaired);
    if (call)
      call->session = 0;
    return 0;
  }
  return call;
}

/* Which flow carries the session, by what was used inside of the call. */
static __always_inline void learn_flow(void *ctx, const struct tls_call *call, struct session *session) {
  if (!call->flow || call->several) /* which of several is not known */
    return;
  if (session->flow != call->flow) {
    if (session->flow)
      begin_anew(ctx, session);
    session->flow = call->flow;
    session->flags &= ~SESSION_TOLD;
  }
  if (call->filtered)
    session->flags |= SESSION_FILTERED;
}

static __always_inline void learn_beginning(const struct tls_call *call, struct session *session, __s64 result) {
  if (session->flags & (SESSION_USED | SESSION_FROM_START))
    return;
  if (call->flow || (result >= 0 && session->flags & SESSION_HALF))
    session->flags = (session->flags & ~SESSION_TOLD) | SESSION_FROM_START;
  else if (result < 0)
    session->flags |= SESSION_HALF;
}

static __always_inline __s64 moved_by(struct registers *ctx, const struct tls_slot *slot, const struct tls_call *call) {
  __s64 result = slot->wide ? (__s64)RESULT(ctx) : (__s32)RESULT(ctx);
  if (!slot->moved || result <= 0)
    return result;
  __s64 moved = 0;
  bpf_probe_read_user(&moved, sizeof(moved), (const void *)call->moved);
  return moved;
}

static __noinline int on_return(struct registers *ctx, __u32 number) {
  __u64 id = bpf_get_current_pid_tgid();
  struct tls_slot *slot = bpf_map_lookup_elem(&tls_slots, &number);
  if (!slot || !is_wanted(id >> 32))
    return 0;
  struct tls_call *call = end_call(id, STACK(ctx) - RETURN_POPS, number);
  if (!call)
    return 0;
  __s64 moved = moved_by(ctx, slot, call);
  struct session *session = session_of(call->session, id >> 32);
  call->session = 0;
  if (!session)
    return 0;
  learn_flow(ctx, call, session);
  if (call->handshake)
    learn_beginning(call, session, moved);
  if (slot->op < TLS_OP_HANDSHAKE && moved > 0) {
    session->flags |= SESSION_USED;
    tell_moved(ctx, call, session, moved, slot->op);
  }
  return 0;
}

SIXTEEN_FUNCTIONS(tracer_tls_, 0)
SIXTEEN_FUNCTIONS(tracer_tls_, 1)
SIXTEEN_FUNCTIONS(tracer_tls_, 2)

ANY_FUNCTION(tracer_tls_)

char _license[] SEC("license") = "Dual MIT/GPL";
