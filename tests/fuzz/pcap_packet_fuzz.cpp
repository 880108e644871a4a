// Any bytes as packets of any link type: first byte the link type, then packets, each with two bytes of length and one
// that says how much longer it was on the wire. Each packet is given in an allocation of its own.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "backends/pcap/fragments.h"
#include "backends/pcap/packet.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool inside(tracer::Bytes part, const std::vector<std::byte>& whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto link = static_cast<tracer::LinkType>(data[0] % 7);
  tracer::FragmentTable fragments({.fragmented_max = 4, .fragment_ns = 20});
  tracer::Packet packet;
  std::uint64_t now = 0;
  for (std::size_t at = 1; at + 3 <= size;) {
    std::size_t length = static_cast<std::size_t>(data[at]) << 8U | data[at + 1];
    const std::size_t more = data[at + 2];
    at += 3;
    if (length > size - at) length = size - at;
    const auto* const begin = reinterpret_cast<const std::byte*>(data + at);
    const std::vector<std::byte> captured(begin, begin + length);
    at += length;
    tracer::decode_packet(link, captured, captured.size() + more, packet);
    using Kind = tracer::Packet::Kind;
    if (packet.kind == Kind::tcp) {
      require(inside(packet.tcp.payload, captured) && packet.tcp.payload.size() <= packet.tcp.payload_size);
      require(packet.tcp.payload_size <= captured.size() + more && packet.tcp.window_scale <= 14);
    } else if (packet.kind == Kind::udp) {
      require(inside(packet.udp.payload, captured));
    } else if (packet.kind == Kind::fragment) {
      require(inside(packet.fragment.bytes, captured) && packet.fragment.bytes.size() <= packet.fragment.size);
      tracer::FragmentTable::Whole whole;
      if (!fragments.add(packet.fragment, {++now}, whole)) continue;
      require(whole.captured.size() <= whole.wire_size && whole.wire_size <= 65'535);
      tracer::decode_transport(whole.protocol, whole.source, whole.destination, whole.captured, whole.wire_size,
                               packet);
      if (packet.kind == Kind::tcp) require(packet.tcp.payload.size() <= packet.tcp.payload_size);
    }
  }
  return 0;
}
