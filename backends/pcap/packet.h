// One captured packet, taken apart down to TCP. Pure; the result borrows from the packet.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/event.h"

namespace tracer {

// Of libpcap's link types those that are taken apart here. Their numbers are not the same everywhere.
enum class LinkType : std::uint8_t { ethernet, linux_sll, linux_sll2, raw_ip, null_host, loop, unknown };

namespace tcp_flag {
inline constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10;
}

struct TcpSegment {
  Endpoint source, destination;
  std::uint32_t sequence = 0;  // of the SYN if there is one, else of the first byte of payload
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
  std::uint8_t window_scale = 0;   // of a SYN; 0: not said
  Bytes payload;                   // as much of it as was captured
  std::uint32_t payload_size = 0;  // on the wire
  [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

// A part of a datagram.
struct IpFragment {
  std::array<std::uint8_t, 16> source{}, destination{};
  std::uint32_t id = 0;
  bool v6 = false;
  std::uint8_t protocol = 0;  // IPv6: of the first fragment only
  std::uint32_t offset = 0;
  bool more = false;
  Bytes bytes;
  std::uint32_t size = 0;  // on the wire
};

struct UdpDatagram {
  Endpoint source, destination;
  Bytes payload;
};

struct Packet {
  enum class Kind : std::uint8_t {
    tcp,
    udp,
    fragment,
    other,      // another protocol
    undecoded,  // a link type or encapsulation that is not known here
    malformed,  // or cut off before its ports
  };
  Kind kind = Kind::other;
  TcpSegment tcp;
  UdpDatagram udp;
  IpFragment fragment;
};

// `wire_size`: of the packet before it was captured, at least captured.size().
void decode_packet(LinkType link, Bytes captured, std::size_t wire_size, Packet& packet);

// What a whole datagram carries, once its fragments are together.
void decode_transport(std::uint8_t protocol, const std::array<std::uint8_t, 16>& source,
                      const std::array<std::uint8_t, 16>& destination, Bytes captured, std::size_t wire_size,
                      Packet& packet);

}  // namespace tracer
