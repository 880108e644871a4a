// Documents of a whole run, byte for byte, and what they must never say.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/exporters/user_names.h"
#include "tests/unit/exporters/document_test_tools.h"

namespace tracer {
namespace {

using nlohmann::json;
using samples::document_of;
using samples::document_options;
using samples::parsed;
using samples::profile_run;
using samples::snapshot_run;

DocumentOptions profile_options() {
  DocumentOptions options = document_options();
  options.target.names = {"nginx", "curl"};
  return options;
}

std::unique_ptr<DocumentSink> make_profile_summary(DocumentOptions options) {
  return make_summary_sink(SummaryOf::profile, std::move(options));
}
std::unique_ptr<DocumentSink> make_snapshot_summary(DocumentOptions options) {
  return make_summary_sink(SummaryOf::snapshot, std::move(options));
}

const json* find(const json& list, std::string_view key, std::string_view value) {
  const auto at = std::ranges::find_if(list, [&](const json& each) { return each.value(key, "") == value; });
  return at == list.end() ? nullptr : &*at;
}

TEST(Documents, AreAsReviewed) {
  samples::expect_golden("profile.json", document_of(make_profile_sink, profile_run(), profile_options()));
  samples::expect_golden("snapshot.json", document_of(make_snapshot_sink, snapshot_run()));
  samples::expect_golden("profile.txt", document_of(make_profile_summary, profile_run(), profile_options()));
  samples::expect_golden("snapshot.txt", document_of(make_snapshot_summary, snapshot_run()));
}

TEST(Documents, TwoRunsOverEqualRecordsAreEqual) {
  for (const samples::MakeDocument make : {make_profile_sink, make_snapshot_sink, make_cyclonedx_sink})
    EXPECT_EQ(document_of(make, profile_run()), document_of(make, profile_run()));
}

TEST(Documents, Layouts) {
  DocumentOptions line = document_options();
  line.layout = DocumentLayout::line;
  const std::string one = document_of(make_snapshot_sink, snapshot_run(), line);
  EXPECT_EQ(std::ranges::count(one, '\n'), 1);
  DocumentOptions array = document_options();
  array.layout = DocumentLayout::array;
  const json list = parsed(make_snapshot_sink, snapshot_run(), array);
  ASSERT_TRUE(list.is_array());
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0], json::parse(one));
  EXPECT_EQ(list[0], parsed(make_snapshot_sink, snapshot_run()));
}

TEST(Profile, KeepsThePredecessorsKeys) {
  const json profile = parsed(make_profile_sink, profile_run(), profile_options());
  for (const char* key : {"profile_version", "generated_at", "duration_seconds", "process", "libraries",
                          "files_accessed", "api_calls", "statistics"})
    EXPECT_TRUE(profile.contains(key)) << key;
  EXPECT_EQ(profile["profile_version"], "1.0");
  EXPECT_EQ(profile["duration_seconds"], 2);
  for (const char* key : {"pid", "name", "exe", "cmdline", "uid", "gid", "start_time"})
    EXPECT_TRUE(profile["process"].contains(key)) << key;
  for (const char* key : {"total_events", "libraries_loaded", "files_accessed", "api_calls_made"})
    EXPECT_TRUE(profile["statistics"].contains(key)) << key;
  EXPECT_EQ(profile["api_calls"]["SSL_do_handshake"], 3);
  EXPECT_EQ(profile["api_calls"]["EVP_CIPHER_fetch"], 3);
  const json* key = find(profile["files_accessed"], "path", "/etc/nginx/tls/server.key");
  ASSERT_NE(key, nullptr);
  EXPECT_EQ((*key)["access_count"], 2);
  EXPECT_EQ((*key)["type"], "private_key");
  EXPECT_EQ((*key)["mode"], "O_RDONLY");
  EXPECT_EQ((*key)["first_access"], "2026-01-02T03:04:05.210000Z");
  EXPECT_EQ((*key)["last_access"], "2026-01-02T03:04:05.220000Z");
}

