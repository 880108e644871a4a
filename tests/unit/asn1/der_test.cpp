// DER: what is read, what is refused, and that nothing is read outside.
#include "core/asn1/der.h"

#include <gtest/gtest.h>

#include <string>

#include "core/asn1/digest.h"

namespace tracer {
namespace {

using namespace std::string_literals;

Bytes bytes(const std::string& text) { return as_bytes(text); }

TEST(Der, ReadsElementsOneAfterTheOther) {
  const std::string text = "\x02\x01\x05\x30\x03\x05\x00\x01\x04\x02hi"s;
  DerReader reader(bytes(text).first(3));
  const auto number = reader.next();
  ASSERT_TRUE(number);
  EXPECT_EQ(number->identifier, der::integer);
  EXPECT_EQ(small_integer(number->content), 5U);
  EXPECT_EQ(number->whole.size(), 3U);
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.failed()) << "an end is no failure";
}

TEST(Der, LeavesAnotherIdentifierWhereItIs) {
  const std::string text = "\x02\x01\x05\x04\x02hi"s;
  DerReader reader(bytes(text));
  EXPECT_FALSE(reader.next(der::octet_string));
  EXPECT_FALSE(reader.failed());
  EXPECT_TRUE(reader.next(der::integer));
  const auto octets = reader.next(der::octet_string);
  ASSERT_TRUE(octets);
  EXPECT_EQ(as_text(octets->content), "hi");
}

TEST(Der, RefusesWhatIsNotDer) {
  for (const std::string& text : {
           "\x30"s,                                      // no length
           "\x30\x05\x01"s,                              // longer than there is
           "\x30\x80\x00\x00"s,                          // indefinite
           "\x30\x81\x05\x01\x02\x03\x04\x05"s,          // a length that fits one octet in two
           "\x30\x82\x00\x80"s + std::string(128, 'x'),  // a leading zero octet
           "\x30\x85\x00\x00\x00\x00\x01\x00"s,          // five octets
           "\x30\x84\xff\xff\xff\xff"s,                  // 4 GiB
           "\x30\xff"s,                                  // reserved
           "\x1f\x81\x81\x81\x81\x01\x00"s,              // a number of more than four octets
           "\x1f\x81"s,                                  // that does not end
       }) {
    DerReader reader(bytes(text));
    EXPECT_FALSE(reader.next()) << to_hex(bytes(text));
    EXPECT_TRUE(reader.failed()) << to_hex(bytes(text));
    EXPECT_FALSE(reader.next());
  }
}

TEST(Der, TakesTheLongestLengthsThatAreRight) {
  for (const std::size_t size : {0U, 127U, 128U, 255U, 256U, 65'535U, 65'536U}) {
    std::string text = "\x04"s;
    if (size < 128) {
      text += static_cast<char>(size);
    } else if (size < 256) {
      text += "\x81"s + static_cast<char>(size);
    } else if (size < 65'536) {
      text += "\x82"s + static_cast<char>(size >> 8) + static_cast<char>(size & 255);
    } else {
      text += "\x83\x01\x00\x00"s;
    }
    text += std::string(size, 'x');
    const auto element = der_only(bytes(text), der::octet_string);
    ASSERT_TRUE(element) << size;
    EXPECT_EQ(element->content.size(), size);
    EXPECT_FALSE(der_only(bytes(text + "y"), der::octet_string)) << "something behind it";
    EXPECT_FALSE(der_only(bytes(text).first(text.size() - 1), der::octet_string)) << "cut off";
  }
}

TEST(Der, SaysHowLongAnElementIsThatIsNotThere) {
  const auto header = read_der_header(bytes("\x30\x83\x0f\x42\x40"s));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->content_bytes, 1'000'000U);
  EXPECT_EQ(header->header_bytes, 5U);
}

// A reader goes through one level; deeper ones cost nothing before somebody asks.
TEST(Der, IsNotImpressedByNesting) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t size = text.size();
    std::string head = "\x30"s;
    if (size < 128) {
      head += static_cast<char>(size);
    } else {
      const int octets = size < 256 ? 1 : size < 65'536 ? 2 : 3;
      head += static_cast<char>(0x80 | octets);
      for (int o = octets - 1; o >= 0; --o) head += static_cast<char>(size >> (8 * o) & 0xff);
    }
    if (head.size() + size > 60'000) break;
    text.insert(0, head);
  }
  DerReader reader(bytes(text));
  const auto outer = reader.next(der::sequence);
  ASSERT_TRUE(outer);
  EXPECT_GT(outer->content.size(), 50'000U);
}

TEST(Der, WritesObjectIdentifiers) {
  EXPECT_EQ(dotted_oid(bytes("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"s)), "1.2.840.113549.1.1.11");
  EXPECT_EQ(dotted_oid(bytes("\x55\x04\x03"s)), "2.5.4.3");
  EXPECT_EQ(dotted_oid(bytes("\x00"s)), "0.0");
  EXPECT_EQ(dotted_oid(bytes("\x27"s)), "0.39");
  EXPECT_EQ(dotted_oid(bytes("\x4f"s)), "1.39");
  EXPECT_EQ(dotted_oid(bytes("\x50"s)), "2.0");
  EXPECT_EQ(dotted_oid(bytes("\x88\x37"s)), "2.999");
  EXPECT_EQ(dotted_oid(bytes("\x2a\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f"s)), "1.2.18446744073709551615");
  for (const std::string& text : {""s, "\x80\x01"s, "\x2a\x80\x01"s, "\x2a\x86"s,
                                  "\x2a\x82\x80\x80\x80\x80\x80\x80\x80\x80\x00"s, std::string(200, 'x')})
    EXPECT_EQ(dotted_oid(bytes(text)), "") << to_hex(bytes(text));
}

TEST(Der, CountsTheBitsOfNumbers) {
  EXPECT_EQ(integer_bits(bytes("\x00"s)), 0U);
  EXPECT_EQ(integer_bits(bytes("\x01"s)), 1U);
  EXPECT_EQ(integer_bits(bytes("\x7f"s)), 7U);
  EXPECT_EQ(integer_bits(bytes("\x00\x80"s)), 8U);
  EXPECT_EQ(integer_bits(bytes("\x01\x00"s)), 9U);
  EXPECT_EQ(integer_bits(bytes("\x00\xc0"s + std::string(255, '\0'))), 2048U);
  EXPECT_FALSE(integer_bits(bytes("\x80"s))) << "negative";
  EXPECT_FALSE(integer_bits({}));
  EXPECT_EQ(small_integer(bytes("\x01\x02\x03\x04"s)), 0x01020304U);
  EXPECT_FALSE(small_integer(bytes("\x01\x02\x03\x04\x05"s)));
  EXPECT_FALSE(small_integer(bytes("\xff"s)));
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(sha256_hex(bytes("abc"s)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex({bytes("a"s), bytes("bc"s)}), sha256_hex(bytes("abc"s)));
  EXPECT_EQ(sha256_hex(Bytes()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace tracer
