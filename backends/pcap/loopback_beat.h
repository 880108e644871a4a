// The heartbeat of a capture that watches loopback: a datagram from a socket to itself.
#pragma once

#include <cstdint>
#include <optional>

#include "backends/pcap/packet.h"
#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer {

class LoopbackBeat {
 public:
  // Fails where loopback is down, and the like: that says nothing of the capture.
  [[nodiscard]] static Result<LoopbackBeat> open();
  [[nodiscard]] Result<void> send(std::uint64_t nonce);
  // The nonce, if it is one of ours.
  [[nodiscard]] std::optional<std::uint64_t> recognise(const UdpDatagram& datagram) const;
  // Both ports of it.
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  LoopbackBeat(UniqueFd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}
  UniqueFd socket_;
  std::uint16_t port_;
};

}  // namespace tracer
