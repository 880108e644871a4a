#include "backends/bpf/thread_beat.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <string_view>

namespace tracer {
namespace {

void* take_name(void* name) {
  ::prctl(PR_SET_NAME, name, 0, 0, 0);
  return nullptr;
}

}  // namespace

void write_beat_name(char (&name)[WIRE_COMM_SIZE], std::uint32_t nonce) {
  constexpr std::string_view prefix = "tracer-";
  constexpr std::uint32_t bits = 28;  // seven digits: with the prefix and a terminator they fit
  std::ranges::fill(name, '\0');
  std::ranges::copy(prefix, name);
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), nonce & ((1u << bits) - 1), 16).ptr;
  std::copy(digits.begin(), end, name + prefix.size());
}

void ThreadBeat::send(std::uint32_t nonce) {
  char name[WIRE_COMM_SIZE];
  write_beat_name(name, nonce);
  // A thread that cannot be made is a beat that is not seen: no worse than any other.
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, take_name, name) == 0) ::pthread_join(thread, nullptr);
}

}  // namespace tracer
