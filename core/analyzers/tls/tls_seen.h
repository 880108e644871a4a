// What was seen of one handshake, as far as it goes, and the record of it: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/analyzers/tls/tls_messages.h"
#include "core/records/record.h"

namespace tracer {

struct TlsSeen {
  struct TimedAlert {
    Alert alert;
    EventTime at;
  };
  // Of one side's stream.
  struct Flight {
    std::vector<CertificateFacts> certificates;
    bool certificates_seen = false;  // the message was there and could be read
    bool whole = false;              // ChangeCipherSpec: up to TLS 1.2 nothing behind it is in clear
    bool ciphertext = false;         // something encrypted came behind its hello
    bool closed = false;             // it ended, and that was seen
    std::vector<TimedAlert> alerts;
    // Of what was seen of it, and of its last hello.
    std::uint64_t first_offset = 0, end_offset = 0, hello_end_offset = 0;
    EventTime first_at, last_at, hello_last_at;
  };

  std::optional<ClientHello> client_hello;  // the first
  bool second_client_hello = false;
  std::vector<std::uint32_t> psk_ages;  // of the last
  std::optional<ServerHello> retry_request, server_hello;
  std::optional<ServerKeyExchange> key_exchange;
  bool certificate_requested = false;
  bool server_hello_done = false;
  bool session_ticket = false;
  Flight client, server;

  // A handshake whose rest is encrypted.
  [[nodiscard]] bool encrypts_its_handshake() const;
  // Both hellos were seen whole, and all that is in clear after them; and no alert ended it.
  [[nodiscard]] bool complete() const;
  [[nodiscard]] bool fatal_alert() const;
  // Something of it was seen that a record can tell.
  [[nodiscard]] bool worth_a_record() const { return client_hello || server_hello || retry_request; }
};

// `reason`: why it is not complete, in static storage.
void describe(TlsSeen seen, std::string_view reason, Record& record);

}  // namespace tracer
