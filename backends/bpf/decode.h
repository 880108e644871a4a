// Wire records to events. Pure: no state, no kernel; malformed input is an answer, not a crash.
#pragma once

#include <optional>
#include <variant>

#include "backends/bpf/wire.h"
#include "core/base/bytes.h"
#include "core/event.h"

namespace tracer {

// The tracer's own heartbeat; `nonce` is what it put into the call.
struct Heartbeat {
  std::uint64_t nonce = 0;
  std::uint64_t at_ns = 0;
  std::uint32_t tgid = 0;  // of the tracer, as the initial pid namespace counts
};

// A record that asks user space to keep track of descriptors or sockets (programs without kernel types).
struct DescriptorNote {
  wire_fd note{};
};
struct SocketStateNote {
  wire_open note{};
};

struct Malformed {};

// A file was mapped, and the programs do not know which.
struct MappingNote {
  ProcessRef who;
  EventTime at;
  std::uint64_t address = 0;
  std::uint32_t lost_before = 0;
};

// The event and when the kernel made its record, which orders records of different processors.
struct DecodedEvent {
  Event event;
  std::uint64_t emitted_ns = 0;
  std::uint32_t lost_before = 0;  // records refused by the buffer up to this one; wraps
};

using Decoded = std::variant<DecodedEvent, Heartbeat, DescriptorNote, SocketStateNote, MappingNote, Malformed>;

// An address and a port in network order, as wire records carry them.
[[nodiscard]] Endpoint wire_endpoint(const std::uint8_t (&address)[16], std::uint16_t network_port);

// The event borrows from `record`.
[[nodiscard]] Decoded decode(Bytes record);

}  // namespace tracer
