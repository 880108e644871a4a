#include "backends/pcap/libpcap.h"

#include <algorithm>

// Debian's libpcap.a also captures from D-Bus, which needs libdbus and libsystemd, and the latter has no static
// library. pcap_create() asks each of its parts whether a device is its own; this one, in place of libpcap's, says no.
// Where libpcap was built without D-Bus nobody calls these. They must be in an object file that is linked before
// libpcap.a.
extern "C" {
pcap_t* dbus_create(const char* device, char* error, int* is_ours);
int dbus_findalldevs(void* devices, char* error);

pcap_t* dbus_create(const char*, char*, int* is_ours) {
  *is_ours = 0;
  return nullptr;
}
int dbus_findalldevs(void*, char*) { return 0; }
}

namespace tracer {

LinkType link_type_of(int datalink) {
  switch (datalink) {
    case DLT_EN10MB:
      return LinkType::ethernet;
    case DLT_LINUX_SLL:
      return LinkType::linux_sll;
    case DLT_LINUX_SLL2:
      return LinkType::linux_sll2;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return LinkType::raw_ip;
    case DLT_NULL:
      return LinkType::null_host;
    case DLT_LOOP:
      return LinkType::loop;
    default:
      return LinkType::unknown;
  }
}

std::string link_type_name(int datalink) {
  const char* const name = pcap_datalink_val_to_name(datalink);
  if (name == nullptr) return "link type " + std::to_string(datalink);
  const char* const words = pcap_datalink_val_to_description(datalink);
  return words == nullptr ? name : std::string(name) + " (" + words + ")";
}

Result<void> set_filter(pcap_t& handle, const std::string& filter) {
  bpf_program program{};
  if (pcap_compile(&handle, &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return fail(Errc::not_supported, "compile capture filter '" + filter + "': " + pcap_geterr(&handle));
  }
  const int result = pcap_setfilter(&handle, &program);
  pcap_freecode(&program);
  if (result != 0) return fail(Errc::os, std::string("set capture filter: ") + pcap_geterr(&handle));
  return {};
}

EventTime time_of(const pcap_pkthdr& header) {
  constexpr std::uint64_t second_ns = 1'000'000'000, seconds_max = 1ULL << 32U;
  // A file may say anything.
  if (header.ts.tv_sec < 0 || header.ts.tv_usec < 0) return {};
  const std::uint64_t seconds = static_cast<std::uint64_t>(header.ts.tv_sec);
  return {std::min(seconds, seconds_max) * second_ns +
          std::min<std::uint64_t>(static_cast<std::uint64_t>(header.ts.tv_usec), second_ns - 1)};
}

}  // namespace tracer
