/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What is known of the sessions of TLS libraries: which flow carries each, and how far it is.
 */
#ifndef TRACER_TLS_SESSION_BPF_H
#define TRACER_TLS_SESSION_BPF_H

#include "backends/bpf/tls_calls.bpf.h"
#include "backends/ebpf/bpf/tls_record.bpf.h"
#include "backends/ebpf/tls_wire.h"

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tls_losses);
} tls_losses SEC(".maps");

#define COUNT_LOSS(what)                                                   \
  ({                                                                       \
    __u32 zero_ = 0;                                                       \
    struct tls_losses *losses_ = bpf_map_lookup_elem(&tls_losses, &zero_); \
    if (losses_)                                                           \
      __sync_fetch_and_add(&losses_->what, 1);                             \
  })

struct session_key {
  __u64 address; /* of the library's object */
  __u32 tgid;
  __u32 pad0;
};

#define SESSION_TOLD 1        /* WIRE_PLAIN_OPEN was sent, and still holds */
#define SESSION_EVER_TOLD 2
#define SESSION_FROM_START 4
#define SESSION_HALF 8        /* a handshake call ended before the handshake was done */
#define SESSION_USED 16       /* it moved data */
#define SESSION_FILTERED 32   /* nobody wants the bytes of its flow */

struct session {
  __u64 id; /* the highest bit is set: no flow has it */
  __u64 flow; /* that carries it; 0: not known */
  __u64 offset[2]; /* bytes moved, by direction */
  __s32 fd; /* given by the process; -1: none */
  __u32 flags;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct session_key);
  __type(value, struct session);
} tls_sessions SEC(".maps");

/* Always zero: what new entries are made of. */
struct blank {
  struct tls_call call;
  struct session session;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct blank);
} tls_blank SEC(".maps");

static __always_inline const struct blank *blank(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&tls_blank, &zero);
}

static __always_inline void number_session(struct session *session) {
  __u64 processor = bpf_get_smp_processor_id() & 2047;
  __u64 now = bpf_ktime_get_ns() >> 4;
  session->id = 1ull << 63 | processor << 52 | (now & ((1ull << 52) - 1));
}

/* Made if it is not there; 0: there is no room. */
static __noinline struct session *session_of(__u64 address, __u32 tgid) {
  struct session_key key = {.address = address, .tgid = tgid};
  struct session *session = bpf_map_lookup_elem(&tls_sessions, &key);
  if (session)
    return session;
  const struct blank *empty = blank();
  if (empty)
    bpf_map_update_elem(&tls_sessions, &key, &empty->session, BPF_NOEXIST);
  session = bpf_map_lookup_elem(&tls_sessions, &key);
  if (!session) {
    COUNT_LOSS(no_room);
    return 0;
  }
  session->fd = -1;
  number_session(session);
  return session;
}

static __noinline int tell_session(void *ctx, struct session *session) {
  struct wire_config *cfg = my_config();
  if (!cfg || !session || session->flags & SESSION_TOLD)
    return 0;
  struct wire_plain *plain = begin_record(sizeof(*plain), WIRE_PLAIN_OPEN, session->id, 0, 0);
  if (!plain)
    return 0;
  plain->carrier = session->flow;
  plain->flags = session->flags & SESSION_FROM_START ? WIRE_PLAIN_FROM_START : 0;
  plain->fd = session->fd;
  end_record(ctx, cfg, plain, sizeof(*plain), 0);
  session->flags |= SESSION_TOLD | SESSION_EVER_TOLD;
  return 0;
}

static __noinline int tell_end(void *ctx, struct session *session) {
  struct wire_config *cfg = my_config();
  if (!cfg || !session || !(session->flags & SESSION_EVER_TOLD))
    return 0;
  struct wire_header *end = begin_record(sizeof(*end), WIRE_PLAIN_CLOSE, session->id, 0, 0);
  if (end)
    end_record(ctx, cfg, end, sizeof(*end), 0);
  return 0;
}

/* The same object, another stream. */
static __always_inline void begin_anew(void *ctx, struct session *session) {
  tell_end(ctx, session);
  number_session(session);
  session->flow = 0;
  session->offset[WIRE_TX] = session->offset[WIRE_RX] = 0;
  session->flags = 0;
}

#endif