TEST(Profile, CountsFailuresByTheirReason) {
  const json profile = parsed(make_profile_sink, profile_run());
  const json* old = find(profile["files_accessed"], "path", "/etc/nginx/tls/old.key");
  ASSERT_NE(old, nullptr);
  EXPECT_EQ((*old)["failures"], json({{"EACCES", 1}, {"ENOENT", 1}}));
  EXPECT_FALSE(old->contains("opened"));
  EXPECT_EQ((*old)["refused_pids"], json({811}));
  EXPECT_EQ((*old)["contents"], "not_seen");
  EXPECT_EQ((*old)["assets"], json::array());
}

TEST(Profile, TellsEveryProcessAndItsEnd) {
  const json profile = parsed(make_profile_sink, profile_run());
  ASSERT_EQ(profile["processes"].size(), 2U);
  EXPECT_EQ(profile["process"]["pid"], 811);
  EXPECT_TRUE(profile["process"]["already_running"]);
  EXPECT_EQ(profile["processes"][1]["exit_code"], 0);
  EXPECT_EQ(profile["processes"][1]["start_time"], "2026-01-02T03:04:05.100000Z");
}

TEST(Profile, IsAboutTheCommandThatWasRun) {
  DocumentOptions options = document_options();
  options.target.command = {"curl", "--password=hunter2", "https://localhost/"};
  options.target.command_pid = 4213;
  const json profile = parsed(make_profile_sink, profile_run(), options);
  EXPECT_EQ(profile["process"]["name"], "curl");
  EXPECT_EQ(profile["target"]["command"][1], "--password=REDACTED");
  options.target.command_pid = 0;
  EXPECT_EQ(parsed(make_profile_sink, profile_run(), options)["process"]["name"], "curl");
}

TEST(Profile, OfNobodyIsNothing) {
  const auto sink = make_profile_sink(document_options());
  EXPECT_EQ(document_of(*sink, {samples::trace_start(), samples::trace_end()}), "");
  EXPECT_EQ(document_of(make_profile_summary, {samples::trace_start(), samples::trace_end()}), "");
  const auto other = make_profile_sink(document_options());
  EXPECT_NE(document_of(*other, profile_run()), "");
}

TEST(Profile, SaysWhatItDoesNotKnow) {
  auto process = std::make_shared<ProcessFacts>();
  process->tgid = 77;  // gone before anybody could look
  ApiCall call;
  call.process = process;
  call.function_name = "SSL_new";
  const json profile = parsed(make_profile_sink, {samples::traced(std::move(call), 5)});
  EXPECT_EQ(profile["process"],
            json({{"host_pid", 77}, {"missing", {"pid", "name", "exe", "cmdline", "uid", "gid", "start_time"}}}));
  EXPECT_FALSE(profile["complete"]);
  EXPECT_EQ(profile["incomplete_reasons"], json({"no_end"}));
}

TEST(Profile, IsCompleteOnlyWithoutLoss) {
  EXPECT_TRUE(parsed(make_profile_sink, profile_run())["complete"]);
  std::vector<Record> run = profile_run();
  std::get<TraceEnd>(run.back().body).lost = {{"ring_full", 7, 512}};
  const json profile = parsed(make_profile_sink, run);
  EXPECT_FALSE(profile["complete"]);
  EXPECT_EQ(profile["lost"], json({{"ring_full", {{"events", 7}, {"bytes", 512}}}}));
}

// Handshakes have two ends; a profile is about those that were asked for.
class OnlyNginx final : public ProcessSelection {
 public:
  [[nodiscard]] bool everybody() const override { return false; }
  [[nodiscard]] bool selects(const ProcessFacts& process) const override { return process.comm == "nginx"; }
};

TEST(Profile, TellsHandshakesOfTheirEndOnly) {
  const OnlyNginx selection;
  DocumentOptions options = document_options();
  options.processes = &selection;
  std::vector<Record> run;
  run.push_back(samples::traced(samples::handshake13(), 1));
  const json profile = parsed(make_profile_sink, run, options);
  ASSERT_EQ(profile["tls_handshakes"].size(), 1U);
  EXPECT_EQ(profile["tls_handshakes"][0]["role"], "server");
  EXPECT_EQ(profile["tls_handshakes"][0]["pids"], json({811}));
  EXPECT_EQ(profile["processes"].size(), 1U);
}

