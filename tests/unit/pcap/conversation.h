// Segments of one connection, made by hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backends/pcap/tcp_tracker.h"
#include "tests/unit/pcap/recorder.h"

namespace tracer::test {

inline Endpoint endpoint(std::uint8_t last, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}, port};
}

inline constexpr std::uint64_t ms = 1'000'000;

struct Conversation {
  explicit Conversation(PcapLimits limits = {}, std::vector<std::uint16_t> ports = {})
      : tracker(limits, std::move(ports), 0, nullptr) {}

  // Numbers are relative to the initial ones. `payload` may claim more bytes on the wire than it has.
  struct Say {
    std::uint32_t seq = 0, ack = 0;
    std::uint8_t flags = tcp_flag::ack;
    std::string_view payload = {};
    std::uint32_t wire_size = 0;
  };
  void say(const Endpoint& from, const Endpoint& to, std::uint32_t seq, std::uint32_t ack, const Say& what) {
    TcpSegment segment;
    segment.source = from;
    segment.destination = to;
    segment.sequence = seq + what.seq;
    segment.acknowledgment = ack + what.ack;
    segment.flags = what.flags;
    segment.window = 65'535;
    segment.payload = as_bytes(what.payload);
    segment.payload_size = std::max(what.wire_size, static_cast<std::uint32_t>(what.payload.size()));
    tracker.on_segment(segment, now, recorder);
  }
  void client(const Say& what) { say(client_end, server_end, client_isn, server_isn, what); }
  void server(const Say& what) { say(server_end, client_end, server_isn, client_isn, what); }
  void handshake() {
    client({.flags = tcp_flag::syn});
    server({.ack = 1, .flags = tcp_flag::syn | tcp_flag::ack});
    client({.seq = 1, .ack = 1});
  }
  void pass(std::uint64_t ns) {
    now.ns += ns;
    tracker.advance(now, recorder);
  }
  [[nodiscard]] ToldFlow& flow(std::size_t index = 0) {
    if (index >= recorder.flows.size()) {
      ADD_FAILURE() << "no flow " << index;
      recorder.flows.resize(index + 1);
    }
    return recorder.flows[index];
  }

  Endpoint client_end = endpoint(1, 40'000), server_end = endpoint(2, 80);
  std::uint32_t client_isn = 1'000, server_isn = 5'000;
  EventTime now{1'000'000'000'000};
  Recorder recorder;
  TcpTracker tracker;
};

}  // namespace tracer::test
