#include "tests/unit/pipeline/simulation.h"

#include <algorithm>

#include "core/analyzers/http/http_analyzer.h"
#include "core/analyzers/http/http_parser.h"
#include "tests/unit/pipeline/line_analyzer.h"

namespace tracer::test {

namespace {

Match classify_http(Bytes prefix) {
  switch (looks_like_http1(prefix)) {
    case Likeness::no:
      return Match::no;
    case Likeness::need_more:
      return Match::maybe;
    case Likeness::yes:
      return Match::yes;
  }
  return Match::no;
}

Router make_router() {
  return Router(
      {line_protocol(),
       {"HTTP/1.1", classify_http, [](AnalyzerHost& host, std::optional<Side> client) -> std::unique_ptr<Analyzer> {
          return std::make_unique<HttpAnalyzer>(host, client);
        }}});
}

}  // namespace

std::optional<ProcessFacts> FakeOwnership::process(std::uint32_t tgid) {
  const auto found = alive.find(tgid);
  return found == alive.end() ? std::nullopt : std::optional(found->second);
}

Endpoint lan(std::uint8_t host, std::uint16_t port) {
  return Endpoint{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, host}, port};
}
Endpoint loopback(std::uint16_t port) {
  return Endpoint{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, port};
}

World::World(PipelineOptions options, Handover from) : World(std::move(options), make_router(), std::move(from)) {}

World::World(PipelineOptions options, Routers routers, Handover from)
    : pipeline(std::move(options), std::move(routers), Timeline::of_monotonic(0), ownership, *this, *this,
               std::move(from)) {
  for (const auto& [tgid, comm] : {std::pair{Simulation::client_tgid, "client"}, {Simulation::server_tgid, "server"}}) {
    ownership.alive[tgid].tgid = tgid;
    ownership.alive[tgid].comm = comm;
  }
}

void World::set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) {
  verdicts[{flow.value, direction}] = verdict;
}

void World::on_record(std::unique_ptr<Record> record) { records.push_back(std::move(record)); }

void World::send(std::uint64_t at_ns, std::uint32_t tgid, decltype(Event::body) body) {
  pipeline.on_event(Event{EventTime{at_ns}, {tgid, tgid}, std::move(body)});
}

StreamVerdict World::verdict(FlowId flow, Direction direction) const {
  const auto found = verdicts.find({flow.value, direction});
  return found == verdicts.end() ? StreamVerdict{} : found->second;
}

std::vector<const HttpTransaction*> World::transactions() const {
  std::vector<const HttpTransaction*> found;
  for (const auto& record : records) {
    if (const auto* it = std::get_if<HttpTransaction>(&record->body)) found.push_back(it);
  }
  return found;
}

Simulation::Simulation(World& world, const Shape& shape, std::uint32_t seed)
    : world_(world), shape_(shape), random_(seed) {}

std::uint64_t Simulation::below(std::uint64_t n) {
  return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_);
}

void Simulation::plan() {
  for (unsigned id = 0; id < shape_.transactions; ++id) {
    TrueTransaction it;
    it.id = id;
    it.request_body = below(3) == 0 ? below(shape_.request_body_max) : 0;
    it.response_body = below(shape_.response_body_max);
    const auto append = [](Pipe& pipe, TrueMessage& message, const std::string& text) {
      message.first = pipe.text.size();
      pipe.text += text;
      message.end = pipe.text.size();
    };
    if (shape_.http) {
      const std::string name = std::to_string(id);
      append(pipes_[0], it.request,
             "POST /" + name + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(it.request_body) +
                 "\r\n\r\n" + std::string(it.request_body, 'x'));
      append(pipes_[1], it.response,
             "HTTP/1.1 200 OK\r\nX-Id: " + name + "\r\nContent-Length: " + std::to_string(it.response_body) +
                 "\r\n\r\n" + std::string(it.response_body, 'x'));
    } else {
      append(pipes_[0], it.request, request_text(id, it.request_body));
      append(pipes_[1], it.response, response_text(id, it.response_body));
    }
    truth.push_back(it);
  }
  for (unsigned stream = 0; stream < 2; ++stream) {
    Pipe& pipe = pipes_[stream];
    sent_at[stream].resize(pipe.text.size());
    received_at[stream].resize(pipe.text.size());
    // Near the end of the 32-bit space half of the time.
    pipe.first_offset = !shape_.sequence ? 0 : below(2) != 0 ? (1ULL << 32U) - 1 - below(400) : 1 + below(1U << 31U);
  }
}

