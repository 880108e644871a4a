// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Calls into cryptographic libraries, counted by process, function, name and result. Needs no type information of the
 * kernel.
 *
 * Programs at breakpoints can be preempted (since 5.19), and another task may run the same program meanwhile. So nothing
 * is kept per processor between two steps, nor on a stack of 64 bytes or more, which newer kernels (6.13) have once per
 * processor: a call is put together in its entry of `calls`, which only its own thread uses.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "backends/bpf/emit.bpf.h"
#include "backends/ebpf/bpf/function_programs.bpf.h"
#include "backends/ebpf/uprobe_wire.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, UPROBE_SLOTS);
  __type(key, __u32);
  __type(value, struct uprobe_slot);
} slots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct uprobe_call_key);
  __type(value, struct uprobe_call);
} calls SEC(".maps");

/* Always zero: what a new entry of `calls` is made of. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct uprobe_call);
} blank SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192); /* the loader sets the real size */
  __type(key, struct uprobe_key);
  __type(value, struct uprobe_count);
} counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u32);
} verdicts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct uprobe_settings);
} settings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct uprobe_losses);
} call_losses SEC(".maps");

static __always_inline struct uprobe_losses *my_losses(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&call_losses, &zero);
}

static __always_inline __u32 local_tgid(const struct wire_config *cfg) {
#ifndef EMIT_PERF /* the helper came with 5.7 */
  if (cfg->pid_namespace_inode) {
    struct bpf_pidns_info mine = {};
    if (!bpf_get_ns_current_pid_tgid(cfg->pid_namespace_device, cfg->pid_namespace_inode, &mine, sizeof(mine)))
      return mine.tgid;
  }
#else
  (void)cfg;
#endif
  return 0;
}

static __noinline int tell_first(void *ctx, struct uprobe_call *call) {
  struct wire_config *cfg = my_config();
  if (!cfg || !call)
    return 0;
  __u32 tgid = call->record.key.tgid;
  fill_header(&call->record.header, UPROBE_RECORD_FIRST, 0, 0);
  call->record.uid = (__u32)bpf_get_current_uid_gid();
  call->record.local_tgid = local_tgid(cfg);
  bpf_get_current_comm(call->record.comm, sizeof(call->record.comm));
  __u32 *verdict = bpf_map_lookup_elem(&verdicts, &tgid);
  if (verdict) {
    call->record.verdict = *verdict;
  } else {
    __u32 seen = UPROBE_VERDICT_SEEN;
    bpf_map_update_elem(&verdicts, &tgid, &seen, BPF_NOEXIST);
  }
  /* A lost one is no loss: user space finds the counter when it looks through them. */
  emit(ctx, cfg, &call->record, sizeof(call->record), 0, 1);
  return 0;
}

static __always_inline void note_uncounted(void) {
  struct uprobe_losses *losses = my_losses();
  if (losses)
    __sync_fetch_and_add(&losses->uncounted, 1);
}

static __noinline int count_call(void *ctx, struct uprobe_call *call) {
  __u64 now = bpf_ktime_get_ns();
  if (!call)
    return 0;
  struct uprobe_key *key = &call->record.key;
  struct uprobe_count *count = bpf_map_lookup_elem(&counts, key);
  if (!count) {
    struct uprobe_count first = {.calls = 1, .last_ns = now};
    if (!bpf_map_update_elem(&counts, key, &first, BPF_NOEXIST))
      return tell_first(ctx, call);
    count = bpf_map_lookup_elem(&counts, key); /* another thread was first, or there is no room */
  }
  if (count) {
    __sync_fetch_and_add(&count->calls, 1);
    count->last_ns = now;
    return 0;
  }
  note_uncounted();
  return 0;
}

static __always_inline int is_wanted(__u32 tgid) {
  struct wire_config *cfg = my_config();
  if (!cfg || is_self(cfg, tgid))
    return 0;
  __u32 *verdict = bpf_map_lookup_elem(&verdicts, &tgid);
  return !verdict || *verdict != UPROBE_VERDICT_LEFT_OUT;
}

static __always_inline int read_name(struct uprobe_key *key, __u64 address) {
  long length = bpf_probe_read_user_str(key->name, sizeof(key->name), (const void *)address);
  if (length <= 0) {
    __builtin_memset(key->name, 0, sizeof(key->name));
    return 0;
  }
  key->has |= length == sizeof(key->name) ? UPROBE_HAS_NAME | UPROBE_NAME_CUT : UPROBE_HAS_NAME;
  return 1;
}

static __always_inline struct uprobe_call *new_call(const struct uprobe_call_key *running, __u32 tgid) {
  __u32 zero = 0;
  struct uprobe_call *empty = bpf_map_lookup_elem(&blank, &zero);
  if (!empty || bpf_map_update_elem(&calls, running, empty, BPF_ANY))
    return 0;
  struct uprobe_call *call = bpf_map_lookup_elem(&calls, running);
  if (!call)
    return 0;
  call->record.key.tgid = tgid;
  call->record.key.slot = (__u16)running->slot;
  return call;
}

