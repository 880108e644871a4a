#include "backends/ebpf/tls_coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/plaintext/fake_proc.h"

namespace tracer {
namespace {

TlsEvidence library() {
  TlsEvidence out;
  out.family = "openssl";
  out.functions = 13;
  out.complete = out.opened = out.elf = out.own_architecture = true;
  return out;
}

TEST(TlsCoverage, IsJudgedByWhatIsInTheFile) {
  EXPECT_EQ(judge(library()).coverage, TlsCoverage::covered);
  EXPECT_EQ(judge(library()).kind, "OpenSSL");
  EXPECT_TRUE(judge(library()).reason.empty());
  TlsEvidence evidence = library();
  evidence.complete = false;
  evidence.functions = 1;
  EXPECT_EQ(judge(evidence).coverage, TlsCoverage::stripped);
  evidence.functions = 0;
  EXPECT_EQ(judge(evidence).coverage, TlsCoverage::stripped);
  evidence.own_architecture = false;
  EXPECT_EQ(judge(evidence).coverage, TlsCoverage::other_architecture);
  evidence.elf = false;
  EXPECT_EQ(judge(evidence).coverage, TlsCoverage::malformed);
  evidence.opened = false;
  evidence.open_error = "Permission denied";
  EXPECT_EQ(judge(evidence).coverage, TlsCoverage::unreadable);
  EXPECT_EQ(judge(evidence).reason, "Permission denied");
}

TEST(TlsCoverage, KnowsWhatItCannotRead) {
  TlsEvidence evidence;
  evidence.program = evidence.opened = evidence.elf = evidence.own_architecture = true;
  EXPECT_FALSE(judge(evidence).tells) << "nothing says that there is TLS in it";
  evidence.go = true;
  EXPECT_EQ(judge(evidence).kind, "Go");
  evidence.go = false;
  evidence.rustls = true;
  EXPECT_EQ(judge(evidence).kind, "rustls");
  evidence.rustls = false;
  evidence.nss = true;
  EXPECT_EQ(judge(evidence).kind, "NSS");
  EXPECT_EQ(judge(evidence).coverage, TlsCoverage::other_library);
  EXPECT_FALSE(judge(evidence).reason.empty());
}

class TlsCoverageTree : public testing::Test {
 protected:
  const TlsFile* find(const std::string& path) {
    options_.proc_root = tree_.proc();
    report_ = find_tls_files(options_);
    const auto found = std::ranges::find(report_.files, path, &TlsFile::path);
    return found != report_.files.end() ? &*found : nullptr;
  }

  FakeProc tree_;
  TlsCoverageOptions options_;
  TlsCoverageReport report_;
};

TEST_F(TlsCoverageTree, SaysWhoUsesWhichFile) {
  if (system_library("libssl.so.3").empty()) GTEST_SKIP() << "needs libssl.so.3";
  const std::string library = tree_.copy(system_library("libssl.so.3"), "libssl.so.3");
  tree_.process(12, "/bin/true", {{"/lib/libssl.so.3", library}});
  tree_.process(11, "/bin/true", {{"/lib/libssl.so.3", library}, {"/lib/libssl.so.3", library}});
  tree_.process(13, "/bin/true", {});
  const TlsFile* file = find("/lib/libssl.so.3");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(report_.files.size(), 1U);
  EXPECT_EQ(report_.processes, 3U);
  EXPECT_EQ(file->coverage, TlsCoverage::covered);
  EXPECT_EQ(file->kind, "OpenSSL");
  EXPECT_GT(file->functions, 10U);
  EXPECT_GE(file->wanted, file->functions);
  EXPECT_FALSE(file->program || file->deleted);
  ASSERT_EQ(file->users.size(), 2U);
  EXPECT_EQ(file->users[0].pid, 11U);
  EXPECT_EQ(file->users[0].name, "process-11");
  EXPECT_EQ(file->users[1].pid, 12U);
}

TEST_F(TlsCoverageTree, SaysWhyNot) {
  std::string narrow(4096, '\0');
  narrow.replace(0, 5, "\177ELF\1");
  tree_.process(1, "/bin/true", {{"/a/libssl.so.1.0.0", tree_.write("narrow", narrow)}});
  tree_.process(2, "/bin/true", {{"/b/libssl.so.9", tree_.write("script", "INPUT(-lssl)")}});
  tree_.process(3, "/bin/true", {{"/c/libgnutls.so.30", {}, true}});
  tree_.process(4, "/bin/true", {{"/d/libssl3.so", tree_.write("nss", "x")}});
  tree_.process(5, "/bin/true", {{"/e/libssl.so.3", tree_.copy(TLS_HOLDER_STRIPPED, "stripped")}});
  ASSERT_NE(find("/a/libssl.so.1.0.0"), nullptr);
  EXPECT_EQ(find("/a/libssl.so.1.0.0")->coverage, TlsCoverage::other_architecture);
  EXPECT_EQ(find("/b/libssl.so.9")->coverage, TlsCoverage::malformed);
  ASSERT_NE(find("/c/libgnutls.so.30"), nullptr);
  EXPECT_EQ(find("/c/libgnutls.so.30")->coverage, TlsCoverage::unreadable);
  EXPECT_EQ(find("/c/libgnutls.so.30")->kind, "GnuTLS");
  EXPECT_TRUE(find("/c/libgnutls.so.30")->deleted);
  EXPECT_EQ(find("/d/libssl3.so")->coverage, TlsCoverage::other_library);
  EXPECT_EQ(find("/e/libssl.so.3")->coverage, TlsCoverage::stripped);
  for (const TlsFile& each : report_.files) EXPECT_FALSE(each.reason.empty()) << each.path;
}

TEST_F(TlsCoverageTree, AProgramIsToldOnlyIfItShowsThatItHasTls) {
  const std::string holder = tree_.copy(TLS_HOLDER, "server");
  tree_.process(1, holder, {{holder, holder}});
  const std::string hidden = tree_.copy(TLS_HOLDER_STRIPPED, "hidden");
  tree_.process(2, hidden, {{hidden, hidden}});
  const TlsFile* file = find(holder);
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(file->program);
  EXPECT_EQ(file->coverage, TlsCoverage::covered);
  EXPECT_EQ(file->functions, 3U);
  EXPECT_EQ(report_.files.size(), 1U) << "of the other one nothing is known";
}

TEST_F(TlsCoverageTree, LimitsAreCounted) {
  for (unsigned pid = 1; pid <= 5; ++pid) tree_.process(pid, "/bin/true", {});
  options_.processes_max = 2;
  find("");
  EXPECT_EQ(report_.processes, 2U);
  EXPECT_EQ(report_.left_out, 3U);
}

}  // namespace
}  // namespace tracer
