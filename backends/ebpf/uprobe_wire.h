/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What uprobe.bpf.c says and user space understands, beside backends/bpf/wire.h: every record begins with its header.
 */
#ifndef TRACER_UPROBE_WIRE_H
#define TRACER_UPROBE_WIRE_H

#include "backends/bpf/wire.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* A function of the table has one slot, and each slot a program of its own: kernels before 5.15 give a program no other
 * hint of where it was attached. */
#define UPROBE_SLOTS 128u

/* What the arguments of a function are, by their place from 1; 0: none is told. */
struct uprobe_slot {
  __u8 name_argument; /* a NUL-terminated name */
  __u8 size_argument; /* 32 bits, signed: sizes below 0 are not told */
  __u8 result;        /* enum uprobe_result */
  __u8 pad0;
};

enum uprobe_result { UPROBE_RESULT_NONE = 0, UPROBE_RESULT_INT = 1, UPROBE_RESULT_LONG = 2, UPROBE_RESULT_POINTER = 3 };

#define UPROBE_NAME_SIZE 128 /* with the terminator */

#define UPROBE_HAS_NAME 1
#define UPROBE_NAME_CUT 2 /* the name is longer */
#define UPROBE_HAS_SIZE 4
#define UPROBE_HAS_RESULT 8

/* What is counted apart. Bytes behind the name's end are 0. */
struct uprobe_key {
  __u32 tgid;
  __u16 slot;
  __u16 has; /* UPROBE_HAS_… */
  __u64 size;
  __s64 result; /* of a pointer: 1, or 0 for null */
  char name[UPROBE_NAME_SIZE];
};

struct uprobe_count {
  __u64 calls; /* never reset */
  __u64 last_ns;
};

/* A call that has not returned yet. */
struct uprobe_call_key {
  __u32 tid;
  __u32 slot;
};
/* By process. Absent: nothing is known of it; it is counted until user space has decided. */
enum uprobe_verdict {
  UPROBE_VERDICT_SEEN = 1, /* calls were counted, nobody has decided yet */
  UPROBE_VERDICT_WANTED = 2,
  UPROBE_VERDICT_LEFT_OUT = 3,
};

/* header.kind, beyond those of enum wire_kind; and WIRE_BEAT with the nonce in `flow`. */
#define UPROBE_RECORD_FIRST 64 /* struct uprobe_first: a key was counted for the first time */
#define UPROBE_RECORD_EXEC 65  /* struct wire_header: a process that has a verdict runs another program */
#define UPROBE_RECORD_EXIT 66  /* struct wire_header: such a process ends */

struct uprobe_first {
  struct wire_header header;
  struct uprobe_key key;
  __u32 uid;
  __u32 local_tgid; /* in the tracer's pid namespace; 0: not known, or it is the initial one */
  __u32 verdict;    /* enum uprobe_verdict, when it was counted; 0: absent */
  __u32 pad0;
  char comm[WIRE_COMM_SIZE]; /* of the thread */
};

struct uprobe_call {
  struct uprobe_first record; /* as far as it is known; sent if the call is the first of its kind */
  __u64 name;                 /* address; 0: null, or read already */
};

struct uprobe_settings {
  __u32 fork_child;      /* where the child's number lies in the record of sched_process_fork; 0: not known */
  __u32 follow_children; /* children of wanted processes are wanted */
};

/* Per processor. */
struct uprobe_losses {
  __u64 uncounted; /* calls that found no room for a counter */
  __u64 unpaired;  /* returns of which no entry is known: began before, or their slot was given to others */
};

#pragma GCC diagnostic pop
#endif
