// The server's stream.
#include <algorithm>
#include <utility>

#include "core/analyzers/http/http_analyzer.h"

namespace tracer {

namespace {

bool begins_with(std::string_view field, std::string_view lower_case) {
  const auto same = [](char want, char have) {
    return want == (have >= 'A' && have <= 'Z' ? static_cast<char>(have + ('a' - 'A')) : have);
  };
  return field.size() >= lower_case.size() && std::equal(lower_case.begin(), lower_case.end(), field.begin(), same);
}

std::string_view protocol_after(const HttpMessage& response, RequestMethod method) {
  if (method == RequestMethod::connect && response.status_code != 101) return "tunnel";
  const std::string_view upgrade = response.header("upgrade").value_or("");
  if (begins_with(upgrade, "websocket")) return "websocket";
  if (begins_with(upgrade, "h2c")) return "HTTP/2";
  return "upgraded";
}

}  // namespace

HttpAnalyzer::Exchange* HttpAnalyzer::current() {
  for (Exchange& exchange : exchanges_)
    if (!exchange.response_done) return &exchange;
  return nullptr;
}

void HttpAnalyzer::response_bytes(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary) {
  while (!bytes.empty() && !left_http_) {
    HttpStream& stream = responses();
    std::size_t used = bytes.size();
    if (stream.in_body()) {
      const BodyStep step = read_body(stream, bytes, limits_);
      used = static_cast<std::size_t>(step.used);
      if (step.status == BodyStep::Status::done)
        finish_response(offset + used, at);
      else if (step.status == BodyStep::Status::invalid)
        break_response("invalid_chunk");
      else if (stream.state == HttpStream::State::chunked)
        chunk_verdict(stream, server(), offset + used);
      else if (stream.state == HttpStream::State::until_close)
        note_last_byte(offset + used, at);
    } else if (stream.state == HttpStream::State::head) {
      used = response_head(offset, bytes, at, at_boundary);
      if (used == 0) return;  // held
    } else if (stream.state == HttpStream::State::lost) {
      if (!response_may_start(offset, bytes, at, at_boundary)) return;
      continue;
    } else {
      return;
    }
    offset += used;
    bytes = bytes.subspan(used);
    at_boundary = false;
  }
}

std::size_t HttpAnalyzer::response_head(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary) {
  HttpStream& stream = responses();
  Exchange* exchange = current();
  if (stream.buffer.empty()) {
    if (exchange == nullptr && out_of_sync()) {
      stream.state = HttpStream::State::quiet;
      return bytes.size();
    }
    if (exchange == nullptr) request_may_start_ = true;
    if (exchange == nullptr && !expiring_ && !requests().ended) {
      hold(server(),
           {.kind = HeldCalls::Kind::bytes,
            .offset = offset,
            .size = bytes.size(),
            .at = at,
            .at_boundary = at_boundary},
           bytes);
      return 0;
    }
    orphan_ = exchange == nullptr || (exchange->match_by_time && at < exchange->transaction().request.first_at);
  }
  if (!orphan_ && exchange == nullptr) orphan_ = true;

  HeadFacts facts;
  HttpMessage& response = orphan_ ? spare_transaction().response : exchange->transaction().response;
  const HeadRead read = read_head(stream, HeadKind::response, offset, bytes, at, limits_, response, facts);
  if (read.status == HeadStatus::invalid) response_head_broken(read.reason);
  if (read.status != HeadStatus::complete) return read.used;
  if (stream.candidate && !facts.anomalies.empty()) {
    response_head_broken("no_message_start");
    return bytes.size();
  }
  if (stream.candidate) ++counters_.resynchronised;
  if (!orphan_) exchange->deduced = deduced(*exchange);
  stream.candidate = false;
  responses_unseen_bytes_ = 0;
  const bool interim = facts.status_code < 200 && facts.status_code != 101;
  if (interim) {
    if (!orphan_) {
      HttpTransaction& transaction = exchange->transaction();
      ++transaction.interim_responses;
      if (facts.status_code == 100) exchange->expects_continue = false;
      exchange->response_anomalies.add(facts.anomalies);
    }
    response.clear();
    return read.used;
  }
  ++counters_.responses;
  response.first_offset = read.first_offset;
  response.first_at = read.first_at;
  response.end_offset = offset + read.used;
  response.end_at = at;
  if (orphan_)
    orphan_accepted(facts, at);
  else
    response_accepted(*exchange, facts, offset + read.used, at, bytes.size() - read.used);
  return read.used;
}

void HttpAnalyzer::response_accepted(Exchange& exchange, const HeadFacts& facts, std::uint64_t body_offset,
                                     EventTime at, std::size_t bytes_here) {
  HttpStream& stream = responses();
  const BodyFraming framing = response_framing(facts, exchange.method);
  HttpTransaction& transaction = exchange.transaction();
  exchange.response_anomalies.add(facts.anomalies);
  exchange.response_anomalies.add(framing.anomalies);
  if (facts.status_code == 101 && !exchange.may_leave_http)
    exchange.response_anomalies.add(HttpAnomaly::unsolicited_101);
  if (framing.kind == BodyFraming::Kind::tunnel) {
    const std::string_view protocol = protocol_after(transaction.response, exchange.method);
    transaction.response.body_bytes = 0;
    exchange.response_done = true;
    if (exchange.request_done) finish_if_done(exchange.id);
    return leave_http(protocol);
  }
  body_begins(stream, server(), framing, body_offset, bytes_here);
  if (framing.kind == BodyFraming::Kind::unknown)
    break_response(framing.reason);
  else if (!stream.in_body())
    finish_response(body_offset, at);
}

// A response without its request cannot be framed, unless its status says that nothing follows.
void HttpAnalyzer::orphan_accepted(const HeadFacts& facts, EventTime at) {
  orphan_ = false;
  Exchange exchange;
  exchange.record = std::move(spare_);
  exchange.broken = "no_request";
  HttpTransaction& transaction = exchange.transaction();
  facts.anomalies.append_to(transaction.anomalies);
  const std::uint64_t header_bytes = transaction.response.header_bytes;
  const bool bodyless = facts.status_code == 204 || facts.status_code == 304;
  if (bodyless) transaction.response.body_bytes = 0;
  emit(std::move(exchange));
  if (bodyless) return;
  for (Exchange& each : exchanges_) each.match_by_time = true;
  // A request was hidden. If nothing was lost, then it was sent before anybody watched.
  requests_counted_ = false;
  const bool lost_before = position_lost_;
  lose(responses(), server(), "no_request");
  response_unseen(header_bytes, at);  // an answer it may be, to a request that comes late
  position_lost_ = lost_before;
  responses_skipped_until_ = std::max(responses_skipped_until_, at);
}

void HttpAnalyzer::response_unseen(std::uint64_t size, EventTime at) {
  responses_unseen_bytes_ += size;
  responses_unseen_until_ = std::max(responses_unseen_until_, at);
  for (Exchange& each : exchanges_)
    if (each.transaction().request.first_at <= at) each.unseen_bytes += size;
}

// While lost: may a response begin with these bytes? False: they are dealt with.
bool HttpAnalyzer::response_may_start(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary) {
  HttpStream& stream = responses();
  const HttpStart start = classify_start(bytes);
  const bool likely =
      at_boundary && as_text(bytes).front() == 'H' && start != HttpStart::no && start != HttpStart::request_line;
  constexpr std::uint64_t response_bytes_min = 16;  // "HTTP/1.1 200\r\n\r\n"
  std::uint64_t last_id = 0;
  bool missed = false;
  for (const Exchange& exchange : exchanges_) {
    if (exchange.response_done || at < exchange.transaction().request.first_at) continue;
    last_id = exchange.id;
    missed = exchange.response_missed || client_spoke_after(exchange, at);
  }
  if (last_id == 0) {
    request_may_start_ = request_may_start_ || exchanges_.empty();
    if (likely && exchanges_.empty() && !expiring_ && !requests().ended) {
      hold(server(),
           {.kind = HeldCalls::Kind::bytes,
            .offset = offset,
            .size = bytes.size(),
            .at = at,
            .at_boundary = at_boundary},
           bytes);
    } else {
      responses_skipped_until_ = std::max(responses_skipped_until_, at);
      response_unseen(bytes.size(), at);
    }
    return false;
  }
  const std::string_view reason = stream.lost_reason;
  // A client that waits had the answers to the older requests before it asked the last one.
  std::uint64_t answered = 0;
  for (auto older = exchanges_.rbegin(); older != exchanges_.rend(); ++older) {
    if (older->response_done || older->id >= last_id) continue;
    if (older->unseen_bytes < ++answered * response_bytes_min) pipelining_ = true;
  }
  if (pipelining_) {
    stream.state = HttpStream::State::quiet;
    stream.lost_reason = "out_of_sync";
    while (current() != nullptr) break_response(reason);
    return false;
  }
  // The client would not have asked again before it had its answer: older requests were answered unseen.
  while (!left_http_ && current()->id != last_id) break_response(reason);
  if (left_http_) return false;
  if (missed || !likely) {
    responses_skipped_until_ = std::max(responses_skipped_until_, at);
    response_unseen(bytes.size(), at);
    break_response(reason);
    return false;
  }
  stream.state = HttpStream::State::head;
  stream.candidate = true;
  return true;
}

// Was the call that moved these bytes seen, so that the gap's time is theirs?
static bool moved_in_sight(GapCause cause) {
  switch (cause) {
    case GapCause::zero_copy:
    case GapCause::verdict_skip:
    case GapCause::snap_length:
    case GapCause::filter:
    case GapCause::fault:
      return true;
    default:
      return false;
  }
}

void HttpAnalyzer::response_gap(std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) {
  HttpStream& stream = responses();
  if (stream.in_body()) {
    const BodyStep step = pass_body_gap(stream, size);
    if (step.status == BodyStep::Status::invalid) return break_response("gap_in_chunk_header");
    if (step.status == BodyStep::Status::done)
      finish_response(offset + step.used, at, moved_in_sight(cause));
    else if (stream.state == HttpStream::State::until_close)
      note_last_byte(offset + step.used, at);
    if (step.used < size && !left_http_) response_gap(offset + step.used, size - step.used, cause, at);
    return;
  }
  if (stream.state == HttpStream::State::quiet) return;
  if (exchanges_.empty()) request_may_start_ = true;
  response_unseen(size, at);
  if (stream.state == HttpStream::State::head && !stream.buffer.empty()) return response_head_broken("gap_in_head");
  // The gap hides at least the beginning of what the oldest request waits for.
  if (Exchange* exchange = current(); exchange != nullptr && exchange->transaction().request.first_at <= at)
    exchange->response_missed = true;
  else
    responses_skipped_until_ = std::max(responses_skipped_until_, at);
  for (Exchange& each : exchanges_) each.match_by_time = true;
  lose(stream, server(), "gap_before_head");
}

void HttpAnalyzer::response_head_broken(std::string_view reason) {
  HttpStream& stream = responses();
  if (reason == head_too_large_reason) ++counters_.heads_over_limit;
  const bool orphan = std::exchange(orphan_, false);
  if (orphan) {
    lose(stream, server(), reason);
    return;
  }
  Exchange* exchange = current();
  if (exchange == nullptr) return lose(stream, server(), reason);
  HeadFacts facts;
  HttpMessage& response = exchange->transaction().response;
  exchange->deduced = deduced(*exchange);
  if (stream.candidate || !salvage_head(stream, HeadKind::response, response, facts)) response.clear();
  break_response(reason);
}

// A body that ends with the stream ends, so far, here.
void HttpAnalyzer::note_last_byte(std::uint64_t end_offset, EventTime at) {
  HttpMessage& response = current()->transaction().response;
  response.end_offset = end_offset;
  response.end_at = at;
}

void HttpAnalyzer::finish_response(std::uint64_t end_offset, EventTime at, bool end_seen) {
  HttpStream& stream = responses();
  Exchange* exchange = current();
  if (exchange != nullptr) {
    HttpTransaction& transaction = exchange->transaction();
    transaction.response.end_offset = end_offset;
    transaction.response.end_at = at;
    transaction.response.body_bytes = stream.in_body() ? stream.body_bytes() : 0;
    if (stream.state == HttpStream::State::chunked) exchange->response_anomalies.add(stream.chunks.anomalies());
    exchange->response_done = true;
  }
  stream.state = HttpStream::State::head;
  if (std::exchange(stream.whole_asked, false)) host_.need_normal(server());
  if (exchange == nullptr) return;
  const Answer answer{exchange->transaction().response.first_at, end_seen ? std::optional(at) : std::nullopt};
  if (const Exchange* next = current())
    judge_client(next->transaction().request.first_at, answer.begin, answer.end, next->follows_on);
  else
    last_answer_ = answer;
  finish_if_done(exchange->id);
  if (!requests().held.empty() && !requests_blocked()) release(*client_);
}

void HttpAnalyzer::break_response(std::string_view reason) {
  lose(responses(), server(), reason);
  Exchange* exchange = current();
  if (exchange == nullptr) return;
  if (exchange->broken.empty()) exchange->broken = reason;
  exchange->response_done = true;
  finish_if_done(exchange->id);
  for (Exchange& each : exchanges_) each.match_by_time = true;
  if (!requests().held.empty() && !requests_blocked()) release(*client_);
}

void HttpAnalyzer::response_end(StreamEnd end) {
  HttpStream& stream = responses();
  const bool closed = end == StreamEnd::closed;
  const std::string_view lost_reason =
      stream.state == HttpStream::State::lost ? stream.lost_reason : std::string_view();
  if (stream.state == HttpStream::State::until_close && closed) {
    const HttpMessage& response = current()->transaction().response;
    finish_response(response.end_offset, response.end_at);
  } else if (stream.in_body()) {
    break_response(reason_of(end));
  } else if (stream.state == HttpStream::State::head && !stream.buffer.empty()) {
    response_head_broken(reason_of(end));
  }
  if (left_http_) return;
  while (Exchange* exchange = current()) {
    const bool unseen = exchange->response_missed && !lost_reason.empty();
    break_response(unseen ? lost_reason : closed ? "no_response" : reason_of(end));
  }
  if (!left_http_) stream.state = HttpStream::State::quiet;
}

}  // namespace tracer
