// Backend `pcap`: connections as packets, by libpcap. Mechanisms: af_packet (live) and file (replay).
//
// It tells one flow per TCP connection (Vantage::wire) and sees only the network namespace it was opened in. After
// opening, capture itself needs no privilege: the open packet sockets are enough. What asks for the owners of sockets
// still needs some; see keep_only() in backends/pcap/privileges.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/pcap/limits.h"
#include "core/backend.h"
#include "core/ownership.h"

namespace tracer {

struct PcapOptions {
  std::string interface;                   // empty: all, loopback among them
  std::uint64_t buffer_bytes = 16U << 20;  // ring between kernel and tracer
  // Connections that have none of these ports are not told at all. Empty: all connections.
  std::vector<std::uint16_t> ports;
  SocketOwners* owners = nullptr;  // null: nobody is asked; must outlive the backend
  PcapLimits limits;
};

// Answers only once an own packet was seen coming back, where loopback is watched and up.
[[nodiscard]] Result<OpenedBackend> open_pcap(const PcapOptions& options);

// `path` "-": standard input, where drain() waits for the writer. Reads the first bytes of the file now.
[[nodiscard]] Result<OpenedBackend> open_pcap_file(const std::string& path, const PcapOptions& options);

}  // namespace tracer
