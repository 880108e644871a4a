// A heartbeat for programs that see files opened: an open of nothing below no directory, which fails at once.
#pragma once

#include "backends/bpf/beat_sender.h"

namespace tracer {

class OpenBeat final : public BeatSender {
 public:
  void send(std::uint32_t nonce) override;
};

}  // namespace tracer
