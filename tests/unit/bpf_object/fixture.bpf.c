/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Programs that load and programs that cannot, in one object.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} counted SEC(".maps");

static __always_inline int count(void) {
  __u32 zero = 0;
  __u64 *at = bpf_map_lookup_elem(&counted, &zero);
  if (at)
    __sync_fetch_and_add(at, 1);
  return 0;
}

SEC("tp_btf/sys_enter") int sees_calls(__u64 *ctx) {
  __u64 byte = 0;
  bpf_probe_read_user(&byte, 1, (void *)ctx[1]);
  return count();
}

SEC("fentry/no_kernel_has_a_function_of_this_name") int has_no_target(__u64 *ctx) {
  (void)ctx;
  return count();
}

SEC("tp_btf/sys_exit") int is_refused(__u64 *ctx) {
  return *(volatile __u64 *)((char *)ctx + 32760) != 0;
}

SEC("tp_btf/sched_switch") int is_not_wanted(__u64 *ctx) {
  return *(volatile __u64 *)((char *)ctx + 32760) != 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