static __noinline int on_entry(struct registers *ctx, __u32 number) {
  __u64 id = bpf_get_current_pid_tgid();
  struct uprobe_call_key running = {.tid = (__u32)id, .slot = number};
  struct uprobe_slot *slot = bpf_map_lookup_elem(&slots, &number);
  if (!slot || !is_wanted(id >> 32))
    return 0;
  struct uprobe_call *call = new_call(&running, id >> 32);
  if (!call) {
    note_uncounted();
    return 0;
  }
  if (slot->size_argument) {
    __s32 size = (__s32)argument(ctx, slot->size_argument);
    if (size >= 0) {
      call->record.key.size = (__u32)size;
      call->record.key.has |= UPROBE_HAS_SIZE;
    }
  }
  if (slot->name_argument) {
    /* A page that was never touched cannot be read here; when the function returns it has been. */
    __u64 name = argument(ctx, slot->name_argument);
    if (name && !read_name(&call->record.key, name))
      call->name = name;
  }
  if (slot->result == UPROBE_RESULT_NONE) {
    count_call(ctx, call);
    bpf_map_delete_elem(&calls, &running);
  }
  return 0;
}

static __noinline int on_return(struct registers *ctx, __u32 number) {
  __u64 id = bpf_get_current_pid_tgid();
  struct uprobe_call_key running = {.tid = (__u32)id, .slot = number};
  struct uprobe_slot *slot = bpf_map_lookup_elem(&slots, &number);
  struct uprobe_call *call;
  if (!slot || !is_wanted(id >> 32))
    return 0;
  if (slot->name_argument || slot->size_argument) {
    call = bpf_map_lookup_elem(&calls, &running);
    if (!call) { /* without its arguments it would be taken for another kind of call */
      struct uprobe_losses *losses = my_losses();
      if (losses)
        __sync_fetch_and_add(&losses->unpaired, 1);
      return 0;
    }
    if (call->name)
      read_name(&call->record.key, call->name);
  } else {
    call = new_call(&running, id >> 32);
    if (!call) {
      note_uncounted();
      return 0;
    }
  }
  __u64 result = RESULT(ctx);
  if (slot->result == UPROBE_RESULT_INT)
    call->record.key.result = (__s32)result;
  else if (slot->result == UPROBE_RESULT_LONG)
    call->record.key.result = (__s64)result;
  else
    call->record.key.result = result != 0;
  call->record.key.has |= UPROBE_HAS_RESULT;
  count_call(ctx, call);
  bpf_map_delete_elem(&calls, &running);
  return 0;
}

SIXTEEN_FUNCTIONS(tracer_, 0)
SIXTEEN_FUNCTIONS(tracer_, 1)
SIXTEEN_FUNCTIONS(tracer_, 2)
SIXTEEN_FUNCTIONS(tracer_, 3)
SIXTEEN_FUNCTIONS(tracer_, 4)
SIXTEEN_FUNCTIONS(tracer_, 5)
SIXTEEN_FUNCTIONS(tracer_, 6)
SIXTEEN_FUNCTIONS(tracer_, 7)

ANY_FUNCTION(tracer_)

/* At the tracer's own function: the sign of life. */
SEC("uprobe") int tracer_beat(struct registers *ctx) {
  struct wire_config *cfg = my_config();
  if (cfg && (__u32)ARGUMENT(ctx, 1) == cfg->beat_nonce)
    emit_beat(ctx, cfg);
  return 0;
}

static __always_inline void tell_change(void *ctx, __u16 kind) {
  struct wire_config *cfg = my_config();
  struct wire_header record;
  if (!cfg)
    return;
  fill_header(&record, kind, 0, 0);
  emit(ctx, cfg, &record, sizeof(record), 0, 0);
}

SEC("tracepoint/sched/sched_process_exec") int tracer_exec(void *ctx) {
  __u32 tgid = bpf_get_current_pid_tgid() >> 32, zero = 0;
  __u32 *verdict = bpf_map_lookup_elem(&verdicts, &tgid);
  struct uprobe_settings *set = bpf_map_lookup_elem(&settings, &zero);
  if (!verdict || !set)
    return 0;
  if (*verdict != UPROBE_VERDICT_WANTED || !set->follow_children)
    bpf_map_delete_elem(&verdicts, &tgid);
  tell_change(ctx, UPROBE_RECORD_EXEC);
  return 0;
}

/* Threads come by here as well, and are numbered like processes. */
SEC("tracepoint/sched/sched_process_fork") int tracer_fork(void *ctx) {
  __u32 tgid = bpf_get_current_pid_tgid() >> 32, zero = 0, child = 0;
  struct uprobe_settings *set = bpf_map_lookup_elem(&settings, &zero);
  if (!set || !set->follow_children || !set->fork_child)
    return 0;
  __u32 *verdict = bpf_map_lookup_elem(&verdicts, &tgid);
  if (!verdict || *verdict != UPROBE_VERDICT_WANTED)
    return 0;
  __u64 at = set->fork_child;
  if (at > 4096 || bpf_probe_read_kernel(&child, sizeof(child), (const char *)ctx + at))
    return 0;
  __u32 wanted = UPROBE_VERDICT_WANTED;
  if (child)
    bpf_map_update_elem(&verdicts, &child, &wanted, BPF_ANY);
  return 0;
}

SEC("tracepoint/sched/sched_process_exit") int tracer_exit(void *ctx) {
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tid = (__u32)id;
  if (!bpf_map_lookup_elem(&verdicts, &tid))
    return 0;
  bpf_map_delete_elem(&verdicts, &tid);
  if (tid == id >> 32)
    tell_change(ctx, UPROBE_RECORD_EXIT);
  return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
