// Appends to a std::string without its bookkeeping per append: grows rarely, writes through a pointer.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace tracer {

// While a LineBuffer exists, the contents of its string past the old end are unspecified; finish() (or the destructor)
// sets the size to what was written.
class LineBuffer {
 public:
  explicit LineBuffer(std::string& out) : out_(out), used_(out.size()) { grow(0); }
  ~LineBuffer() { finish(); }
  LineBuffer(const LineBuffer&) = delete;
  LineBuffer& operator=(const LineBuffer&) = delete;

  void finish() { out_.resize(used_); }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] char& at(std::size_t position) { return out_[position]; }
  // Takes back what was written after `size`.
  void truncate(std::size_t size) { used_ = size; }

  // Room for `size` bytes, of which the caller then commits what it wrote.
  [[nodiscard]] char* reserve(std::size_t size) {
    if (out_.size() - used_ < size) grow(size);
    return out_.data() + used_;
  }
  void commit(std::size_t size) { used_ += size; }

  void put(char c) {
    *reserve(1) = c;
    commit(1);
  }
  void put(std::string_view text) {
    char* const to = reserve(text.size());
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    commit(text.size());
  }
  template <std::integral Number>
    requires(!std::same_as<Number, char> && !std::same_as<Number, bool>)
  void put_number(Number number) {
    char* const to = reserve(20);
    commit(static_cast<std::size_t>(std::to_chars(to, to + 20, number).ptr - to));
  }
  // As "12.345". False where it is not finite or beyond 10^15: then nothing is written.
  bool put_thousandths(double number);

 private:
  void grow(std::size_t wanted);

  std::string& out_;
  std::size_t used_;
};

}  // namespace tracer
