// HTTP/1.x on one connection: two byte streams in, one record per request with its response out.
//
// While the position in both streams is known, the n-th response answers the n-th request. Bytes that are missing
// inside a body of known length, or inside a chunk, are only counted. Anywhere else the stream is *lost* and looks for
// the next message start, carefully, as a false message is worse than a missed one:
//   - A request may start at the first byte of an on_bytes call, if since the last request bytes the server said
//     something that answers no request we know: only then is the client free to speak again.
//   - A response may start at the first byte that the server sends after a request did (by event time). It belongs to
//     the last request that began before it. One try per request.
//   - Its whole head must be flawless.
// From the first loss that may have hidden a message to the end of the connection no pairing is a matter of counting
// any more: no later moment proves that nothing unseen is under way, as a client that always has one request too many
// in flight looks, from then on, like one that waits. So every response paired from there on is listed in the record's
// `inferred`, and it is paired at all only while the client is known to wait for its answers:
//   - It was seen to do so `waits_min` times, before the loss or after it: a request that begins behind the end of the
//     answer to the one before, nothing missing between. Until then requests are reported without their responses
//     ("out_of_sync").
//   - It was never seen to pipeline: two requests in one call, a request that begins before the previous answer ends,
//     or fewer bytes unseen than the answers it would have had. Once it was, everything behind a loss is
//     "out_of_sync".
// What remains is a client that waits `waits_min` times, then pipelines for the first time right at a loss. A stream
// whose beginning was not seen (an on_gap of size 0) is inferred as well, from the start, but nothing was lost there:
// that the client waits is believed until it pipelines.
//
// Not thread-safe. Holds at most 2 x (head_bytes_max + held_bytes_max) bytes and pipeline_depth_max records.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/analyzer.h"
#include "core/analyzers/http/http_framing.h"
#include "core/analyzers/http/http_limits.h"
#include "core/analyzers/http/http_stream.h"

namespace tracer {

class HttpAnalyzer final : public Analyzer {
 public:
  // `client`: the side that sends requests, where it is known. `host` must outlive the analyzer.
  explicit HttpAnalyzer(AnalyzerHost& host, std::optional<Side> client = std::nullopt, const HttpLimits& limits = {});