TEST(Profile, IsIncompleteOnlyByBlindSpotsThatConcernIt) {
  const auto reasons = [](std::string_view what, std::optional<std::uint64_t> count,
                          const ProcessSelection* selection) {
    DocumentOptions options = document_options();
    options.processes = selection;
    std::vector<Record> run = profile_run();
    run.back() = samples::trace_end({{what, std::uint64_t{3}, count, std::nullopt}});
    const json profile = parsed(make_profile_sink, run, options);
    EXPECT_EQ(profile["complete"], profile["incomplete_reasons"].empty());
    EXPECT_TRUE(profile["not_seen"].contains(what)) << "shown in any case";
    return profile["incomplete_reasons"];
  };
  const OnlyNginx nginx;
  for (const char* what : {"unreadable_processes", "scan_time_limit", "scan_process_limit", "scan_descriptor_limit",
                           "scan_maps_limit", "crypto_libraries_unseen", "crypto_calls_without_begin"}) {
    EXPECT_EQ(reasons(what, 1, &nginx), json({"not_seen"})) << what;
    EXPECT_EQ(reasons(what, 1, nullptr), json({"not_seen"})) << what;
    EXPECT_EQ(reasons(what, std::nullopt, &nginx), json::array()) << what;
  }
  for (const char* what : {"opens_32bit", "io_uring_opens", "unknown_mappings", "opens_without_name"}) {
    EXPECT_EQ(reasons(what, 3, &nginx), json::array()) << what << " of whom?";
    EXPECT_EQ(reasons(what, 3, nullptr), json({"not_seen"})) << what;
  }
  for (const char* what : {"io_uring", "calls_32bit", "unix_sockets", "quic", "undecoded_packets", "zero_copy"})
    EXPECT_EQ(reasons(what, 3, nullptr), json::array()) << what;
}

TEST(Snapshot, TellsNamesOfLibrariesAndUsers) {
  const json snapshot = parsed(make_snapshot_sink, snapshot_run());
  EXPECT_EQ(snapshot["snapshot_version"], "1.0");
  EXPECT_EQ(snapshot["hostname"], "box");
  const json* nginx = find(snapshot["processes"], "name", "nginx");
  ASSERT_NE(nginx, nullptr);
  EXPECT_EQ((*nginx)["libraries"], json({"libcrypto.so.3", "libssl.so.3"}));
  EXPECT_EQ((*nginx)["open_crypto_files"], json({"/etc/nginx/tls/server.pem"}));
  EXPECT_EQ((*nginx)["running_as"], "www-data");
  const json* ssh = find(snapshot["processes"], "name", "ssh");
  ASSERT_NE(ssh, nullptr);
  EXPECT_EQ((*ssh)["running_as"], "uid:1000");
  EXPECT_EQ(find(snapshot["processes"], "name", "cat"), nullptr) << "it uses no cryptography";
  EXPECT_EQ(snapshot["summary"]["total_processes"], 2);
  EXPECT_EQ(snapshot["summary"]["unique_libraries"], 2);
  EXPECT_EQ(snapshot["summary"]["total_files"], 2);
  EXPECT_EQ(snapshot["summary"]["processes_looked_at"], 3);
}

TEST(Snapshot, CountsWhatItCouldNotSee) {
  const json snapshot = parsed(make_snapshot_sink, snapshot_run());
  EXPECT_EQ(snapshot["not_seen"]["unreadable_processes"]["count"], 3);
  EXPECT_FALSE(snapshot["complete"]);
  EXPECT_FALSE(snapshot["truncated"]);
  std::vector<Record> run = snapshot_run();
  run.back() = samples::trace_end({{"scan_time_limit", std::nullopt, 1, std::nullopt}});
  EXPECT_TRUE(parsed(make_snapshot_sink, run)["truncated"]);
}

TEST(UserNames, AreReadFromPasswd) {
  const auto names = parse_user_names(
      "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/false\n"
      "broken\nx:y:notanumber:1\n:x:5:5\nbig:x:99999999999:1\nlast:x:1000:1000");
  EXPECT_EQ(names, (std::map<std::uint32_t, std::string>{{0, "root"}, {33, "www-data"}, {1000, "last"}}));
  EXPECT_TRUE(parse_user_names("").empty());
}

}  // namespace
}  // namespace tracer
