/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What the BPF programs say and user space understands: the only file that both sides include.
 *
 * All fields are fixed-width and ordered so that there is no padding (-Wpadded is an error below). Records are sized to
 * what they hold: a data record is struct wire_data followed by `header.kept` bytes. Byte order is the machine's own;
 * ports and addresses are in network order.
 */
#ifndef TRACER_WIRE_H
#define TRACER_WIRE_H

#include <linux/types.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* Bumped when a layout below changes; both sides are built together, the self-test checks that they agree. */
#define WIRE_VERSION 3

enum wire_kind {
  WIRE_DATA = 1,   /* struct wire_data */
  WIRE_OPEN = 2,   /* struct wire_open: a flow is seen for the first time */
  WIRE_OWNER = 3,  /* struct wire_process: another process uses the flow, or its owner is known now */
  WIRE_END = 4,    /* struct wire_end: a direction ended (FIN sent or received, or the socket closed) */
  WIRE_CLOSE = 5,  /* struct wire_end: the socket is gone */
  WIRE_EXEC = 6,   /* struct wire_process */
  WIRE_FORK = 7,   /* struct wire_process: `child` was made */
  WIRE_EXIT = 8,   /* struct wire_process: the last thread of the process is gone */
  WIRE_BEAT = 9,   /* struct wire_header: the tracer's own heartbeat came through */
  /* The floor only: what user space needs to follow descriptors. */
  WIRE_FD = 10,     /* struct wire_fd: a descriptor was made, removed or must be explained */
  WIRE_STATE = 11,  /* struct wire_open: a TCP socket changed state; `flow` is the socket's address */
  WIRE_FILE = 12,   /* struct wire_file: an open returned */
  WIRE_MAP = 13,    /* struct wire_map: a file was mapped so that it can be executed */
  /* Breakpoints in TLS libraries only; header.flow is the session. */
  WIRE_PLAIN_OPEN = 14,  /* struct wire_plain: a session is seen, or its connection is known now */
  WIRE_PLAIN = 15,       /* struct wire_data: bytes in clear; the record may be longer than header.kept says */
  WIRE_PLAIN_CLOSE = 16, /* struct wire_header: the session was freed, or is used for another connection now */
};

enum wire_direction { WIRE_TX = 0, WIRE_RX = 1 };

/* Why `moved` is more than `kept`. */
enum wire_rest {
  WIRE_REST_NONE = 0,
  WIRE_REST_VERDICT = 1,    /* user space asked for less */
  WIRE_REST_SNAP = 2,       /* more in one call than is copied of a call */
  WIRE_REST_FAULT = 3,      /* the user's memory could not be read */
  WIRE_REST_ZERO_COPY = 4,  /* never in user memory */
  WIRE_REST_CONCURRENT = 5, /* other calls moved bytes meanwhile: the place is not exact */
  WIRE_REST_FILTER = 6,     /* the user wants other ports */
};

struct wire_header {
  __u64 at_ns;      /* CLOCK_MONOTONIC; TX: at enter of the call, RX: at its exit */
  __u64 emitted_ns; /* when the record was made: the order of records of different processors */
  __u64 flow;       /* socket generation; 0: none */
  __u32 tgid;
  __u32 tid;
  __u32 lost;       /* records refused by the buffer before this one was made, on all processors; wraps */
  __u32 pad0;
  __u32 kept;       /* payload bytes behind the record's fixed part */
  __u16 kind;       /* enum wire_kind */
  __u8 direction;   /* enum wire_direction */
  __u8 rest;        /* enum wire_rest */
};

struct wire_data {
  struct wire_header header;
  __u64 offset; /* stream position of the first byte */
  __u64 moved;  /* bytes that went through; kept <= moved */
};

#define WIRE_PLAIN_FROM_START 1 /* flags: the handshake was seen */

struct wire_plain {
  struct wire_header header;
  __u64 carrier; /* flow of the socket; 0: not known */
  __u32 flags;
  __s32 fd; /* that the process gave to the library; -1: not known */
};

#define WIRE_ROLE_UNKNOWN 0
#define WIRE_ROLE_CLIENT 1
#define WIRE_ROLE_SERVER 2

#define WIRE_FLAG_PREEXISTING 1 /* the connection is older than the programs */
#define WIRE_FLAG_LOCAL 2       /* local address and port are filled */
#define WIRE_FLAG_REMOTE 4      /* remote address and port are filled */
#define WIRE_FLAG_OFFSETS 8     /* tx_offset and rx_offset are filled */

