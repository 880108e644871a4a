/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Where the bytes of a message lie: struct iov_iter, read when the call begins, because by its end it has moved on.
 */
#ifndef TRACER_ITERATOR_BPF_H
#define TRACER_ITERATOR_BPF_H

#include "backends/bpf/kernel_types.bpf.h"

enum segments {
  SEGMENTS_NONE = 0,   /* pages or kernel memory: sendfile, splice, the kernel's own messages */
  SEGMENTS_ONE = 1,    /* base, size */
  SEGMENTS_VECTOR = 2, /* an array of struct iovec in kernel memory */
};

struct iterator {
  u64 base, size; /* size of the first segment that is known; the call may move less */
  u64 vector, count;
  u64 skip;       /* bytes of the vector that lie before the message */
  u32 segments;   /* enum segments */
  u32 pad0;
};

#ifdef SEALED
/* A kernel function (kfunc) of 6.2, which makes a typed pointer of an address. Without it only the first segment of
 * a vector can be read, by the typed pointer to it in the iterator; since 6.4 that pointer is a number to the
 * verifier. */
extern void *bpf_rdonly_cast(void *address, u32 type) __ksym __weak;

static __always_inline long read_segment(u64 *to, u64 from) {
  if (!bpf_rdonly_cast)
    return -1;
  const struct iovec *segment = bpf_rdonly_cast((void *)from, bpf_core_type_id_kernel(struct iovec));
  to[0] = (u64)segment->iov_base;
  to[1] = segment->iov_len;
  return 0;
}
#else
static __always_inline long read_segment(u64 *to, u64 from) {
  return bpf_probe_read_kernel(to, 2 * sizeof(u64), (void *)from);
}
#endif
#define READ_SEGMENT(to, from) read_segment(to, from)

/* Bytes that it holds still. */
static __always_inline u64 iterator_count(struct msghdr *message) {
  struct iov_iter *from = __builtin_preserve_access_index(&message->msg_iter);
  return FIELD(from, count);
}

#define IS_KIND(kind, name)                                             \
  (bpf_core_enum_value_exists(enum iter_type___kinds, name##___kinds) && \
   kind == bpf_core_enum_value(enum iter_type___kinds, name##___kinds))

static __always_inline void read_iterator(struct iterator *out, struct msghdr *message) {
  struct iov_iter *from = __builtin_preserve_access_index(&message->msg_iter);
  u64 skip = FIELD(from, iov_offset);
  u32 kind;
  if (bpf_core_field_exists(((struct iov_iter___since_5_14 *)0)->iter_type))
    kind = FIELD_AS(iov_iter___since_5_14, from, iter_type);
  else
    kind = FIELD_AS(iov_iter___until_5_13, from, type) & ~1u;
  out->base = out->size = out->vector = out->count = out->skip = 0;
  out->segments = SEGMENTS_NONE;
  if (IS_KIND(kind, ITER_UBUF)) {
    out->segments = SEGMENTS_ONE;
    /* The verifier may take it for the other member of the union, a pointer that nothing may be added to: by way of the
     * map it becomes a number. */
    *(volatile u64 *)&out->base = (u64)FIELD_AS(iov_iter___since_6_0, from, ubuf);
    out->base = *(volatile u64 *)&out->base + skip;
    out->size = ~0ull;
    return;
  }
  if (!IS_KIND(kind, ITER_IOVEC))
    return;
  const struct iovec *vector;
  if (bpf_core_field_exists(((struct iov_iter___since_6_4 *)0)->__iov))
    vector = FIELD_AS(iov_iter___since_6_4, from, __iov);
  else
    vector = FIELD_AS(iov_iter___until_6_3, from, iov);
  out->count = FIELD(from, nr_segs);
#ifdef SEALED
  if (!bpf_rdonly_cast) {
    out->segments = SEGMENTS_ONE;
    out->base = (u64)vector->iov_base + skip;
    out->size = vector->iov_len - skip;
    return;
  }
#endif
  if (out->count == 1) {
    u64 segment[2] = {0, 0};
    if (read_segment(segment, (u64)vector))
      return;
    out->segments = SEGMENTS_ONE;
    out->base = segment[0] + skip;
    out->size = segment[1] - skip;
    return;
  }
  out->segments = SEGMENTS_VECTOR;
  out->vector = (u64)vector;
  out->skip = skip;
}

#endif
