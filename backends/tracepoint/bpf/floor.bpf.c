/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The floor: system calls on sockets where nothing is known of the kernel's types. No BTF, no CO-RE, no global data.
 * Attached to syscalls:*, sched:* and sock:inet_sock_set_state; the first three programs serve every system call.
 *
 * A descriptor is known to be a TCP socket because it was seen being made (socket, connect, accept, dup, fork), or
 * because user space found it in /proc. Offsets are counted here, even when a record is lost, so that a loss is a hole.
 *
 * Built three times: with a ring buffer and a loop; unrolled with perf buffers (EMIT_PERF) for kernels before 5.8; and
 * on typed raw tracepoints (FLOOR_TYPED) for kernels that are locked down, see floor_facts.bpf.h.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "backends/bpf/wire.h"
#ifdef FLOOR_TYPED
#define TYPED_CONTEXT
#define TYPED_SOCKETS
#define SEALED
#include <bpf/bpf_core_read.h>
#include "backends/bpf/kernel_types.bpf.h"
#endif
#include "backends/bpf/deliver.bpf.h"
#include "backends/bpf/emit.bpf.h"
#include "backends/bpf/tls_calls.bpf.h"
#include "backends/bpf/user_segments.bpf.h"

typedef __u64 u64;
typedef __u32 u32;
typedef __s32 s32;
typedef __u16 u16;
typedef __u8 u8;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, struct wire_fd_key);
  __type(value, struct wire_fd_value);
} descriptors SEC(".maps");

struct stream {
  u64 end[2];  /* bytes seen, by direction */
  u32 user[2]; /* tgid that last moved bytes */
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct stream);
} streams SEC(".maps");

/* The enter half of a call. */
struct call {
  u64 tid_op;
  u64 flow;
  u64 at_ns;
  u64 argument[4];
  u64 end;    /* bytes seen in this direction when the call began */
  u64 socket; /* connect: set by the state change inside the call */
  u64 summed; /* bytes of the messages of sendmmsg and recvmmsg */
};
#include "backends/bpf/call_slots.bpf.h"

#define DESCRIPTORS_INHERITED 64 /* of a forking process, looked at one by one: the old verifier knows no loops */
#define MESSAGES_SUMMED 64

#include "backends/tracepoint/bpf/floor_facts.bpf.h"

static __always_inline long note(void *ctx, const struct wire_config *cfg, u16 op, u64 flow, s32 fd, s32 other,
                                 u64 socket, u64 address, u32 tgid) {
  struct wire_fd record = {};
  fill_header(&record.header, WIRE_FD, flow, 0);
  if (tgid)
    record.header.tgid = tgid;
  record.op = op;
  record.fd = fd;
  record.other_fd = other;
  record.socket = socket;
  if (address) {
    u16 family = 0;
    bpf_probe_read_user(&family, sizeof(family), (void *)address);
    if (family == 2 /* AF_INET */) {
      record.flags = WIRE_FLAG_REMOTE;
      record.remote_address[10] = record.remote_address[11] = 0xff;
      bpf_probe_read_user(&record.remote_port, 2, (void *)(address + 2));
      bpf_probe_read_user(&record.remote_address[12], 4, (void *)(address + 4));
    } else if (family == 10 /* AF_INET6 */) {
      record.flags = WIRE_FLAG_REMOTE;
      bpf_probe_read_user(&record.remote_port, 2, (void *)(address + 2));
      bpf_probe_read_user(&record.remote_address, 16, (void *)(address + 8));
    }
  }
  return emit(ctx, cfg, &record, sizeof(record), 0, 1);
}

static __always_inline void set_descriptor(u32 tgid, s32 fd, u64 flow, u32 kind, u32 close_on_exec) {
  struct wire_fd_key key = {tgid, fd};
  struct wire_fd_value value = {.flow = flow, .kind = kind, .close_on_exec = close_on_exec};
  if (bpf_map_update_elem(&descriptors, &key, &value, BPF_ANY)) {
    struct wire_counters *count = my_counters();
    if (count)
      count->flows_untracked++;
  }
}

