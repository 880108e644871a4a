#include "backends/pcap/capture_filter.h"

namespace tracer {
namespace {

constexpr const char* opaque =
    "(ip[6:2] & 0x1fff != 0) or "
    "(ip6 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60)) or "
    "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x8864";

std::string tcp_of(const CaptureFilter& filter) {
  if (filter.ports.empty()) return "tcp";
  std::string text = "tcp and (";
  for (std::size_t i = 0; i < filter.ports.size(); ++i) {
    if (i > 0) text += " or ";
    text += "port " + std::to_string(filter.ports[i]);
  }
  return text + ")";
}

std::string beat_of(const CaptureFilter& filter) {
  const std::string port = std::to_string(filter.beat_port);
  return "udp and src port " + port + " and dst port " + port;
}

std::string once(std::string text, const CaptureFilter& filter) {
  if (filter.loopback_index == 0) return text;
  return "(" + text + ") and not (ifindex " + std::to_string(filter.loopback_index) + " and outbound)";
}

}  // namespace

std::string stream_filter(const CaptureFilter& filter) {
  std::string text = "(" + tcp_of(filter) + ") or " + opaque;
  if (filter.beat_port != 0) text += " or (" + beat_of(filter) + ")";
  return once(std::move(text), filter);
}

// tcp[…] is IPv4 only.
std::string handshake_filter(const CaptureFilter& filter) {
  return once("(" + tcp_of(filter) + ") and (tcp[13] & 2 != 0 or (ip6 and ip6[6] = 6 and ip6[53] & 2 != 0))", filter);
}

std::string beat_filter(const CaptureFilter& filter) { return once(beat_of(filter), filter); }

}  // namespace tracer
