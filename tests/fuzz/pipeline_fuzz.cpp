// Any sequence of events, however wrong, ends in records that keep the pipeline's promises: streams in order, ledgers
// that balance (assertions of the sanitizers apart), no crash, nothing held at the end.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/pipeline.h"

namespace {

using namespace tracer;

struct NoOwnership final : Ownership {
  std::optional<ProcessFacts> process(std::uint32_t) override { return std::nullopt; }
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
};

struct Nowhere final : VerdictSink, RecordSink {
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  void on_record(std::unique_ptr<Record>) override {}
};

// Aborts when a stream is not told in order, each offset once.
struct OrderChecker final : Analyzer {
  AnalyzerHost& host;
  std::optional<std::uint64_t> next[2];
  bool ended[2] = {};
  explicit OrderChecker(AnalyzerHost& its_host) : host(its_host) {}
  void advance(Side side, std::uint64_t offset, std::uint64_t size) {
    auto& expected = next[static_cast<std::size_t>(side)];
    if (size == 0 || ended[static_cast<std::size_t>(side)] || (expected && *expected != offset)) std::abort();
    expected = offset + size;
  }
  void on_bytes(Side side, std::uint64_t offset, Bytes bytes, EventTime) override {
    advance(side, offset, bytes.size());
    const auto first = std::to_integer<unsigned>(bytes[0]);
    if (first % 7 == 1) host.skip(side, offset + bytes.size() + first * 100);
    if (first % 7 == 2) host.need_whole(side);
    if (first % 7 == 3) host.need_normal(side);
    if (first % 7 == 4) host.client_is(side);
    if (first % 7 == 5) {
      auto record = host.make_record();
      auto& transaction = record->body.emplace<HttpTransaction>();
      transaction.request.present = transaction.response.present = true;
      transaction.request.first_offset = transaction.response.first_offset = offset;
      transaction.request.end_offset = transaction.response.end_offset = offset + bytes.size();
      host.emit(std::move(record));
    }
    if (first == 255) host.lose_interest("bored");
  }
  void on_gap(Side side, std::uint64_t offset, std::uint64_t size, GapCause, EventTime) override {
    if (size != 0) advance(side, offset, size);
  }
  void on_end(Side side, StreamEnd, EventTime) override {
    if (std::exchange(ended[static_cast<std::size_t>(side)], true)) std::abort();
  }
  void on_time(EventTime) override {}
};

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool empty() const { return size_ == 0; }
  std::uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  Bytes bytes(std::size_t size) {
    size = std::min(size, size_);
    const Bytes taken(reinterpret_cast<const std::byte*>(data_), size);
    data_ += size;
    size_ -= size;
    return taken;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  NoOwnership ownership;
  Nowhere nowhere;
  PipelineOptions options;
  options.flows_max = 6;
  options.records_pending_max = 4;
  options.stream.bytes_held_max = 64;
  options.stream.ranges_max = 4;
  options.stream.time_marks_max = 4;
  options.connections = ConnectionRecords::all;
  options.sessions_max = 3;
  options.plaintext = true;
  const Router any({{"any", [](Bytes prefix) { return prefix.size() < 2 ? Match::maybe : Match::yes; },
                     [](AnalyzerHost& host, std::optional<Side>) -> std::unique_ptr<Analyzer> {
                       return std::make_unique<OrderChecker>(host);
                     }}});
  Pipeline pipeline(options, Routers(any, any), Timeline::of_monotonic(0), ownership, nowhere, nowhere);
  std::uint64_t now = 1'000'000'000;
  while (!in.empty()) {
    const std::uint8_t kind = in.byte();
    const FlowId flow{1U + in.byte() % 8U};
    const FlowId session{1001U + flow.value % 6U};
    const bool plain = kind & 0x08U;
    const bool client = flow.value % 2 == 0;
    now += static_cast<std::uint64_t>(in.byte()) * 200'000;
    Event event{EventTime{now - (kind & 0x30U) * 1'000'000}, {100U + kind % 3U, 100U + kind % 3U}, {}};
    Endpoint a{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 1000}, b = a;
    b.port = static_cast<std::uint16_t>(2000 + flow.value / 4);
    const std::uint64_t base = kind & 0x40U ? 0xffff'ff80U : 1;
    switch (kind % 8) {
      case 0: {
        FlowOpened body;
        body.flow = flow;
        body.local = client ? b : a;
        body.remote = client ? a : b;
        body.network_namespace = in.byte() % 3;
        body.preexisting = kind & 0x80U;
        body.offset_source = kind & 0x10U ? OffsetSource::sequence : OffsetSource::counter;
        body.role = static_cast<Role>(in.byte() % 3);
        if (kind & 0x20U) body.tx_offset = body.rx_offset = base + in.byte();
        event.body = body;
        break;
      }
      case 1: {
        FlowUpdated body{};
        body.flow = flow;
        body.local = client ? b : a;
        body.remote = client ? a : b;
        event.body = body;
        break;
      }
      case 2: {
        FlowClosed body{};
        body.flow = plain ? session : flow;
        if (kind & 0x10U) body.tx_end = body.rx_end = base + in.byte();
        if (kind & 0x20U) body.kernel_tx_bytes = in.byte();
        event.body = body;
        break;
      }
      case 3:
        event.body = StreamEnded{flow, static_cast<Direction>(in.byte() % 2), base + in.byte()};
        break;
      case 4:
        if (plain) {
          event.body = PlaintextOpened{session, kind & 0x20U ? flow : FlowId{}, (kind & 0x10U) != 0};
        } else if (kind & 0x10U) {
          event.body = ProcessExited{};
        } else {
          event.body = Lost{1, GapCause::ring_full};
        }
        break;
      default: {
        FlowData body;
        body.flow = plain ? session : flow;
        body.layer = plain ? Layer::tls_plaintext : Layer::socket;
        body.direction = static_cast<Direction>(kind >> 7U);
        body.offset = base + in.byte();
        const std::size_t moved = in.byte();
        body.bytes = in.bytes(std::min<std::size_t>(moved, in.byte()));
        body.moved = moved;
        body.rest = body.bytes.size() < moved ? GapCause::snap_length : GapCause::none;
        event.body = body;
      }
    }
    pipeline.on_event(event);
  }
  pipeline.advance(EventTime{now + 1'000'000'000});
  pipeline.finish();
  return 0;
}
