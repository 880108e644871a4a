#include "core/analyzers/tls/tls_record_reader.h"

#include <algorithm>
#include <utility>

#include "core/analyzers/tls/tls_messages.h"

namespace tracer {

namespace {

constexpr std::uint8_t content_change_cipher_spec = 20, content_alert = 21, content_handshake = 22,
                       content_application_data = 23, content_heartbeat = 24;
constexpr std::size_t record_bytes_max = (1U << 14U) + 2048;
constexpr std::size_t message_header_bytes = 4, alert_bytes = 2;

std::size_t number_at(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
  std::size_t value = 0;
  for (const std::byte each : bytes.subspan(at, size)) value = value << 8U | std::to_integer<std::size_t>(each);
  return value;
}

}  // namespace

std::optional<TlsItem> TlsRecordReader::next(std::uint64_t& offset, Bytes& bytes, EventTime at) {
  if (std::exchange(given_, false)) message_.clear();
  while (!bytes.empty() && state_ != State::stopped) {
    std::optional<TlsItem> found;
    switch (state_) {
      case State::header: {
        if (header_size_ == 0) {
          record_offset_ = offset;
          record_at_ = at;
        }
        header_[header_size_++] = bytes.front();
        bytes = bytes.subspan(1);
        found = read_header(++offset, at);
        break;
      }
      case State::sslv2:
        found = read_sslv2(offset, bytes, at);
        break;
      case State::handshake:
        found = read_handshake(offset, bytes, at);
        break;
      case State::alert:
      case State::cipher_spec:
        found = read_small(offset, bytes, at);
        break;
      case State::skip: {
        const std::size_t passed = std::min(record_left_, bytes.size());
        bytes = bytes.subspan(passed);
        offset += passed;
        record_left_ -= passed;
        if (record_left_ == 0) record_ended();
        break;
      }
      case State::stopped:
        break;
    }
    if (found) return found;
  }
  return std::nullopt;
}

void TlsRecordReader::record_ended() {
  state_ = State::header;
  header_size_ = 0;
}

// Called with each byte of a header, so that what is no TLS is known at once.
std::optional<TlsItem> TlsRecordReader::read_header(std::uint64_t offset, EventTime at) {
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint8_t>(header_[i]); };
  const std::uint8_t type = byte(0);
  if (first_record_ && (type & 0x80U) != 0) {
    if (header_size_ < 2) return std::nullopt;
    sslv2_size_ = number_at(header_, 0, 2) & 0x7fffU;
    state_ = State::sslv2;
    first_record_ = false;
    return std::nullopt;
  }
  const bool known = type >= content_change_cipher_spec && type <= content_heartbeat;
  if (!known || (header_size_ > 1 && byte(1) != 3)) return end_with(TlsItem::Kind::malformed, offset, at);
  if (header_size_ < header_.size()) return std::nullopt;
  first_record_ = false;
  record_left_ = number_at(header_, 3, 2);
  if (record_left_ > record_bytes_max) return end_with(TlsItem::Kind::malformed, offset, at);
  // A message in progress may not be interrupted, nor a record of these types be empty.
  const bool in_message = !message_.empty();
  const bool empty = record_left_ == 0 && type != content_application_data;
  if ((in_message && type != content_handshake) || empty) return end_with(TlsItem::Kind::malformed, offset, at);
  record_begins_ = true;
  switch (type) {
    case content_handshake:
      state_ = State::handshake;
      return std::nullopt;
    case content_change_cipher_spec:
      if (record_left_ != 1) return end_with(TlsItem::Kind::malformed, offset, at);
      state_ = State::cipher_spec;
      return std::nullopt;
    case content_alert:
      if (record_left_ == alert_bytes) {  // encrypted it would be longer
        state_ = State::alert;
        return std::nullopt;
      }
      break;
    case content_heartbeat:
      state_ = State::skip;
      return std::nullopt;
    default:
      break;
  }
  state_ = State::skip;
  TlsItem found = item(TlsItem::Kind::ciphertext, {}, offset, at);
  if (record_left_ == 0) record_ended();
  return found;
}

