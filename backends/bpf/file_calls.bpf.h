/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Calls that open files and map them to be executed: what is kept of their beginning, and what is told at their end.
 *
 * The path is read when the call returns: the kernel has just read it, so its page is there. Another thread may have
 * changed it meanwhile; what is told is what the program says that it opened, and no proof.
 *
 * Which file a mapping is of is known by the open of its descriptor: `open_libraries` keeps it until the descriptor is
 * closed. A descriptor that is not there (inherited, received, duplicated, not named like a shared object) is left to
 * user space, which finds the mapping in /proc by its address.
 */
#ifndef TRACER_FILE_CALLS_BPF_H
#define TRACER_FILE_CALLS_BPF_H

#include "backends/bpf/emit.bpf.h"

/* WIRE_FILE_OP_* by system call number. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WIRE_OPS);
  __type(key, __u32);
  __type(value, __u32);
} file_ops SEC(".maps");

/* The enter half of a call; slots as in call_slots.bpf.h. */
struct file_call {
  __u64 tid_op; /* tid << 32 | op; 0: none */
  __u64 path, how;
  __u32 open_flags;
  __s32 fd; /* the directory; mmap: the file */
};
#define FILE_CALL_SLOTS 32768u
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, FILE_CALL_SLOTS);
  __type(key, __u32);
  __type(value, struct file_call);
} file_calls SEC(".maps");

/* Where a record is made. The path is given one byte more than is told, so that a cut is noticed. */
struct file_work {
  union {
    struct wire_file file;
    struct wire_map map;
  };
  __u8 path[WIRE_PATH_SIZE + 8];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct file_work);
} file_works SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1); /* the loader sets the real size */
  __type(key, struct wire_suffix);
  __type(value, __u32);
} file_suffixes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 1); /* the loader sets the real size */
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct wire_prefix);
  __type(value, __u32);
} file_prefixes SEC(".maps");

/* Open descriptors of files that are named like shared objects, each with the record of its open. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct wire_fd_key);
  __type(value, struct file_work);
} open_libraries SEC(".maps");

static __always_inline __u32 file_op_of(long number) {
  __u32 index = number;
  if (number < 0 || number >= WIRE_OPS)
    return WIRE_FILE_OP_NONE;
  __u32 *op = bpf_map_lookup_elem(&file_ops, &index);
  return op ? *op : WIRE_FILE_OP_NONE;
}

static __always_inline struct file_call *my_file_call(__u32 tid) {
  __u32 slot = tid & (FILE_CALL_SLOTS - 1);
  return bpf_map_lookup_elem(&file_calls, &slot);
}

#define MMAP_EXECUTE 0x4    /* PROT_EXEC */
#define MMAP_ANONYMOUS 0x20 /* MAP_ANONYMOUS */
#define CREAT_FLAGS 0x241   /* O_CREAT | O_WRONLY | O_TRUNC */
#define OPEN_PLACE 0x200000 /* O_PATH */

static __always_inline void count_filtered(void) {
  struct wire_counters *count = my_counters();
  if (count)
    count->files_filtered++;
}

static __always_inline void forget_library(__u32 tgid, __s32 fd) {
  struct wire_fd_key key = {tgid, fd};
  bpf_map_delete_elem(&open_libraries, &key);
}

static __always_inline void begin_file_call(void *ctx, const struct wire_config *cfg, __u32 op, const __u64 *argument) {
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tgid = id >> 32;
  if (op == WIRE_FILE_OP_OPENAT && (__s32)argument[0] == WIRE_BEAT_FD && (__u32)argument[2] == cfg->beat_nonce) {
    emit_beat(ctx, cfg);
    return;
  }
  if (is_self(cfg, tgid))
    return;
  if (op == WIRE_FILE_OP_CLOSE || op == WIRE_FILE_OP_DUP2) {
    /* At enter: once the call is over, another thread may have been given the number again. */
    forget_library(tgid, op == WIRE_FILE_OP_CLOSE ? (__s32)argument[0] : (__s32)argument[1]);
    return;
  }
  struct file_call *call = my_file_call((__u32)id);
  if (!call)
    return;
  call->tid_op = 0;
  call->how = 0;
  call->fd = WIRE_FILE_AT_CWD;
  if (op == WIRE_FILE_OP_MMAP) {
    if (!(argument[2] & MMAP_EXECUTE) || (argument[3] & MMAP_ANONYMOUS))
      return;
    call->fd = (__s32)argument[4];
  } else if (op == WIRE_FILE_OP_OPEN) {
    call->path = argument[0];
    call->open_flags = (__u32)argument[1];
  } else if (op == WIRE_FILE_OP_CREAT) {
    call->path = argument[0];
    call->open_flags = CREAT_FLAGS;
  } else {
    call->fd = (__s32)argument[0];
    call->path = argument[1];
    if (op == WIRE_FILE_OP_OPENAT2)
      call->how = argument[2];
    else
      call->open_flags = (__u32)argument[2];
  }
  call->tid_op = (id << 32) | op;
}

/* ".so" at the end, or ".so." and up to 12 bytes behind it. `tail`: the last 8 bytes; `before`: the 8 ahead of them. */
static __always_inline int is_shared_object(__u64 tail, __u64 before) {
  if (tail >> 40 == 0x6f732eull)
    return 1;
  __u64 window = before;
  _Pragma("unroll") for (int at = 0; at < 12; at++) {
    if ((window & 0xffffffffull) == 0x2e6f732eull)
      return 1;
    window = window >> 8 | (tail & 0xff) << 56;
    tail >>= 8;
  }
  return 0;
}

