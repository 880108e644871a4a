/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Small objects for the test of the limits: without a define one that keeps them, with one that passes just one of them.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} values SEC(".maps");

static __always_inline __u64 *value(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&values, &zero);
}

#define TIMES_8(text) text text text text text text text text
#define MANY asm volatile(TIMES_8(TIMES_8(TIMES_8(TIMES_8("r0 = 0\n")))) ::: "r0")

#ifdef HAS_DATA
__u64 counted;
#endif

#ifdef HAS_MANY_IN_CALLEE
static __attribute__((noinline)) int callee(void *ctx) {
  MANY;
  return ctx != 0;
}
#endif

#ifdef HAS_RELOCATION
struct task_struct {
  int pid;
} __attribute__((preserve_access_index));
#endif

SEC("tracepoint") int program(void *ctx) {
  __u64 *at = value();
  if (!at)
    return 0;
  *at += bpf_ktime_get_ns();
#ifdef HAS_LOOP
#pragma nounroll
  for (__u64 i = 0; i < 100; i++)
    *at += bpf_ktime_get_ns();
#endif
#ifdef HAS_DATA
  counted++;
#endif
#ifdef HAS_RELOCATION
  *at += (__u64) & ((struct task_struct *)ctx)->pid;
#endif
#ifdef HAS_MANY
  MANY;
#endif
#ifdef HAS_MANY_IN_CALLEE
  if (callee(ctx))
    *at += 1;
#endif
#ifdef HAS_HELPER
  *at += bpf_get_current_task(); /* of 4.8, but not in the list: a helper is added there on purpose */
#endif
  return (long)ctx == 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
