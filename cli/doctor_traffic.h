// Traffic that a trial run knows all about: an HTTP server and a client over loopback, a program that runs, a file that
// is opened and mapped like a library. All by processes of its own, because the tracer never records itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer::cli {

inline constexpr unsigned trial_requests = 3;
// What the client opens: a file that every machine has, the tracer's own program.
[[nodiscard]] std::string trial_file();

class TrialTraffic {
 public:
  // Starts it all. `program`: what one process executes; it is kept waiting on its output until let_go().
  [[nodiscard]] static Result<TrialTraffic> start(const std::string& path, std::vector<std::string> program);
  TrialTraffic(TrialTraffic&&) = default;
  TrialTraffic& operator=(TrialTraffic&&) = delete;
  // Ends what is still running.
  ~TrialTraffic();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint32_t client() const { return static_cast<std::uint32_t>(children_[1]); }
  [[nodiscard]] std::uint32_t executed() const { return static_cast<std::uint32_t>(children_[2]); }
  // The client could not talk to its server.
  [[nodiscard]] bool client_failed();
  // Lets the program that was executed end; to be called again until it has.
  void let_go();

 private:
  TrialTraffic() = default;
  std::uint16_t port_ = 0;
  std::vector<pid_t> children_;  // server, client, program; 0: its end was awaited
  std::optional<int> client_status_;
  UniqueFd program_output_;
};

}  // namespace tracer::cli
