/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The record of an exec: who, which program, and its arguments where it is known where they lie.
 */
#ifndef TRACER_EXEC_RECORD_BPF_H
#define TRACER_EXEC_RECORD_BPF_H

#include "backends/bpf/emit.bpf.h"

#define ARGUMENTS_MASK 1023ull

struct exec_record {
  struct wire_process process;
  __u8 text[WIRE_PATH_SIZE + ARGUMENTS_MASK + 1]; /* the path, and right behind it the arguments */
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct exec_record);
} exec_records SEC(".maps");

/* Only the path and the parent are left to fill in. */
static __always_inline struct exec_record *begin_exec_record(void) {
  __u32 zero = 0;
  struct exec_record *record = bpf_map_lookup_elem(&exec_records, &zero);
  if (!record)
    return 0;
  __u64 user = bpf_get_current_uid_gid();
  fill_header(&record->process.header, WIRE_EXEC, 0, 0);
  record->process.uid = (__u32)user;
  record->process.gid = user >> 32;
  record->process.child = 0;
  record->process.exit_code = 0;
  record->process.local_tgid = 0;
  record->process.parent = 0;
  record->process.arguments = 0;
  record->process.flags = 0;
  bpf_get_current_comm(record->process.comm, sizeof(record->process.comm));
  return record;
}

/* `path`: its length in record->text. The arguments lie in the process's memory from `begin` to `end`. */
static __always_inline void finish_exec_record(void *ctx, const struct wire_config *cfg, struct exec_record *record,
                                               __u64 path, __u64 begin, __u64 end) {
  __u64 bytes = end > begin ? end - begin : 0;
  if (path > WIRE_PATH_SIZE - 1)
    path = WIRE_PATH_SIZE - 1;
  path &= WIRE_PATH_SIZE - 1;
  if (bytes > WIRE_ARGUMENTS_SIZE) {
    bytes = WIRE_ARGUMENTS_SIZE;
    record->process.flags = WIRE_EXEC_CUT;
  }
  bytes &= ARGUMENTS_MASK;
  if (bytes && bpf_probe_read_user(record->text + path, bytes, (void *)begin)) {
    bytes = 0;
    record->process.flags = 0;
  }
  record->process.header.kept = path;
  record->process.arguments = bytes;
  /* Where plaintext is wanted of a program that may live for milliseconds only, its libraries are looked at right away. */
  emit(ctx, cfg, record, sizeof(record->process) + path + bytes, 0, cfg->plaintext != 0);
}

#endif
