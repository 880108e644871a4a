#include "backends/tracepoint/event_format.h"

#include <gtest/gtest.h>

namespace tracer {
namespace {

constexpr std::string_view set_state_6_18 = R"(name: inet_sock_set_state
ID: 1463
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:int oldstate;	offset:16;	size:4;	signed:1;
	field:__u16 sport;	offset:24;	size:2;	signed:0;
	field:__u16 protocol;	offset:30;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:32;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:40;	size:16;	signed:0;

print fmt: "family=%s protocol=%s sport=%hu", REC->family
)";

TEST(EventFormat, FindsFieldsOfEveryShape) {
  const auto format = parse_event_format(set_state_6_18);
  ASSERT_TRUE(format.has_value());
  ASSERT_NE(format->find("skaddr"), nullptr);
  EXPECT_EQ(format->find("skaddr")->offset, 8u);
  EXPECT_EQ(format->find("skaddr")->size, 8u);
  ASSERT_NE(format->find("protocol"), nullptr);
  EXPECT_EQ(format->find("protocol")->size, 2u);
  ASSERT_NE(format->find("saddr"), nullptr);
  EXPECT_EQ(format->find("saddr")->offset, 32u);
  ASSERT_NE(format->find("saddr_v6"), nullptr);
  EXPECT_EQ(format->find("saddr_v6")->offset, 40u);
  EXPECT_EQ(format->find("daddr"), nullptr);
}

TEST(EventFormat, DynamicStringsAreNamedWithoutTheirBrackets) {
  const auto format = parse_event_format(
      "format:\n\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n"
      "\tfield:char parent_comm[16];\toffset:12;\tsize:16;\tsigned:0;\n");
  ASSERT_TRUE(format.has_value());
  ASSERT_NE(format->find("filename"), nullptr);
  EXPECT_EQ(format->find("filename")->offset, 8u);
  ASSERT_NE(format->find("parent_comm"), nullptr);
}

TEST(EventFormat, WhatIsNoFormatFileIsRefused) {
  EXPECT_FALSE(parse_event_format("").has_value());
  EXPECT_FALSE(parse_event_format("1463\n").has_value());
}

TEST(EventFormat, DamagedLinesArePassedOver) {
  const auto format = parse_event_format(
      "format:\nfield:int a;\toffset:x;\tsize:4;\nfield:;offset:1;size:1;\nfield:int b;\toffset:4;\tsize:4;\n");
  ASSERT_TRUE(format.has_value());
  ASSERT_EQ(format->fields.size(), 1u);
  EXPECT_EQ(format->fields[0].name, "b");
}

}  // namespace
}  // namespace tracer
