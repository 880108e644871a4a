/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The beginning of a call, kept by thread until its end. Indexed by the low bits of the thread id: no hashing, no
 * removal. Of two threads that share a slot and are in a call at once, one is not seen or told as a gap.
 *
 * To be included where `struct call`, what is kept, is defined.
 */
#ifndef TRACER_CALL_SLOTS_BPF_H
#define TRACER_CALL_SLOTS_BPF_H

#define CALL_SLOTS 32768u
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, CALL_SLOTS);
  __type(key, __u32);
  __type(value, struct call);
} calls SEC(".maps");

static __always_inline struct call *my_call(__u32 tid) {
  __u32 slot = tid & (CALL_SLOTS - 1);
  return bpf_map_lookup_elem(&calls, &slot);
}

#endif
