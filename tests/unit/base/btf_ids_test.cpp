#include "core/base/btf_ids.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace tracer {
namespace {

// Builds images type by type.
class Image {
 public:
  std::uint32_t name(std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(strings_.size());
    strings_ += text;
    strings_ += '\0';
    return offset;
  }
  void type(std::uint32_t kind, std::uint32_t name_offset, std::uint32_t members = 0, std::size_t tail_bytes = 0,
            std::uint32_t other_type = 0) {
    words({name_offset, (kind << 24) | members, other_type});
    types_.append(tail_bytes, '\x5a');
  }
  // Of the structure that was added last with no bytes behind it.
  void member(std::uint32_t name_offset, std::uint32_t type) { words({name_offset, type, 0}); }
  [[nodiscard]] std::string build() const {
    std::string image("\x9f\xeb\x01\x00", 4);
    const std::array<std::uint32_t, 5> rest{24, 0, static_cast<std::uint32_t>(types_.size()),
                                            static_cast<std::uint32_t>(types_.size()),
                                            static_cast<std::uint32_t>(strings_.size())};
    image.append(reinterpret_cast<const char*>(rest.data()), sizeof rest);
    return image + types_ + strings_;
  }

 private:
  void words(std::array<std::uint32_t, 3> values) {
    types_.append(reinterpret_cast<const char*>(values.data()), sizeof values);
  }
  std::string types_;
  std::string strings_ = std::string(1, '\0');
};

// One of every kind, with the tail that the format gives it, then the two that are looked for.
Image every_kind() {
  Image image;
  const std::uint32_t noise = image.name("noise");
  const std::array<std::array<std::uint32_t, 3>, 17> kinds{{{1, 0, 4},
                                                            {2, 0, 0},
                                                            {3, 0, 12},
                                                            {4, 3, 36},
                                                            {5, 2, 24},
                                                            {6, 3, 24},
                                                            {7, 0, 0},
                                                            {9, 0, 0},
                                                            {10, 0, 0},
                                                            {11, 0, 0},
                                                            {13, 2, 16},
                                                            {14, 0, 4},
                                                            {15, 2, 24},
                                                            {16, 0, 0},
                                                            {17, 0, 4},
                                                            {18, 0, 0},
                                                            {19, 2, 24}}};
  for (const auto& [kind, members, tail] : kinds) image.type(kind, noise, members, tail);
  image.type(12, image.name("target_function"));
  image.type(8, image.name("target_type"));
  return image;
}

TEST(BtfIds, FindsTypesBehindEveryKind) {
  const std::string image = every_kind().build();
  std::array wanted{BtfWanted{BtfKind::type_definition, "target_type"}, BtfWanted{BtfKind::function, "target_function"},
                    BtfWanted{BtfKind::function, "target_type"}, BtfWanted{BtfKind::function, "target_func"}};
  ASSERT_TRUE(find_btf_ids(as_bytes(image), wanted));
  EXPECT_EQ(wanted[0].id, 19U);
  EXPECT_EQ(wanted[1].id, 18U);
  EXPECT_EQ(wanted[2].id, 0U) << "a name of another kind";
  EXPECT_EQ(wanted[3].id, 0U) << "only the beginning of a name";
}

TEST(BtfIds, EveryTruncationIsRefusedOrHarmless) {
  const std::string image = every_kind().build();
  for (std::size_t size = 0; size < image.size(); ++size) {
    std::array wanted{BtfWanted{BtfKind::function, "target_function"}};
    const std::vector<std::byte> cut(as_bytes(image).begin(),
                                     as_bytes(image).begin() + static_cast<std::ptrdiff_t>(size));
    const Result<void> found = find_btf_ids(cut, wanted);
    ASSERT_FALSE(found) << size;
    EXPECT_EQ(found.error().code, Errc::malformed);
  }
}

TEST(BtfIds, AKindFromTheFutureIsAnErrorThatNamesIt) {
  Image image;
  image.type(30, 0);
  std::array wanted{BtfWanted{BtfKind::function, "x"}};
  const Result<void> found = find_btf_ids(as_bytes(image.build()), wanted);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().context.find("kind 30"), std::string::npos);
}

// As tcp_recvmsg looked until 5.18 and looks since.
TEST(BtfIds, CountsTheParametersOfAFunction) {
  Image image;
  image.type(12, image.name("receive"), 0, 0, 3);  // may stand before its prototype
  image.type(13, 0, 0);
  image.type(13, 0, 6, 6 * 8);
  image.type(13, 0, 5, 5 * 8);
  image.type(12, image.name("receive_later"), 0, 0, 4);
  image.type(12, image.name("takes_nothing"), 0, 0, 2);
  const std::string bytes = image.build();
  std::array wanted{BtfWanted{BtfKind::function, "receive"}, BtfWanted{BtfKind::function, "receive_later"},
                    BtfWanted{BtfKind::function, "takes_nothing"}};
  ASSERT_TRUE(find_btf_ids(as_bytes(bytes), wanted));
  EXPECT_EQ(count_btf_parameters(as_bytes(bytes), wanted[0].prototype), 6U);
  EXPECT_EQ(count_btf_parameters(as_bytes(bytes), wanted[1].prototype), 5U);
  EXPECT_EQ(count_btf_parameters(as_bytes(bytes), wanted[2].prototype), 0U);
}

TEST(BtfIds, WhatIsNoPrototypeHasNoParameters) {
  const std::string image = every_kind().build();
  for (const std::uint32_t id : {0U, 1U, 18U, 1000U, 0xffffffffU}) {
    const auto counted = count_btf_parameters(as_bytes(image), id);
    ASSERT_FALSE(counted) << id;
    EXPECT_EQ(counted.error().code, Errc::malformed);
  }
  EXPECT_EQ(count_btf_parameters(as_bytes(image), 11), 2U) << "the prototype among them";
}

// As the ring buffer's lock looks on a realtime kernel that has the old one.
TEST(BtfIds, FindsTheTypeOfAMember) {
  Image image;
  image.type(8, image.name("lock_t"), 0, 0, 3);
  image.type(4, image.name("ring"), 2, 0, 64);
  image.member(image.name("mask"), 7);
  image.member(image.name("lock"), 1);
  image.type(4, image.name("empty"));
  const std::string bytes = image.build();
  EXPECT_EQ(find_btf_member(as_bytes(bytes), 2, "lock"), 1U);
  EXPECT_EQ(find_btf_member(as_bytes(bytes), 2, "mask"), 7U);
  EXPECT_EQ(find_btf_member(as_bytes(bytes), 2, "loc"), 0U) << "only the beginning of a name";
  EXPECT_EQ(find_btf_member(as_bytes(bytes), 3, "lock"), 0U);
  for (const std::uint32_t id : {0U, 1U, 4U, 0xffffffffU}) {
    const auto found = find_btf_member(as_bytes(bytes), id, "lock");
    ASSERT_FALSE(found) << id;
    EXPECT_EQ(found.error().code, Errc::malformed);
  }
}

TEST(BtfIds, SomethingElseEntirely) {
  std::array wanted{BtfWanted{BtfKind::function, "x"}};
  EXPECT_FALSE(find_btf_ids(as_bytes(std::string(64, 'x')), wanted));
}

}  // namespace
}  // namespace tracer
