// The record layer of one stream (RFC 8446 section 5, RFC 5246 section 6): bytes in any split → handshake messages,
// alerts and the other things that a handshake is made of, as long as they are in clear.
//
// Holds at most one handshake message. Nothing of encrypted records is kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/analyzers/tls/tls_limits.h"
#include "core/base/bytes.h"
#include "core/event.h"

namespace tracer {

struct TlsItem {
  enum class Kind : std::uint8_t {
    handshake,
    sslv2_hello,  // `body` is the whole message
    alert,        // `body` is two bytes
    change_cipher_spec,
    ciphertext,  // a record begins that is, or must be, encrypted
    over_limit,  // a handshake message longer than the limit; nothing comes after it
    malformed,   // this is not TLS; nothing comes after it
  };
  Kind kind{};
  std::uint8_t type = 0;                           // of a handshake message
  Bytes body;                                      // without its header; valid until the next call
  std::uint64_t first_offset = 0, end_offset = 0;  // in the stream; the first is that of its record if it begins it
  EventTime first_at, end_at;
};

class TlsRecordReader {
 public:
  explicit TlsRecordReader(const TlsLimits& limits) : limits_(limits) {}

  // Takes bytes from the front of `bytes`, which lie at `offset`, until something is whole. nullopt: all are taken.
  [[nodiscard]] std::optional<TlsItem> next(std::uint64_t& offset, Bytes& bytes, EventTime at);
  // Passes over bytes that are missing. False: they were of interest, or may have been.
  [[nodiscard]] bool pass_over(std::uint64_t size);
  // Frees what it holds.
  void stop();

 private:
  enum class State : std::uint8_t { header, sslv2, handshake, alert, cipher_spec, skip, stopped };

  std::optional<TlsItem> read_header(std::uint64_t offset, EventTime at);
  std::optional<TlsItem> read_handshake(std::uint64_t& offset, Bytes& bytes, EventTime at);
  std::optional<TlsItem> read_small(std::uint64_t& offset, Bytes& bytes, EventTime at);
  std::optional<TlsItem> read_sslv2(std::uint64_t& offset, Bytes& bytes, EventTime at);
  TlsItem end_with(TlsItem::Kind kind, std::uint64_t offset, EventTime at);
  TlsItem item(TlsItem::Kind kind, Bytes body, std::uint64_t end_offset, EventTime at);
  std::size_t collect(std::uint64_t& offset, Bytes& bytes, std::size_t wanted);
  void record_ended();

  const TlsLimits& limits_;
  State state_ = State::header;
  bool first_record_ = true;
  bool changed_cipher_ = false;
  std::array<std::byte, 5> header_{};
  std::size_t header_size_ = 0;
  std::size_t record_left_ = 0;  // of the content of the record in progress
  std::size_t sslv2_size_ = 0;
  std::vector<std::byte> message_;  // handshake message, alert or SSLv2 message in progress
  bool given_ = false;              // message_ was given out and is to be cleared
  std::uint64_t record_offset_ = 0, message_offset_ = 0;
  EventTime record_at_, message_at_;
  bool record_begins_ = false;  // nothing of its content was read yet
};

}  // namespace tracer
