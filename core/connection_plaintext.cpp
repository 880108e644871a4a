#include "core/connection_plaintext.h"

#include <algorithm>
#include <utility>

#include "core/connection.h"
#include "core/plaintext_session.h"

namespace tracer {

void ConnectionPlaintext::note(const RecordExtent& extent, EventTime last) {
  if (extent.request.present) told.until[0] = std::max(told.until[0], extent.request.end_offset);
  if (extent.response.present) told.until[1] = std::max(told.until[1], extent.response.end_offset);
  told.at = std::max(told.at, last);
}

// Where the two ends count from different places only the time is left: what began before the other end's last
// transaction was over is that one, or lies before it.
bool ConnectionPlaintext::was_told(const RecordExtent& extent) const {
  if (!elsewhere) return false;
  const RecordExtent::Part& part = extent.request.present ? extent.request : extent.response;
  if (!elsewhere->countable || !told.countable) return part.first_at <= elsewhere->at;
  return part.end_offset != 0 && part.end_offset <= elsewhere->until[extent.request.present ? 0 : 1];
}

// What was written is told when the call returns, and by then the other end may have answered. The one that moved the
// first bytes is worth more: it saw the request, and the client's clock is the one that people mean.
bool ConnectionPlaintext::may_be_overtaken(EventTime first_at, bool by_whole_client) const {
  return (by_whole_client || !told.countable) && told.at == EventTime{} && first_at < begun_at;
}

// Of two ends only the first that brings plaintext tells.
void Connection::on_plaintext(PlaintextSession& session, const FlowData& data, EventTime at) {
  if (own_ || session.silenced()) return;
  if (!session.begun() && !listens_to(session, at)) return;
  session.on_data(data, at);
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::take_session(PlaintextSession& session) {
  if (listens_to(session, session.begun_at())) session.tell_connection();
}

bool Connection::listens_to(PlaintextSession& session, EventTime first_at) {
  if (session.silenced()) return false;
  if (filtered()) {  // nobody asked for it: it stays in the kernel too
    session.silence();
    return false;
  }
  if (!plaintext_) plaintext_ = std::make_unique<ConnectionPlaintext>();
  const Side side = session.flow->side;
  if (plaintext_->teller.value_or(side) != side) {
    if (!plaintext_->may_be_overtaken(first_at, session.from_start() && client() == side)) {
      session.silence();
      return false;
    }
    silence(other(side));
    drop_pending(Layer::tls_plaintext);
    const bool counted = plaintext_->counted;
    *plaintext_ = {};
    plaintext_->counted = counted;
  }
  plaintext_->teller = side;
  if (plaintext_->sessions == 0) plaintext_->begun_at = first_at;
  session.first = plaintext_->sessions++ == 0;  // one after it may be TLS within TLS
  if (!session.first || !session.from_start()) plaintext_->told.countable = false;
  if (unbound()) {
    if (context_.unbound_sessions.size() >= context_.options.processes_max) context_.unbound_sessions.clear();
    ++context_.unbound_sessions[session.tgid()];
  }
  return true;
}

void Connection::on_session_end(PlaintextSession& session, EventTime at) {
  session.end(at);
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_plaintext_record(const PlaintextSession& session, std::unique_ptr<Record> record,
                                     const TransactionTimes& times) {
  if (own_) return context_.pool.give_back(std::move(record));
  ++transactions_;
  ++plaintext_->records;
  Pending pending;
  pending.record = std::move(record);
  pending.layer = Layer::tls_plaintext;
  pending.times = times;
  pending.from_start = session.from_start();
  pending.own_handshake = session.first;
  take_record(std::move(pending));
}

// Could it have been told by a session at the other end that does not know its connection? Asked as soon as the
// transaction is whole, so that the other end need not wait long for the answer; later if its process is found later.
bool Connection::told_by_session(Pending& pending) {
  const Side there = other(*plaintext_->teller);
  const std::uint32_t tgid = process_of(there);
  if (unbound() || pending.twin_sought || !context_.unbound_sessions.contains(tgid)) return false;
  if (const Flow* far = flow(there); far != nullptr && !far->sessions.empty()) return false;  // it does know it
  pending.twin_sought = true;
  return context_.twins.told_by_session({tgid, client() == there, pending.from_start},
                                        std::get<HttpTransaction>(pending.record->body), context_.now);
}

// Counted once, and not as TLS as well.
void Connection::on_plaintext_protocol(std::string_view protocol, bool analyzed) {
  if (std::exchange(plaintext_->counted, true)) return;
  if (unbound() || this->protocol() == "TLS") context_.uncount_tls();
  context_.count_protocol(protocol, analyzed);
}

void Connection::plaintext_is(std::string_view protocol) {
  if (protocol.empty()) return;
  plaintext_->counted = true;
  if (protocol != "unknown") plaintext_->protocol = protocol;  // that it is TLS says more
}

void Connection::plaintext_client_is(Side side) {
  if (!plaintext_->client) plaintext_->client = side;
}

// The server brought its first bytes before the client's call returned: the client's session is there and will tell.
bool Connection::client_may_tell() const {
  if (!plaintext_ || !plaintext_->teller || plaintext_->told.at != EventTime{} || unbound()) return false;
  const Side there = other(*plaintext_->teller);
  const Flow* far = flow(there);
  return client() == there && far != nullptr && std::ranges::any_of(far->sessions, [](const PlaintextSession* each) {
           return !each->silenced() && !each->begun() && each->from_start();
         });
}

// A transaction waits for the handshake that is under way on the wire.
bool Connection::handshake_may_come() const { return !handshake_ && socket_ && socket_->interesting() && !filtered(); }

bool Connection::told_in_clear(Pending& pending, const RecordExtent& extent) {
  if (plaintext_->was_told(extent)) return true;
  if (!unbound()) return told_by_session(pending);
  const Side side = *plaintext_->teller;
  return context_.twins.told_by_connection({process_of(side), client() == side, pending.from_start},
                                           std::get<HttpTransaction>(pending.record->body), context_.now);
}

// The two ends turned out to be one connection, and one of them goes on telling: the one that has come further.
void Connection::join_plaintext(Connection& there) {
  std::unique_ptr<ConnectionPlaintext> theirs = std::move(there.plaintext_);
  if (!theirs) return;
  if (theirs->client) theirs->client = other(*theirs->client);  // their side a is our side b
  theirs->teller = Side::b;
  if (!plaintext_ || theirs->records > plaintext_->records) {
    if (plaintext_) {
      drop_pending(Layer::tls_plaintext);
      theirs->elsewhere = plaintext_->told;
      theirs->counted |= plaintext_->counted;
    }
    transactions_ = std::max(transactions_, there.transactions_);
    plaintext_ = std::move(theirs);
    for (Pending& pending : there.pending_) {
      std::swap(pending.processes[0], pending.processes[1]);
      if (pending.times && pending.times->seen_at) pending.times->seen_at = Side::b;
      pending_.push_back(std::move(pending));
    }
    there.pending_.clear();
  } else {
    there.drop_pending(Layer::tls_plaintext);
    plaintext_->elsewhere = theirs->told;
  }
  silence(other(*plaintext_->teller));
}

// TLS that nobody showed the inside of. A session of which no connection is known stands for one of its process.
void Connection::count_blindness() {
  if (!context_.options.plaintext || plaintext_ || filtered() || !socket_ || socket_->protocol() != "TLS") return;
  if ((handshake_ && handshake_->failed) || (carried_ && carried_->plaintext)) return;
  bool shown = false;
  for (const Side side : {Side::a, Side::b}) {
    const auto row = context_.unbound_sessions.find(process_of(side));
    if (row == context_.unbound_sessions.end() || row->second == 0) continue;
    --row->second;
    shown = true;
  }
  if (!shown) ++context_.tls_without_plaintext;
}

void Connection::silence(Side side) {
  if (Flow* it = flow(side)) {
    for (PlaintextSession* session : it->sessions) session->silence();
  }
}

void Connection::drop_pending(Layer layer) {
  std::erase_if(pending_, [&](Pending& pending) {
    if (pending.layer != layer) return false;
    drop(pending);
    --context_.records_pending;
    return true;
  });
}

}  // namespace tracer
