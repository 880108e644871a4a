#include "backends/pcap/packet.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tracer {
namespace {

constexpr std::size_t vlan_tags_max = 4, ip6_headers_max = 16;
constexpr std::uint16_t type_ip4 = 0x0800, type_ip6 = 0x86dd, type_vlan = 0x8100, type_qinq = 0x88a8,
                        type_qinq_old = 0x9100, type_pppoe = 0x8864;
constexpr std::uint8_t protocol_tcp = 6, protocol_udp = 17;

// What is left of a packet: what was captured, and how long that part was on the wire.
struct Rest {
  const std::uint8_t* at = nullptr;
  std::size_t captured = 0;
  std::size_t wire = 0;

  [[nodiscard]] bool has(std::size_t size) const { return captured >= size; }
  [[nodiscard]] std::uint8_t u8(std::size_t offset) const { return at[offset]; }
  [[nodiscard]] std::uint16_t u16(std::size_t offset) const {
    return static_cast<std::uint16_t>(at[offset] << 8 | at[offset + 1]);
  }
  [[nodiscard]] std::uint32_t u32(std::size_t offset) const {
    return static_cast<std::uint32_t>(u16(offset)) << 16 | u16(offset + 2);
  }
  void drop(std::size_t size) {
    at += size;
    captured -= size;
    wire -= size;
  }
  // Padding after the end, as short Ethernet frames have it.
  void limit(std::size_t size) {
    wire = std::min(wire, size);
    captured = std::min(captured, wire);
  }
  [[nodiscard]] Bytes bytes() const { return {reinterpret_cast<const std::byte*>(at), captured}; }
};

using Address = std::array<std::uint8_t, 16>;

Address mapped(const std::uint8_t* ip4) {
  Address address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::memcpy(address.data() + 12, ip4, 4);
  return address;
}

std::uint8_t window_scale(Rest options) {
  while (options.has(2) && options.u8(0) != 0) {
    if (options.u8(0) == 1) {
      options.drop(1);
      continue;
    }
    const std::size_t size = options.u8(1);
    if (size < 2 || !options.has(size)) return 0;
    if (options.u8(0) == 3 && size == 3) return std::min<std::uint8_t>(options.u8(2), 14);
    options.drop(size);
  }
  return 0;
}

void decode_tcp(const Address& source, const Address& destination, Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  if (!rest.has(20)) return;
  const std::size_t header = static_cast<std::size_t>(rest.u8(12) >> 4) * 4;
  if (header < 20 || header > rest.wire) return;
  TcpSegment& tcp = packet.tcp;
  tcp.source = {source, rest.u16(0)};
  tcp.destination = {destination, rest.u16(2)};
  tcp.sequence = rest.u32(4);
  tcp.acknowledgment = rest.u32(8);
  tcp.flags = rest.u8(13);
  tcp.window = rest.u16(14);
  tcp.window_scale = 0;
  const std::size_t captured_header = std::min(header, rest.captured);
  if (tcp.has(tcp_flag::syn)) tcp.window_scale = window_scale({rest.at + 20, captured_header - 20, header - 20});
  tcp.payload_size = static_cast<std::uint32_t>(rest.wire - header);
  rest.drop(captured_header);
  tcp.payload = rest.bytes();
  packet.kind = Packet::Kind::tcp;
}

void decode_udp(const Address& source, const Address& destination, Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  if (!rest.has(8)) return;
  packet.udp.source = {source, rest.u16(0)};
  packet.udp.destination = {destination, rest.u16(2)};
  rest.drop(8);
  packet.udp.payload = rest.bytes();
  packet.kind = Packet::Kind::udp;
}

void decode_transport(std::uint8_t protocol, const Address& source, const Address& destination, Rest rest,
                      Packet& packet) {
  if (protocol == protocol_tcp) {
    decode_tcp(source, destination, rest, packet);
  } else if (protocol == protocol_udp) {
    decode_udp(source, destination, rest, packet);
  } else {
    packet.kind = Packet::Kind::other;
  }
}

void decode_ip4(Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  if (!rest.has(20) || rest.u8(0) >> 4 != 4) return;
  const std::size_t header = static_cast<std::size_t>(rest.u8(0) & 0x0f) * 4;
  // 0: longer than can be said (BIG TCP), or filled in by the hardware later; the packet's own length counts.
  const std::size_t total = rest.u16(2);
  if (header < 20 || !rest.has(header) || (total != 0 && total < header)) return;
  if (total != 0) rest.limit(total);
  const std::uint16_t position = rest.u16(6);
  const std::uint8_t protocol = rest.u8(9);
  const Address source = mapped(rest.at + 12), destination = mapped(rest.at + 16);
  const std::uint16_t id = rest.u16(4);
  if (!rest.has(header)) return;
  rest.drop(header);
  if ((position & 0x3fff) != 0) {
    packet.fragment = {.source = source,
                       .destination = destination,
                       .id = id,
                       .v6 = false,
                       .protocol = protocol,
                       .offset = static_cast<std::uint32_t>(position & 0x1fff) * 8,
                       .more = (position & 0x2000) != 0,
                       .bytes = rest.bytes(),
                       .size = static_cast<std::uint32_t>(rest.wire)};
    packet.kind = Packet::Kind::fragment;
    return;
  }
  decode_transport(protocol, source, destination, rest, packet);
}

void decode_ip6(Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  if (!rest.has(40) || rest.u8(0) >> 4 != 6) return;
  const std::size_t length = rest.u16(4);  // 0: a jumbo payload, whose option repeats what the packet's length says
  std::uint8_t next = rest.u8(6);
  Address source, destination;
  std::memcpy(source.data(), rest.at + 8, 16);
  std::memcpy(destination.data(), rest.at + 24, 16);
  rest.drop(40);
  if (length != 0) rest.limit(length);
  for (std::size_t headers = 0; headers < ip6_headers_max; ++headers) {
    constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, authentication = 51, options = 60;
    if (next != hop_by_hop && next != routing && next != fragment && next != authentication && next != options) {
      decode_transport(next, source, destination, rest, packet);
      return;
    }
    if (!rest.has(8)) return;
    const std::uint8_t after = rest.u8(0);
    if (next == fragment) {
      const std::uint16_t position = rest.u16(2);
      const std::uint32_t id = rest.u32(4);
      rest.drop(8);
      if ((position & 0xfff9) != 0) {  // else an atomic one: the whole datagram
        packet.fragment = {.source = source,
                           .destination = destination,
                           .id = id,
                           .v6 = true,
                           .protocol = after,
                           .offset = position & 0xfff8U,
                           .more = (position & 1) != 0,
                           .bytes = rest.bytes(),
                           .size = static_cast<std::uint32_t>(rest.wire)};
        packet.kind = Packet::Kind::fragment;
        return;
      }
    } else {
      const std::size_t size = next == authentication ? (rest.u8(1) + 2U) * 4 : (rest.u8(1) + 1U) * 8;
      if (!rest.has(size)) return;
      rest.drop(size);
    }
    next = after;
  }
}

void decode_ip(Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  if (!rest.has(1)) return;
  if (rest.u8(0) >> 4 == 4) decode_ip4(rest, packet);
  if (rest.u8(0) >> 4 == 6) decode_ip6(rest, packet);
}

void decode_ethertype(std::uint16_t type, Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  for (std::size_t tags = 0; type == type_vlan || type == type_qinq || type == type_qinq_old; ++tags) {
    if (tags == vlan_tags_max || !rest.has(4)) return;
    type = rest.u16(2);
    rest.drop(4);
  }
  if (type == type_pppoe) {
    if (!rest.has(8)) return;
    const std::uint16_t inner = rest.u16(6);
    rest.drop(8);
    type = inner == 0x0021 ? type_ip4 : inner == 0x0057 ? type_ip6 : 0;
  }
  if (type == type_ip4) {
    decode_ip4(rest, packet);
  } else if (type == type_ip6) {
    decode_ip6(rest, packet);
  } else {
    packet.kind = Packet::Kind::other;
  }
}

// The address family of BSD's loopback: in the byte order of whoever captured, with another number for IPv6 on each.
// Only the version of the packet itself is the same everywhere.
void decode_family(Rest rest, Packet& packet) {
  packet.kind = Packet::Kind::malformed;
  if (!rest.has(5)) return;
  rest.drop(4);
  const std::uint8_t version = rest.u8(0) >> 4;
  if (version == 4 || version == 6) {
    decode_ip(rest, packet);
  } else {
    packet.kind = Packet::Kind::other;
  }
}

}  // namespace

