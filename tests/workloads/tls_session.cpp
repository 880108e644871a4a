#include "tests/workloads/tls_session.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <poll.h>

#include <array>
#include <cerrno>

#include "tests/workloads/truth.h"

namespace tracer::workload {
// OpenSSL's macros cast what they are given.
#pragma GCC diagnostic ignored "-Wcast-qual"

namespace {

constexpr long certificate_seconds = 86'400;
constexpr int backdated_seconds = -3'600;  // clocks of guests
// As the extension has it: each name behind its length.
constexpr std::string_view offered = "\x08http/1.1";
static_assert(offered.substr(1) == tls_protocol);

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* in, unsigned in_size,
                    void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, bytes(offered), static_cast<unsigned>(offered.size()), in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// Self-signed, on P-256.
void make_certificate(SSL_CTX* context) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  require(key != nullptr && certificate != nullptr, "a key and a certificate");
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), backdated_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), certificate_seconds);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, bytes(tls_server_name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "to sign the certificate");
  require(SSL_CTX_use_certificate(context, certificate.get()) == 1 && SSL_CTX_use_PrivateKey(context, key.get()) == 1,
          "to use the certificate");
}

void wait_for_events(int fd, short events) {
  pollfd waiting{fd, events, 0};
  require(::poll(&waiting, 1, -1) == 1, "poll");  // bounded by alarm()
}

[[noreturn]] void give_up_tls(std::string_view what) {
  std::array<char, 256> why{};
  ERR_error_string_n(ERR_get_error(), why.data(), why.size());
  give_up("TLS, " + std::string(what) + ": " + why.data());
}

}  // namespace

const TlsChoice tls13{};
const TlsChoice tls12{.version = TLS1_2_VERSION,
                      .openssl_suite = "ECDHE-ECDSA-AES128-GCM-SHA256",
                      .openssl_group = "P-256",
                      .version_name = "TLS 1.2",
                      .cipher_suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                      .group = "secp256r1"};

std::string handshake_fields(const TlsChoice& choice) {
  const std::array members{text_member("version", choice.version_name),
                           text_member("cipher_suite", choice.cipher_suite), text_member("group", choice.group),
                           text_member("sni", tls_server_name), text_member("alpn", tls_protocol)};
  const std::size_t seen = members.size() - (choice.version == TLS1_3_VERSION ? 1 : 0);
  std::string made;
  for (const auto& member : std::span(members).first(seen)) made += (made.empty() ? "{" : ",") + member;
  return made + "}";
}

std::string protection_of(const TlsChoice& choice) {
  auto made = handshake_fields(choice);
  if (choice.version == TLS1_3_VERSION) made.insert(made.size() - 1, R"(,"alpn":null)");
  return made;
}

TlsContext::TlsContext(const TlsChoice& choice, bool client)
    : choice_(choice), client_(client), context_(SSL_CTX_new(client ? TLS_client_method() : TLS_server_method())) {
  SSL_CTX* context = context_.get();
  require(context != nullptr, "a TLS context");
  const bool newest = choice.version == TLS1_3_VERSION;
  require(SSL_CTX_set_min_proto_version(context, choice.version) == 1 &&
              SSL_CTX_set_max_proto_version(context, choice.version) == 1 &&
              (newest ? SSL_CTX_set_ciphersuites(context, choice.openssl_suite)
                      : SSL_CTX_set_cipher_list(context, choice.openssl_suite)) == 1 &&
              SSL_CTX_set1_groups_list(context, choice.openssl_group) == 1,
          "to insist on version, suite and group");
  if (client) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    require(SSL_CTX_set_alpn_protos(context, bytes(offered), static_cast<unsigned>(offered.size())) == 0, "ALPN");
  } else {
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    make_certificate(context);
  }
}

TlsSession::TlsSession(const TlsContext& context, int fd, TlsCarrier carrier, TlsCalls calls)
    : context_(context), ssl_(SSL_new(context.get())), fd_(fd), carrier_(carrier), calls_(calls) {
  require(ssl_ != nullptr, "a TLS session");
  if (carrier == TlsCarrier::socket) {
    require(SSL_set_fd(ssl_.get(), fd) == 1, "SSL_set_fd");
  } else {
    BIO* received = BIO_new(BIO_s_mem());
    BIO* to_send = BIO_new(BIO_s_mem());
    require(received != nullptr && to_send != nullptr, "memory BIOs");
    SSL_set_bio(ssl_.get(), received, to_send);
  }
  if (context.client()) {
    std::string name(tls_server_name);
    // SSL_set_tlsext_host_name(), which is a macro with an old-style cast.
    SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

void TlsSession::handshake() {
  require(complete([&] { return SSL_do_handshake(ssl_.get()); }), "the handshake ended early");
  const unsigned char* protocol = nullptr;
  unsigned protocol_size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &protocol_size);
  require(SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_.get())) == context_.choice().cipher_suite &&
              std::string_view(reinterpret_cast<const char*>(protocol), protocol_size) == tls_protocol,
          "what was agreed upon is not what was chosen");
}

void TlsSession::write(std::string_view bytes) {
  require(complete([&] {
            if (calls_ == TlsCalls::usual) return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
            std::size_t written = 0;
            return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
          }),
          "the other end said goodbye too early");
}

std::size_t TlsSession::read(std::span<char> room) {
  std::size_t size = 0;
  if (calls_ == TlsCalls::peeked_extended &&
      !complete([&] { return SSL_peek_ex(ssl_.get(), room.data(), room.size(), &size); }))
    return 0;
  const bool more = complete([&] {
    if (calls_ != TlsCalls::usual) return SSL_read_ex(ssl_.get(), room.data(), room.size(), &size);
    const int moved = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    size = moved > 0 ? static_cast<std::size_t>(moved) : 0;
    return moved;
  });
  return more ? size : 0;
}

void TlsSession::say_goodbye() {
  ERR_clear_error();
  require(SSL_shutdown(ssl_.get()) >= 0, "SSL_shutdown");
  send_pending();
}

Io TlsSession::io() {
  return {[this](int, std::string_view bytes) { write(bytes); },
          [this](int, std::span<char> room) { return read(room); }};
}

bool TlsSession::complete(const std::function<int()>& call) {
  for (;;) {
    ERR_clear_error();
    const int result = call();
    send_pending();
    if (result > 0) return true;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        receive_more();
        break;
      case SSL_ERROR_WANT_WRITE:
        wait_for_events(fd_, POLLOUT);
        break;
      case SSL_ERROR_ZERO_RETURN:
        return false;
      default:
        give_up_tls("a call failed");
    }
  }
}

void TlsSession::send_pending() {
  if (carrier_ != TlsCarrier::memory) return;
  std::array<char, 16 * 1024> room{};
  for (int size = 0; (size = BIO_read(SSL_get_wbio(ssl_.get()), room.data(), static_cast<int>(room.size()))) > 0;)
    send_all(fd_, {room.data(), static_cast<std::size_t>(size)});
}

void TlsSession::receive_more() {
  if (carrier_ != TlsCarrier::memory) return wait_for_events(fd_, POLLIN);
  std::array<char, 16 * 1024> room{};
  const auto size = recv_some(fd_, room);
  require(size > 0, "the connection ended without a goodbye");
  require(BIO_write(SSL_get_rbio(ssl_.get()), room.data(), static_cast<int>(size)) == static_cast<int>(size),
          "BIO_write");
}

}  // namespace tracer::workload
