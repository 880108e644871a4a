#include "tests/unit/pipeline/line_analyzer.h"

#include <cstdio>
#include <cstring>

namespace tracer::test {

namespace {

Match classify(Bytes prefix) {
  const std::string_view text = as_text(prefix);
  for (const std::string_view mark : {std::string_view("REQ "), std::string_view("RSP ")}) {
    if (text.size() >= mark.size() && text.starts_with(mark)) return Match::yes;
    if (mark.starts_with(text)) return Match::maybe;
  }
  return Match::no;
}

}  // namespace

AnalyzerEntry line_protocol() {
  return {"LINE", classify,
          [](AnalyzerHost& host, std::optional<Side>) { return std::make_unique<LineAnalyzer>(host); }};
}

std::string request_text(unsigned id, std::size_t body) {
  return "REQ " + std::to_string(id) + " " + std::to_string(body) + "\n" + std::string(body, 'x');
}
std::string response_text(unsigned id, std::size_t body) {
  return "RSP " + std::to_string(id) + " " + std::to_string(body) + "\n" + std::string(body, 'x');
}

HttpTransaction& LineAnalyzer::transaction(unsigned id) {
  auto& record = open_[id];
  if (!record) {
    record = host_.make_record();
    if (!std::holds_alternative<HttpTransaction>(record->body)) record->body = HttpTransaction{};
  }
  return std::get<HttpTransaction>(record->body);
}

void LineAnalyzer::on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) {
  Stream& stream = streams_[static_cast<std::size_t>(from)];
  // After a loss a message starts at the next call that looks like one.
  if (stream.lost && classify(bytes) != Match::yes) return;
  stream.lost = false;
  std::string_view text = as_text(bytes);
  while (!text.empty()) {
    if (stream.in_body) {
      const std::size_t take = std::min<std::uint64_t>(stream.body_left, text.size());
      stream.body_left -= take;
      text.remove_prefix(take);
      offset += take;
      stream.next = offset;
      if (stream.body_left == 0) end_message(stream, at);
      continue;
    }
    if (stream.line.empty()) {
      stream.first_offset = offset;
      stream.first_at = at;
    }
    stream.line += text.front();
    text.remove_prefix(1);
    stream.next = ++offset;
    if (stream.line.back() == '\n') {
      start_line(from, stream, at);
    } else if (stream.line.size() > 40) {
      stream.lost = true;
      stream.line.clear();
      return;
    }
  }
}

void LineAnalyzer::start_line(Side from, Stream& stream, EventTime at) {
  char kind[4] = {};
  unsigned id = 0;
  unsigned long size = 0;
  const int fields = std::sscanf(stream.line.c_str(), "%3s %u %lu", kind, &id, &size);
  const bool request = std::strcmp(kind, "REQ") == 0, response = std::strcmp(kind, "RSP") == 0;
  if (fields != 3 || (!request && !response)) {
    stream.lost = true;
    stream.line.clear();
    return;
  }
  host_.client_is(request ? from : other(from));
  HttpTransaction& it = transaction(id);
  HttpMessage& message = request ? it.request : it.response;
  message.present = true;
  message.text = std::to_string(id);
  message.url = {0, static_cast<std::uint32_t>(message.text.size())};
  message.first_offset = stream.first_offset;
  message.first_at = stream.first_at;
  message.header_bytes = stream.line.size();
  stream.line.clear();
  stream.id = id;
  stream.request = request;
  stream.in_body = true;
  stream.body_left = stream.body_size = size;
  if (size == 0) {
    end_message(stream, at);
  } else {
    host_.skip(from, stream.next + size);
  }
}

void LineAnalyzer::end_message(Stream& stream, EventTime at) {
  stream.in_body = false;
  const auto found = open_.find(stream.id);
  if (found == open_.end()) return;
  HttpTransaction& it = transaction(stream.id);
  HttpMessage& message = stream.request ? it.request : it.response;
  message.end_offset = stream.next;
  message.end_at = at;
  message.body_bytes = stream.body_size;
  if (it.request.end_offset != 0 && it.response.end_offset != 0) emit(stream.id, true);
}

void LineAnalyzer::on_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) {
  (void)cause;
  if (size == 0) return;
  Stream& stream = streams_[static_cast<std::size_t>(from)];
  if (stream.in_body && size <= stream.body_left && offset == stream.next) {
    stream.body_left -= size;
    stream.next += size;
    if (stream.body_left == 0) end_message(stream, at);
    return;
  }
  stream.in_body = false;
  stream.line.clear();
  stream.lost = true;
}

void LineAnalyzer::on_end(Side, StreamEnd end, EventTime) {
  if (end != StreamEnd::closed) {
    while (!open_.empty()) emit(open_.begin()->first, false);
  }
}

void LineAnalyzer::emit(unsigned id, bool complete) {
  auto node = open_.extract(id);
  auto& it = std::get<HttpTransaction>(node.mapped()->body);
  it.complete = complete;
  if (!complete) it.incomplete_reason = "test";
  host_.emit(std::move(node.mapped()));
}

}  // namespace tracer::test
