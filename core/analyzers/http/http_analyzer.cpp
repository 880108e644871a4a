// Calls in, records out, and what both directions share.
#include "core/analyzers/http/http_analyzer.h"

#include <algorithm>
#include <utility>

namespace tracer {

HttpAnalyzer::HttpAnalyzer(AnalyzerHost& host, std::optional<Side> client, const HttpLimits& limits)
    : host_(host), limits_(limits), client_(client) {}

HttpTransaction& HttpAnalyzer::Exchange::transaction() const { return *std::get_if<HttpTransaction>(&record->body); }

// ---- Calls in. A stream that has held calls holds all that follow, so that they stay in order.

void HttpAnalyzer::on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) {
  if (left_http_ || bytes.empty()) return;
  if (!client_) {
    // The usual case: a whole head at once, and nothing has to be copied.
    if (stream(from).held.empty() && may_open_[static_cast<std::size_t>(from)]) {
      const HttpStart start = classify_start(bytes);
      HttpTransaction& transaction = spare_transaction();
      HeadFacts facts;
      if (start == HttpStart::request_line &&
          parse_head(bytes, HeadKind::request, limits_, transaction.request, facts).status == HeadStatus::complete)
        client_found(from);
      else if (start == HttpStart::status_line &&
               parse_head(bytes, HeadKind::response, limits_, transaction.response, facts).status ==
                   HeadStatus::complete)
        client_found(other(from));
    }
  }
  if (client_ && stream(from).held.empty()) return dispatch_bytes(from, offset, bytes, at, true);
  hold(from, {.kind = HeldCalls::Kind::bytes, .offset = offset, .size = bytes.size(), .at = at, .at_boundary = true},
       bytes);
  if (!client_) find_client(from);
}

void HttpAnalyzer::on_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) {
  if (left_http_) return;
  if (size == 0) {  // the stream began earlier than what is seen of it
    requests_counted_ = responses_counted_ = false;
    return;
  }
  if (client_ && stream(from).held.empty()) return dispatch_gap(from, offset, size, cause, at);
  hold(from, {.kind = HeldCalls::Kind::gap, .offset = offset, .size = size, .at = at, .cause = cause}, {});
  if (!client_) find_client(from);
}

void HttpAnalyzer::on_end(Side from, StreamEnd end, EventTime at) {
  if (left_http_) return;
  if (client_ && stream(from).held.empty()) return dispatch_end(from, end);
  hold(from, {.kind = HeldCalls::Kind::end, .at = at, .end = end}, {});
  if (!client_) find_client(from);
}

void HttpAnalyzer::on_time(EventTime now) {
  if (left_http_ || !client_ || responses().held.empty()) return;
  const EventTime since = responses().held.calls.front().at;
  if (now.ns < since.ns || now.ns - since.ns < limits_.held_ns_max) return;
  ++counters_.held_expired;
  expire_held_responses();
}

void HttpAnalyzer::dispatch_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at, bool at_boundary) {
  from == *client_ ? request_bytes(offset, bytes, at, at_boundary) : response_bytes(offset, bytes, at, at_boundary);
}

void HttpAnalyzer::dispatch_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) {
  from == *client_ ? request_gap(offset, size, cause, at) : response_gap(offset, size, cause, at);
  if (stream(from).state == HttpStream::State::lost) position_lost_ = true;
}

void HttpAnalyzer::dispatch_end(Side from, StreamEnd end) {
  HttpStream& ending = stream(from);
  if (ending.ended) return;
  ending.ended = true;
  ending.end = end;
  from == *client_ ? request_end(end) : response_end(end);
  if (left_http_) return;
  // A request that will never come is not waited for, nor an answer to a wish to leave HTTP.
  if (from == *client_ && !responses().held.empty()) expire_held_responses();
  if (from != *client_ && !requests().held.empty()) release(*client_);
  if (requests().ended && responses().ended) flush(reason_of(end));
}

// ---- Which side is the client? Decided by the first start line that either side begins with.

