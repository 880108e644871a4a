// Any segments, on a few connections, with any numbers, times and verdicts: no offset of a flow is told twice, nothing
// is told of a flow before its opening or after its end, and limits hold. Twelve bytes make a segment.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "backends/pcap/tcp_tracker.h"

namespace {

using namespace tracer;

void require(bool condition) {
  if (!condition) std::abort();
}

class Checker final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    if (const auto* opened = std::get_if<FlowOpened>(&event.body)) {
      require(flows_.emplace(opened->flow.value, Flow{}).second);
      last = opened->flow;
    } else if (const auto* data = std::get_if<FlowData>(&event.body)) {
      require(data->moved > 0 && data->bytes.size() <= data->moved);
      require((data->rest == GapCause::none) == (data->bytes.size() == data->moved));
      Flow& flow = alive(data->flow);
      auto& ranges = flow.told[data->direction == Direction::tx ? 0 : 1];
      const std::uint64_t begin = data->offset, end = data->offset + data->moved;
      const auto next = ranges.lower_bound(begin);
      require(next == ranges.end() || next->first >= end);
      if (next != ranges.begin()) require(std::prev(next)->second <= begin);
      ranges[begin] = end;
    } else if (const auto* ended = std::get_if<StreamEnded>(&event.body)) {
      Flow& flow = alive(ended->flow);
      bool& it = flow.ended[ended->direction == Direction::tx ? 0 : 1];
      require(!it && ended->end);
      it = true;
    } else if (const auto* closed = std::get_if<FlowClosed>(&event.body)) {
      alive(closed->flow).closed = true;
    }
  }
  FlowId last;

 private:
  struct Flow {
    std::map<std::uint64_t, std::uint64_t> told[2];
    bool ended[2] = {};
    bool closed = false;
  };
  Flow& alive(FlowId id) {
    const auto it = flows_.find(id.value);
    require(it != flows_.end() && !it->second.closed);
    return it->second;
  }
  std::map<std::uint64_t, Flow> flows_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t step = 12, segments_max = 4'000;
  const PcapLimits limits{.flows_max = 3, .ranges_max = 4};
  TcpTracker tracker(limits, {}, 0, nullptr);
  Checker checker;
  std::vector<std::byte> payload(256);
  std::uint64_t now = 1'000'000'000;
  for (std::size_t at = 0; at + step <= size && at / step < segments_max; at += step) {
    const std::uint8_t* const it = data + at;
    TcpSegment segment;
    segment.source.port = it[0] & 3U;
    segment.destination.port = (it[0] >> 2U) & 3U;
    segment.flags = it[1];
    // Near each other, so that much fits; the top bits let numbers wrap and jump.
    segment.sequence = (static_cast<std::uint32_t>(it[2] & 0xc0U) << 24U) - 512U + (it[2] & 0x3fU) + it[3];
    segment.acknowledgment = (static_cast<std::uint32_t>(it[4] & 0xc0U) << 24U) - 512U + (it[4] & 0x3fU) + it[5];
    segment.payload_size = it[6];
    segment.payload = Bytes(payload).first(it[7] < it[6] ? it[7] : it[6]);
    segment.window = it[8];
    const std::uint64_t passes[] = {0, 100'000, 25'000'000, 3'000'000'000, 100'000'000'000, 4'000'000'000'000};
    now += passes[it[9] % 6];
    tracker.on_segment(segment, EventTime{it[9] > 250 ? 5 : now}, checker);
    if (it[10] % 8 == 1) tracker.note_loss();
    if (it[10] % 8 == 2) tracker.advance(EventTime{now}, checker);
    if (it[10] % 8 >= 3 && it[10] % 8 <= 5) {
      const auto mode = static_cast<StreamVerdict::Mode>(it[11] & 3U);
      const std::uint64_t until = it[10] % 8 == 3 ? wire_offset_base + (1ULL << 32U) - 512U + it[11] : 0;
      tracker.set_verdict(checker.last, it[10] % 8 == 4 ? Direction::rx : Direction::tx, {mode, until});
    }
    require(tracker.flows() <= limits.flows_max);
  }
  tracker.finish(checker);
  return 0;
}
