// Says that something takes long, while it does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "cli/talk.h"

namespace tracer::cli {

struct ProgressTimes {
  std::chrono::milliseconds first{1'000};  // what is done sooner is not worth a word
  std::chrono::milliseconds again{5'000};
};

// For as long as it exists. It speaks from a thread of its own, because what takes long is one call.
class Progress {
 public:
  // `what` is under way: "attaching ebpf/fentry". `talk` must outlive it.
  Progress(const Talk& talk, std::string what, ProgressTimes times = {});
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // This is under way from now on; the time goes on.
  void now(std::string what);

 private:
  void speak();

  const Talk& talk_;
  ProgressTimes times_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string what_;
  const std::chrono::steady_clock::time_point began_;
  bool over_ = false;
  std::thread speaker_;
};

}  // namespace tracer::cli