void Simulation::queue(std::uint32_t tgid, decltype(Event::body) body, bool may_be_overtaken) {
  Queued queued{Event{EventTime{now_}, {tgid, tgid}, std::move(body)}, {}, may_be_overtaken};
  if (auto* data = std::get_if<FlowData>(&queued.event.body))
    queued.bytes.assign(data->bytes.begin(), data->bytes.end());
  in_flight_.push_back(std::move(queued));
}

// Delivers until `keep` events are in flight; each may be overtaken by those close behind it.
void Simulation::deliver(std::size_t keep) {
  while (in_flight_.size() > keep) {
    std::size_t pick = 0;
    const std::size_t reach = std::min<std::size_t>(shape_.shuffle, in_flight_.size());
    if (reach > 1 && in_flight_.front().overtaken) pick = below(reach);
    Queued queued = std::move(in_flight_[pick]);
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(pick));
    if (auto* data = std::get_if<FlowData>(&queued.event.body)) data->bytes = queued.bytes;
    world_.pipeline.on_event(queued.event);
    std::fill(queued.bytes.begin(), queued.bytes.end(), std::byte{'#'});  // what was borrowed is gone
  }
}

void Simulation::open(bool client) {
  FlowOpened opened;
  opened.flow = client ? client_flow : server_flow;
  const Endpoint client_end = shape_.one_namespace ? loopback(40'000) : lan(1, 40'000);
  const Endpoint server_end = shape_.one_namespace ? loopback(80) : lan(2, 80);
  opened.local = client ? client_end : server_end;
  opened.remote = client ? server_end : client_end;
  opened.role = client ? Role::client : Role::server;
  opened.network_namespace = client || shape_.one_namespace ? 7 : 8;
  opened.preexisting = shape_.preexisting;
  opened.offset_source = shape_.sequence ? OffsetSource::sequence : OffsetSource::counter;
  // Each end extends its 32 bits on its own.
  const std::uint64_t high = client ? 0 : 5ULL << 32U;
  const auto own = [&](const Pipe& pipe) { return shape_.sequence ? pipe.first_offset + high : pipe.first_offset; };
  opened.tx_offset = own(pipes_[client ? 0 : 1]);
  opened.rx_offset = own(pipes_[client ? 1 : 0]);
  queue(client ? client_tgid : server_tgid, opened, shape_.opens_late);
  if (!shape_.opens_late) deliver(0);
}

// One call that moves `size` bytes of a stream, seen under the verdict in force.
void Simulation::move_bytes(unsigned stream, bool sending, std::size_t size) {
  Pipe& pipe = pipes_[stream];
  std::size_t& position = sending ? pipe.sent : pipe.received;
  const bool client = (stream == 0) == sending;
  FlowData data;
  data.flow = client ? client_flow : server_flow;
  data.direction = sending ? Direction::tx : Direction::rx;
  data.offset = pipe.first_offset + position + (client || !shape_.sequence ? 0 : 5ULL << 32U);
  data.moved = size;
  StreamVerdict verdict = world_.verdict(data.flow, data.direction);
  if (!shape_.obey_verdicts) verdict = {};
  std::uint64_t keep = std::min<std::uint64_t>(size, shape_.per_call_max);
  data.rest = keep < size ? GapCause::snap_length : GapCause::none;
  using Mode = StreamVerdict::Mode;
  if (verdict.mode == Mode::whole) {
    keep = size;
    data.rest = GapCause::none;
  }
  const std::string_view text = std::string_view(pipe.text).substr(position, size);
  now_ += 1 + below(shape_.pause_ns);
  for (std::size_t i = position; i < position + size; ++i) (sending ? sent_at : received_at)[stream][i] = now_;
  position += size;
  const bool unseen = shape_.unseen == Unseen::server || (shape_.unseen == Unseen::server_receptions && !sending);
  if (verdict.mode == Mode::quiet || (!client && unseen)) return;
  if (!client && shape_.miss_percent > 0 && below(100) < shape_.miss_percent) {
    ++dropped;
    return;
  }
  if (below(100) < shape_.drop_percent) {
    ++dropped;
    if (below(2) != 0) queue(0, Lost{1, GapCause::ring_full});
    return;
  }
  const std::uint32_t tgid = client ? client_tgid : server_tgid;
  const bool filtered = shape_.filtered == (client ? Filtered::client : Filtered::server);
  if (filtered || verdict.mode == Mode::sizes) {
    data.rest = filtered ? GapCause::filter : GapCause::verdict_skip;
    queue(tgid, data);
    return;
  }
  if (client) client_copied_until[stream] = position;
  if (verdict.skip_until > data.offset) {  // the unwanted head of the call is an event of its own
    const std::uint64_t unwanted = std::min<std::uint64_t>(size, verdict.skip_until - data.offset);
    FlowData skipped = data;
    skipped.moved = unwanted;
    skipped.rest = GapCause::verdict_skip;
    queue(tgid, skipped);
    if (unwanted == size) return;
    data.offset += unwanted;
    data.moved -= unwanted;
    keep = std::min<std::uint64_t>(data.moved, verdict.mode == Mode::whole ? data.moved : shape_.per_call_max);
    data.rest = keep < data.moved ? GapCause::snap_length : GapCause::none;
    data.bytes = as_bytes(text.substr(unwanted, keep));
  } else {
    data.bytes = as_bytes(text.substr(0, keep));
  }
  queue(tgid, data);
}

