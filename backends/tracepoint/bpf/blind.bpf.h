/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What moves bytes through TCP sockets and opens files beside the system calls that are followed: io_uring.
 */
#ifndef TRACER_BLIND_BPF_H
#define TRACER_BLIND_BPF_H

struct io_cqe {
  u64 user_data;
  s32 res;
  int fd; /* until the request is done */
} RELOCATE;

struct io_kiocb {
  u8 opcode;
  u64 flags;
  struct io_cqe cqe;
} RELOCATE;

/* include/uapi/linux/io_uring.h. Those that sockets alone know: SENDMSG, RECVMSG, SEND, RECV, SEND_ZC, SENDMSG_ZC,
 * RECV_ZC. */
#define IO_URING_SOCKET (1ull << 9 | 1ull << 10 | 1ull << 26 | 1ull << 27 | 1ull << 47 | 1ull << 48 | 1ull << 58)
/* And READV, WRITEV, READ_FIXED, WRITE_FIXED, READ, WRITE, SPLICE, READ_MULTISHOT, READV_FIXED, WRITEV_FIXED. */
#define IO_URING_MOVES                                                                                      \
  (IO_URING_SOCKET | 1ull << 1 | 1ull << 2 | 1ull << 4 | 1ull << 5 | 1ull << 22 | 1ull << 23 | 1ull << 30 | \
   1ull << 49 | 1ull << 60 | 1ull << 61)

/* OPENAT, OPENAT2. */
#define IO_URING_OPENS (1ull << 18 | 1ull << 28)

/* Since 6.3; left out where the kernel does not have it. Of a file that was registered with the ring only the operation
 * is known. */
static __always_inline void on_submission(struct io_kiocb *request) {
  struct wire_config *cfg = my_config();
  struct wire_counters *count = my_counters();
  u64 operation = FIELD(request, opcode);
  if (!cfg || !count || operation > 63)
    return;
  if (IO_URING_OPENS >> operation & 1 && cfg->files)
    count->io_uring_opens++;
  if (!(IO_URING_MOVES >> operation & 1))
    return;
  if (FIELD(request, flags) & 1 /* REQ_F_FIXED_FILE */) {
    if (IO_URING_SOCKET >> operation & 1)
      count->io_uring++;
    return;
  }
  struct sock *sk = socket_of(cfg, CURRENT_TASK(), (u64)(u32)FIELD(request, cqe.fd));
  if (sk && tcp_sock_of(sk))
    count->io_uring++;
}

ATTACH(io_uring_submit_req) int tracer_io_uring(u64 *ctx) {
  hold_processor();
  on_submission((struct io_kiocb *)ctx[0]);
  release_processor();
  return 0;
}

#endif