  void on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) override;
  void on_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) override;
  void on_end(Side from, StreamEnd end, EventTime at) override;
  void on_time(EventTime now) override;

  [[nodiscard]] const HttpCounters& counters() const { return counters_; }

 private:
  struct Exchange {
    std::unique_ptr<Record> record;
    std::uint64_t id = 0;
    RequestMethod method = RequestMethod::other;
    bool request_done = false, response_done = false;
    bool counted = false;           // no request before it can have been hidden
    bool follows_on = false;        // nor between it and the last one that was seen
    bool deduced = false;           // its response was not paired by counting alone
    bool match_by_time = false;     // a response that began before this request is not its answer
    bool response_missed = false;   // its response began unseen
    bool may_leave_http = false;    // CONNECT, or a wish to upgrade
    bool expects_continue = false;  // and no 100 seen yet
    HttpAnomalySet response_anomalies;
    std::uint64_t unseen_bytes = 0;  // of the server's, at most, since this was asked
    std::string_view broken;         // why it can no longer be complete; empty: it can

    [[nodiscard]] HttpTransaction& transaction() const;
  };

  // http_analyzer.cpp: calls in, records out.
  void dispatch_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary);
  void dispatch_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at);
  void dispatch_end(Side from, StreamEnd end);
  void find_client(Side from);
  void client_found(Side client);
  void hold(Side from, const HeldCalls::Call& call, Bytes bytes);
  void release(Side from);
  void hold_overflowed(Side from);
  void expire_held_responses();
  [[nodiscard]] HttpTransaction& spare_transaction();
  Exchange* find(std::uint64_t id);
  void finish_if_done(std::uint64_t id);
  void emit(Exchange exchange);
  void exchange_removed();
  void flush(std::string_view reason);
  void leave_http(std::string_view protocol);
  void request_passed_over(EventTime at);
  [[nodiscard]] bool server_spoke_between(EventTime after, EventTime until);
  [[nodiscard]] bool client_spoke_after(const Exchange& exchange, EventTime until);
  void lose(HttpStream& stream, Side side, std::string_view reason);
  void judge_client(EventTime asked, EventTime answer_begin, std::optional<EventTime> answer_end, bool contiguous);
  [[nodiscard]] bool may_deduce() const;
  [[nodiscard]] bool out_of_sync() const;
  [[nodiscard]] bool deduced(const Exchange& exchange) const { return !exchange.counted || !responses_counted_; }
  void body_begins(HttpStream& stream, Side side, const BodyFraming& framing, std::uint64_t offset,
                   std::size_t bytes_here);
  void chunk_verdict(HttpStream& stream, Side side, std::uint64_t offset);
  [[nodiscard]] Side server() const { return other(*client_); }
  HttpStream& stream(Side side) { return streams_[static_cast<std::size_t>(side)]; }
  HttpStream& requests() { return stream(*client_); }
  HttpStream& responses() { return stream(server()); }

  // http_requests.cpp
  void request_bytes(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary);
  [[nodiscard]] std::size_t request_head(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary);
  void request_accepted(const HeadRead& read, const HeadFacts& facts, std::uint64_t offset, EventTime at,
                        std::size_t bytes_here, const BodyFraming& framing);
  void request_gap(std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at);
  void request_end(StreamEnd end);
  void request_head_broken(std::string_view reason);
  void finish_request(std::uint64_t end_offset, EventTime at);
  void break_request(std::string_view reason);
  [[nodiscard]] bool requests_blocked() const;
  [[nodiscard]] bool refused_expectation();
  [[nodiscard]] bool settle_expectation(Bytes bytes);

  // http_responses.cpp
  void response_bytes(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary);
  [[nodiscard]] std::size_t response_head(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary);
  void response_accepted(Exchange& exchange, const HeadFacts& facts, std::uint64_t body_offset, EventTime at,
                         std::size_t bytes_here);
  void orphan_accepted(const HeadFacts& facts, EventTime at);
  void response_gap(std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at);
  void response_end(StreamEnd end);
  void note_last_byte(std::uint64_t end_offset, EventTime at);
  void response_head_broken(std::string_view reason);
  // `end_seen`: its last byte was not in a gap, so that `at` is when it was moved.
  void finish_response(std::uint64_t end_offset, EventTime at, bool end_seen = true);
  void break_response(std::string_view reason);
  void response_unseen(std::uint64_t size, EventTime at);
  [[nodiscard]] bool response_may_start(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary);
  [[nodiscard]] Exchange* current();  // first without its final response

  AnalyzerHost& host_;
  const HttpLimits limits_;
  HttpCounters counters_;
  std::optional<Side> client_;
  HttpStream streams_[2];
  std::vector<Exchange> exchanges_;  // in the order of the requests; the first is the oldest
  std::unique_ptr<Record> spare_;    // what the next head is parsed into
  std::uint64_t next_id_ = 1;
  std::uint64_t request_in_progress_ = 0;     // id; 0: none, or nobody wants to know its body
  std::uint64_t responses_unseen_bytes_ = 0;  // missed or passed over since the response position was last known
  EventTime responses_unseen_until_;          // known by then
  EventTime responses_skipped_until_;         // last response bytes that were passed over while lost
  EventTime requests_last_at_;
  EventTime requests_skipped_at_;    // first request bytes or gap passed over since the last accepted request
  bool request_may_start_ = false;   // see above; for a lost request stream
  bool may_open_[2] = {true, true};  // while the client is not known: this side may begin a message
  bool orphan_ = false;              // the response head in progress answers no request we know
  bool expiring_ = false;            // held responses will not wait any longer
  // Of the last finished answer, where the request behind it is not known yet.
  struct Answer {
    EventTime begin;
    std::optional<EventTime> end;  // not known when its end was in a gap
  };
  std::optional<Answer> last_answer_;
  std::size_t waits_ = 0;         // times that the client was seen to wait for its answer
  bool requests_counted_ = true;  // no request can have been hidden so far
  bool responses_counted_ = true;
  bool position_lost_ = false;  // a position that had been known, that is
  bool pipelining_ = false;
  bool depth_exceeded_ = false;
  bool left_http_ = false;
};

}  // namespace tracer
