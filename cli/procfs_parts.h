// What the backends share that ask /proc: each part is opened when the first of them needs it.
#pragma once

#include <memory>

#include "backends/procfs/process_cache.h"
#include "backends/procfs/socket_owners.h"

namespace tracer::cli {

class ProcfsParts {
 public:
  [[nodiscard]] const std::shared_ptr<procfs::ProcessCache>& processes() const { return processes_; }
  // Null where this machine does not tell who owns a socket.
  [[nodiscard]] const std::shared_ptr<ProcSocketOwners>& owners() {
    if (!asked_) {
      asked_ = true;
      SocketOwnersOptions options;
      options.processes = processes_;
      if (auto opened = ProcSocketOwners::open(std::move(options))) owners_ = std::move(*opened);
    }
    return owners_;
  }

 private:
  std::shared_ptr<procfs::ProcessCache> processes_ = std::make_shared<procfs::ProcessCache>();
  std::shared_ptr<ProcSocketOwners> owners_;
  bool asked_ = false;
};

}  // namespace tracer::cli
