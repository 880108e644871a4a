#include "core/record_finisher.h"

#include <algorithm>

namespace tracer {

namespace {

// The first port that systems give to clients by themselves, where nothing else is known (Linux: 32768, IANA: 49152).
constexpr std::uint16_t ephemeral_port_min = 32'768;

struct Sides {
  Side client = Side::a;
  bool inferred = false;
};

std::optional<Endpoint> endpoint_of(const Connection& connection, Side side) {
  if (const Flow* flow = connection.flow(side); flow != nullptr && flow->end.local) return flow->end.local;
  if (const Flow* flow = connection.flow(other(side)); flow != nullptr) return flow->end.remote;
  return std::nullopt;
}

Sides sides_of(const Connection& connection) {
  if (const auto client = connection.client()) return {*client, false};
  const auto a = endpoint_of(connection, Side::a), b = endpoint_of(connection, Side::b);
  const bool a_ephemeral = a && a->port >= ephemeral_port_min, b_ephemeral = b && b->port >= ephemeral_port_min;
  if (b_ephemeral && !a_ephemeral) return {Side::b, true};
  if (a && b && a_ephemeral == b_ephemeral && b->port > a->port) return {Side::b, true};
  return {Side::a, true};
}

std::optional<double> milliseconds_between(std::optional<EventTime> from, std::optional<EventTime> to) {
  if (!from || !to || *to < *from) return std::nullopt;
  return static_cast<double>(to->ns - from->ns) / 1e6;
}

// The time at which one end moved a byte; says when it has not come to that byte yet.
std::optional<EventTime> time_at(const StreamObserver& observer, std::uint64_t offset, bool& may_still_come) {
  const auto time = observer.marks.time_of(offset);
  if (!time && observer.may_tell_of(offset)) may_still_come = true;
  return time;
}

bool all_known(const TransactionTimes& times, const RecordExtent& extent) {
  return (!extent.request.present || (times.request_first && (!extent.ends_with_both || times.request_last))) &&
         (!extent.response.present || (times.response_first && times.response_last));
}

RecordExtent extent_of_transaction(const HttpTransaction& transaction) {
  const auto part = [](const HttpMessage& message) {
    return RecordExtent::Part{message.present, message.first_offset, message.end_offset, message.first_at};
  };
  return {part(transaction.request), part(transaction.response), false};
}

RecordExtent extent_of_handshake(const TlsHandshake& handshake) {
  const auto part = [&](std::uint64_t first, std::uint64_t end) {
    return RecordExtent::Part{end > first, first, end, handshake.first_at};
  };
  return {part(handshake.client_first_offset, handshake.client_end_offset),
          part(handshake.server_first_offset, handshake.server_end_offset), true};
}

std::optional<EventTime> last_of(const TransactionTimes& times) {
  if (!times.response_last || !times.request_last) return std::nullopt;
  return std::max(*times.response_last, *times.request_last);
}

void finish_handshake(PipelineContext& context, const TransactionTimes& times, Record& record,
                      TlsHandshake& handshake) {
  const bool from_start = handshake.client_hello && times.request_first;
  if (from_start) handshake.duration_ms = milliseconds_between(times.request_first, last_of(times));
  record.timestamp = context.timeline.to_wall(from_start ? *times.request_first : handshake.first_at);
  judge_validity(handshake, record.timestamp);
}

void fill_tls(const HandshakeFacts* handshake, Record& record, HttpTransaction& transaction) {
  static const HandshakeFacts unseen;
  const HandshakeFacts& facts = handshake != nullptr ? *handshake : unseen;
  transaction.tls = facts.tls;
  record.missing.insert(record.missing.end(), facts.missing.begin(), facts.missing.end());
}

void note_missing_parties(const FlowIdentity& flow, Record& record) {
  if (!flow.client.endpoint) record.missing.emplace_back("client.address");
  if (!flow.server.endpoint) record.missing.emplace_back("server.address");
  if (!flow.client.process) record.missing.emplace_back("client.process");
  if (!flow.server.process) record.missing.emplace_back("server.process");
}

}  // namespace

Side client_of(const Connection& connection) { return sides_of(connection).client; }

std::optional<RecordExtent> extent_of(const Record& record) {
  if (const auto* transaction = std::get_if<HttpTransaction>(&record.body)) return extent_of_transaction(*transaction);
  if (const auto* handshake = std::get_if<TlsHandshake>(&record.body)) return extent_of_handshake(*handshake);
  return std::nullopt;
}

TransactionTimes times_seen_at(const Channel& channel, Side end, Side client, const RecordExtent& extent) {
  TransactionTimes times;
  times.seen_at = end;
  const Direction request = end == client ? Direction::tx : Direction::rx;
  const Direction response = end == client ? Direction::rx : Direction::tx;
  const StreamObserver& requests = channel.observer(end, request);
  const StreamObserver& responses = channel.observer(end, response);
  bool& late = times.may_still_come;
  if (extent.request.present) {
    times.request_first = time_at(requests, extent.request.first_offset, late);
    if (extent.ends_with_both) times.request_last = time_at(requests, extent.request.end_offset - 1, late);
  }
  if (extent.response.present && extent.response.end_offset > extent.response.first_offset) {
    times.response_first = time_at(responses, extent.response.first_offset, late);
    times.response_last = time_at(responses, extent.response.end_offset - 1, late);
  }
  return times;
}

TransactionTimes times_of(const Connection& connection, const RecordExtent& extent, bool wait) {
  const Channel* channel = connection.socket();
  const Side client = sides_of(connection).client;
  const Flow* client_flow = connection.flow(client);
  const Flow* server_flow = connection.flow(other(client));
  TransactionTimes times;
  if (client_flow != nullptr && client_flow->merged) {
    times = times_seen_at(*channel, client, client, extent);
    times.may_still_come &= wait;
    if (times.may_still_come || all_known(times, extent) || server_flow == nullptr || !server_flow->merged) {
      return times;
    }
  }
  if (server_flow != nullptr && server_flow->merged) {
    TransactionTimes at_server = times_seen_at(*channel, other(client), client, extent);
    at_server.may_still_come = false;  // the bytes came from here or are known not to
    return at_server;
  }
  return times;
}

FlowIdentity identity_of(PipelineContext& context, const Connection& connection, Layer layer,
                         const std::array<std::uint32_t, 2>& processes, EventTime at, Record& record) {
  const Sides sides = sides_of(connection);
  const Side client = sides.client, server = other(client);
  FlowIdentity identity;
  identity.connection_id = connection.told_id();
  const auto party = [&](Side side) {
    return Party{endpoint_of(connection, side), context.processes.find(processes[index_of(side)], at)};
  };
  identity.client = party(client);
  identity.server = party(server);
  const auto requests = connection.told_by(layer, client), responses = connection.told_by(layer, server);
  if (connection.on_wire()) {
    identity.observed_at = ObservedAt::wire;
  } else if (requests && responses && requests != responses) {
    identity.observed_at = ObservedAt::both;
  } else {
    const Side end = requests ? *requests : responses.value_or(connection.primary());
    identity.observed_at = end == client ? ObservedAt::client : ObservedAt::server;
  }
  if (sides.inferred) {
    record.inferred.emplace_back("client");
    record.inferred.emplace_back("server");
  }
  if (connection.process_inferred(client) && identity.client.process) record.inferred.emplace_back("client.process");
  if (connection.process_inferred(server) && identity.server.process) record.inferred.emplace_back("server.process");
  return identity;
}

void fill_record(PipelineContext& context, const Connection& connection, const RecordOrigin& origin,
                 const TransactionTimes& times, const std::array<std::uint32_t, 2>& processes, EventTime at,
                 Record& record) {
  const Layer layer = origin.layer;
  const bool in_clear = layer == Layer::tls_plaintext;
  record.backend = in_clear ? BackendKind::ebpf : context.options.backend;
  record.mechanism = in_clear ? Mechanism::uprobe : context.options.mechanism;
  const std::vector<std::string_view>& missing = context.missing[record.body.index()];
  record.missing.insert(record.missing.end(), missing.begin(), missing.end());
  if (auto* handshake = std::get_if<TlsHandshake>(&record.body)) {
    handshake->flow = identity_of(context, connection, layer, processes, at, record);
    note_missing_parties(handshake->flow, record);
    return finish_handshake(context, times, record, *handshake);
  }
  auto* transaction = std::get_if<HttpTransaction>(&record.body);
  if (transaction == nullptr) {
    record.timestamp = context.timeline.to_wall(at);
    return;
  }
  transaction->flow = identity_of(context, connection, layer, processes, at, record);
  note_missing_parties(transaction->flow, record);
  if (in_clear) fill_tls(origin.handshake, record, *transaction);

  const auto wall = [&](std::optional<EventTime> time) -> std::optional<WallTime> {
    return time ? std::optional(context.timeline.to_wall(*time)) : std::nullopt;
  };
  transaction->request_time = wall(times.request_first);
  transaction->response_time = wall(times.response_last);
  transaction->duration_ms = milliseconds_between(times.request_first, times.response_last);
  transaction->time_to_first_byte_ms = milliseconds_between(times.request_first, times.response_first);
  if (times.seen_at && (times.request_first || times.response_last)) {
    transaction->time_source = connection.on_wire()                            ? TimeSource::wire
                               : *times.seen_at == sides_of(connection).client ? TimeSource::client
                                                                               : TimeSource::server;
  }
  if (!transaction->request_time) record.missing.emplace_back("request_time");
  if (!transaction->response_time) record.missing.emplace_back("response_time");
  if (!transaction->duration_ms) record.missing.emplace_back("duration_ms");
  if (!transaction->time_to_first_byte_ms) record.missing.emplace_back("time_to_first_byte_ms");

  EventTime first = at;
  if (times.request_first) {
    first = *times.request_first;
  } else if (transaction->request.present) {
    first = transaction->request.first_at;
  } else if (transaction->response.present) {
    first = transaction->response.first_at;
  }
  record.timestamp = context.timeline.to_wall(first);
}

}  // namespace tracer
