// A protocol as small as can be, for tests of what is around an analyzer:
//   request  "REQ <id> <body length>\n" body      response "RSP <id> <body length>\n" body
// Bodies are made of 'x'. Emits an HttpTransaction whose url is the id; one that is not whole is incomplete.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/analyzer.h"
#include "core/router.h"

namespace tracer::test {

[[nodiscard]] AnalyzerEntry line_protocol();
[[nodiscard]] std::string request_text(unsigned id, std::size_t body);
[[nodiscard]] std::string response_text(unsigned id, std::size_t body);

class LineAnalyzer final : public Analyzer {
 public:
  explicit LineAnalyzer(AnalyzerHost& host) : host_(host) {}
  void on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) override;
  void on_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) override;
  void on_end(Side from, StreamEnd end, EventTime at) override;
  void on_time(EventTime) override {}

 private:
  struct Stream {
    std::string line;
    std::uint64_t first_offset = 0, body_left = 0, body_size = 0, next = 0;
    EventTime first_at;
    bool lost = false, in_body = false, request = false;
    unsigned id = 0;
  };
  void start_line(Side from, Stream& stream, EventTime at);
  void end_message(Stream& stream, EventTime at);
  void emit(unsigned id, bool complete);
  HttpTransaction& transaction(unsigned id);

  AnalyzerHost& host_;
  Stream streams_[2];
  std::map<unsigned, std::unique_ptr<Record>> open_;
};

}  // namespace tracer::test
