#include "backends/bpf/packed_image.h"

#include <gtest/gtest.h>

#include <algorithm>

extern "C" {
extern const unsigned char bpf_object_fixture_start[], bpf_object_fixture_end[];
}

namespace tracer {
namespace {

std::vector<unsigned char> packed() { return {bpf_object_fixture_start, bpf_object_fixture_end}; }

TEST(PackedImage, HoldsAnObjectFile) {
  ASSERT_EQ(packed()[0], 0x1f);
  const auto object = unpack_image(packed());
  ASSERT_TRUE(object) << object.error().context;
  EXPECT_GT(object->size(), packed().size());
  const std::vector<unsigned char> magic{0x7f, 'E', 'L', 'F'};
  EXPECT_TRUE(std::ranges::equal(std::span(*object).first(4), magic));
}

TEST(PackedImage, WhatIsNotPackedStaysAsItIs) {
  const auto object = unpack_image(packed());
  ASSERT_TRUE(object);
  EXPECT_EQ(unpack_image(*object), *object);
  EXPECT_EQ(unpack_image({}), std::vector<unsigned char>{});
}

TEST(PackedImage, ADamagedOneIsRefused) {
  for (std::size_t size = 19; size < packed().size(); size += 97) {
    std::vector<unsigned char> cut = packed();
    cut.resize(size);
    EXPECT_FALSE(unpack_image(cut)) << size;
  }
  std::vector<unsigned char> changed = packed();
  changed[changed.size() / 2] ^= 0xff;
  EXPECT_FALSE(unpack_image(changed));
}

TEST(PackedImage, OneThatSaysAnotherSizeIsRefused) {
  for (const int delta : {-1, 1}) {
    std::vector<unsigned char> lying = packed();
    lying[lying.size() - 4] = static_cast<unsigned char>(lying[lying.size() - 4] + delta);
    EXPECT_FALSE(unpack_image(lying)) << delta;
  }
  std::vector<unsigned char> huge = packed();
  std::fill(huge.end() - 4, huge.end(), static_cast<unsigned char>(0xff));
  const auto refused = unpack_image(huge);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
}

}  // namespace
}  // namespace tracer
