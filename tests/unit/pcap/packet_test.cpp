// Packets of every link type and shape, down to TCP.
#include "backends/pcap/packet.h"

#include <gtest/gtest.h>

#include "tests/unit/pcap/packet_bytes.h"

namespace tracer {
namespace {

using namespace test;
using Kind = Packet::Kind;

Packet decode(LinkType link, const std::string& bytes, std::size_t wire_size = 0) {
  static std::string kept;  // the packet borrows
  kept = bytes;
  Packet packet;
  decode_packet(link, as_bytes(kept), wire_size == 0 ? kept.size() : wire_size, packet);
  return packet;
}

std::string name_of(Kind kind) {
  static constexpr const char* names[] = {"tcp", "udp", "fragment", "other", "undecoded", "malformed"};
  return names[static_cast<std::size_t>(kind)];
}

struct Case {
  const char* name;
  LinkType link;
  std::string bytes;
  Kind kind;
};

TEST(Packet, EveryLinkTypeAndShape) {
  const std::string segment = tcp("payload"), v4 = ip4(segment), v6 = ip6(segment);
  const std::string eight(6, '\0');
  const Case cases[] = {
      {"ethernet", LinkType::ethernet, ethernet(v4), Kind::tcp},
      {"ethernet, IPv6", LinkType::ethernet, ethernet(v6, 0x86dd), Kind::tcp},
      {"ethernet, padded", LinkType::ethernet, ethernet(v4 + std::string(9, 'P')), Kind::tcp},
      {"VLAN", LinkType::ethernet, ethernet(u16(5) + u16(0x0800) + v4, 0x8100), Kind::tcp},
      {"QinQ", LinkType::ethernet, ethernet(u16(5) + u16(0x8100) + u16(6) + u16(0x0800) + v4, 0x88a8), Kind::tcp},
      {"PPPoE", LinkType::ethernet, ethernet(u16(0x1100) + u16(1) + u16(47) + u16(0x21) + v4, 0x8864), Kind::tcp},
      {"PPPoE, IPv6", LinkType::ethernet, ethernet(u16(0x1100) + u16(1) + u16(67) + u16(0x57) + v6, 0x8864), Kind::tcp},
      {"PPPoE, LCP", LinkType::ethernet, ethernet(u16(0x1100) + u16(1) + u16(4) + u16(0xc021), 0x8864), Kind::other},
      {"ARP", LinkType::ethernet, ethernet(std::string(28, 'a'), 0x0806), Kind::other},
      {"MPLS", LinkType::ethernet, ethernet(u32(0x100) + v4, 0x8847), Kind::other},
      {"too many tags", LinkType::ethernet,
       ethernet(u16(1) + u16(0x8100) + u16(1) + u16(0x8100) + u16(1) + u16(0x8100) + u16(1) + u16(0x8100) + u16(1) +
                    u16(0x0800) + v4,
                0x8100),
       Kind::malformed},
      {"cooked", LinkType::linux_sll, std::string(14, 'x') + u16(0x0800) + v4, Kind::tcp},
      {"cooked 2", LinkType::linux_sll2, u16(0x86dd) + std::string(18, 'x') + v6, Kind::tcp},
      {"cooked 2, VLAN", LinkType::linux_sll2, u16(0x8100) + std::string(18, 'x') + u16(5) + u16(0x0800) + v4,
       Kind::tcp},
      {"raw", LinkType::raw_ip, v4, Kind::tcp},
      {"raw, IPv6", LinkType::raw_ip, v6, Kind::tcp},
      {"raw, neither", LinkType::raw_ip, std::string(40, '\x50'), Kind::malformed},
      {"null", LinkType::null_host, std::string("\x02\0\0\0", 4) + v4, Kind::tcp},
      {"loop", LinkType::loop, std::string("\0\0\0\x1c", 4) + v6, Kind::tcp},
      {"null, not IP", LinkType::null_host, std::string("\x02\0\0\0\x10", 5), Kind::other},
      {"unknown link type", LinkType::unknown, v4, Kind::undecoded},
      {"IPv4 with options", LinkType::raw_ip, ip4(segment, {.options = std::string(8, '\1')}), Kind::tcp},
      {"UDP", LinkType::raw_ip, ip4(udp("x", 1, 2), {.protocol = 17}), Kind::udp},
      {"ICMP", LinkType::raw_ip, ip4(segment, {.protocol = 1}), Kind::other},
      {"first fragment", LinkType::raw_ip, ip4(segment, {.fragment = 0x2000}), Kind::fragment},
      {"last fragment", LinkType::raw_ip, ip4(segment, {.fragment = 3}), Kind::fragment},
      {"never to be fragmented", LinkType::raw_ip, ip4(segment, {.fragment = 0x4000}), Kind::tcp},
      {"hop-by-hop, routing, options", LinkType::raw_ip,
       ip6(u8(43) + u8(0) + eight + u8(60) + u8(1) + eight + std::string(8, 'r') + u8(6) + u8(0) + eight + segment, 0),
       Kind::tcp},
      {"authentication header", LinkType::raw_ip, ip6(u8(6) + u8(4) + std::string(22, 'a') + segment, 51), Kind::tcp},
      {"atomic fragment", LinkType::raw_ip, ip6(u8(6) + u8(0) + u16(0) + u32(9) + segment, 44), Kind::tcp},
      {"IPv6 fragment", LinkType::raw_ip, ip6(u8(6) + u8(0) + u16(1) + u32(9) + segment, 44), Kind::fragment},
      {"ESP", LinkType::raw_ip, ip6(segment, 50), Kind::other},
      {"IPv4 header too short", LinkType::raw_ip, "\x44" + v4.substr(1), Kind::malformed},
      {"IPv4 total below its header", LinkType::raw_ip, ip4(segment, {.total = 19}), Kind::malformed},
      {"TCP header beyond its packet", LinkType::raw_ip, ip4(segment, {.total = 39}), Kind::malformed},
      {"TCP offset too small", LinkType::raw_ip, ip4(segment.substr(0, 12) + "\x40" + segment.substr(13)),
       Kind::malformed},
      {"extension header cut off", LinkType::raw_ip, ip6(u8(6) + u8(9) + eight, 0), Kind::malformed},
      {"empty", LinkType::ethernet, "", Kind::malformed},
  };
  for (const Case& it : cases) {
    SCOPED_TRACE(it.name);
    const Packet packet = decode(it.link, it.bytes);
    EXPECT_EQ(name_of(packet.kind), name_of(it.kind));
    if (packet.kind != Kind::tcp || it.kind != Kind::tcp) continue;
    EXPECT_EQ(as_text(packet.tcp.payload), "payload");
    EXPECT_EQ(packet.tcp.payload_size, 7U);
    EXPECT_EQ(packet.tcp.sequence, 0x0102'0304U);
    EXPECT_EQ(packet.tcp.acknowledgment, 0x0506'0708U);
    EXPECT_EQ(packet.tcp.source.port, 40'000);
    EXPECT_EQ(packet.tcp.destination.port, 80);
    EXPECT_EQ(packet.tcp.source.address[15], 1);
    EXPECT_EQ(packet.tcp.destination.address[15], 2);
    EXPECT_TRUE(packet.tcp.has(tcp_flag::ack));
    EXPECT_FALSE(packet.tcp.has(tcp_flag::syn));
  }
}

TEST(Packet, AddressesOfIpv4AreMapped) {
  const Packet packet = decode(LinkType::raw_ip, ip4(tcp("x")));
  EXPECT_EQ(packet.tcp.source.address,
            (std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}));
}

TEST(Packet, ALengthOfZeroIsThatOfThePacket) {
  const std::string large(100'000, 'x');
  const Packet v4 = decode(LinkType::raw_ip, ip4(tcp(large), {.total = 0}));
  ASSERT_EQ(v4.kind, Kind::tcp);
  EXPECT_EQ(v4.tcp.payload.size(), large.size());
  const Packet v6 = decode(LinkType::raw_ip, ip6(tcp(large), 6, 0));
  ASSERT_EQ(v6.kind, Kind::tcp);
  EXPECT_EQ(v6.tcp.payload_size, large.size());
}

TEST(Packet, CutOffByTheCapture) {
  const std::string whole = ethernet(ip4(tcp("payload")));
  const Packet some = decode(LinkType::ethernet, whole.substr(0, whole.size() - 4), whole.size());
  ASSERT_EQ(some.kind, Kind::tcp);
  EXPECT_EQ(as_text(some.tcp.payload), "pay");
  EXPECT_EQ(some.tcp.payload_size, 7U);
  const Packet none = decode(LinkType::ethernet, whole.substr(0, 14 + 20 + 20), whole.size());
  ASSERT_EQ(none.kind, Kind::tcp);
  EXPECT_TRUE(none.tcp.payload.empty());
  EXPECT_EQ(none.tcp.payload_size, 7U);
  // Options that were not captured still count as header.
  const std::string options = ip4(tcp("payload", {.options = std::string(12, '\1')}));
  const Packet header = decode(LinkType::raw_ip, options.substr(0, 20 + 22), options.size());
  ASSERT_EQ(header.kind, Kind::tcp);
  EXPECT_EQ(header.tcp.payload_size, 7U);
  EXPECT_EQ(decode(LinkType::ethernet, whole.substr(0, 14 + 20 + 19), whole.size()).kind, Kind::malformed);
}

TEST(Packet, NothingIsReadBeyondAnyCut) {
  for (const std::string& whole :
       {ethernet(
            u16(5) + u16(0x0800) + ip4(tcp("payload", {.flags = 2, .options = "\1\3\3\7"}), {.options = "\1\1\1\1"}),
            0x8100),
        ethernet(ip6(u8(44) + u8(0) + std::string(6, '\0') + u8(6) + u8(0) + u16(0) + u32(9) + tcp("payload"), 0),
                 0x86dd)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string cut = whole.substr(0, size);  // its own allocation: a sanitizer sees reads beyond
      Packet packet;
      decode_packet(LinkType::ethernet, as_bytes(cut), whole.size(), packet);
      EXPECT_TRUE(packet.kind == Kind::malformed || packet.kind == Kind::tcp);
    }
  }
}

TEST(Packet, TheWindowScaleOfASyn) {
  const auto scale = [](std::string options, unsigned flags = 2) {
    return decode(LinkType::raw_ip, ip4(tcp("", {.flags = flags, .options = std::move(options)}))).tcp.window_scale;
  };
  EXPECT_EQ(scale(std::string("\2\4\5\xb4\1\3\3\7", 8)), 7);
  EXPECT_EQ(scale(std::string("\1\3\3\x63", 4)), 14) << "no more is allowed";
  EXPECT_EQ(scale(std::string("\0\3\3\7", 4)), 0) << "after the end of the options";
  EXPECT_EQ(scale(std::string("\2\0\3\7", 4)), 0) << "an option of no length";
  EXPECT_EQ(scale(std::string("\1\3\3\7", 4), 0x10), 0) << "no SYN";
}

}  // namespace
}  // namespace tracer
