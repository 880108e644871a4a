/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * TCP at the socket layer, by kernel functions. Built several times:
 *
 *   fentry         typed functions and tracepoints, ring buffer
 *   COPY_BPF_LOOP  the same with bpf_loop()
 *   SEALED         the same without bpf_probe_read_kernel, which lockdown=confidentiality refuses
 *   KPROBE         breakpoints on the same functions, raw tracepoints, ring buffer
 *   KPROBE, COPY_BPF_LOOP  the same with bpf_loop()
 *   KPROBE, EMIT_PERF  the same for kernels without a ring buffer, the copy loop unrolled
 *
 * This file only says what is attached where; what happens there stands in the headers. Ends of calls come first:
 * they are attached in this order, and a call that is seen to begin must be seen to end.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define KERNEL_SEGMENTS
#ifndef KPROBE
#define TYPED_CONTEXT
#define TYPED_SOCKETS
#endif
#include "backends/bpf/kernel_types.bpf.h"

#include "backends/ebpf/bpf/socket_layer.bpf.h"

#ifdef KPROBE
#define ATTACH(tracepoint) SEC("raw_tracepoint/" #tracepoint)

/* An end knows its socket from the beginning only. */
#define KPROBE_END(name, function, kind, direction)                                               \
  SEC("kretprobe/" function) int name(struct pt_regs *ctx) {                                      \
    u64 id = bpf_get_current_pid_tgid();                                                          \
    struct call call;                                                                             \
    if (end_call(&call, id, kind, 0))                                                             \
      tell_rest(ctx, &call, (struct sock *)call.sk, (struct msghdr *)call.message, id, direction, \
                (s32)CALL_RESULT(ctx));                                                           \
    return 0;                                                                                     \
  }
KPROBE_END(tracer_send_exit, "tcp_sendmsg_locked", CALL_SEND, WIRE_TX)
KPROBE_END(tracer_receive_exit, "tcp_recvmsg", CALL_RECEIVE, WIRE_RX)
KPROBE_END(tracer_sendpage_exit, "tcp_sendpage", CALL_SENDPAGE, WIRE_TX)

SEC("kretprobe/tcp_splice_read") int tracer_splice_exit(struct pt_regs *ctx) {
  struct call call;
  if (end_call(&call, bpf_get_current_pid_tgid(), CALL_SPLICE, 0))
    on_splice_exit(ctx, (struct sock *)call.sk, (long)CALL_RESULT(ctx));
  return 0;
}

SEC("kretprobe/inet_csk_accept") int tracer_accept_exit(struct pt_regs *ctx) {
  return on_accept_exit(ctx, CALL_RESULT(ctx));
}

SEC("kprobe/tcp_sendmsg_locked") int tracer_send_enter(struct pt_regs *ctx) {
  return on_send_enter(ctx, (struct sock *)CALL_ARGUMENT_0(ctx), (struct msghdr *)CALL_ARGUMENT_1(ctx),
                       CALL_ARGUMENT_2(ctx));
}

SEC("kprobe/tcp_recvmsg") int tracer_receive_enter(struct pt_regs *ctx) {
  struct wire_config *cfg = my_config();
  u64 third = CALL_ARGUMENT_3(ctx), fourth = CALL_ARGUMENT_4(ctx);
  asm volatile("" : "+r"(third), "+r"(fourth)); /* both are read: the context may not be read at a computed place */
  u64 flags = cfg && cfg->receive_flags_argument == 4 ? fourth : third;
  return on_receive_enter(ctx, (struct sock *)CALL_ARGUMENT_0(ctx), (struct msghdr *)CALL_ARGUMENT_1(ctx),
                          CALL_ARGUMENT_2(ctx), flags);
}

SEC("kprobe/release_sock") int tracer_release(struct pt_regs *ctx) {
  return on_release(ctx, (struct sock *)CALL_ARGUMENT_0(ctx));
}

SEC("kprobe/tcp_sendpage") int tracer_sendpage_enter(struct pt_regs *ctx) {
  return on_sendpage_enter(ctx, (struct sock *)CALL_ARGUMENT_0(ctx), CALL_ARGUMENT_3(ctx));
}

SEC("kprobe/tcp_splice_read") int tracer_splice_enter(struct pt_regs *ctx) {
  u64 id = bpf_get_current_pid_tgid();
  struct socket *socket = (struct socket *)CALL_ARGUMENT_0(ctx);
  struct wire_config *cfg = my_config();
  struct call *call = cfg ? begin_call(ctx, cfg, id, BPF_CORE_READ(socket, sk)) : 0;
  if (call)
    call->tid_kind = (id << 32) | CALL_SPLICE;
  return 0;
}

#else
#define ATTACH(tracepoint) SEC("tp_btf/" #tracepoint)

/* Before 5.17 a result is behind the arguments, whose number is known there: f92c1e183604 ("bpf: Add
 * get_func_[arg|ret|arg_cnt] helpers"). Since 5.19 tcp_recvmsg has fewer, since 7.1 fewer still. */
