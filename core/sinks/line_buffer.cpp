#include "core/sinks/line_buffer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace tracer {

// Uses the capacity that is there: a string that is cleared and reused does not allocate again.
void LineBuffer::grow(std::size_t wanted) {
  constexpr std::size_t first_bytes = 4096;
  const std::size_t needed = used_ + wanted;
  const std::size_t target = needed <= out_.capacity() && wanted > 0
                                 ? out_.capacity()
                                 : std::max({out_.capacity(), needed + needed / 2, used_ + first_bytes});
  out_.resize_and_overwrite(target, [](char*, std::size_t size) { return size; });
}

bool LineBuffer::put_thousandths(double number) {
  if (!(std::abs(number) < 1e15)) return false;
  const double scaled = std::round(std::abs(number) * 1000);
  const auto thousandths = static_cast<std::uint64_t>(scaled);
  if (number < 0 && thousandths != 0) put('-');
  put_number(thousandths / 1000);
  if (const std::uint64_t rest = thousandths % 1000; rest != 0) {
    char* const to = reserve(4);
    to[0] = '.';
    to[1] = static_cast<char>('0' + rest / 100);
    to[2] = static_cast<char>('0' + rest / 10 % 10);
    to[3] = static_cast<char>('0' + rest % 10);
    commit(4);
  }
  return true;
}

}  // namespace tracer
