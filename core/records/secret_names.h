// Which names hold secrets. Used by the redaction of URLs, headers and arguments; not part of any other contract.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tracer::secret_names {

enum class Strength : std::uint8_t {
  none,
  in_assignment,  // `key=x` holds a secret, but "key: x" in a sentence hardly
  always,
};

inline constexpr std::size_t size_min = 2;  // no shorter name is secret

// A name reduced to what tells names apart: ASCII letters in lower case and digits.
class Name {
 public:
  void clear() { size_ = 0, overflow_ = false; }
  void append(char c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) return;
    if (size_ == text_.size())
      overflow_ = true;
    else
      text_[size_++] = c;
  }
  void append(std::string_view text) {
    for (const char c : text) append(c);
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // A name that does not fit could hide anything.
  [[nodiscard]] Strength strength() const;

 private:
  std::array<char, 128> text_;  // only the first size_ are set
  std::size_t size_ = 0;
  bool overflow_ = false;
};

// Does a reduced name hold one of the words (token, secret, passw, ...) that make any name secret?
[[nodiscard]] bool has_secret_word(std::string_view reduced);

}  // namespace tracer::secret_names