static __always_inline struct wire_fd_value *descriptor(u32 tgid, s32 fd) {
  struct wire_fd_key key = {tgid, fd};
  return bpf_map_lookup_elem(&descriptors, &key);
}

static __always_inline void forget_descriptor(u32 tgid, s32 fd) {
  struct wire_fd_key key = {tgid, fd};
  bpf_map_delete_elem(&descriptors, &key);
}

/* Asks user space which socket this is. A question that finds no room is asked again at the next use. */
static __always_inline void ask(void *ctx, const struct wire_config *cfg, u32 tgid, s32 fd, u32 close_on_exec) {
  set_descriptor(tgid, fd, 0, WIRE_FD_KIND_ASKED, close_on_exec);
  if (note(ctx, cfg, WIRE_FD_UNKNOWN, 0, fd, -1, 0, 0, tgid))
    forget_descriptor(tgid, fd);
}

static __always_inline u64 begin_flow(const struct wire_config *cfg) {
  u64 flow = next_flow_id(cfg, 0);
  struct stream fresh = {};
  if (bpf_map_update_elem(&streams, &flow, &fresh, BPF_ANY)) {
    struct wire_counters *count = my_counters();
    if (count)
      count->flows_untracked++;
    return 0;
  }
  return flow;
}

static __always_inline int is_rx(u32 op) { return op >= WIRE_OP_READ; }

ON(sys_enter) int floor_enter(u64 *ctx) {
  u64 arguments[4] = {};
  u32 op = op_of(entered_call(ctx));
  if (op == WIRE_OP_NONE || !entered_arguments(ctx, arguments))
    return PASS_ON;
  u64 first = arguments[0], second = arguments[1], third = arguments[2], fourth = arguments[3];
  u64 id = bpf_get_current_pid_tgid();
  u32 tgid = id >> 32;
  s32 fd = first;
  struct wire_config *cfg = my_config();
  if (!cfg)
    return PASS_ON;
  if (fd == WIRE_BEAT_FD && third == cfg->beat_nonce) {
    emit_beat(ctx, cfg);
    return PASS_ON;
  }
  if (is_self(cfg, tgid))
    return PASS_ON;
  struct call *call = my_call((u32)id);
  if (!call)
    return PASS_ON;
  u64 flow = 0;
  if (op <= WIRE_OP_RECVMMSG) {
    if (op == WIRE_OP_SPLICE)
      fd = third;
    struct wire_fd_value *known = descriptor(tgid, fd);
    if (op == WIRE_OP_SPLICE && (!known || !known->flow)) {
      fd = first;
      known = descriptor(tgid, fd);
      if (known && known->flow) {
        flow = known->flow;
        op = WIRE_OP_RECVMMSG + 100; /* a receiving splice */
      }
    }
    if (!known) {
      /* read and write are mostly for files, of which the map holds nothing; these are for sockets only. */
      if (op == WIRE_OP_SENDMSG || op == WIRE_OP_SENDMMSG || op >= WIRE_OP_RECVMSG || op == WIRE_OP_RECVFROM) {
        ask(ctx, cfg, tgid, fd, 0);
        known = descriptor(tgid, fd);
      }
    } else {
      flow = known->flow;
    }
    if (!flow && op != WIRE_OP_RECVMSG && !(known && known->kind == WIRE_FD_KIND_ASKED)) {
      call->tid_op = 0;
      return PASS_ON;
    }
    u32 flags = op == WIRE_OP_RECVFROM || op == WIRE_OP_RECVMMSG ? (u32)fourth
                : op == WIRE_OP_RECVMSG                          ? (u32)third
                                                                 : 0;
    if (flags & (0x2 /* MSG_PEEK */ | 0x2000 /* MSG_ERRQUEUE */)) {
      call->tid_op = 0;
      return PASS_ON;
    }
    if (flags & 0x20 /* MSG_TRUNC */)
      op = WIRE_OP_RECVMMSG + 100;
    struct stream *stream = bpf_map_lookup_elem(&streams, &flow);
    if (stream)
      call->end = is_rx(op) ? stream->end[WIRE_RX] : stream->end[WIRE_TX];
  } else if (op == WIRE_OP_CLOSE) {
    /* At enter: once the call is over, another thread may have been given the number again. */
    forget_descriptor(tgid, fd);
    call->tid_op = 0;
    return PASS_ON;
  }
  call->tid_op = (id << 32) | op;
  call->flow = flow;
  call->at_ns = is_rx(op) ? 0 : bpf_ktime_get_ns();
  call->socket = 0;
  call->argument[0] = first;
  call->argument[1] = second;
  call->argument[2] = third;
  call->argument[3] = fourth;
  if (op == WIRE_OP_CLONE3) {
    u64 flags = 0;
    bpf_probe_read_user(&flags, sizeof(flags), (void *)first);
    call->argument[0] = flags;
  }
  return PASS_ON;
}

