// What the kernel lets through to the capture, in the language of pcap_compile().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tracer {

struct CaptureFilter {
  std::vector<std::uint16_t> ports;  // empty: all
  std::uint16_t beat_port = 0;       // datagrams from and to it pass; 0: there are none
  // Loopback shows each packet twice, leaving and arriving. With this index of loopback (0: packets have none, or only
  // one interface is watched) the kernel drops one copy; else libpcap does.
  unsigned loopback_index = 0;
};

// TCP on those ports. What a filter cannot look into passes too and is judged later: fragments, IPv6 behind extension
// headers, VLAN tags and PPPoE that the network card has not taken off.
[[nodiscard]] std::string stream_filter(const CaptureFilter& filter);
// Of those only handshakes.
[[nodiscard]] std::string handshake_filter(const CaptureFilter& filter);
// Of those only the heartbeat.
[[nodiscard]] std::string beat_filter(const CaptureFilter& filter);

}  // namespace tracer
