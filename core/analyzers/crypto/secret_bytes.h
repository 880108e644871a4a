// Bytes that may be part of a private key: in one place, never copied, overwritten before their memory is given back.
#pragma once

#include <string.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "core/base/bytes.h"

namespace tracer {

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  // Room for at most `size` bytes: growing would leave a copy behind.
  explicit SecretBytes(std::size_t size) { bytes_.reserve(size); }
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      wipe();
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(); }

  [[nodiscard]] Bytes view() const { return bytes_; }
  // False: there is no room left.
  [[nodiscard]] bool append(std::byte byte) {
    if (bytes_.size() == bytes_.capacity()) return false;
    bytes_.push_back(byte);
    return true;
  }
  void wipe() {
    if (bytes_.capacity() == 0) return;
    bytes_.resize(bytes_.capacity());  // within its capacity, so nothing moves
    explicit_bzero(bytes_.data(), bytes_.size());
    bytes_.clear();
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace tracer