static __always_inline void tell_user(void *ctx, const struct wire_config *cfg, struct stream *stream, u64 flow,
                                      u32 direction, u64 id) {
  struct wire_process process = {};
  stream->user[direction] = id >> 32;
  fill_header(&process.header, WIRE_OWNER, flow, 0);
  process.header.direction = direction;
  process.uid = bpf_get_current_uid_gid();
  /* Only the leader's own name is the process's; for another thread user space must look. */
  if ((u32)id == id >> 32)
    bpf_get_current_comm(process.comm, sizeof(process.comm));
  emit(ctx, cfg, &process, sizeof(process), 0, 0);
}

#define USER_MSGHDR_CONTROL 32 /* offsetof(struct user_msghdr, msg_control) */
#define DESCRIPTORS_RECEIVED 8

/* Descriptors that came with a message (SCM_RIGHTS) are unknown until user space looks. */
static __always_inline void receive_descriptors(void *ctx, const struct wire_config *cfg, u32 tgid, u64 message) {
  u64 control[2] = {0, 0};     /* address, size */
  u64 first_header[2] = {0, 0}; /* struct cmsghdr: length; level and type */
  bpf_probe_read_user(control, sizeof(control), (void *)(message + USER_MSGHDR_CONTROL));
  if (!control[0] || control[1] < sizeof(first_header) + sizeof(s32))
    return;
  if (bpf_probe_read_user(first_header, sizeof(first_header), (void *)control[0]) ||
      first_header[1] != ((1ull << 32) | 1) /* SOL_SOCKET, SCM_RIGHTS */)
    return;
  COPY_LOOP
  for (u32 i = 0; i < DESCRIPTORS_RECEIVED; i++) {
    s32 fd = -1;
    u64 at = sizeof(first_header) + i * sizeof(fd);
    if (at + sizeof(fd) > first_header[0])
      break;
    if (bpf_probe_read_user(&fd, sizeof(fd), (void *)(control[0] + at)) || fd < 0)
      break;
    ask(ctx, cfg, tgid, fd, 0);
  }
}

/* The enter half of the call that this thread returns from, once; 0: it was not followed. */
static __always_inline struct call *take_call(u64 id, u32 *op) {
  struct call *call = my_call((u32)id);
  if (!call || call->tid_op >> 32 != (u32)id)
    return 0;
  *op = (u32)call->tid_op;
  call->tid_op = 0;
  return call;
}

