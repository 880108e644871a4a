// libpcap, as the rest of this folder needs it.
#pragma once

#include <pcap.h>

#include <memory>
#include <string>
#include <string_view>

#include "backends/pcap/packet.h"
#include "core/base/result.h"

namespace tracer {

struct PcapCloser {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};
using PcapHandle = std::unique_ptr<pcap_t, PcapCloser>;

// Enough for a segment of any size that the kernel hands over in one piece.
inline constexpr int snapshot_bytes = 262'144;

[[nodiscard]] LinkType link_type_of(int datalink);
// "EN10MB (Ethernet)"
[[nodiscard]] std::string link_type_name(int datalink);
[[nodiscard]] Result<void> set_filter(pcap_t& handle, const std::string& filter);
// Nanoseconds since 1970, of a handle that was opened for nanoseconds.
[[nodiscard]] EventTime time_of(const pcap_pkthdr& header);

}  // namespace tracer
