// Conversations in, records out as text: `GET /a HTTP/1.1 {40+0} -> HTTP/1.1 200 OK {38+5}`, where {h+b} are header and
// body bytes and ? is an unknown size; then what is wrong, if anything.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analyzers/http/http_analyzer.h"

namespace tracer::test {

inline std::string describe(const HttpMessage& message, bool request) {
  if (!message.present) return "-";
  std::string text;
  const auto add = [&](TextSlice slice) { text.append(message.view(slice)).push_back(' '); };
  if (request) add(message.method), add(message.url);
  add(message.version);
  if (!request) {
    text += std::to_string(message.status_code) + " ";
    if (message.status_text.size != 0) add(message.status_text);
  }
  text += "{" + std::to_string(message.header_bytes) + "+";
  return text + (message.body_bytes ? std::to_string(*message.body_bytes) : "?") + "}";
}

inline std::string describe(const Record& record) {
  const auto& transaction = std::get<HttpTransaction>(record.body);
  std::string text = describe(transaction.request, true) + " -> " + describe(transaction.response, false);
  if (transaction.interim_responses != 0) text += " interim=" + std::to_string(transaction.interim_responses);
  for (std::string_view anomaly : transaction.anomalies) text.append(" !").append(anomaly);
  if (!transaction.complete) text.append(" incomplete: ").append(transaction.incomplete_reason);
  return text;
}

// Every header, offset and time too: for records that must be the same to the last detail.
inline std::string describe_all(const Record& record, bool with_times) {
  const auto& transaction = std::get<HttpTransaction>(record.body);
  std::string text = describe(record);
  for (const HttpMessage* message : {&transaction.request, &transaction.response}) {
    text += "\n ";
    for (const HttpHeader& header : message->headers)
      text.append(" [").append(message->view(header.name)).append("=").append(message->view(header.value)).append("]");
    text += " @" + std::to_string(message->first_offset) + "-" + std::to_string(message->end_offset);
    if (with_times) text += " t" + std::to_string(message->first_at.ns) + "-" + std::to_string(message->end_at.ns);
  }
  for (std::string_view name : record.missing) text.append(" missing:").append(name);
  return text;
}

class FakeHost final : public AnalyzerHost {
 public:
  void emit(std::unique_ptr<Record> record) override {
    lines.push_back(describe(*record));
    full_lines.push_back(describe_all(*record, with_times));
    inferred.push_back(!record->inferred.empty());
    last = std::get<HttpTransaction>(record->body);
    missing = record->missing;
    record->missing.clear();  // what the pool does
    record->inferred.clear();
    if (pool_records) pool.push_back(std::move(record));
  }
  std::unique_ptr<Record> make_record() override {
    if (pool.empty()) return std::make_unique<Record>();
    std::unique_ptr<Record> record = std::move(pool.back());
    pool.pop_back();
    return record;
  }
  void skip(Side from, std::uint64_t until) override { hints.push_back(name(from) + " skip " + std::to_string(until)); }
  void need_whole(Side from) override { hints.push_back(name(from) + " whole"); }
  void need_normal(Side from) override { hints.push_back(name(from) + " normal"); }
  void lose_interest(std::string_view protocol) override { left_for = protocol; }
  void client_is(Side side) override { client = side; }

  static std::string name(Side side) { return side == Side::a ? "a" : "b"; }

  std::vector<std::string> lines, full_lines, hints;
  std::vector<std::string_view> missing;
  std::vector<bool> inferred;  // per line
  std::vector<std::unique_ptr<Record>> pool;
  HttpTransaction last;
  std::string left_for;
  std::optional<Side> client;
  bool with_times = false;
  bool pool_records = true;
};

// Client is side a. Each step is a millisecond after the one before.
class Conversation {
 public:
  explicit Conversation(std::optional<Side> client = std::nullopt, const HttpLimits& limits = {})
      : analyzer(host, client, limits) {}

  Conversation& client(std::string_view text) { return say(Side::a, text); }
  Conversation& server(std::string_view text) { return say(Side::b, text); }
  Conversation& client_gap(std::uint64_t size) { return gap(Side::a, size); }
  Conversation& server_gap(std::uint64_t size) { return gap(Side::b, size); }
  Conversation& client_end(StreamEnd end = StreamEnd::closed) { return finish(Side::a, end); }
  Conversation& server_end(StreamEnd end = StreamEnd::closed) { return finish(Side::b, end); }
  Conversation& close() { return client_end().server_end(); }
  Conversation& wait(std::uint64_t ms) {
    now.ns += ms * 1'000'000;
    analyzer.on_time(now);
    return *this;
  }
  Conversation& say(Side side, std::string_view text) {
    wait(1);
    analyzer.on_bytes(side, offset(side), as_bytes(text), now);
    offset(side) += text.size();
    return *this;
  }
  Conversation& say_bytewise(Side side, std::string_view text) {
    for (const char& c : text) say(side, std::string_view(&c, 1));
    return *this;
  }
  Conversation& gap(Side side, std::uint64_t size) {
    wait(1);
    analyzer.on_gap(side, offset(side), size, GapCause::ring_full, now);
    offset(side) += size;
    return *this;
  }
  Conversation& finish(Side side, StreamEnd end) {
    wait(1);
    analyzer.on_end(side, end, now);
    return *this;
  }
  std::uint64_t& offset(Side side) { return offsets[static_cast<std::size_t>(side)]; }

  FakeHost host;
  HttpAnalyzer analyzer;
  EventTime now{1'000'000'000};
  std::uint64_t offsets[2] = {1000, 5000};
};

}  // namespace tracer::test
