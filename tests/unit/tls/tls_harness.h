// Conversations in, the record out; recorded ones, and bytes of messages made by hand.
#pragma once

#include <cstddef>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/analyzers/tls/tls_analyzer.h"

namespace tracer::test {

class TlsHost final : public AnalyzerHost {
 public:
  void emit(std::unique_ptr<Record> record) override { records.push_back(std::move(record)); }
  std::unique_ptr<Record> make_record() override { return std::make_unique<Record>(); }
  void skip(Side, std::uint64_t) override {}
  void need_whole(Side) override {}
  void need_normal(Side) override {}
  void lose_interest(std::string_view protocol) override {
    left = protocol;
    ++times_left;
  }
  void client_is(Side side) override {
    client = side;
    ++times_told;
  }

  std::vector<std::unique_ptr<Record>> records;
  std::string_view left;
  std::optional<Side> client;
  int times_left = 0, times_told = 0;
};

// What one side sent in one piece.
struct Piece {
  Side from{};
  std::string bytes;
};
using Conversation = std::vector<Piece>;

// tests/fixtures/tls/NAME.hex
inline Conversation recorded(const std::string& name) {
  std::ifstream file(std::string(TRACER_SOURCE_DIR) + "/tests/fixtures/tls/" + name + ".hex");
  Conversation pieces;
  for (std::string line; std::getline(file, line);) {
    Piece piece{line.front() == '>' ? Side::a : Side::b, {}};
    for (std::size_t i = 1; i + 1 < line.size(); i += 2)
      piece.bytes += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

inline constexpr const char* recordings[] = {"tls13",
                                             "tls13_retry",
                                             "tls13_client_certificate",
                                             "tls13_resumed",
                                             "tls13_early_data",
                                             "tls13_external_psk",
                                             "tls13_refused",
                                             "tls13_unknown_ca",
                                             "tls12",
                                             "tls12_offered_13",
                                             "tls12_dhe",
                                             "tls12_rsa",
                                             "tls12_client_certificate",
                                             "tls12_ticket",
                                             "tls12_session_id",
                                             "tls12_refused",
                                             "tls12_unknown_ca",
                                             "tls12_small_key",
                                             "tls12_anonymous",
                                             "tls12_null",
                                             "tls11",
                                             "tls10",
                                             "sslv2_hello"};

// All that one side sent.
inline std::string stream_of(const Conversation& pieces, Side side) {
  std::string all;
  for (const Piece& each : pieces)
    if (each.from == side) all += each.bytes;
  return all;
}

// Feeds an analyzer; offsets begin at 1,000 and 5,000, times tell the offset apart from the split.
class TlsTalk {
 public:
  explicit TlsTalk(const TlsLimits& limits = {}) : analyzer(host, std::nullopt, limits) {}
  void say(Side from, std::string_view bytes) {
    analyzer.on_bytes(from, next(from), as_bytes(bytes), EventTime{next(from)});
    next(from) += bytes.size();
  }
  void gap(Side from, std::uint64_t size, GapCause cause = GapCause::ring_full) {
    analyzer.on_gap(from, next(from), size, cause, EventTime{next(from)});
    next(from) += size;
  }
  void end(StreamEnd how = StreamEnd::closed) {
    for (const Side side : {Side::a, Side::b}) analyzer.on_end(side, how, EventTime{next(side)});
  }
  void say(const Conversation& pieces) {
    for (const Piece& each : pieces) say(each.from, each.bytes);
  }
  std::uint64_t& next(Side side) { return offsets[static_cast<std::size_t>(side)]; }
  // The only record.
  const Record& record() {
    static const Record none{};
    return host.records.size() == 1 ? *host.records.front() : none;
  }
  const TlsHandshake& handshake() {
    static const TlsHandshake none{};
    const auto* it = std::get_if<TlsHandshake>(&record().body);
    return it != nullptr ? *it : none;
  }

  TlsHost host;
  TlsAnalyzer analyzer;
  std::uint64_t offsets[2] = {1'000, 5'000};
};

// ---- Messages by hand

// The bytes of "16 03 01"; blanks are for the reader.
inline std::string hex(std::string_view digits) {
  std::string bytes, pair;
  for (const char each : digits) {
    if (each == ' ' || each == '\n') continue;
    pair += each;
    if (pair.size() == 2) {
      bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
      pair.clear();
    }
  }
  return bytes;
}
inline std::string number(std::size_t value, int size) {
  std::string bytes;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}
// With its length in front, in so many bytes.
inline std::string sized(int size, const std::string& bytes) { return number(bytes.size(), size) + bytes; }
inline std::string extension(std::size_t type, const std::string& content) {
  return number(type, 2) + sized(2, content);
}
inline std::string message(HandshakeType type, const std::string& body) {
  return number(static_cast<std::size_t>(type), 1) + sized(3, body);
}
inline std::string tls_record(int type, const std::string& content, std::string_view version = "0303") {
  return number(static_cast<std::size_t>(type), 1) + hex(version) + sized(2, content);
}
inline std::string handshake_record(HandshakeType type, const std::string& body) {
  return tls_record(22, message(type, body));
}
inline const std::string change_cipher_spec = hex("14 0303 0001 01");
inline const std::string some_ciphertext = tls_record(23, std::string(40, 'x'));
inline const std::string encrypted_finished = tls_record(22, "\x83" + std::string(39, 'y'));

struct HelloParts {
  std::string version = hex("0303"), session_id, suites = hex("1301 c02f"), extensions;
};
inline std::string client_hello(const HelloParts& parts) {
  std::string body =
      parts.version + std::string(32, 'R') + sized(1, parts.session_id) + sized(2, parts.suites) + hex("01 00");
  if (!parts.extensions.empty()) body += sized(2, parts.extensions);
  return body;
}
inline std::string server_hello(const std::string& suite, const std::string& extensions,
                                const std::string& session_id = {}, const std::string& version = hex("0303")) {
  std::string body = version + std::string(32, 'S') + sized(1, session_id) + suite + hex("00");
  if (!extensions.empty()) body += sized(2, extensions);
  return body;
}

}  // namespace tracer::test
