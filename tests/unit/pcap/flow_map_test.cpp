// The map of connections against one of the standard library.
#include "backends/pcap/flow_map.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace tracer {
namespace {

Endpoint endpoint(std::uint32_t number) {
  Endpoint it;
  it.address[15] = static_cast<std::uint8_t>(number % 7);
  it.port = static_cast<std::uint16_t>(number);
  return it;
}

TEST(FlowMap, BothDirectionsHaveOneKey) {
  bool swapped = false, swapped_back = false;
  const FlowKey key = flow_key(endpoint(1), endpoint(2), swapped);
  EXPECT_EQ(key, flow_key(endpoint(2), endpoint(1), swapped_back));
  EXPECT_NE(swapped, swapped_back);
  EXPECT_EQ(key.low, swapped ? endpoint(2) : endpoint(1));
}

TEST(FlowMap, TheSeedMatters) {
  const FlowKey key{endpoint(1), endpoint(2)};
  EXPECT_NE(FlowMap(1).hash(key), FlowMap(2).hash(key));
}

TEST(FlowMap, DoesWhatAnyMapDoes) {
  // Few hashes on purpose: long runs, and erasing out of their middle.
  for (const std::uint32_t hashes : {5U, 4'000'000'000U}) {
    std::mt19937 random(hashes);
    FlowMap map;
    std::unordered_map<std::uint32_t, std::uint32_t> truth;  // slot → hash
    const auto find = [&](std::uint32_t slot, std::uint32_t hash) {
      return map.find(hash, [&](FlowMap::Slot it) { return it == slot; });
    };
    const auto hash_of = [&](std::uint32_t slot) { return slot * 2'654'435'761U % hashes; };
    for (int step = 0; step < 20'000; ++step) {
      const std::uint32_t slot = static_cast<std::uint32_t>(random() % 300);
      if (truth.contains(slot)) {
        ASSERT_EQ(find(slot, truth[slot]), slot);
        if (random() % 2 == 0) {
          map.erase(truth[slot], slot);
          truth.erase(slot);
        }
      } else {
        ASSERT_EQ(find(slot, hash_of(slot)), FlowMap::none);
        map.insert(hash_of(slot), slot);
        truth[slot] = hash_of(slot);
      }
      ASSERT_EQ(map.size(), truth.size());
    }
    for (const auto& [slot, hash] : truth) EXPECT_EQ(find(slot, hash), slot);
  }
}

}  // namespace
}  // namespace tracer
