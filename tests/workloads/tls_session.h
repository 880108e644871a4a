// One end of a TLS connection by OpenSSL, in the ways in which programs use that library.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tests/workloads/transport.h"

namespace tracer::workload {

// What both ends insist on, so that the truth is known beforehand. Names as the records have them.
struct TlsChoice {
  int version = TLS1_3_VERSION;
  const char* openssl_suite = "TLS_AES_256_GCM_SHA384";
  const char* openssl_group = "X25519";
  std::string_view version_name = "TLS 1.3", cipher_suite = "TLS_AES_256_GCM_SHA384", group = "x25519";
};
extern const TlsChoice tls13, tls12;

inline constexpr std::string_view tls_server_name = "pair.workload.test", tls_protocol = "http/1.1";

// JSON objects: what the record of a handshake should say of the protection, and what others should that were protected
// by it. TLS 1.3 encrypts the answer to ALPN: null, where a field is asked for.
[[nodiscard]] std::string handshake_fields(const TlsChoice& choice);
[[nodiscard]] std::string protection_of(const TlsChoice& choice);

// The server's has a key and a certificate of its own, made here; the client's takes every certificate.
class TlsContext {
 public:
  TlsContext(const TlsChoice& choice, bool client);
  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }
  [[nodiscard]] bool client() const { return client_; }
  [[nodiscard]] const TlsChoice& choice() const { return choice_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  TlsChoice choice_;
  bool client_;
  std::unique_ptr<SSL_CTX, Free> context_;
};

enum class TlsCarrier : std::uint8_t {
  socket,  // SSL_set_fd: the library makes the system calls
  memory,  // memory BIOs: the program moves the records itself, before and after
};
enum class TlsCalls : std::uint8_t {
  usual,           // SSL_read, SSL_write
  extended,        // SSL_read_ex, SSL_write_ex
  peeked_extended  // and SSL_peek_ex before each read
};

class TlsSession {
 public:
  // `fd` stays the caller's. A non-blocking one is waited for.
  TlsSession(const TlsContext& context, int fd, TlsCarrier carrier = TlsCarrier::socket,
             TlsCalls calls = TlsCalls::usual);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Checks that what was agreed upon is what was chosen.
  void handshake();
  void write(std::string_view bytes);
  [[nodiscard]] std::size_t read(std::span<char> room);  // 0: the other end said goodbye
  void say_goodbye();
  // For those who move bytes by descriptor; this session's, whatever descriptor they name.
  [[nodiscard]] Io io();

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  // Calls until it succeeds; false: the other end said goodbye.
  bool complete(const std::function<int()>& call);
  void send_pending();
  void receive_more();

  const TlsContext& context_;
  std::unique_ptr<SSL, Free> ssl_;
  int fd_;
  TlsCarrier carrier_;
  TlsCalls calls_;
};

}  // namespace tracer::workload
