#include "backends/ebpf/call_counts.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace tracer {
namespace {

uprobe_key key_of(std::uint32_t tgid, std::uint16_t slot, std::string_view name = {}) {
  uprobe_key key{};
  key.tgid = tgid;
  key.slot = slot;
  if (!name.empty()) {
    key.has = UPROBE_HAS_NAME;
    std::memcpy(key.name, name.data(), std::min(name.size(), sizeof(key.name) - 1));
  }
  return key;
}

TEST(CallCounts, EveryCallIsToldOnce) {
  CallCounts counts(8);
  const uprobe_key key = key_of(1, 2, "AES");
  EXPECT_TRUE(counts.first(key));
  EXPECT_EQ(counts.grown(key, 1), 0U);
  EXPECT_EQ(counts.grown(key, 200'000), 199'999U);
  EXPECT_EQ(counts.grown(key, 200'000), 0U);
  EXPECT_FALSE(counts.first(key));
}

TEST(CallCounts, AFirstCallThatComesLateIsNotToldAgain) {
  CallCounts counts(8);
  const uprobe_key key = key_of(1, 2);
  EXPECT_EQ(counts.grown(key, 5), 5U);
  EXPECT_FALSE(counts.first(key));
}

TEST(CallCounts, KeysDifferInEverything) {
  CallCounts counts(8);
  uprobe_key sized = key_of(1, 2);
  sized.size = 16;
  sized.has = UPROBE_HAS_SIZE;
  uprobe_key failed = key_of(1, 2);
  failed.result = -1;
  for (const uprobe_key& key : {key_of(1, 2), key_of(2, 2), key_of(1, 3), key_of(1, 2, "x"), sized, failed})
    EXPECT_TRUE(counts.first(key));
  EXPECT_EQ(counts.size(), 6U);
}

TEST(CallCounts, AnEndedProcessIsForgotten) {
  CallCounts counts(8);
  ASSERT_TRUE(counts.first(key_of(1, 2, "a")));
  ASSERT_TRUE(counts.first(key_of(1, 2, "b")));
  ASSERT_TRUE(counts.first(key_of(7, 2)));
  const auto keys = counts.keys_of(1);
  ASSERT_EQ(keys.size(), 2U);
  for (const uprobe_key& key : keys) {
    EXPECT_EQ(key.tgid, 1U);
    counts.forget(key);
    counts.forget(key);
  }
  EXPECT_EQ(counts.size(), 1U);
  EXPECT_TRUE(counts.keys_of(1).empty());
  EXPECT_TRUE(counts.first(key_of(1, 2, "a"))) << "the same number again is another process";
}

TEST(CallCounts, IsBounded) {
  CallCounts counts(2);
  EXPECT_TRUE(counts.first(key_of(1, 0)));
  EXPECT_TRUE(counts.first(key_of(1, 1)));
  EXPECT_FALSE(counts.first(key_of(1, 2)));
  EXPECT_EQ(counts.grown(key_of(1, 3), 4), 0U);
  EXPECT_EQ(counts.size(), 2U);
}

TEST(CallCounts, NamesAreTextAndSayWhereTheyWereCut) {
  EXPECT_EQ(name_of(key_of(1, 2)), "");
  EXPECT_EQ(name_of(key_of(1, 2, "AES-256-GCM")), "AES-256-GCM");
  uprobe_key cut = key_of(1, 2, std::string(200, 'x'));
  cut.has |= UPROBE_NAME_CUT;
  EXPECT_EQ(name_of(cut), std::string(127, 'x') + "…");
  uprobe_key halved = key_of(1, 2, std::string(126, 'x') + "\xc3");
  halved.has |= UPROBE_NAME_CUT;
  EXPECT_EQ(name_of(halved), std::string(126, 'x') + "…");
  uprobe_key full = key_of(1, 2);  // no terminator, whoever made it
  full.has = UPROBE_HAS_NAME;
  std::memset(full.name, 'y', sizeof(full.name));
  EXPECT_EQ(name_of(full), std::string(sizeof(full.name), 'y'));
}

}  // namespace
}  // namespace tracer