void Simulation::run() {
  plan();
  const auto size_of_call = [&](std::size_t available) {
    return below(3) == 0 ? available : 1 + below(std::min<std::size_t>(available, 200));
  };
  // The order of connect's and accept's return against the first data is anything.
  open(true);
  if (below(2) != 0) open(false);
  bool server_open = in_flight_.size() > 1 || !shape_.opens_late;
  if (!shape_.opens_late) open(false);
  std::size_t asked = 0, answered = 0;
  for (;;) {
    std::vector<int> choices;
    const bool pipelining = shape_.pipelining && asked >= shape_.pipelining_from;
    const std::size_t ahead = pipelining ? 4 : 1;
    const bool may_ask = asked < truth.size() && asked - answered < ahead &&
                         (asked == 0 || pipelining || pipes_[1].received == truth[asked - 1].response.end);
    if (may_ask) choices.push_back(0);
    if (pipes_[0].received < pipes_[0].sent) choices.push_back(1);
    const bool may_answer = answered < truth.size() && pipes_[0].received >= truth[answered].request.end;
    if (may_answer) choices.push_back(2);
    if (pipes_[1].received < pipes_[1].sent) choices.push_back(3);
    if (choices.empty()) break;
    switch (choices[below(choices.size())]) {
      case 0: {
        const std::size_t batch = pipelining ? std::min(1 + below(3), truth.size() - asked) : 1;
        const std::size_t end = truth[asked + batch - 1].request.end;
        const std::size_t size = size_of_call(end - pipes_[0].sent);
        move_bytes(0, true, size);
        while (asked < truth.size() && truth[asked].request.end <= pipes_[0].sent) ++asked;
        break;
      }
      case 1:
        if (!server_open) {
          open(false);
          server_open = true;
        }
        move_bytes(0, false, size_of_call(pipes_[0].sent - pipes_[0].received));
        break;
      case 2:
        move_bytes(1, true, size_of_call(truth[answered].response.end - pipes_[1].sent));
        if (pipes_[1].sent == truth[answered].response.end) ++answered;
        break;
      case 3:
        move_bytes(1, false, size_of_call(pipes_[1].sent - pipes_[1].received));
        break;
    }
    deliver(below(shape_.shuffle + 1));
  }
  for (const bool client : {true, false}) {
    FlowClosed closed{};
    closed.flow = client ? client_flow : server_flow;
    closed.kernel_tx_bytes = pipes_[client ? 0 : 1].text.size();
    closed.kernel_rx_bytes = pipes_[client ? 1 : 0].text.size();
    now_ += 1000;
    queue(0, closed);
  }
  deliver(0);
  world_.pipeline.advance(EventTime{now_ + 100 * ms});
  world_.pipeline.advance(EventTime{now_ + 300 * ms});
  world_.pipeline.finish();
}

}  // namespace tracer::test
