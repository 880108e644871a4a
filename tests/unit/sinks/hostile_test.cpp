// Bytes chosen by an attacker: JSON stays JSON and loses nothing, and a terminal is never spoken to.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/sinks/json_sink.h"
#include "core/sinks/json_text.h"
#include "core/sinks/terminal_text.h"
#include "core/sinks/text_sink.h"
#include "core/sinks/utf8.h"
#include "tests/unit/sinks/sample_records.h"

namespace tracer {
namespace {

using nlohmann::json;
using namespace std::string_literals;

std::string written(const std::unique_ptr<Sink>& sink, const Record& record) {
  std::string out;
  sink->write(record, out);
  return out;
}

json as_json(const Record& record, bool redact = true) {
  return json::parse(written(make_json_sink({.run_id = "r", .redact = redact}), record));
}

std::string from_base64(const std::string& text) {
  static const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned group = 0, bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    group = group << 6 | static_cast<unsigned>(alphabet.find(c));
    bits += 6;
    if (bits >= 8) bytes.push_back(static_cast<char>(group >> (bits -= 8) & 0xff));
  }
  return bytes;
}

std::string terminal(std::string_view text) {
  std::string out;
  {
    LineBuffer line(out);
    put_terminal_text(line, text);
  }
  return out;
}

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts = {"\x1b[2J\x1b]0;owned\x07"s,
                                                 "a\0b"s,
                                                 "line\r\nbreak\ttab\b\f"s,
                                                 "\xe2\x80\xae"
                                                 "gnp.exe"s,
                                                 "\xd8\x9c\xe2\x81\xa6x\xe2\x80\x8f"s,
                                                 "\xff\xfe\xc0\xaf"s,
                                                 "\xed\xa0\x80"s,
                                                 "\xf4\x90\x80\x80"s,
                                                 "cut \xe2\x82"s,
                                                 "quote\" back\\slash"s,
                                                 "\x7f\xc2\x9b"
                                                 "31m"s,
                                                 "\xf3\xa0\x81\x81tag"s,
                                                 std::string(65536, 'h'),
                                                 std::string(65536, '\xff')};
  return texts;
}

TEST(Hostile, JsonRoundTrips) {
  for (const std::string& text : hostile_texts()) {
    Record record = samples::http(samples::request("GET", text, {{"X-Data", text}, {text, "v"}}),
                                  samples::response(200, text, {{"Content-Type", text}}));
    const json out = as_json(record, false);
    const auto original = [&](const json& object, const std::string& name) {
      const json& base64 = object.contains(name + "_base64") ? object[name + "_base64"] : json();
      return base64.is_null() ? object[name].get<std::string>() : from_base64(base64.get<std::string>());
    };
    EXPECT_EQ(original(out["request"], "url"), text);
    EXPECT_EQ(original(out["response"], "status_text"), text);
    EXPECT_EQ(original(out["response"], "content_type"), text);
    const json& request = out["request"];
    if (request.contains("headers_base64")) {
      EXPECT_EQ(request["headers_base64"][0][0], 0);
      EXPECT_EQ(from_base64(request["headers_base64"][0][1].get<std::string>()), "X-Data");
      EXPECT_EQ(from_base64(request["headers_base64"][0][2].get<std::string>()), text);
      EXPECT_EQ(from_base64(request["headers_base64"][1][1].get<std::string>()), text);
    } else {
      EXPECT_EQ(request["headers"][0][1].get<std::string>(), text);
      EXPECT_EQ(request["headers"][1][0].get<std::string>(), text);
    }
  }
}

TEST(Hostile, Base64StandsBesideOnlyWhatIsNotUtf8) {
  const json fine = as_json(samples::http(samples::request("GET", "/\xc3\xa4", {}), samples::response(200, "OK", {})));
  EXPECT_FALSE(fine["request"].contains("url_base64"));
  EXPECT_EQ(fine["request"]["url"], "/\xc3\xa4");
  const json broken = as_json(samples::http(samples::request("GET", "/\xc3(", {}), samples::response(200, "OK", {})));
  EXPECT_EQ(broken["request"]["url"], "/\xef\xbf\xbd(");
  EXPECT_EQ(from_base64(broken["request"]["url_base64"].get<std::string>()), "/\xc3(");
}

