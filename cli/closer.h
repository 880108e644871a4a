// Closes backends beside the loop: the kernel may take seconds to let go of what one attached, and meanwhile the next
// one must be drained.
#pragma once

#include <chrono>
#include <memory>

#include "core/backend.h"

namespace tracer::cli {

class Closer {
 public:
  // `patience`: for how long the end waits for what is still being closed. What is not closed by then ends with the
  // process.
  explicit Closer(std::chrono::milliseconds patience);
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer();

  // What the backend refers to must be safe to use from another thread until busy() says false. Null is ignored.
  void close(std::unique_ptr<Backend> backend);
  [[nodiscard]] bool busy() const;

 private:
  struct Work;
  std::shared_ptr<Work> work_;  // of the threads too, which may outlive this
  std::chrono::milliseconds patience_;
};

}  // namespace tracer::cli
