// A sign of life that costs nothing: something harmless which the tracer does itself and its programs answer.
#pragma once

#include <cstdint>

namespace tracer {

class BeatSender {
 public:
  virtual ~BeatSender() = default;
  // A call that fails at once and touches nothing; the programs answer it with a WIRE_BEAT that carries `nonce`.
  virtual void send(std::uint32_t nonce) = 0;
};

}  // namespace tracer
