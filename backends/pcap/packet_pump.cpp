#include "backends/pcap/packet_pump.h"

namespace tracer {

void PacketPump::on_packet(LinkType link, Bytes captured, std::size_t wire_size, EventTime at, const LoopbackBeat* beat,
                           EventHandler& handler) {
  ++counters_.packets;
  decode_packet(link, captured, wire_size, packet_);
  if (packet_.kind == Packet::Kind::fragment) {
    FragmentTable::Whole whole;
    if (!fragments_.add(packet_.fragment, at, whole)) return;
    decode_transport(whole.protocol, whole.source, whole.destination, whole.captured, whole.wire_size, packet_);
  }
  on_decoded(at, beat, handler);
}

void PacketPump::on_decoded(EventTime at, const LoopbackBeat* beat, EventHandler& handler) {
  switch (packet_.kind) {
    case Packet::Kind::tcp:
      tracker_.on_segment(packet_.tcp, at, handler);
      break;
    case Packet::Kind::udp:
      if (beat != nullptr) {
        const auto nonce = beat->recognise(packet_.udp);
        if (!nonce || *nonce <= last_nonce_) break;  // once, on however many interfaces it is seen
        last_nonce_ = *nonce;
        ++beats_seen_;
      }
      break;
    case Packet::Kind::malformed:
      ++counters_.malformed;
      break;
    case Packet::Kind::undecoded:
      ++counters_.undecoded;
      break;
    case Packet::Kind::fragment:
    case Packet::Kind::other:
      break;
  }
}

}  // namespace tracer
