// The client's stream.
#include <algorithm>
#include <utility>

#include "core/analyzers/http/http_analyzer.h"

namespace tracer {

void HttpAnalyzer::request_bytes(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary) {
  const EventTime last_at = std::exchange(requests_last_at_, at);
  while (!bytes.empty() && !left_http_) {
    HttpStream& stream = requests();
    std::size_t used = bytes.size();
    if (requests_blocked()) {
      hold(*client_,
           {.kind = HeldCalls::Kind::bytes,
            .offset = offset,
            .size = bytes.size(),
            .at = at,
            .at_boundary = at_boundary},
           bytes);
      return;
    }
    if (stream.in_body()) {
      if (at_boundary && refused_expectation() && !settle_expectation(bytes)) continue;
      const BodyStep step = read_body(stream, bytes, limits_);
      used = static_cast<std::size_t>(step.used);
      if (step.status == BodyStep::Status::done)
        finish_request(offset + used, at);
      else if (step.status == BodyStep::Status::invalid)
        break_request("invalid_chunk");
      else
        chunk_verdict(stream, *client_, offset + used);
    } else if (stream.state == HttpStream::State::head) {
      used = request_head(offset, bytes, at, at_boundary);
    } else if (stream.state == HttpStream::State::lost) {
      const bool may_start = std::exchange(request_may_start_, false);
      const bool allowed = responses().held.empty() ? may_start : server_spoke_between(last_at, at);
      if (!allowed || !at_boundary || !begins_with_known_method(bytes)) return request_passed_over(at);
      stream.state = HttpStream::State::head;
      stream.candidate = true;
      continue;
    } else {
      return;
    }
    offset += used;
    bytes = bytes.subspan(used);
    at_boundary = false;
  }
}

std::size_t HttpAnalyzer::request_head(std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary) {
  HttpStream& stream = requests();
  if (stream.buffer.empty()) stream.head_at_boundary = at_boundary;
  HeadFacts facts;
  const HeadRead read =
      read_head(stream, HeadKind::request, offset, bytes, at, limits_, spare_transaction().request, facts);
  if (read.status == HeadStatus::complete) {
    if (stream.candidate && !facts.anomalies.empty()) {
      lose(stream, *client_, "no_message_start");
      return bytes.size();
    }
    request_accepted(read, facts, offset + read.used, at, bytes.size() - read.used, request_framing(facts));
  } else if (read.status == HeadStatus::invalid) {
    if (read.reason == http2_preface_reason)
      leave_http("HTTP/2");
    else
      request_head_broken(read.reason);
  }
  return read.used;
}

void HttpAnalyzer::request_accepted(const HeadRead& read, const HeadFacts& facts, std::uint64_t body_offset,
                                    EventTime at, std::size_t bytes_here, const BodyFraming& framing) {
  HttpStream& stream = requests();
  const bool first = counters_.requests++ == 0;
  if (stream.candidate) ++counters_.resynchronised;
  if (!first && !stream.head_at_boundary) pipelining_ = true;
  if (const std::optional<Answer> answer = std::exchange(last_answer_, std::nullopt))
    judge_client(read.first_at, answer->begin, answer->end, !stream.candidate);
  if (!out_of_sync() && exchanges_.size() >= limits_.pipeline_depth_max) {
    ++counters_.pipeline_over_limit;
    depth_exceeded_ = true;
  }

  Exchange exchange;
  exchange.record = std::move(spare_);
  exchange.id = next_id_++;
  exchange.method = facts.method;
  exchange.counted = requests_counted_;
  exchange.follows_on = !stream.candidate;
  exchange.match_by_time = first || stream.candidate || responses().state == HttpStream::State::lost;
  exchange.response_missed = responses().state == HttpStream::State::lost && responses_skipped_until_ >= read.first_at;
  if (responses_unseen_until_ >= read.first_at) exchange.unseen_bytes = responses_unseen_bytes_;
  exchange.may_leave_http = facts.method == RequestMethod::connect || (facts.upgrade && facts.connection_upgrade);
  exchange.expects_continue = facts.expects_continue && facts.version_minor != 0;
  HttpTransaction& transaction = exchange.transaction();
  HttpMessage& request = transaction.request;
  request.first_offset = read.first_offset;
  request.first_at = read.first_at;
  request.end_offset = body_offset;
  request.end_at = at;
  HttpAnomalySet anomalies = facts.anomalies;
  anomalies.add(framing.anomalies);
  anomalies.append_to(transaction.anomalies);

  stream.candidate = false;
  request_may_start_ = false;
  requests_skipped_at_ = {};
  if (out_of_sync()) {
    // The position in this stream is known, but not which response answers it.
    exchange.broken = "out_of_sync";
    if (framing.kind == BodyFraming::Kind::none) request.body_bytes = 0;
    emit(std::move(exchange));
    request_in_progress_ = 0;
  } else {
    request_in_progress_ = exchange.id;
    if (responses().ended) {
      exchange.broken = "no_response";
      exchange.response_done = true;
    }
    exchanges_.push_back(std::move(exchange));
  }

  body_begins(stream, *client_, framing, body_offset, bytes_here);
  if (framing.kind == BodyFraming::Kind::unknown)
    break_request(framing.reason);
  else if (!stream.in_body())
    finish_request(body_offset, at);
  // Answers that came first have waited for this.
  if (!responses().held.empty()) release(server());
}

// CONNECT and Upgrade: what the client says next has a meaning only after the response.
bool HttpAnalyzer::requests_blocked() const {
  if (exchanges_.empty()) return false;
  const Exchange& last = exchanges_.back();
  return last.may_leave_http && last.request_done && !last.response_done;
}

void HttpAnalyzer::request_gap(std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) {
  HttpStream& stream = requests();
  if (requests_blocked())
    return hold(*client_, {.kind = HeldCalls::Kind::gap, .offset = offset, .size = size, .at = at, .cause = cause}, {});
  if (stream.in_body()) {
    const BodyStep step = pass_body_gap(stream, size);
    if (step.status == BodyStep::Status::invalid) return break_request("gap_in_chunk_header");
    if (step.status == BodyStep::Status::done) finish_request(offset + step.used, at);
    if (step.used < size && !left_http_) request_gap(offset + step.used, size - step.used, cause, at);
    return;
  }
  request_passed_over(at);
  if (stream.state != HttpStream::State::head) return;
  if (!stream.buffer.empty()) return request_head_broken("gap_in_head");
  lose(stream, *client_, "gap_before_head");
}

// A head that will never be whole. Its start line is enough to know that there was a request, and to frame the answer.
void HttpAnalyzer::request_head_broken(std::string_view reason) {
  HttpStream& stream = requests();
  if (reason == head_too_large_reason) ++counters_.heads_over_limit;
  HeadFacts facts;
  HttpMessage& request = spare_transaction().request;
  if (!stream.candidate && salvage_head(stream, HeadKind::request, request, facts)) {
    const HeadRead read{HeadStatus::complete, 0, request.first_offset, request.first_at, {}};
    const BodyFraming framing{.kind = BodyFraming::Kind::unknown, .length = 0, .reason = reason, .anomalies = {}};
    return request_accepted(read, facts, request.end_offset, request.end_at, 0, framing);
  }
  lose(stream, *client_, reason);
}

void HttpAnalyzer::request_passed_over(EventTime at) {
  if (requests_skipped_at_ == EventTime{}) requests_skipped_at_ = at;
}

// For a request stream that comes late: what is held of the server's answers no request we know. Was any of it said
// between these two moments?
bool HttpAnalyzer::server_spoke_between(EventTime after, EventTime until) {
  const std::vector<HeldCalls::Call>& said = responses().held.calls;
  const auto first = std::upper_bound(said.begin(), said.end(), after,
                                      [](EventTime at, const HeldCalls::Call& call) { return at < call.at; });
  return first != said.end() && first->kind != HeldCalls::Kind::end && first->at <= until;
}

// Has the client said something behind this, its last known, request that we could not place, or not yet?
bool HttpAnalyzer::client_spoke_after(const Exchange& exchange, EventTime until) {
  if (exchange.id != exchanges_.back().id) return false;
  const HttpStream& stream = requests();
  const bool in_next_head =
      stream.state == HttpStream::State::head && !stream.buffer.empty() && stream.buffer_at <= until;
  return in_next_head || (requests_skipped_at_ != EventTime{} && requests_skipped_at_ <= until);
}

void HttpAnalyzer::finish_request(std::uint64_t end_offset, EventTime at) {
  HttpStream& stream = requests();
  const std::uint64_t body_bytes = stream.in_body() ? stream.body_bytes() : 0;
  const std::uint64_t id = std::exchange(request_in_progress_, 0);
  if (Exchange* exchange = find(id)) {
    HttpTransaction& transaction = exchange->transaction();
    transaction.request.end_offset = end_offset;
    transaction.request.end_at = at;
    transaction.request.body_bytes = body_bytes;
    if (stream.state == HttpStream::State::chunked) stream.chunks.anomalies().append_to(transaction.anomalies);
    exchange->request_done = true;
  }
  stream.state = HttpStream::State::head;
  if (std::exchange(stream.whole_asked, false)) host_.need_normal(*client_);
  finish_if_done(id);
}

void HttpAnalyzer::break_request(std::string_view reason) {
  lose(requests(), *client_, reason);
  const std::uint64_t id = std::exchange(request_in_progress_, 0);
  if (Exchange* exchange = find(id)) {
    if (exchange->broken.empty()) exchange->broken = reason;
    exchange->request_done = true;
    finish_if_done(id);
  }
}

// The final response came before the body began: the client may or may not send it (RFC 9110 section 10.1.1).
bool HttpAnalyzer::refused_expectation() {
  const HttpStream& stream = requests();
  if (stream.counted != 0 || (stream.state == HttpStream::State::chunked && stream.chunks.begun())) return false;
  const Exchange* exchange = find(request_in_progress_);
  return exchange != nullptr && exchange->expects_continue && exchange->response_done;
}

// True: `bytes` are the body. False: they are not, or nobody can tell; the stream's state says which.
bool HttpAnalyzer::settle_expectation(Bytes bytes) {
  Exchange& exchange = *find(request_in_progress_);
  if (classify_start(bytes) == HttpStart::no) {
    exchange.expects_continue = false;
    return true;
  }
  // The same request again, this time without the expectation, is what a client does after 417.
  HeadFacts facts;
  HttpMessage& again = spare_transaction().request;
  const HttpMessage& refused = exchange.transaction().request;
  const bool repeated = parse_head(bytes, HeadKind::request, limits_, again, facts).status == HeadStatus::complete &&
                        !facts.expects_continue && again.view(again.method) == refused.view(refused.method) &&
                        again.view(again.url) == refused.view(refused.url);
  again.clear();
  if (repeated) {
    const std::uint64_t end = refused.end_offset;
    finish_request(end, refused.end_at);
  } else {
    break_request("expectation_ambiguous");
    request_may_start_ = false;
  }
  return false;
}

void HttpAnalyzer::request_end(StreamEnd end) {
  HttpStream& stream = requests();
  const std::string_view reason = reason_of(end);
  if (stream.in_body()) {
    if (end == StreamEnd::closed && refused_expectation()) {
      const HttpMessage& refused = find(request_in_progress_)->transaction().request;
      finish_request(refused.end_offset, refused.end_at);
    } else {
      break_request(reason);
    }
  } else if (stream.state == HttpStream::State::head && !stream.buffer.empty()) {
    request_head_broken(reason);
  }
  if (!left_http_) stream.state = HttpStream::State::quiet;
}

}  // namespace tracer
