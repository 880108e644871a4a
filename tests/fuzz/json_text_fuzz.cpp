// Whatever was captured: a JSON line stays one line of valid JSON, a text line stays one harmless line, and a secret
// in a place that is known to hold one does not come out.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/records/redaction.h"
#include "core/sinks/json_sink.h"
#include "core/sinks/text_sink.h"
#include "core/sinks/utf8.h"

namespace {

using namespace tracer;

void require(bool truth) {
  if (!truth) std::abort();
}

TextSlice add(HttpMessage& message, std::string_view text) {
  const TextSlice slice{static_cast<std::uint32_t>(message.text.size()), static_cast<std::uint32_t>(text.size())};
  message.text.append(text);
  return slice;
}

HttpMessage message_of(std::string_view text, std::string_view name) {
  HttpMessage message;
  message.present = true;
  message.method = add(message, text.substr(0, 5));
  message.url = add(message, text);
  message.status_text = message.url;
  message.version = add(message, "HTTP/1.1");
  message.status_code = 200;
  for (const std::string_view known : {"Host", "Referer", "Cookie", "Set-Cookie", "Authorization", "Link", "Location"})
    message.headers.push_back({add(message, known), message.url});
  message.headers.push_back({add(message, name), message.url});
  return message;
}

void require_harmless(std::string_view line) {
  require(line.ends_with('\n'));
  line.remove_suffix(1);
  while (!line.empty()) {
    const CodePoint c = decode_utf8(line);
    require(c.valid && !is_deceptive(c.value));
    line.remove_prefix(c.size);
  }
}

// Each place where the rules promise that nothing of a value is seen. The value holds none of what ends it.
void require_hidden(std::string_view prefix, std::string_view around) {
  constexpr std::string_view secret = "S3cr3tHunter2";
  const std::string start = std::string("/") + std::string(prefix.substr(0, prefix.find_first_of("&#")));
  const std::string url = start + "&token=" + std::string(secret) + '#' + std::string(around);
  std::string out;
  require(redact_url(url, out));
  require(out.find(secret) == std::string::npos);
  out.clear();
  require(redact_header(HeaderClass::cookie, "a=" + std::string(secret) + ';' + std::string(around), out));
  require(out.find(secret) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t half = size / 2;
  const std::string_view text = input.substr(0, half), name = input.substr(half);

  Record record;
  HttpTransaction t;
  t.request = message_of(text, name);
  t.response = message_of(name, text);
  auto process = std::make_shared<ProcessFacts>();
  process->comm = name;
  process->executable = text;
  t.flow.client.process = process;
  record.body = std::move(t);

  for (const bool redact : {true, false}) {
    std::string out;
    make_json_sink({.run_id = "r", .redact = redact})->write(record, out);
    require(nlohmann::json::accept(out));
    require_harmless(out);
    out.clear();
    make_text_sink({.run_id = "r", .redact = redact})->write(record, out);
    require_harmless(out);
  }
  std::string out;
  for (const std::string_view each : {text, name}) {
    (void)redact_message(each, out);
    (void)redact_path(each, out);
    (void)redact_argument(text, each, out);
  }
  require_hidden(text, name);
  return 0;
}
