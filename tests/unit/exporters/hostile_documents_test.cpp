// Documents of records that somebody else chose the words of.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/sinks/json_document.h"
#include "core/sinks/utf8.h"
#include "tests/unit/exporters/document_test_tools.h"

namespace tracer {
namespace {

using nlohmann::json;
using samples::document_of;
using samples::document_options;

constexpr std::string_view hostile_texts[] = {
    "\x1b[2Jcleared",       "line\nbreak\r\n",        "bidi \xe2\x80\xaegnp.exe", "not \xff\xfe UTF-8",
    "quote\" backslash\\ ", "\xed\xa0\x80 surrogate", "zero\xe2\x80\x8bwidth",    "</script><!--",
};

// Every text of every record is one that a process, a file or a peer chose.
std::vector<Record> hostile_run(std::string_view text) {
  const std::string path = "/tmp/" + std::string(text);
  auto process = samples::crypto_process(66, std::string(text), path);
  process->container_id = text;
  std::vector<Record> run{samples::trace_start()};
  std::get<TraceStart>(run[0].body).host = text;
  run.push_back(samples::exec(process, {std::string(text), path}, true));
  run.push_back(samples::traced(samples::library(process, path, std::string(text)), 1));
  FileOpen file = samples::key_file(process);
  file.file = file.finding.path = path;
  file.finding.assets[0].public_key_sha256.clear();
  file.finding.assets[0].evidence.detail = text;
  file.finding.assets.push_back(samples::certificate_file(process).finding.assets[0]);
  file.finding.assets[1].certificate->subject = text;
  file.finding.assets[1].certificate->names = {std::string(text)};
  run.push_back(samples::traced(std::move(file), 2));
  TlsHandshake handshake = samples::handshake12();
  handshake.sni = handshake.alpn = text;
  handshake.flow.server.process = process;
  run.push_back(samples::traced(std::move(handshake), 3));
  ApiCall call;
  call.process = process;
  call.function_name = "EVP_MD_fetch";
  call.library = path;
  call.argument = text;
  run.push_back(samples::traced(std::move(call), 4));
  run.push_back(samples::trace_end());
  return run;
}

bool is_clean(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (!c.valid || (is_deceptive(c.value) && c.value != '\n')) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

std::unique_ptr<DocumentSink> make_profile_summary(DocumentOptions options) {
  return make_summary_sink(SummaryOf::profile, std::move(options));
}
std::unique_ptr<DocumentSink> make_snapshot_summary(DocumentOptions options) {
  return make_summary_sink(SummaryOf::snapshot, std::move(options));
}

TEST(HostileDocuments, StayJsonAndActOnNoTerminal) {
  for (const std::string_view text : hostile_texts) {
    for (const samples::MakeDocument make : {make_profile_sink, make_snapshot_sink, make_cyclonedx_sink}) {
      const std::string document = document_of(make, hostile_run(text));
      EXPECT_TRUE(json::accept(document)) << text;
      EXPECT_TRUE(is_clean(document)) << text;
    }
    for (const samples::MakeDocument make : {make_profile_summary, make_snapshot_summary}) {
      const std::string summary = document_of(make, hostile_run(text));
      EXPECT_TRUE(is_clean(summary)) << text;
      // No line begins with words of others.
      EXPECT_EQ(summary.find("\nbreak"), std::string::npos);
    }
  }
}

TEST(HostileDocuments, BytesThatAreNoTextAreKeptBeside) {
  const json profile = json::parse(document_of(make_profile_sink, hostile_run("not \xff\xfe UTF-8")));
  EXPECT_EQ(profile["files_accessed"][0]["path"], "/tmp/not \xef\xbf\xbd\xef\xbf\xbd UTF-8");
  EXPECT_EQ(profile["files_accessed"][0]["path_base64"], "L3RtcC9ub3Qg//4gVVRGLTg=");
}

TEST(HostileDocuments, ReferencesAreAsciiAndDifferWhereBytesDiffer) {
  std::vector<Record> run;
  for (const char* path : {"/tmp/\xff", "/tmp/\xfe", "/tmp/%FF", "/tmp/a b", "/tmp/a#2"}) {
    FileOpen file = samples::key_file(samples::nginx());
    file.file = file.finding.path = path;
    file.finding.assets[0].public_key_sha256.clear();
    run.push_back(samples::traced(std::move(file), 1));
  }
  const json bom = json::parse(document_of(make_cyclonedx_sink, run));
  std::vector<std::string> refs;
  for (const json& each : bom["components"])
    if (each["bom-ref"].get<std::string>().starts_with("key:")) refs.push_back(each["bom-ref"]);
  EXPECT_EQ(refs, (std::vector<std::string>{"key:private:/tmp/%25FF", "key:private:/tmp/%FE", "key:private:/tmp/%FF",
                                            "key:private:/tmp/a%20b", "key:private:/tmp/a%232"}));
}

// ---- streams as one document ----

std::string stream_of(Sink& sink, const std::vector<Record>& records) {
  std::string out;
  for (const Record& record : records) sink.write(record, out);
  sink.finish(out);
  return out;
}

TEST(JsonDocument, IsAnArrayOfWhatTheStreamHolds) {
  for (const auto& make : {make_json_array_sink, make_json_pretty_sink}) {
    const json list = json::parse(stream_of(*make({.run_id = "r"}), samples::profile_run()));
    ASSERT_EQ(list.size(), samples::profile_run().size());
    EXPECT_EQ(list.front()["event_type"], "trace_start");
    EXPECT_EQ(list.back()["event_type"], "trace_end");
    EXPECT_EQ(list[0]["run_id"], "r");
  }
  const std::string array = stream_of(*make_json_array_sink({.run_id = "r"}), samples::profile_run());
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(array, '\n')), samples::profile_run().size() + 2);
  EXPECT_EQ(json::parse(array),
            json::parse(stream_of(*make_json_pretty_sink({.run_id = "r"}), samples::profile_run())));
}

TEST(JsonDocument, OfNothingIsAnEmptyArray) {
  for (const auto& make : {make_json_array_sink, make_json_pretty_sink}) EXPECT_EQ(stream_of(*make({}), {}), "[]\n");
}

TEST(JsonDocument, OfHostileWordsIsJson) {
  for (const std::string_view text : hostile_texts)
    for (const auto& make : {make_json_array_sink, make_json_pretty_sink}) {
      const std::string out = stream_of(*make({.run_id = "r"}), hostile_run(text));
      EXPECT_TRUE(json::accept(out)) << text;
      EXPECT_TRUE(is_clean(out)) << text;
    }
}

TEST(JsonDocument, IndentsByTokensAndNotInStrings) {
  std::string out;
  put_indented_json(R"({"a":[1,{"b":"x{,:\"]"}],"c":{},"d":[]})", 0, out);
  EXPECT_EQ(out, "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x{,:\\\"]\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}");
  for (const char* broken : {"", "}", "]]]", "\"", "\"\\", "{\"a\":"}) {
    out.clear();
    put_indented_json(broken, 0, out);  // nothing but terminates
  }
}

}  // namespace
}  // namespace tracer
