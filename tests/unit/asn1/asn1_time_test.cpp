#include "core/asn1/asn1_time.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace tracer {
namespace {

std::optional<std::int64_t> seconds(std::uint8_t identifier, const std::string& text) {
  const auto time = parse_asn1_time({identifier, as_bytes(text), {}});
  if (!time) return std::nullopt;
  EXPECT_EQ(time->ns % 1'000'000'000, 0);
  return time->ns / 1'000'000'000;
}
std::optional<std::int64_t> utc(const std::string& text) { return seconds(der::utc_time, text); }
std::optional<std::int64_t> generalized(const std::string& text) { return seconds(der::generalized_time, text); }

TEST(Asn1Time, ReadsBothForms) {
  EXPECT_EQ(utc("700101000000Z"), 0);
  EXPECT_EQ(utc("491231235959Z"), 2524607999) << "49 is 2049";
  EXPECT_EQ(utc("500101000000Z"), -631152000) << "50 is 1950";
  EXPECT_EQ(utc("7001010001Z"), 60) << "without seconds";
  EXPECT_EQ(generalized("20240229120000Z"), 1709208000) << "a leap day";
  EXPECT_EQ(generalized("22611231235959Z"), 9214646399) << "the last year that fits";
  EXPECT_EQ(generalized("16780101000000Z"), -9214560000);
}

TEST(Asn1Time, RefusesTheRest) {
  for (const char* text :
       {"", "Z", "700101000000", "700101000000+0100", "700001000000Z", "701301000000Z", "700100000000Z",
        "700132000000Z", "230229000000Z", "700101240000Z", "700101006000Z", "700101000061Z", "70010100000Z",
        "7001010000000Z", "-70101000000Z", "70 101000000Z", "700101000000z"})
    EXPECT_FALSE(utc(text)) << text;
  for (const char* text :
       {"99991231235959Z", "16771231235959Z", "22620101000000Z", "20240101000000.5Z", "700101000000Z"})
    EXPECT_FALSE(generalized(text)) << text;
  EXPECT_FALSE(seconds(der::integer, "700101000000Z"));
}

}  // namespace
}  // namespace tracer
