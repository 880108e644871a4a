// The doctor over machines that are not here.
#include "cli/doctor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/doctor_text.h"
#include "cli/exit_code.h"
#include "cli/no_ownership.h"
#include "probe-matrix/report_json.h"
#include "tests/unit/plan/reports.h"

namespace tracer::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TlsLibraries some_libraries() {
  TlsLibraries libraries;
  libraries.files = {{"/usr/bin/dockerd",
                      "Go",
                      true,
                      false,
                      "other_library",
                      "no functions of it are known",
                      0,
                      0,
                      {{400, "dockerd"}}},
                     {"/usr/lib/libssl.so.3",
                      "OpenSSL",
                      false,
                      true,
                      "covered",
                      "",
                      9,
                      10,
                      {{811, "nginx"}, {812, "nginx"}, {99, "curl"}}}};
  libraries.processes = 30;
  libraries.unreadable = 2;
  return libraries;
}

class Doctor : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("doctor-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name) const { return folder_ / name; }
  void put(const char* name, const std::string& text) const { std::ofstream(path(name)) << text; }

  int run(const CapabilityReport& machine) {
    const std::string out = path("out"), err = path("err");
    const UniqueFd output(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const UniqueFd talk_fd(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const Talk talk(Talkative::normal, talk_fd.get());
    probed_ = false;
    const auto probe = [&] {
      probed_ = true;
      return machine;
    };
    NoOwnership nobody;
    const int code = run_doctor({options_,
                                 probe,
                                 {"6.18.44", "b007-1d", "Debian GNU/Linux 12 (bookworm)"},
                                 "box",
                                 {},
                                 {},
                                 nobody,
                                 nullptr,
                                 output.get(),
                                 talk,
                                 tls_libraries_});
    text_ = content_of(out);
    said_ = content_of(err);
    return code;
  }
  nlohmann::ordered_json json() const { return nlohmann::ordered_json::parse(text_); }

  Options options_;
  std::function<TlsLibraries()> tls_libraries_;
  std::string text_, said_;
  bool probed_ = false;

 private:
  std::filesystem::path folder_;
};

TEST_F(Doctor, JsonHasTheDocumentedShape) {
  options_.json = true;
  tls_libraries_ = some_libraries;
  EXPECT_EQ(run(test::hardened_machine()), exit_ok);
  const auto document = json();
  EXPECT_EQ(document["schema_version"], doctor_schema_version);
  EXPECT_EQ(document["host"]["kernel"], "6.18.44");
  EXPECT_TRUE(document["degraded"]);
  EXPECT_EQ(document["plan"]["http"]["mechanism"], "tp_btf");
  EXPECT_GE(document["capabilities"].size(), 40U);
  EXPECT_EQ(document["tls_libraries"][1]["processes"][2]["name"], "curl");
  EXPECT_EQ(document["tls_processes"]["unreadable"], 2);
  const std::filesystem::path golden = TRACER_SOURCE_DIR "/tests/golden/doctor/report.json";
  if (std::getenv("TRACER_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(golden.parent_path());
    auto stable = document;
    stable["version"] = "golden";
    std::ofstream(golden) << stable.dump(1) << "\n";
  }
  auto expected = nlohmann::ordered_json::parse(content_of(golden));
  expected["version"] = document["version"];
  EXPECT_EQ(document, expected) << "TRACER_UPDATE_GOLDEN=1 writes it anew";
}

TEST_F(Doctor, NothingIsDegradedWhereEverythingWorks) {
  options_.json = true;
  EXPECT_EQ(run(test::everything_supported()), exit_ok);
  EXPECT_FALSE(json()["degraded"]);
}

TEST_F(Doctor, TlsIsLookedForWhereHttpsIsAskedFor) {
  tls_libraries_ = some_libraries;
  EXPECT_EQ(run(test::hardened_machine()), exit_ok);
  EXPECT_THAT(text_, HasSubstr("  covered      OpenSSL  /usr/lib/libssl.so.3 (replaced since it was loaded)\n"
                               "                 of nginx (2 processes), curl 99\n"
                               "  not covered  Go       /usr/bin/dockerd (in the program itself): no functions of it "
                               "are known\n"
                               "                 of dockerd 400\n"
                               "  not looked at: 2 of 32 processes, whose mappings may not be read"));
  options_.show = {Facet::http};
  options_.show_given = true;
  bool looked = false;
  tls_libraries_ = [&] {
    looked = true;
    return TlsLibraries{};
  };
  EXPECT_EQ(run(test::hardened_machine()), exit_ok);
  EXPECT_FALSE(looked);
  options_.show = {Facet::https};
  EXPECT_EQ(run(test::hardened_machine()), exit_ok);
  EXPECT_TRUE(looked);
  EXPECT_THAT(text_, HasSubstr("none was found"));
}

TEST_F(Doctor, AReportFromBeforeTlsWasLookedForIsReadToo) {
  options_.json = true;
  tls_libraries_ = some_libraries;
  ASSERT_EQ(run(test::hardened_machine()), exit_ok);
  auto document = json();
  document.erase("tls_libraries");
  document.erase("tls_processes");
  put("report.json", document.dump());
  options_.from_path = path("report.json");
  EXPECT_EQ(run(test::hardened_machine()), exit_ok) << said_;
  EXPECT_FALSE(json().contains("tls_libraries"));
}

TEST_F(Doctor, FromAReportPlansTheSameWithoutAskingTheMachine) {
  options_.json = true;
  tls_libraries_ = some_libraries;
  ASSERT_EQ(run(test::hardened_machine()), exit_ok);
  const std::string first = text_;
  put("report.json", first);
  options_.from_path = path("report.json");
  tls_libraries_ = [] { return TlsLibraries{}; };
  EXPECT_EQ(run(test::everything_supported()), exit_ok);
  EXPECT_FALSE(probed_);
  EXPECT_EQ(text_, first);
}

TEST_F(Doctor, AForeignReportCannotSteerTheTerminal) {
  options_.json = true;
  run(test::hardened_machine());
  auto report = json();
  report["host"]["os"] = "\x1b[31mX";
  put("foreign.json", report.dump());
  options_.json = false;
  options_.from_path = path("foreign.json");
  EXPECT_EQ(run(test::hardened_machine()), exit_ok) << said_;
  EXPECT_EQ(text_.find('\x1b'), std::string::npos) << text_;
  EXPECT_NE(text_.find("\\x1b[31mX"), std::string::npos) << text_;
}

// Each capability that a mechanism needs, flipped in the report, with the plan removed.
TEST_F(Doctor, AFlippedVerdictIsPlannedAnew) {
  options_.json = true;
  ASSERT_EQ(run(test::everything_supported()), exit_ok);
  auto document = json();
  const auto before = document["plan"];
  document.erase("plan");
  std::size_t changed = 0;
  for (auto& row : document["capabilities"]) {
    const auto capability = capability_from_name(row["name"].get<std::string>());
    bool needed_by_the_choice = false;
    for (std::size_t facet = 0; facet < facet_count; ++facet) {
      for (const Rung& rung : rungs(static_cast<Facet>(facet))) {
        if (before[std::string(to_string(static_cast<Facet>(facet)))]["mechanism"] != to_string(rung.entry.mechanism))
          continue;
        for (const Capability need : rung.entry.needs) needed_by_the_choice |= need == *capability;
      }
    }
    if (!needed_by_the_choice) continue;
    row["verdict"] = "unsupported";
    row["reason"] = "flipped";
    put("flipped.json", document.dump());
    row["verdict"] = "supported";
    row["reason"] = "";
    options_.from_path = path("flipped.json");
    ASSERT_EQ(run(test::everything_supported()), exit_ok);
    EXPECT_NE(json()["plan"], before) << to_string(*capability);
    ++changed;
  }
  EXPECT_GE(changed, 5U);
}

TEST_F(Doctor, OptionsOfATraceSayWhatWouldBe) {
  options_.json = true;
  options_.without = {Capability::bpf_syscall};
  EXPECT_EQ(run(test::everything_supported()), exit_ok);
  EXPECT_EQ(json()["plan"]["http"]["backend"], "pcap");
  options_.without = {};
  options_.backends = {BackendKind::procfs};
  EXPECT_EQ(run(test::everything_supported()), exit_ok);
  EXPECT_EQ(json()["plan"]["http"]["backend"], nullptr);
  EXPECT_EQ(json()["plan"]["connection"]["mechanism"], "sock_diag");
}

TEST_F(Doctor, NothingThatWorksIsExitFour) {
  options_.show = {Facet::http};
  options_.show_given = true;
  EXPECT_EQ(run(test::unprivileged_machine()), exit_kernel);
  EXPECT_THAT(text_, HasSubstr("http: not visible"));
  EXPECT_THAT(text_, HasSubstr("sudo tracer"));
}

TEST_F(Doctor, BadReportsAreNamedAndHaveTheirExitCode) {
  struct Case {
    const char* text;
    int code;
    const char* says;
  };
  for (const Case& bad :
       {Case{"", exit_error, "not a JSON object"}, Case{"[]", exit_error, "not a JSON object"},
        Case{"{\"schema_version\": \"1.0\"", exit_error, "not a JSON object"},
        Case{"{}", exit_error, "no schema_version"}, Case{"{\"schema_version\": 1}", exit_error, "no schema_version"},
        Case{R"({"schema_version": "2.0", "capabilities": []})", exit_usage, "version 2.0"},
        Case{R"({"schema_version": "1.0"})", exit_error, "no capabilities"},
        Case{R"({"schema_version": "1.0", "capabilities": {}})", exit_error, "array"},
        Case{R"({"schema_version": "1.0", "capabilities": [{"name": "btf"}]})", exit_error,
             "row 0 of the capability report has no known verdict"},
        Case{R"({"schema_version": "1.0", "capabilities": [], "tls_libraries": {}})", exit_error, "not an array"},
        Case{R"({"schema_version": "1.0", "capabilities": [], "tls_libraries": [7]})", exit_error,
             "row 0 of tls_libraries is not an object"},
        Case{R"({"schema_version": "1.0", "capabilities": [], "tls_libraries": [{"coverage": "covered"}]})", exit_error,
             "row 0 of tls_libraries has no coverage or no processes"}}) {
    put("bad.json", bad.text);
    options_.from_path = path("bad.json");
    EXPECT_EQ(run({}), bad.code) << bad.text;
    EXPECT_THAT(said_, HasSubstr(bad.says)) << bad.text;
    EXPECT_THAT(said_, HasSubstr("bad.json")) << bad.text;
    EXPECT_EQ(text_, "");
  }
  options_.from_path = path("not-there.json");
  EXPECT_EQ(run({}), exit_error);
  options_.from_path = path(".");
  EXPECT_EQ(run({}), exit_error);
}

// The golden copy of what a person reads first.
TEST(DoctorText, ThePlanIsATable) {
  DoctorReport report{"0", {}, test::hardened_machine(), {}};
  const PlanRequest request;
  report.plan = make_plan(report.capabilities, request);
  EXPECT_EQ(plan_table(report, request),
            "  facet       ebpf          tracepoint    pcap          procfs\n"
            "  http        -             [tp_btf]      af_packet     -\n"
            "  tls         -             [tp_btf]      af_packet     -\n"
            "  https       -             [tp_btf]      -             -\n"
            "  process     -             [tp_btf]      -             proc_events\n"
            "  file        -             [tp_btf]      -             fanotify\n"
            "  library     -             [tp_btf]      -             poll\n"
            "  crypto_api  [uprobe]      -             -             -\n"
            "  connection  -             [tp_btf]      af_packet     sock_diag\n");
}

TEST(DoctorText, SaysWhyNotAndWhatIsMissing) {
  DoctorReport report{"0", {"6.18", "", "Debian"}, test::hardened_machine(), {}};
  report.plan = make_plan(report.capabilities, {});
  const std::string text = doctor_text(report, {}, {});
  EXPECT_THAT(text, HasSubstr("http, tls, https, process, file, library, connection: tracepoint/tp_btf\n"
                              "  never in connection records: rtt_ms, tcp_state, retransmits\n"
                              "  not ebpf/fentry: not permitted: a policy forbids it\n"
                              "  not ebpf/kprobe: this kernel has no kprobes\n"
                              "  http, if that fails: tracepoint/raw_tp, tracepoint/syscall_tp, pcap/af_packet\n"));
  EXPECT_THAT(text, HasSubstr("https, if that fails: tracepoint/raw_tp, tracepoint/syscall_tp\n"));
  EXPECT_THAT(text, Not(HasSubstr("Not in this version")));
  EXPECT_THAT(text, HasSubstr("no  kprobe: this kernel has no kprobes\n"));
  EXPECT_THAT(text, HasSubstr("?   fentry: not permitted"));
  EXPECT_THAT(text, Not(HasSubstr("What could be done"))) << "nothing here has a fix";
}

}  // namespace
}  // namespace tracer::cli