struct wire_open {
  struct wire_header header;
  __u64 network_namespace; /* inode number; 0: not known */
  __u64 tx_offset;
  __u64 rx_offset;
  __u8 local_address[16]; /* IPv4 as v4-mapped */
  __u8 remote_address[16];
  __u16 local_port;
  __u16 remote_port;
  __u8 role;
  __u8 flags;
  __u8 old_state; /* WIRE_STATE only: TCP states of include/net/tcp_states.h */
  __u8 new_state;
};

#define WIRE_STATE_DESTROYED 255 /* new_state: the socket is gone */

#define WIRE_COMM_SIZE 16
#define WIRE_PATH_SIZE 256

#define WIRE_ARGUMENTS_SIZE 1000

#define WIRE_EXEC_CUT 1 /* flags: there were more arguments */

/* WIRE_EXEC: the path lies behind it, and behind that the arguments as they lie in the process's memory. */
struct wire_process {
  struct wire_header header; /* kept: length of the path, without a terminator */
  __u32 uid;
  __u32 child;     /* WIRE_FORK: tgid of the new process */
  __s32 exit_code; /* WIRE_EXIT: as wait(2) gives it, or WIRE_EXIT_UNKNOWN */
  __u32 local_tgid; /* WIRE_OWNER: in the tracer's pid namespace; 0: not known, or it is the initial one */
  char comm[WIRE_COMM_SIZE]; /* of the thread-group leader */
  __u32 parent;    /* WIRE_EXEC: tgid of the parent; 0: not known */
  __u32 gid;       /* WIRE_EXEC */
  __u32 arguments; /* WIRE_EXEC: their bytes; 0: not known */
  __u32 flags;     /* WIRE_EXEC_* */
};

#define WIRE_EXIT_UNKNOWN (-1)

#define WIRE_FILE_CUT 1     /* the path was longer */
#define WIRE_FILE_NO_MODE 2 /* open_flags could not be read */
#define WIRE_FILE_AT_CWD (-100) /* AT_FDCWD */

struct wire_file {
  struct wire_header header; /* kept: length of the path behind, without a terminator; 0: it could not be read */
  __u32 uid;
  __u32 open_flags;   /* O_… as given */
  __s32 result;       /* the descriptor, or -errno */
  __s32 directory_fd; /* as given; WIRE_FILE_AT_CWD */
  __u32 flags;        /* WIRE_FILE_* */
  __u32 prefix_bits;  /* the programs' own: with the path behind it this is a key of the map of prefixes */
};

/* As large as struct wire_file: both are made in one place. */
struct wire_map {
  struct wire_header header; /* kept: length of the path behind; 0: not known */
  __u64 address;             /* in the process */
  __s32 fd;
  __s32 directory_fd; /* what a relative path is relative to */
  __u32 flags;        /* WIRE_FILE_CUT */
  __u32 pad0;
};

/* The end of a path: its last 1 to 8 bytes, the last one in the highest byte (little-endian: as they lie in memory). */
struct wire_suffix {
  __u64 bytes;
  __u64 length;
};

#define WIRE_PREFIX_SIZE 64
struct wire_prefix { /* struct bpf_lpm_trie_key */
  __u32 bits;
  __u8 bytes[WIRE_PREFIX_SIZE];
};
#define WIRE_FILTER_ROWS 1024 /* of suffixes, and of prefixes; with more every open is told */

/* What is told of files: wire_config.files. */
#define WIRE_FILES_TOLD 1      /* opens that pass the filter */
#define WIRE_FILES_ALL 2       /* all of them pass */
#define WIRE_FILES_PREFIXES 4  /* also those with a prefix in the map */
#define WIRE_FILES_SHARED 8    /* also those with the name of a shared object */
#define WIRE_FILES_LIBRARIES 16 /* executable mappings */

#define WIRE_END_TX 1   /* flags: tx_end is filled */
#define WIRE_END_RX 2   /* flags: rx_end is filled */
#define WIRE_END_KERNEL 4 /* flags: kernel_tx and kernel_rx are filled */