void HttpAnalyzer::find_client(Side from) {
  HeldCalls& held = stream(from).held;
  const HeldCalls::Call& last = held.calls.back();
  const auto side = static_cast<std::size_t>(from);
  bool undecided = false;
  if (may_open_[side] && !held.text.empty()) {
    const HttpStart start = classify_start(as_bytes(held.text));
    HttpTransaction& transaction = spare_transaction();
    HeadFacts facts;
    if (start == HttpStart::request_line || start == HttpStart::status_line) {
      const HeadKind kind = start == HttpStart::request_line ? HeadKind::request : HeadKind::response;
      // While bytes still come, the whole head has to be there; a line end is the only place where that can change.
      const bool last_chance = last.kind != HeldCalls::Kind::bytes;
      const bool line_ended = !last_chance && as_text(held.bytes_of(last)).find('\n') != std::string_view::npos;
      const bool found =
          last_chance
              ? parse_start_line(as_bytes(held.text), kind, transaction.request, facts)
              : line_ended && parse_head(as_bytes(held.text), kind, limits_, transaction.request, facts).status !=
                                  HeadStatus::need_more;
      if (found) return client_found(kind == HeadKind::request ? from : other(from));
    }
    undecided = start != HttpStart::no && last.kind == HeldCalls::Kind::bytes &&
                held.text.size() < limits_.held_bytes_max && held.calls.size() < limits_.held_items_max;
  }
  if (undecided) return;
  // Not the start of a message. This side may begin one after the other has spoken.
  if (last.kind == HeldCalls::Kind::end) {
    stream(from).ended = true;
    stream(from).end = last.end;
  }
  stream(from).state = HttpStream::State::lost;
  requests_counted_ = responses_counted_ = false;
  responses_skipped_until_ = std::max(responses_skipped_until_, last.at);
  held.clear();
  may_open_[side] = false;
  may_open_[static_cast<std::size_t>(other(from))] = true;
}

void HttpAnalyzer::client_found(Side client) {
  client_ = client;
  host_.client_is(client);
  request_may_start_ = may_open_[static_cast<std::size_t>(client)];
  release(client);
  if (!left_http_) release(server());
}

// ---- Holding calls back

void HttpAnalyzer::hold(Side from, const HeldCalls::Call& call, Bytes bytes) {
  HeldCalls& held = stream(from).held;
  held.calls.push_back(call);
  held.calls.back().text_at = held.text.size();
  held.text.append(as_text(bytes));
  if (client_ && (held.text.size() > limits_.held_bytes_max || held.calls.size() > limits_.held_items_max))
    hold_overflowed(from);
}

void HttpAnalyzer::hold_overflowed(Side from) {
  ++counters_.held_over_limit;
  if (from != *client_) return expire_held_responses();
  // Whether this is HTTP or a tunnel is for the server to say; nothing of it can be told apart later.
  const bool ended = requests().held.calls.back().kind == HeldCalls::Kind::end;
  const StreamEnd end = requests().held.calls.back().end;
  requests().held.clear();
  lose(requests(), *client_, "held_over_limit");
  if (ended) dispatch_end(*client_, end);
}

void HttpAnalyzer::release(Side from) {
  HeldCalls batch = std::exchange(stream(from).held, {});
  for (const HeldCalls::Call& call : batch.calls) {
    if (left_http_) return;
    const Bytes bytes = call.kind == HeldCalls::Kind::bytes ? batch.bytes_of(call) : Bytes{};
    if (!stream(from).held.empty())
      hold(from, call, bytes);
    else if (call.kind == HeldCalls::Kind::bytes)
      dispatch_bytes(from, call.offset, bytes, call.at, call.at_boundary);
    else if (call.kind == HeldCalls::Kind::gap)
      dispatch_gap(from, call.offset, call.size, call.cause, call.at);
    else
      dispatch_end(from, call.end);
  }
  if (left_http_ || !stream(from).held.empty()) return;
  batch.clear();
  stream(from).held = std::move(batch);
}

void HttpAnalyzer::expire_held_responses() {
  if (expiring_) return;
  expiring_ = true;
  release(server());
  expiring_ = false;
}

// ---- Records

// Cleared, whatever a head that came to nothing left in it.
HttpTransaction& HttpAnalyzer::spare_transaction() {
  if (!spare_) {
    spare_ = host_.make_record();
    if (std::get_if<HttpTransaction>(&spare_->body) == nullptr) spare_->body.emplace<HttpTransaction>();
  }
  HttpTransaction& transaction = *std::get_if<HttpTransaction>(&spare_->body);
  transaction.clear();
  return transaction;
}

HttpAnalyzer::Exchange* HttpAnalyzer::find(std::uint64_t id) {
  for (Exchange& exchange : exchanges_)
    if (exchange.id == id) return &exchange;
  return nullptr;
}

void HttpAnalyzer::finish_if_done(std::uint64_t id) {
  const auto found = std::find_if(exchanges_.begin(), exchanges_.end(), [id](const Exchange& e) { return e.id == id; });
  if (found == exchanges_.end() || !found->request_done || !found->response_done) return;
  Exchange exchange = std::move(*found);
  exchanges_.erase(found);
  emit(std::move(exchange));
  exchange_removed();
}