static __always_inline int on_data_exit(u64 *ctx, const struct wire_config *cfg, struct call *call, u32 op, u64 id,
                                        long result) {
  u64 flow = call->flow;
  if (result <= 0)
    return 0;
  if (op == WIRE_OP_RECVMSG && !flow)
    receive_descriptors(ctx, cfg, id >> 32, call->argument[1]);
  if (!flow) {
    struct wire_fd_value *known = descriptor(id >> 32, call->argument[0]);
    if (!known)
      return 0;
    if (known->kind == WIRE_FD_KIND_ASKED) {
      /* Counted, so that once the flow is known these bytes are a hole in it and not a shift. */
      if (is_rx(op))
        known->unresolved[WIRE_RX] += result;
      else
        known->unresolved[WIRE_TX] += result;
      return 0;
    }
    /* The answer came while the call was under way. Where its bytes lie is not sure, but that they count is. */
    flow = known->flow;
    call->end = ~0ull;
  }
  if (flow)
    note_flow_used(cfg, flow, 0);
  struct stream *stream = bpf_map_lookup_elem(&streams, &flow);
  if (!stream)
    return 0;
  u64 moved = result;
  if (op == WIRE_OP_SENDMMSG || op == WIRE_OP_RECVMMSG) {
    /* The sum is kept in the map: in a register its range would differ in every round, and no two states would
     * merge. */
    call->summed = 0;
    COPY_LOOP
    for (int i = 0; i < MESSAGES_SUMMED; i++) {
      u32 length = 0;
      if (i >= result)
        break;
      bpf_probe_read_user(&length, sizeof(length),
                          (void *)(call->argument[1] + USER_MMSGHDR_LENGTH + i * USER_MMSGHDR_SIZE));
      call->summed += length;
    }
    moved = call->summed;
    if (!moved)
      return 0;
  }
  u32 direction = is_rx(op) ? WIRE_RX : WIRE_TX;
  u64 begin;
  if (direction == WIRE_RX) {
    begin = stream->end[WIRE_RX];
    __sync_fetch_and_add(&stream->end[WIRE_RX], moved);
    if (stream->user[WIRE_RX] != id >> 32)
      tell_user(ctx, cfg, stream, flow, WIRE_RX, id);
  } else {
    begin = stream->end[WIRE_TX];
    __sync_fetch_and_add(&stream->end[WIRE_TX], moved);
    if (stream->user[WIRE_TX] != id >> 32)
      tell_user(ctx, cfg, stream, flow, WIRE_TX, id);
  }
  struct moved_call delivered = {
      .flow = flow,
      .at_ns = call->at_ns,
      .begin = begin,
      .moved = moved,
      .buffer = call->argument[1],
      .size = call->argument[2],
      .op = op,
      .direction = direction,
      .exact = begin == call->end,
      .zero_copy = op == WIRE_OP_SENDFILE || op == WIRE_OP_SPLICE || op > WIRE_OP_RECVMMSG,
  };
  deliver(ctx, cfg, &delivered);
  return 0;
}

#include "backends/tracepoint/bpf/floor_descriptors.bpf.h"

#ifdef FLOOR_TYPED
ON(sys_exit) int floor_exit(u64 *ctx) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  u32 op = 0;
  struct call *call = is_followed(ctx) ? take_call(id, &op) : 0;
  if (!call || !cfg)
    return PASS_ON;
  long result = left_call(ctx);
  if (op <= WIRE_OP_RECVMMSG || op > WIRE_OP_GETFD)
    return on_data_exit(ctx, cfg, call, op, id, result);
  return on_descriptor_exit(ctx, cfg, call, op, id, result);
}
#else
ON(sys_exit) int floor_data_exit(u64 *ctx) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  u32 op = 0;
  struct call *call = take_call(id, &op);
  if (call && cfg)
    on_data_exit(ctx, cfg, call, op, id, left_call(ctx));
  return PASS_ON;
}

ON(sys_exit) int floor_descriptor_exit(u64 *ctx) {
  u64 id = bpf_get_current_pid_tgid();
  struct wire_config *cfg = my_config();
  u32 op = 0;
  struct call *call = take_call(id, &op);
  if (call && cfg)
    on_descriptor_exit(ctx, cfg, call, op, id, left_call(ctx));
  return PASS_ON;
}
#endif

#include "backends/tracepoint/bpf/floor_files.bpf.h"
#include "backends/tracepoint/bpf/floor_life.bpf.h"

char _license[] SEC("license") = "Dual MIT/GPL";
