// A heartbeat for programs that see nothing but processes begin and end: a thread of the tracer that ends at once, with
// a name that they know.
#pragma once

#include <cstdint>

#include "backends/bpf/beat_sender.h"
#include "backends/bpf/wire.h"

namespace tracer {

class ThreadBeat final : public BeatSender {
 public:
  void send(std::uint32_t nonce) override;
};

// The name of such a thread: exactly what the programs compare.
void write_beat_name(char (&name)[WIRE_COMM_SIZE], std::uint32_t nonce);

}  // namespace tracer