void HttpAnalyzer::emit(Exchange exchange) {
  HttpTransaction& transaction = exchange.transaction();
  if (exchange.deduced && !may_deduce()) {
    if (exchange.broken.empty()) exchange.broken = "out_of_sync";
    transaction.response.clear();
    transaction.interim_responses = 0;
  } else {
    exchange.response_anomalies.append_to(transaction.anomalies);
    if (exchange.deduced && transaction.response.present) exchange.record->inferred.push_back("response");
  }
  transaction.complete = exchange.broken.empty();
  transaction.incomplete_reason = exchange.broken;
  const auto list_missing = [&](const HttpMessage& message, std::string_view name, std::string_view headers,
                                std::string_view header_bytes, std::string_view body_bytes) {
    std::vector<std::string_view>& missing = exchange.record->missing;
    if (!message.present) {
      missing.push_back(name);
      return;
    }
    if (message.header_bytes == 0) {
      missing.push_back(headers);
      missing.push_back(header_bytes);
    }
    if (!message.body_bytes) missing.push_back(body_bytes);
  };
  list_missing(transaction.request, "request", "request.headers", "request.header_bytes", "request.body_bytes");
  list_missing(transaction.response, "response", "response.headers", "response.header_bytes", "response.body_bytes");
  host_.emit(std::move(exchange.record));
}

// All that is known to have been asked is answered: whatever the client says next begins a request.
void HttpAnalyzer::exchange_removed() {
  if (exchanges_.empty() && requests().state == HttpStream::State::lost) request_may_start_ = true;
}

void HttpAnalyzer::flush(std::string_view reason) {
  request_in_progress_ = 0;
  std::vector<Exchange> rest = std::exchange(exchanges_, {});
  for (Exchange& exchange : rest) {
    if (exchange.broken.empty()) exchange.broken = reason;
    emit(std::move(exchange));
  }
}

// ---- What both directions share

void HttpAnalyzer::leave_http(std::string_view protocol) {
  flush("left_http");
  left_http_ = true;
  for (HttpStream& each : streams_) {
    each.state = HttpStream::State::quiet;
    each.drop_head();
    each.held = {};
  }
  host_.lose_interest(protocol);
}

// Did the client wait for the answer before it asked again? `contiguous`: and is there nothing missing between?
void HttpAnalyzer::judge_client(EventTime asked, EventTime answer_begin, std::optional<EventTime> answer_end,
                                bool contiguous) {
  if (asked < answer_end.value_or(answer_begin))
    pipelining_ = true;
  else if (answer_end && contiguous)
    ++waits_;
}

// May a pairing rest on the client's waiting for its answers?
bool HttpAnalyzer::may_deduce() const { return !pipelining_ && (waits_ >= limits_.waits_min || !position_lost_); }

// From here on no request will be given its response any more.
bool HttpAnalyzer::out_of_sync() const {
  return depth_exceeded_ || (pipelining_ && !(requests_counted_ && responses_counted_));
}

void HttpAnalyzer::lose(HttpStream& stream, Side side, std::string_view reason) {
  if (stream.state == HttpStream::State::quiet) return;
  (side == *client_ ? requests_counted_ : responses_counted_) = false;
  position_lost_ = position_lost_ || counters_.responses != 0;
  if (stream.state != HttpStream::State::lost) ++counters_.position_lost;
  stream.state = HttpStream::State::lost;
  stream.candidate = false;
  stream.lost_reason = reason;
  stream.drop_head();
  if (std::exchange(stream.whole_asked, false)) host_.need_normal(side);
}

// `offset` is where the body begins; `bytes_here` of what follows have already come.
void HttpAnalyzer::body_begins(HttpStream& stream, Side side, const BodyFraming& framing, std::uint64_t offset,
                               std::size_t bytes_here) {
  stream.counted = 0;
  switch (framing.kind) {
    case BodyFraming::Kind::content_length:
      stream.remaining = framing.length;
      stream.state = framing.length != 0 ? HttpStream::State::content_length : HttpStream::State::head;
      if (framing.length > bytes_here && framing.length - bytes_here > limits_.skip_bytes_min)
        host_.skip(side, offset + framing.length);
      break;
    case BodyFraming::Kind::chunked:
      stream.chunks.reset();
      stream.state = HttpStream::State::chunked;
      stream.whole_asked = true;
      host_.need_whole(side);
      break;
    case BodyFraming::Kind::until_close:
      stream.state = HttpStream::State::until_close;
      break;
    default:
      stream.state = HttpStream::State::head;
      break;
  }
}

// A chunk of which much is still to come may stay in the kernel. `offset` is that of the next byte.
void HttpAnalyzer::chunk_verdict(HttpStream& stream, Side side, std::uint64_t offset) {
  if (stream.state == HttpStream::State::chunked && stream.chunks.data_ahead() > limits_.skip_bytes_min)
    host_.skip(side, offset + stream.chunks.data_ahead());
}

}  // namespace tracer