#define HAS_RESULT_HELPER bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_func_ret)
#define RESULT(ctx, arguments)                                                          \
  ({                                                                                    \
    u64 result_ = 0;                                                                    \
    if (HAS_RESULT_HELPER) {                                                            \
      bpf_get_func_ret(ctx, &result_);                                                  \
    } else {                                                                            \
      u64 behind_ = ((u64 *)ctx)[arguments];                                            \
      asm volatile("" : "+r"(behind_)); /* not one load from either of two addresses */ \
      result_ = behind_;                                                                \
    }                                                                                   \
    result_;                                                                            \
  })

/* The work happens on one processor, and by the first of several copies that is not skipped: see hold_processor().
 * The copies (`again`) are attached where the kernel has that function. */
#define WITH_COPIES(program) program() THREE_COPIES(program)

#define FEXIT(name, function, kind, direction, message, result)                          \
  SEC("fexit/" function) int name(u64 *ctx) {                                            \
    u64 id = bpf_get_current_pid_tgid();                                                 \
    struct call call;                                                                    \
    if (!end_call(&call, id, kind, ctx[0]))                                              \
      return 0;                                                                          \
    hold_processor();                                                                    \
    tell_rest(ctx, &call, (struct sock *)ctx[0], message, id, direction, (s32)(result)); \
    release_processor();                                                                 \
    return 0;                                                                            \
  }
#define SEND_EXIT(copy) \
  FEXIT(tracer_send_exit##copy, "tcp_sendmsg_locked", CALL_SEND, WIRE_TX, (struct msghdr *)ctx[1], ctx[3])
#define RECEIVE_EXIT(copy) \
  FEXIT(tracer_receive_exit##copy, "tcp_recvmsg", CALL_RECEIVE, WIRE_RX, (struct msghdr *)ctx[1], RESULT(ctx, 6))

#define SEND_ENTER(copy)                                                        \
  SEC("fentry/tcp_sendmsg_locked") int tracer_send_enter##copy(u64 *ctx) {      \
    if (has_begun(bpf_get_current_pid_tgid(), CALL_SEND, ctx[0], ctx[1]))       \
      return 0;                                                                 \
    hold_processor();                                                           \
    on_send_enter(ctx, (struct sock *)ctx[0], (struct msghdr *)ctx[1], ctx[2]); \
    release_processor();                                                        \
    return 0;                                                                   \
  }
#define RECEIVE_ENTER(copy)                                                               \
  SEC("fentry/tcp_recvmsg") int tracer_receive_enter##copy(u64 *ctx) {                    \
    u64 flags = 0;                                                                        \
    if (has_begun(bpf_get_current_pid_tgid(), CALL_RECEIVE, ctx[0], ctx[1]))              \
      return 0;                                                                           \
    if (HAS_RESULT_HELPER)                                                                \
      bpf_get_func_arg(ctx, bpf_get_func_arg_cnt(ctx) >= 6 ? 4 : 3, &flags);              \
    else                                                                                  \
      flags = ctx[4];                                                                     \
    hold_processor();                                                                     \
    on_receive_enter(ctx, (struct sock *)ctx[0], (struct msghdr *)ctx[1], ctx[2], flags); \
    release_processor();                                                                  \
    return 0;                                                                             \
  }

WITH_COPIES(SEND_EXIT)
WITH_COPIES(RECEIVE_EXIT)
FEXIT(tracer_sendpage_exit, "tcp_sendpage", CALL_SENDPAGE, WIRE_TX, (struct msghdr *)0, ctx[5])

SEC("fexit/tcp_splice_read") int tracer_splice_exit(u64 *ctx) {
  struct socket *socket = (struct socket *)ctx[0];
  hold_processor();
  on_splice_exit(ctx, socket->sk, (long)ctx[5]);
  release_processor();
  return 0;
}

#define ACCEPT_EXIT(copy)                                               \
  SEC("fexit/inet_csk_accept") int tracer_accept_exit##copy(u64 *ctx) { \
    u64 accepted = RESULT(ctx, 4);                                      \
    hold_processor();                                                   \
    on_accept_exit(ctx, accepted);                                      \
    release_processor();                                                \
    return 0;                                                           \
  }
ACCEPT_EXIT()
ONE_COPY(ACCEPT_EXIT)

WITH_COPIES(SEND_ENTER)
WITH_COPIES(RECEIVE_ENTER)

SEC("fentry/tcp_sendpage") int tracer_sendpage_enter(u64 *ctx) {
  hold_processor();
  on_sendpage_enter(ctx, (struct sock *)ctx[0], ctx[3]);
  release_processor();
  return 0;
}
#endif

#include "backends/bpf/file_programs.bpf.h"
#include "backends/bpf/life_programs.bpf.h"

char _license[] SEC("license") = "Dual MIT/GPL";
