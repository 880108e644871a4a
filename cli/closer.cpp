#include "cli/closer.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace tracer::cli {

struct Closer::Work {
  std::mutex mutex;
  std::condition_variable done;
  unsigned closing = 0;
};

Closer::Closer(std::chrono::milliseconds patience) : work_(std::make_shared<Work>()), patience_(patience) {}

Closer::~Closer() {
  std::unique_lock lock(work_->mutex);
  work_->done.wait_for(lock, patience_, [&] { return work_->closing == 0; });
}

void Closer::close(std::unique_ptr<Backend> backend) {
  if (!backend) return;
  {
    const std::scoped_lock lock(work_->mutex);
    ++work_->closing;
  }
  auto close = [work = work_, closed = std::move(backend)]() mutable {
    closed.reset();
    const std::scoped_lock lock(work->mutex);
    --work->closing;
    work->done.notify_all();
  };
  try {
    std::thread(std::move(close)).detach();
  } catch (const std::system_error&) {  // no thread to be had; the attempt has taken the backend with it
    const std::scoped_lock lock(work_->mutex);
    --work_->closing;
  }
}

bool Closer::busy() const {
  const std::scoped_lock lock(work_->mutex);
  return work_->closing != 0;
}

}  // namespace tracer::cli
