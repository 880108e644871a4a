#include "cli/progress.h"

#include <csignal>
#include <system_error>
#include <utility>

namespace tracer::cli {

using std::chrono::steady_clock;

Progress::Progress(const Talk& talk, std::string what, ProgressTimes times)
    : talk_(talk), times_(times), what_(std::move(what)), began_(steady_clock::now()) {
  sigset_t all{}, before{};  // signals are the main thread's
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    speaker_ = std::thread([this] { speak(); });
  } catch (const std::system_error&) {  // no thread to be had: it takes long in silence
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  if (speaker_.joinable()) speaker_.join();
}

void Progress::now(std::string what) {
  const std::scoped_lock lock(mutex_);
  what_ = std::move(what);
}

void Progress::speak() {
  std::unique_lock lock(mutex_);
  for (auto next = began_ + times_.first; !changed_.wait_until(lock, next, [this] { return over_; });
       next += times_.again) {
    const auto passed = std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - began_);
    talk_.notice(what_ + ": " + std::to_string(passed.count()) + " s so far");
  }
}

}  // namespace tracer::cli