void decode_packet(LinkType link, Bytes captured, std::size_t wire_size, Packet& packet) {
  Rest rest{reinterpret_cast<const std::uint8_t*>(captured.data()), captured.size(),
            std::max(wire_size, captured.size())};
  const auto after = [&](std::size_t header, std::size_t type_at) {
    packet.kind = Packet::Kind::malformed;
    if (!rest.has(header)) return;
    const std::uint16_t type = rest.u16(type_at);
    rest.drop(header);
    decode_ethertype(type, rest, packet);
  };
  switch (link) {
    case LinkType::ethernet:
      return after(14, 12);
    case LinkType::linux_sll:
      return after(16, 14);
    case LinkType::linux_sll2:
      return after(20, 0);
    case LinkType::raw_ip:
      return decode_ip(rest, packet);
    case LinkType::null_host:
    case LinkType::loop:
      return decode_family(rest, packet);
    case LinkType::unknown:
      break;
  }
  packet.kind = Packet::Kind::undecoded;
}

void decode_transport(std::uint8_t protocol, const std::array<std::uint8_t, 16>& source,
                      const std::array<std::uint8_t, 16>& destination, Bytes captured, std::size_t wire_size,
                      Packet& packet) {
  decode_transport(protocol, source, destination,
                   Rest{reinterpret_cast<const std::uint8_t*>(captured.data()), captured.size(),
                        std::max(wire_size, captured.size())},
                   packet);
}

}  // namespace tracer