// Nothing that a terminal acts on: only the sink's own line end.
void expect_harmless(std::string_view line) {
  ASSERT_TRUE(line.ends_with('\n'));
  line.remove_suffix(1);
  while (!line.empty()) {
    const CodePoint c = decode_utf8(line);
    ASSERT_TRUE(c.valid);
    ASSERT_FALSE(is_deceptive(c.value)) << std::hex << static_cast<unsigned>(c.value);
    line.remove_prefix(c.size);
  }
}

TEST(Hostile, OutputIsHarmless) {
  for (const std::string& text : hostile_texts()) {
    Record record = samples::http(samples::request(text, "/" + text, {{"Host", text}, {text, text}}),
                                  samples::response(200, text, {}));
    auto& t = std::get<HttpTransaction>(record.body);
    t.flow.client.process = samples::process(1, text, text);
    expect_harmless(written(make_text_sink({.run_id = "r"}), record));
    expect_harmless(written(make_json_sink({.run_id = "r"}), record));
  }
}

TEST(Hostile, TerminalText) {
  EXPECT_EQ(terminal("\x1b[31m\0"s), "\\x1b[31m\\x00");
  EXPECT_EQ(terminal("\xe2\x80\xae"), "\\u{202e}");
  EXPECT_EQ(terminal("\xc2\x9b"), "\\u{9b}");
  EXPECT_EQ(terminal("a\xff\\"), "a\\xff\\\\");
  EXPECT_EQ(terminal("gr\xc3\xbc\xc3\x9f dich"), "gr\xc3\xbc\xc3\x9f dich");
}

TEST(Hostile, RandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = random() % 3 == 0 ? "%=&;@:/?#\"\\ token"[random() % 17] : static_cast<char>(random());
    const Record record =
        samples::http(samples::request("GET", text, {{"X", text}, {"Cookie", text}, {"Referer", text}}),
                      samples::response(302, text, {{"Location", text}, {"Set-Cookie", text}}));
    const std::string line = written(make_json_sink({.run_id = "r"}), record);
    ASSERT_TRUE(json::accept(line)) << line;
    expect_harmless(line);
    expect_harmless(written(make_text_sink({.run_id = "r"}), record));
  }
}

TEST(Utf8, AgreesWithTheLibrary) {
  std::mt19937 random(2);
  for (int round = 0; round < 200000; ++round) {
    std::string text(1 + random() % 5, '\0');
    for (char& c : text) c = random() % 4 == 0 ? 'a' : static_cast<char>(0x80 | random());
    std::string out;
    bool valid;
    {
      LineBuffer line(out);
      valid = put_json_string(line, text);
    }
    ASSERT_EQ(valid, json::accept('"' + text + '"')) << testing::PrintToString(text);
    ASSERT_TRUE(json::accept(out));
  }
}

TEST(Times, Rfc3339) {
  TimestampWriter writer;
  const auto text = [&](std::int64_t ns) {
    std::string out;
    {
      LineBuffer line(out);
      writer.put(line, {ns});
    }
    return out;
  };
  EXPECT_EQ(text(samples::noon_ns), "\"2026-01-02T03:04:05.678901Z\"");
  EXPECT_EQ(text(samples::noon_ns + 1'000), "\"2026-01-02T03:04:05.678902Z\"");
  EXPECT_EQ(text(0), "\"1970-01-01T00:00:00.000000Z\"");
  EXPECT_EQ(text(-1), "\"1969-12-31T23:59:59.999999Z\"");
  EXPECT_EQ(text(951'782'399'999'999'999), "\"2000-02-28T23:59:59.999999Z\"");
}

}  // namespace
}  // namespace tracer
