#include "backends/bpf/kprobe_misses.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace tracer {
namespace {

// As the kernel fills it: kind of link at 0, kind of event at 16, the count at 48.
std::array<std::byte, 64> link_info(std::uint32_t link, std::uint32_t event, std::uint64_t missed) {
  std::array<std::byte, 64> info{};
  std::memcpy(info.data(), &link, sizeof link);
  std::memcpy(info.data() + 16, &event, sizeof event);
  std::memcpy(info.data() + 48, &missed, sizeof missed);
  return info;
}

TEST(KprobeMisses, OfFunctionProbesAndTheirReturns) {
  EXPECT_EQ(kprobe_misses_in(link_info(7, 3, 12)), 12U);
  EXPECT_EQ(kprobe_misses_in(link_info(7, 4, 0)), 0U);
}

TEST(KprobeMisses, OfNothingElse) {
  EXPECT_FALSE(kprobe_misses_in(link_info(7, 5, 12))) << "a tracepoint has other fields there";
  EXPECT_FALSE(kprobe_misses_in(link_info(2, 3, 12))) << "a tracing link";
}

TEST(KprobeMisses, AnOlderKernelSaysLess) {
  const auto info = link_info(7, 3, 12);
  for (std::size_t size = 0; size < 56; ++size) EXPECT_FALSE(kprobe_misses_in(Bytes(info).first(size))) << size;
}

}  // namespace
}  // namespace tracer
