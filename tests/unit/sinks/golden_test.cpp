// A whole run, byte for byte. To accept a change on purpose: TRACER_UPDATE_GOLDEN=1, then review the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/sinks/json_sink.h"
#include "core/sinks/text_sink.h"
#include "tests/unit/sinks/sample_records.h"

namespace tracer {
namespace {

std::string written(Sink& sink) {
  std::string out;
  for (const Record& record : samples::run()) sink.write(record, out);
  return out;
}

void expect_golden(const std::string& name, const std::string& got) {
  const std::string path = std::string(TRACER_SOURCE_DIR "/tests/golden/records/") + name;
  if (std::getenv("TRACER_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << got;
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  std::stringstream wanted;
  wanted << file.rdbuf();
  EXPECT_EQ(got, wanted.str()) << path;
}

TEST(Golden, JsonStream) {
  const auto sink = make_json_sink({.run_id = "run-1"});
  expect_golden("run.ndjson", written(*sink));
}

TEST(Golden, Text) {
  const auto sink = make_text_sink({.run_id = "run-1", .utc_offset_seconds = 2 * 3600});
  expect_golden("run.txt", written(*sink));
}

TEST(Golden, TextInColour) {
  const auto sink = make_text_sink({.run_id = "run-1", .colour = true});
  expect_golden("run_colour.txt", written(*sink));
}

TEST(Sinks, AppendAndReuse) {
  for (const auto& sink : {make_json_sink({.run_id = "r"}), make_text_sink({.run_id = "r"})}) {
    std::string out = "before\n";
    sink->write(samples::typical_http(), out);
    const std::string once = out.substr(7);
    EXPECT_TRUE(out.starts_with("before\n"));
    sink->write(samples::typical_http(), out);
    EXPECT_EQ(out, "before\n" + once + once);
  }
}

TEST(Sinks, SteadyStateKeepsTheBuffer) {
  const auto sink = make_json_sink({.run_id = "r"});
  const Record record = samples::typical_http();
  std::string out;
  sink->write(record, out);
  const char* const data = out.data();
  for (int i = 0; i < 100; ++i) {
    out.clear();
    sink->write(record, out);
  }
  EXPECT_EQ(out.data(), data);
}

}  // namespace
}  // namespace tracer
