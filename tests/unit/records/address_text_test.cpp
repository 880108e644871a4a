#include "core/records/address_text.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tracer {
namespace {

std::string text(const std::array<std::uint8_t, 16>& address) {
  char buffer[address_text_max];
  return {buffer, format_address(address, buffer)};
}

std::string text(const char* written) {
  std::array<std::uint8_t, 16> address{};
  EXPECT_EQ(inet_pton(AF_INET6, written, address.data()), 1) << written;
  return text(address);
}

TEST(AddressText, FollowsRfc5952) {
  EXPECT_EQ(text("::"), "::");
  EXPECT_EQ(text("::1"), "::1");
  EXPECT_EQ(text("1::"), "1::");
  EXPECT_EQ(text("2001:DB8:0:0:0:0:2:1"), "2001:db8::2:1");
  EXPECT_EQ(text("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");  // one group is not shortened
  EXPECT_EQ(text("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");           // the longest run
  EXPECT_EQ(text("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");     // of two, the first
  EXPECT_EQ(text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(AddressText, MappedIsIpv4) {
  EXPECT_EQ(text("::ffff:127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(text("::ffff:255.255.255.255"), "255.255.255.255");
  EXPECT_EQ(text("::ffff:0.0.0.0"), "0.0.0.0");
}

TEST(AddressText, RoundTrips) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::array<std::uint8_t, 16> address{}, back{};
    for (auto& byte : address) byte = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : std::uint8_t{0};
    const std::string written = text(address);
    ASSERT_EQ(inet_pton(AF_INET6, written.c_str(), back.data()), 1) << written;
    ASSERT_EQ(address, back) << written;
  }
}

}  // namespace
}  // namespace tracer
