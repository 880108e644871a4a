#include "cli/doctor_bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace tracer::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Bundle, TakesOutHostNameHomesAndSecrets) {
  DoctorReport report{"1", {"6.1", "id", "Debian"}, {}, {}};
  report.capabilities.answers.push_back(
      {Capability::btf, Verdict::unknown, "box: cannot read /home/alice/btf, though sandbox may; token=hunter2", {}});
  Verification verification;
  verification.opened.push_back(
      {BackendKind::tracepoint,
       Mechanism::tp_btf,
       {{"tracer_enter", false, "/root/x on box refused", {}}, {"tracer_exit", true, {}, {}, 12.5}}});
  const std::string text = bundle_text(report, verification,
                                       {{"core", "tracer_enter", "VERIFIER_REJECTION", "at /home/bob/a.c box"}}, "box");
  for (const char* secret : {"alice", "bob", "hunter2", "/root/", "\"box", " box"})
    EXPECT_THAT(text, Not(HasSubstr(secret))) << secret;
  for (const char* kept :
       {"sandbox", "HOST", "VERIFIER_REJECTION", "\"tp_btf\"", "schema_version", "tracer_enter", "\"load_ms\": 12.5"})
    EXPECT_THAT(text, HasSubstr(kept));
  EXPECT_TRUE(nlohmann::json::accept(text));
}

TEST(Bundle, IsOursAloneAndNeverOverwrites) {
  const std::string path = std::filesystem::temp_directory_path() / ("bundle-" + std::to_string(::getpid()));
  ASSERT_TRUE(write_bundle(path, "first"));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const Result<void> again = write_bundle(path, "second");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().context, HasSubstr("is there already"));
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "first");
  std::filesystem::remove(path);
}

TEST(Bundle, WhatCannotBeWrittenIsAnError) {
  EXPECT_FALSE(write_bundle("/no/such/folder/bundle", "x"));
  EXPECT_FALSE(write_bundle("/dev/full", "x")) << "it is there already";
}

}  // namespace
}  // namespace tracer::cli
