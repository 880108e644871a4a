// What a tracker told, checked while it is told: every offset once, as a byte or as a gap.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/pcap/wire_stream.h"
#include "core/event.h"

namespace tracer::test {

struct ToldStream {
  std::map<std::uint64_t, char> bytes;  // by number on the wire, as a 64-bit offset without the base
  std::map<std::uint64_t, GapCause> gaps;
  std::optional<std::uint64_t> fin;

  // Bytes in order, '.' for each byte of a gap.
  [[nodiscard]] std::string text() const {
    std::map<std::uint64_t, char> all = bytes;
    for (const auto& [offset, cause] : gaps) all.emplace(offset, '.');
    std::string text;
    for (const auto& [offset, byte] : all) text += byte;
    return text;
  }
  [[nodiscard]] std::size_t gaps_of(GapCause cause) const {
    std::size_t count = 0;
    for (const auto& [offset, it] : gaps) count += it == cause;
    return count;
  }
};

struct ToldFlow {
  FlowOpened opened;
  EventTime opened_at;
  std::array<ToldStream, 2> sent;  // tx, rx
  std::optional<FlowClosed> closed;
  std::optional<std::uint64_t> tx_end, rx_end;
  std::vector<std::uint32_t> owners;
  std::size_t data_events = 0;
};

class Recorder final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    ++events;
    if (const auto* opened = std::get_if<FlowOpened>(&event.body)) {
      EXPECT_FALSE(by_id.contains(opened->flow.value)) << "opened twice";
      by_id[opened->flow.value] = flows.size();
      ToldFlow& fresh = flows.emplace_back();
      fresh.opened = *opened;
      fresh.opened_at = event.at;
    } else if (const auto* data = std::get_if<FlowData>(&event.body)) {
      on_data(*data);
    } else if (const auto* ended = std::get_if<StreamEnded>(&event.body)) {
      flow(ended->flow).sent[index(ended->direction)].fin = *ended->end - wire_offset_base;
    } else if (const auto* closed = std::get_if<FlowClosed>(&event.body)) {
      ToldFlow& it = flow(closed->flow);
      EXPECT_FALSE(it.closed) << "closed twice";
      it.closed = *closed;
      if (closed->tx_end) it.tx_end = *closed->tx_end - wire_offset_base;
      if (closed->rx_end) it.rx_end = *closed->rx_end - wire_offset_base;
    } else if (const auto* updated = std::get_if<FlowUpdated>(&event.body)) {
      ToldFlow& it = flow(updated->flow);
      if (updated->owner) it.owners.push_back(updated->owner->tgid);
      if (updated->local) it.opened.local = updated->local;
      if (updated->remote) it.opened.remote = updated->remote;
    }
  }

  std::vector<ToldFlow> flows;
  std::map<std::uint64_t, std::size_t> by_id;
  std::size_t events = 0;

 private:
  static std::size_t index(Direction direction) { return direction == Direction::tx ? 0 : 1; }
  ToldFlow& flow(FlowId id) {
    const auto it = by_id.find(id.value);
    if (it == by_id.end()) {
      ADD_FAILURE() << "flow was not opened";
      return flows.emplace_back();
    }
    EXPECT_FALSE(flows[it->second].closed) << "told after its end";
    return flows[it->second];
  }
  void on_data(const FlowData& data) {
    ToldFlow& it = flow(data.flow);
    ++it.data_events;
    ToldStream& stream = it.sent[index(data.direction)];
    EXPECT_GT(data.moved, 0U);
    EXPECT_LE(data.bytes.size(), data.moved);
    EXPECT_EQ(data.rest == GapCause::none, data.bytes.size() == data.moved);
    for (std::uint64_t i = 0; i < data.moved; ++i) {
      const std::uint64_t offset = data.offset - wire_offset_base + i;
      EXPECT_FALSE(stream.bytes.contains(offset) || stream.gaps.contains(offset)) << "told twice: " << offset;
      if (i < data.bytes.size()) {
        stream.bytes[offset] = static_cast<char>(data.bytes[i]);
      } else {
        stream.gaps[offset] = data.rest;
      }
    }
  }
};

}  // namespace tracer::test