std::optional<TlsItem> TlsRecordReader::read_handshake(std::uint64_t& offset, Bytes& bytes, EventTime at) {
  if (message_.empty()) {
    // Behind a ChangeCipherSpec all is encrypted, but for the hellos behind a HelloRetryRequest.
    const auto type = static_cast<HandshakeType>(bytes.front());
    const bool is_hello = type == HandshakeType::client_hello || type == HandshakeType::server_hello;
    if (changed_cipher_ && !(record_begins_ && is_hello)) {
      state_ = State::skip;
      return item(TlsItem::Kind::ciphertext, {}, offset, at);
    }
    message_offset_ = record_begins_ ? record_offset_ : offset;
    message_at_ = record_begins_ ? record_at_ : at;
  }
  record_begins_ = false;
  if (message_.size() < message_header_bytes) {
    record_left_ -= collect(offset, bytes, std::min(message_header_bytes - message_.size(), record_left_));
  }
  if (message_.size() >= message_header_bytes) {
    const std::size_t size = number_at(message_, 1, 3);
    if (size > limits_.message_bytes_max) return end_with(TlsItem::Kind::over_limit, offset, at);
    const std::size_t wanted = message_header_bytes + size - message_.size();
    record_left_ -= collect(offset, bytes, std::min(wanted, record_left_));
    if (record_left_ == 0) record_ended();
    if (message_.size() < message_header_bytes + size) return std::nullopt;
    TlsItem found = item(TlsItem::Kind::handshake, Bytes(message_).subspan(message_header_bytes), offset, at);
    found.type = std::to_integer<std::uint8_t>(message_.front());
    found.first_offset = message_offset_;
    found.first_at = message_at_;
    given_ = true;
    return found;
  }
  if (record_left_ == 0) record_ended();
  return std::nullopt;
}

std::optional<TlsItem> TlsRecordReader::read_small(std::uint64_t& offset, Bytes& bytes, EventTime at) {
  record_left_ -= collect(offset, bytes, record_left_);
  if (record_left_ != 0) return std::nullopt;
  const bool is_alert = state_ == State::alert;
  if (!is_alert && message_.front() != std::byte{1}) return end_with(TlsItem::Kind::malformed, offset, at);
  TlsItem found = is_alert ? item(TlsItem::Kind::alert, message_, offset, at)
                           : item(TlsItem::Kind::change_cipher_spec, {}, offset, at);
  changed_cipher_ |= !is_alert;
  given_ = true;
  record_ended();
  return found;
}

std::optional<TlsItem> TlsRecordReader::read_sslv2(std::uint64_t& offset, Bytes& bytes, EventTime at) {
  collect(offset, bytes, sslv2_size_ - std::min(sslv2_size_, message_.size()));
  if (message_.size() < sslv2_size_) return std::nullopt;
  TlsItem found = item(TlsItem::Kind::sslv2_hello, message_, offset, at);
  given_ = true;
  record_ended();
  return found;
}

bool TlsRecordReader::pass_over(std::uint64_t size) {
  if (state_ == State::stopped) return true;
  if (state_ != State::skip || size > record_left_) return false;
  record_left_ -= static_cast<std::size_t>(size);
  if (record_left_ == 0) record_ended();
  return true;
}

void TlsRecordReader::stop() {
  state_ = State::stopped;
  given_ = false;
  message_ = {};
}

TlsItem TlsRecordReader::end_with(TlsItem::Kind kind, std::uint64_t offset, EventTime at) {
  stop();
  return item(kind, {}, offset, at);
}

TlsItem TlsRecordReader::item(TlsItem::Kind kind, Bytes body, std::uint64_t end_offset, EventTime at) {
  return {kind, 0, body, record_offset_, end_offset, record_at_, at};
}

// Moves up to `wanted` bytes to the message; returns how many.
std::size_t TlsRecordReader::collect(std::uint64_t& offset, Bytes& bytes, std::size_t wanted) {
  const std::size_t taken = std::min(wanted, bytes.size());
  message_.insert(message_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  bytes = bytes.subspan(taken);
  offset += taken;
  return taken;
}

}  // namespace tracer
