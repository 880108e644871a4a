// The only place that waits: signals, the backend's and the output's descriptors, and a timer, on Boost.Asio.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/result.h"

namespace tracer::cli {

enum class Wake : std::uint8_t {
  start,      // the loop begins
  timer,      // the time asked for has passed
  backend,    // a backend's descriptor is readable
  output,     // the output's descriptor is writable
  interrupt,  // SIGINT
  terminate,  // SIGTERM
  hangup,     // SIGHUP: the terminal is gone
};

// What a step wants next.
struct Next {
  bool stop = false;
  bool again = false;                   // there is more to do now, but signals first
  bool until_writable = false;          // wake when the output takes more
  std::chrono::milliseconds timer{50};  // wake after this time at the latest
  // Set: wait for these from now on, in place of LoopDescriptors::backends. Those of before may be closed already.
  std::optional<std::vector<int>> backends{};
};

class LoopClient {
 public:
  // Must not block and must not throw.
  virtual Next step(Wake wake, std::chrono::steady_clock::time_point now) = 0;

 protected:
  ~LoopClient() = default;
};

struct LoopDescriptors {
  std::vector<int> backends{};  // waited on for reading; stay the caller's
  int output = -1;              // waited on for writing when asked; -1: none
};

// Steps the client until it says stop. SIGINT and SIGTERM are handled during the run even if they were inherited as
// ignored or blocked. SIGPIPE is ignored from here on: a closed reader is an error of write(2).
[[nodiscard]] Result<void> run_loop(LoopClient& client, const LoopDescriptors& descriptors);

}  // namespace tracer::cli
