// Closes descriptors for which the kernel takes its time, one after the other, while the caller goes on.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/unique_fd.h"

namespace tracer {

class DescriptorCloser {
 public:
  DescriptorCloser() = default;
  // Waits for all.
  ~DescriptorCloser() {
    if (!thread_.joinable()) return;
    {
      const std::scoped_lock lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  DescriptorCloser(const DescriptorCloser&) = delete;
  DescriptorCloser& operator=(const DescriptorCloser&) = delete;

  void close(std::vector<UniqueFd> descriptors) {
    if (descriptors.empty()) return;
    {
      const std::scoped_lock lock(mutex_);
      for (UniqueFd& each : descriptors) waiting_.push_back(std::move(each));
    }
    changed_.notify_one();
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      UniqueFd next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next.reset();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UniqueFd> waiting_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace tracer
