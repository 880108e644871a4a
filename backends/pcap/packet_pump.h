// Packets in, events out: decoding, reassembly of fragments, the TCP tracker, and the heartbeat's datagrams.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backends/pcap/fragments.h"
#include "backends/pcap/loopback_beat.h"
#include "backends/pcap/packet.h"
#include "backends/pcap/tcp_tracker.h"

namespace tracer {

struct PumpCounters {
  std::uint64_t packets = 0;
  std::uint64_t malformed = 0;
  std::uint64_t undecoded = 0;
};

class PacketPump {
 public:
  PacketPump(const PcapLimits& limits, std::vector<std::uint16_t> ports, std::uint64_t seed, FlowWatcher* watcher)
      : fragments_(limits), tracker_(limits, std::move(ports), seed, watcher) {}

  // `beat` may be null.
  void on_packet(LinkType link, Bytes captured, std::size_t wire_size, EventTime at, const LoopbackBeat* beat,
                 EventHandler& handler);

  [[nodiscard]] TcpTracker& tracker() { return tracker_; }
  [[nodiscard]] const TcpTracker& tracker() const { return tracker_; }
  [[nodiscard]] const FragmentTable& fragments() const { return fragments_; }
  [[nodiscard]] const PumpCounters& counters() const { return counters_; }
  [[nodiscard]] std::uint64_t beats_seen() const { return beats_seen_; }

 private:
  void on_decoded(EventTime at, const LoopbackBeat* beat, EventHandler& handler);

  Packet packet_;
  FragmentTable fragments_;
  TcpTracker tracker_;
  PumpCounters counters_;
  std::uint64_t beats_seen_ = 0, last_nonce_ = 0;
};

}  // namespace tracer
