#include "backends/ebpf/tls_functions.h"

#include <array>

namespace tracer {
namespace {

constexpr std::string_view openssl = "openssl", gnutls = "gnutls";

// With what packagers put between name and version: "libssl-1a2b3c4d.so.1.1" of Python's wheels. Not NSS's libssl3.so,
// nor GnuTLS's libraries for other purposes.
constexpr std::array files{LibraryFile{openssl, "libssl.so*"}, LibraryFile{openssl, "libssl-*.so*"},
                           LibraryFile{gnutls, "libgnutls.so*"}};

constexpr tls_slot send_or_receive(tls_op op, bool wide) {
  return {.op = static_cast<__u8>(op),
          .session = 1,
          .buffer = 2,
          .size = 3,
          .moved = 0,
          .fd = 0,
          .wide = static_cast<__u8>(wide ? 1 : 0),
          .pad0 = 0};
}
// (session, buffer, size) with the number of bytes as an int, or as an ssize_t.
constexpr tls_slot as_int(tls_op op) { return send_or_receive(op, false); }
constexpr tls_slot as_size(tls_op op) { return send_or_receive(op, true); }
// (session, buffer, size, …, size_t *moved), above 0 for success.
constexpr tls_slot through(tls_op op, __u8 moved) {
  tls_slot slot = send_or_receive(op, false);
  slot.moved = moved;
  return slot;
}
// (session, …): no data.
constexpr tls_slot session_only(tls_op op) {
  return {.op = static_cast<__u8>(op), .session = 1, .buffer = 0, .size = 0, .moved = 0, .fd = 0, .wide = 0, .pad0 = 0};
}
constexpr tls_slot send_file(__u8 size) {
  tls_slot slot = session_only(TLS_OP_SEND_FILE);
  slot.size = size;
  slot.wide = 1;
  return slot;
}
constexpr tls_slot set_fd(__u8 fd) {
  tls_slot slot = session_only(TLS_OP_SET_FD);
  slot.fd = fd;
  return slot;
}

// Few: every breakpoint is waited for when it is removed. Left out on purpose:
// SSL_peek gives bytes that SSL_read gives again; SSL_connect and SSL_accept end in SSL_do_handshake;
// gnutls_record_send_early_data does not say how much it took (gnutls-cli alone uses it);
// gnutls_record_recv_packet hands out a buffer of the library's own.
constexpr std::array functions{
    TlsFunction{openssl, "SSL_read", as_int(TLS_OP_RECEIVE)},
    TlsFunction{openssl, "SSL_write", as_int(TLS_OP_SEND)},
    TlsFunction{openssl, "SSL_read_ex", through(TLS_OP_RECEIVE, 4)},
    TlsFunction{openssl, "SSL_write_ex", through(TLS_OP_SEND, 4), "SSL_write_ex2"},
    TlsFunction{openssl, "SSL_write_ex2", through(TLS_OP_SEND, 5)},  // 3.3: with flags before the last
    TlsFunction{openssl, "SSL_read_early_data", through(TLS_OP_RECEIVE, 4)},
    TlsFunction{openssl, "SSL_write_early_data", through(TLS_OP_SEND, 4)},
    TlsFunction{openssl, "SSL_sendfile", send_file(4)},
    TlsFunction{openssl, "SSL_do_handshake", session_only(TLS_OP_HANDSHAKE)},
    TlsFunction{openssl, "SSL_set_fd", set_fd(2)},
    TlsFunction{openssl, "SSL_set_rfd", set_fd(2)},
    TlsFunction{openssl, "SSL_set_wfd", set_fd(2)},
    TlsFunction{openssl, "SSL_clear", session_only(TLS_OP_CLEAR)},
    TlsFunction{openssl, "SSL_free", session_only(TLS_OP_FREE)},

    TlsFunction{gnutls, "gnutls_record_send", as_size(TLS_OP_SEND), "gnutls_record_send2"},
    TlsFunction{gnutls, "gnutls_record_send2", as_size(TLS_OP_SEND)},
    TlsFunction{gnutls, "gnutls_record_recv", as_size(TLS_OP_RECEIVE)},
    TlsFunction{gnutls, "gnutls_record_recv_seq", as_size(TLS_OP_RECEIVE)},
    TlsFunction{gnutls, "gnutls_record_recv_early_data", as_size(TLS_OP_RECEIVE)},
    TlsFunction{gnutls, "gnutls_record_send_file", send_file(4)},
    TlsFunction{gnutls, "gnutls_handshake", session_only(TLS_OP_HANDSHAKE)},
    TlsFunction{gnutls, "gnutls_record_uncork", session_only(TLS_OP_OTHER)},  // sends what was told when it was corked
    TlsFunction{gnutls, "gnutls_transport_set_int2", set_fd(2)},
    TlsFunction{gnutls, "gnutls_deinit", session_only(TLS_OP_FREE)},
};

std::uint8_t part_of(const TlsFunction& function) {
  return function.slot.op == TLS_OP_SEND ? 1 : function.slot.op == TLS_OP_RECEIVE ? 2 : 0;
}

}  // namespace

LibraryTable TlsTable::libraries() const {
  LibraryTable out;
  out.files = files;
  for (const TlsFunction& each : functions)
    out.functions.push_back({each.family, each.name, part_of(each), each.unless});
  return out;
}

TlsTable tls_table() { return {files, functions}; }

}  // namespace tracer