static __always_inline int has_wanted_suffix(const struct wire_config *cfg, __u64 tail, __u64 kept) {
  __u64 lengths = cfg->file_suffix_lengths;
  _Pragma("unroll") for (__u64 length = 1; length <= 8; length++) {
    struct wire_suffix suffix = {tail >> (64 - 8 * length), length};
    if ((lengths >> (length - 1) & 1) && kept >= length && bpf_map_lookup_elem(&file_suffixes, &suffix))
      return 1;
  }
  return 0;
}

/* A path that could not be read to its end may have any end. */
static __always_inline int passes_filter(const struct wire_config *cfg, struct file_work *work, __u64 kept, __u64 tail,
                                         int shared) {
  if ((cfg->files & WIRE_FILES_ALL) || cfg->trace_self || !kept || (work->file.flags & WIRE_FILE_CUT))
    return 1;
  if (shared && (cfg->files & WIRE_FILES_SHARED))
    return 1;
  if (cfg->file_suffix_lengths && has_wanted_suffix(cfg, tail, kept))
    return 1;
  if (!(cfg->files & WIRE_FILES_PREFIXES))
    return 0;
  work->file.prefix_bits = 8 * (kept < WIRE_PREFIX_SIZE ? kept : WIRE_PREFIX_SIZE);
  return bpf_map_lookup_elem(&file_prefixes, &work->file.prefix_bits) != 0;
}

static __always_inline void on_opened(void *ctx, const struct wire_config *cfg, const struct file_call *call, __u64 id,
                                      long result) {
  __u32 zero = 0;
  struct file_work *work = bpf_map_lookup_elem(&file_works, &zero);
  if (!work)
    return;
  __u64 flags = 0, open_flags = call->open_flags;
  if (call->how && bpf_probe_read_user(&open_flags, sizeof(open_flags), (void *)call->how))
    flags = WIRE_FILE_NO_MODE;
  if (open_flags & OPEN_PLACE) {
    /* Nothing can be read from it. And two tracers, which look at what they were told of, would go on for ever. */
    if (result >= 0 && (cfg->files & WIRE_FILES_LIBRARIES))
      forget_library(id >> 32, result);
    count_filtered();
    return;
  }
  long length = bpf_probe_read_user_str(work->path, WIRE_PATH_SIZE + 1, (void *)call->path);
  __u64 kept = length > 0 ? (__u64)length - 1 : 0;
  if (kept > WIRE_PATH_SIZE - 1) {
    kept = WIRE_PATH_SIZE - 1;
    flags |= WIRE_FILE_CUT;
  }
  kept &= WIRE_PATH_SIZE - 1;
  fill_header(&work->file.header, WIRE_FILE, 0, 0);
  work->file.header.kept = kept;
  work->file.uid = bpf_get_current_uid_gid();
  work->file.open_flags = open_flags;
  work->file.result = result;
  work->file.directory_fd = call->fd;
  work->file.flags = flags;
  /* Of a short path they begin in the record ahead of it; no suffix is compared that is longer than the path. */
  __u8 *end = work->path + kept;
  __u64 tail = *(__u64 *)(end - 8), before = *(__u64 *)(end - 16);
  int shared = is_shared_object(tail, before);
  if (result >= 0 && (cfg->files & WIRE_FILES_LIBRARIES)) {
    struct wire_fd_key key = {id >> 32, result};
    if (shared)
      bpf_map_update_elem(&open_libraries, &key, work, BPF_ANY);
    else /* not every end of a descriptor is seen: an exec closes some, close_range */
      bpf_map_delete_elem(&open_libraries, &key);
  }
  if (!(cfg->files & WIRE_FILES_TOLD) && !cfg->trace_self)
    return;
  if (!passes_filter(cfg, work, kept, tail, shared)) {
    count_filtered();
    return;
  }
  emit(ctx, cfg, work, sizeof(work->file) + kept, 0, 0);
}

static __always_inline void on_mapped(void *ctx, const struct wire_config *cfg, __s32 fd, __u64 id, __u64 address) {
  __u32 zero = 0;
  struct file_work *work = bpf_map_lookup_elem(&file_works, &zero);
  struct wire_fd_key key = {id >> 32, fd};
  struct file_work *opened = bpf_map_lookup_elem(&open_libraries, &key);
  __u64 kept = 0;
  if (!work || address >= -4095ull)
    return;
  work->map.directory_fd = WIRE_FILE_AT_CWD;
  work->map.flags = 0;
  if (opened) {
    __u64 flags = opened->file.flags;
    __s32 directory = opened->file.directory_fd;
    kept = opened->file.header.kept;
    __builtin_memcpy(work->path, opened->path, WIRE_PATH_SIZE);
    work->map.flags = flags;
    work->map.directory_fd = directory;
  }
  kept &= WIRE_PATH_SIZE - 1;
  fill_header(&work->map.header, WIRE_MAP, 0, 0);
  work->map.header.kept = kept;
  work->map.address = address;
  work->map.fd = fd;
  work->map.pad0 = 0;
  emit(ctx, cfg, work, sizeof(work->map) + kept, 0, 0);
}

/* `op`: of the call that returns. */
static __always_inline void end_file_call(void *ctx, const struct wire_config *cfg, __u32 op, long result) {
  __u64 id = bpf_get_current_pid_tgid();
  struct file_call *call = my_file_call((__u32)id);
  if (!call || call->tid_op != ((id << 32) | op))
    return;
  call->tid_op = 0;
  if (op == WIRE_FILE_OP_MMAP)
    on_mapped(ctx, cfg, call->fd, id, result);
  else
    on_opened(ctx, cfg, call, id, result);
}

#endif