struct wire_end {
  struct wire_header header;
  __u64 tx_end;    /* offset one past the last byte */
  __u64 rx_end;
  __u64 kernel_tx; /* payload bytes that the socket took from its process in its whole life */
  __u64 kernel_rx; /* payload bytes that the socket received in its whole life, read or not */
  __u32 flags;
  __u32 pad0;
};

enum wire_fd_op {
  WIRE_FD_CONNECT = 1,  /* fd connects as flow header.flow; `socket` is its socket */
  WIRE_FD_ACCEPT = 2,   /* fd is new and carries flow header.flow; peer address filled if the caller asked for it */
  WIRE_FD_UNKNOWN = 3,  /* fd is a socket of which nothing is known: answer by writing the descriptor map */
};

struct wire_fd {
  struct wire_header header;
  __u64 socket; /* kernel address of the socket where it is known; 0: not */
  __s32 fd;
  __s32 other_fd;
  __u32 flags;  /* WIRE_FLAG_REMOTE */
  __u16 op;     /* enum wire_fd_op */
  __u16 remote_port;
  __u8 remote_address[16];
};

/* The descriptor map: key (tgid, fd). No entry: not a TCP socket, or never seen used as a socket. */
struct wire_fd_key {
  __u32 tgid;
  __s32 fd;
};

enum wire_fd_kind {
  WIRE_FD_KIND_ASKED = 1, /* user space was asked; bytes meanwhile are counted, not copied */
  WIRE_FD_KIND_OTHER = 2, /* not a TCP socket */
  WIRE_FD_KIND_TCP = 3,   /* flow 0: not connected yet */
};

struct wire_fd_value {
  __u64 flow;
  __u64 unresolved[2]; /* bytes moved while it was not known which flow this is, by direction */
  __u32 kind;          /* enum wire_fd_kind */
  __u32 close_on_exec;
};

/* Per processor, never reset: produced = delivered + failed. */
struct wire_counters {
  __u64 produced;
  __u64 failed;          /* no room in the buffer */
  __u64 failed_bytes;    /* stream bytes that these records covered */
  __u64 flows_untracked; /* the flow table was full */
  __u64 missed;          /* times that a stream had gone on without a call being seen (socket layer only) */
  /* What cannot be seen into: counted where it comes by at little cost, see blind_spots.h. */
  __u64 io_uring;        /* submissions on TCP sockets (system calls only) */
  __u64 calls_32bit;     /* of 32-bit programs on TCP sockets (system calls only) */
  __u64 unix_sockets;    /* calls on them (system calls only) */
  __u64 quic;            /* calls on UDP sockets with port 443 (system calls only) */
  __u64 kernel_tls;      /* connections that ended, of which the kernel itself encrypted the bytes */
  __u64 opens_32bit;     /* opens by 32-bit programs */
  __u64 io_uring_opens;  /* opens that were submitted to io_uring (system calls only) */
  __u64 files_filtered;  /* opens that were not wanted: no loss */
};

/* One per flow slot; written by user space without a system call where the map can be mapped. A slot that names another
 * flow does not count. */
enum wire_mode { WIRE_MODE_DEFAULT = 0, WIRE_MODE_NORMAL = 1, WIRE_MODE_WHOLE = 2, WIRE_MODE_SIZES = 3, WIRE_MODE_QUIET = 4 };

struct wire_verdict {
  __u64 flow;
  __u64 skip_until[2]; /* by direction */
  __u32 mode[2];
};

#define WIRE_VERDICT_SLOTS 32768u /* flow id modulo this is its slot */

#define WIRE_FILTER_PORTS 8

struct wire_config {
  __u32 version;     /* WIRE_VERSION */
  __u32 self_tgid;   /* as the initial pid namespace counts; learned from the first heartbeat */
  __u32 trace_self;  /* 1: the self-test runs, do not leave the tracer out */
  __u32 cpus;        /* stride of flow identifiers */
  __u32 wake_bytes;  /* wake user space when so much waits; less costs wake-ups, more costs room */
  __u32 beat_nonce;  /* a heartbeat with another one is somebody else's */
  __u64 pid_namespace_device; /* the tracer's own pid namespace, if it is not the initial one; inode 0: it is */
  __u64 pid_namespace_inode;
  __u64 socket_file_ops; /* written by the programs: the address that tells a socket's file from any other; 0: not known */
  __u32 receive_flags_argument; /* kprobe: which argument of tcp_recvmsg holds its flags, from 0 */
  __u32 twice; /* 1: a second copy of the programs is attached, because one alone may be skipped */
  /* No payload of a flow is copied whose own two ports, as its socket has them, are both none of these; 0: of any. */
  __u32 port_count;
  __u16 ports[WIRE_FILTER_PORTS]; /* in network order */
  __u32 files;                /* WIRE_FILES_* */
  __u32 file_suffix_lengths;  /* bit n - 1: there are suffixes of n bytes */
  __u32 plaintext; /* 1: calls into TLS libraries are watched: they want to know which flow is used inside of them */
  __u8 beat_name[WIRE_COMM_SIZE]; /* a thread of this name that ends is the tracer's heartbeat too */
};

