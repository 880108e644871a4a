// The distiller over what kernels and libbpf really said: tests/fixtures/load-failures.
#include "backends/bpf/load_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace tracer {
namespace {

struct Fixture {
  std::string name, expected, source, lockdown, kernel_log, messages, log;
  std::vector<std::string> says, says_not;
  LoadEvidence evidence;
};

Fixture read_fixture(const std::filesystem::path& path) {
  Fixture fixture;
  fixture.name = path.stem();
  std::ifstream file(path);
  std::string* body = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line == "--- messages" || line == "--- log") {
      body = line == "--- log" ? &fixture.log : &fixture.messages;
    } else if (body != nullptr) {
      *body += line + "\n";
    } else {
      const std::size_t colon = line.find(": ");
      const std::string key = line.substr(0, colon), value = line.substr(colon + 2);
      if (key == "expect")
        fixture.expected = value;
      else if (key == "errno")
        fixture.evidence.os_error = std::stoi(value);
      else if (key == "privileged")
        fixture.evidence.privileged = value == "yes";
      else if (key == "lockdown")
        fixture.lockdown = value;
      else if (key == "kernel-log")
        fixture.kernel_log = value;
      else if (key == "source")
        fixture.source = value;
      else if (key == "says")
        fixture.says.push_back(value);
      else if (key == "says-not")
        fixture.says_not.push_back(value);
      else if (key == "step")
        fixture.evidence.step = value == "attach" ? LoadStep::attach : LoadStep::open;
      else
        ADD_FAILURE() << path << ": " << line;
    }
  }
  return fixture;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(LoadFailure, EveryFixtureHasItsCodeInAtMostFiveLines) {
  std::set<std::string> codes;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TRACER_LOAD_FAILURES)) {
    Fixture fixture = read_fixture(entry.path());
    SCOPED_TRACE(fixture.name);
    fixture.evidence.messages = fixture.messages;
    fixture.evidence.log = fixture.log;
    fixture.evidence.lockdown = fixture.lockdown;
    fixture.evidence.kernel_log = fixture.kernel_log;
    const LoadFailure failure = distill(fixture.evidence);
    EXPECT_EQ(to_string(failure.code), fixture.expected) << joined(failure.summary);
    EXPECT_FALSE(failure.reason.empty());
    EXPECT_EQ(failure.reason.find('\n'), std::string::npos);
    EXPECT_GE(failure.summary.size(), 1U);
    EXPECT_LE(failure.summary.size(), summary_lines_max);
    EXPECT_TRUE(failure.summary.front().starts_with(fixture.expected)) << failure.summary.front();
    if (!fixture.source.empty()) {
      EXPECT_EQ(failure.source, fixture.source);
      EXPECT_EQ(failure.summary.back(), "at " + fixture.source);
    }
    for (const std::string& part : fixture.says) EXPECT_THAT(joined(failure.summary), testing::HasSubstr(part));
    for (const std::string& part : fixture.says_not)
      EXPECT_THAT(joined(failure.summary) + failure.reason, testing::Not(testing::HasSubstr(part)));
    EXPECT_EQ(failure.log, fixture.messages + fixture.log) << "the bundle has all of it";
    EXPECT_EQ(failure.retry_with_larger_log, fixture.expected == "LOG_TRUNCATED") << "never for size";
    codes.insert(fixture.expected);
    ++count;
  }
  EXPECT_GE(count, 30U);
  for (std::uint8_t code = 0; code < static_cast<std::uint8_t>(LoadFailureCode::unknown); ++code)
    EXPECT_TRUE(codes.contains(std::string(to_string(static_cast<LoadFailureCode>(code)))))
        << "no fixture for " << to_string(static_cast<LoadFailureCode>(code));
}

TEST(LoadFailure, ARejectionIsNotARefusal) {
  const LoadFailure rejected = distill({.os_error = 13, .log = "R1 invalid mem access 'scalar'\n", .privileged = true});
  EXPECT_EQ(rejected.reason, "refused by the kernel's verifier: R1 invalid mem access 'scalar'");
  const LoadFailure denied = distill({.os_error = 13, .privileged = true});
  EXPECT_EQ(denied.code, LoadFailureCode::policy_denied);
  EXPECT_EQ(denied.reason, "refused by a policy, with all privileges: Permission denied");
}

TEST(LoadFailure, AVeryLongLogKeepsBothEnds) {
  std::string log = "first\n";
  for (int i = 0; log.size() < 4 * load_log_bytes_max; ++i) log += std::to_string(i) + ": (07) r0 += 1\n";
  log += "last\n";
  const LoadFailure failure = distill({.os_error = 13, .log = log, .privileged = true});
  EXPECT_LE(failure.log.size(), load_log_bytes_max + 64);
  EXPECT_TRUE(failure.log.starts_with("first\n"));
  EXPECT_TRUE(failure.log.ends_with("last\n"));
  EXPECT_NE(failure.log.find("bytes left out]"), std::string::npos);
}

TEST(LoadFailure, HostileLogsStayShort) {
  const std::string many(1 << 20, '\n');
  EXPECT_LE(distill({.os_error = 22, .log = many}).summary.size(), summary_lines_max);
  EXPECT_LE(distill({.os_error = 22, .log = "Verification failed:"}).summary.size(), summary_lines_max);
  EXPECT_LE(distill({.os_error = 22, .messages = "libbpf: ", .log = "; \n;  @ \nReason:\n"}).summary.size(), 5U);
}

TEST(LoadFailure, WhatIsNotedIsTakenOnce) {
  (void)take_load_failures();
  for (std::size_t i = 0; i < 3 * load_failures_max; ++i) {
    LoadFailure failure = distill({.os_error = 22});
    failure.log = "log";
    note_load_failure(std::move(failure));
  }
  const std::vector<LoadFailure> taken = take_load_failures();
  ASSERT_EQ(taken.size(), 2 * load_failures_max);
  EXPECT_EQ(taken.front().log, "log");
  EXPECT_NE(taken.back().log, "log");
  EXPECT_TRUE(take_load_failures().empty());
}

}  // namespace
}  // namespace tracer
