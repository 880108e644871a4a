/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What tls.bpf.c is told of the functions of TLS libraries, and keeps of their calls. What it says is in
 * backends/bpf/wire.h: WIRE_PLAIN_*.
 */
#ifndef TRACER_TLS_WIRE_H
#define TRACER_TLS_WIRE_H

#include "backends/bpf/wire.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* A function of the table has one slot, and each slot programs of its own: kernels before 5.15 give a program no other
 * hint of where it was attached. */
#define TLS_SLOTS 48u

enum tls_op {
  TLS_OP_NONE = 0,
  TLS_OP_SEND,      /* the process writes in clear */
  TLS_OP_RECEIVE,   /* it reads */
  TLS_OP_SEND_FILE, /* it writes what it never had in memory: told as a size */
  TLS_OP_HANDSHAKE, /* what is sent and received inside is no data of the process */
  TLS_OP_OTHER,     /* as a handshake, and says nothing of the beginning */
  TLS_OP_SET_FD,    /* the descriptor that carries the session; at entry */
  TLS_OP_CLEAR,     /* the session begins anew; at entry */
  TLS_OP_FREE,      /* it ends; at entry */
};

/* Arguments by their place from 1; 0: there is none. */
struct tls_slot {
  __u8 op; /* enum tls_op */
  __u8 session;
  __u8 buffer;
  __u8 size;  /* of the buffer, outside of which nothing is read; the low 32 bits count */
  __u8 moved; /* address of a size_t with the number of bytes, if the result is above 0; 0: the result is it */
  __u8 fd;    /* TLS_OP_SET_FD */
  __u8 wide;  /* the result is 64 bits wide; TLS_OP_SET_FD: the argument */
  __u8 pad0;
};

/* By process. Absent: it is watched until user space has decided. */
enum tls_verdict { TLS_VERDICT_WANTED = 1, TLS_VERDICT_LEFT_OUT = 2 };

/* Per processor. */
struct tls_losses {
  __u64 unpaired; /* returns of which no entry is known: began before, or on another stack */
  __u64 nested;   /* calls for one session inside of a call for another one: TLS within TLS */
  __u64 no_room;  /* calls that found no room in a table */
};

#pragma GCC diagnostic pop
#endif