/* write(2) of beat_nonce bytes to this descriptor fails at once with EBADF, touches nothing, and is seen; so is an
 * openat(2) of an empty path below it with beat_nonce as its flags, which fails with ENOENT. */
#define WIRE_BEAT_FD (-1130)

/* What a system call does to a socket; user space fills the table by number. */
enum wire_op {
  WIRE_OP_NONE = 0,
  WIRE_OP_WRITE,     /* fd, buffer, size */
  WIRE_OP_WRITEV,    /* fd, iovec, count */
  WIRE_OP_SENDMSG,   /* fd, msghdr */
  WIRE_OP_SENDMMSG,  /* fd, mmsghdr, count */
  WIRE_OP_SENDFILE,  /* out_fd */
  WIRE_OP_SPLICE,    /* fd_in, off_in, fd_out */
  WIRE_OP_READ,
  WIRE_OP_RECVFROM,  /* read with flags in the fourth argument */
  WIRE_OP_READV,
  WIRE_OP_RECVMSG,   /* flags in the third argument */
  WIRE_OP_RECVMMSG,  /* flags in the fourth argument */
  WIRE_OP_ACCEPT,      /* fd, address, size (accept4: flags) */
  WIRE_OP_ACCEPT4,
  /* Followed only where descriptors must be tracked. */
  WIRE_OP_SOCKET,      /* domain, type */
  WIRE_OP_CONNECT,     /* fd, address, size */
  WIRE_OP_CLOSE,
  WIRE_OP_DUP,         /* fd; returns the new one */
  WIRE_OP_DUP2,        /* fd, new fd */
  WIRE_OP_DUP3,        /* fd, new fd, flags */
  WIRE_OP_FCNTL,       /* fd, command, argument */
  WIRE_OP_CLOSE_RANGE, /* first, last, flags */
  WIRE_OP_CLONE,       /* flags */
  WIRE_OP_CLONE3,      /* struct clone_args: flags first */
  WIRE_OP_GETFD,       /* pidfd_getfd: returns a descriptor of which nothing is known */
  /* By its 32-bit number, in a place of the table that no such 64-bit call uses: only counted. */
  WIRE_OP_32BIT,
  WIRE_OP_32BIT_SOCKETCALL, /* descriptor first among the arguments in memory; 64-bit: getuid */
};

/* What a system call does to files; a table of its own by number. */
enum wire_file_op {
  WIRE_FILE_OP_NONE = 0,
  WIRE_FILE_OP_OPEN,    /* path, flags */
  WIRE_FILE_OP_OPENAT,  /* directory, path, flags */
  WIRE_FILE_OP_OPENAT2, /* directory, path, struct open_how: flags first */
  WIRE_FILE_OP_CREAT,   /* path */
  WIRE_FILE_OP_MMAP,    /* address, size, protection, flags, fd */
  WIRE_FILE_OP_CLOSE,   /* fd */
  WIRE_FILE_OP_DUP2,    /* fd, new fd: what that was is gone */
  /* An open by its 32-bit number, in a place of the table that no such 64-bit call uses: only counted. */
  WIRE_FILE_OP_32BIT,
};

/* Where fields lie in the records of tracepoints whose layout changed between kernels; from their format files. */
struct wire_layout {
  __u32 state_socket, state_old, state_new, state_source_port, state_destination_port, state_family, state_protocol,
      state_protocol_size, state_source4, state_destination4, state_source6, state_destination6;
  __u32 destroy_socket;
  __u32 fork_child;
  __u32 exec_filename; /* __data_loc: offset in the low half */
};
#define WIRE_OPS 512u

#pragma GCC diagnostic pop
#endif
