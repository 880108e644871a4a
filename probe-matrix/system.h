// What a probe may touch. Everything goes through here, so that a test can be any kernel it likes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer {

class System {
 public:
  virtual ~System() = default;
  // The first `limit_bytes` of a file. A directory fails with EISDIR, which proves that it exists.
  [[nodiscard]] virtual Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) = 0;
  [[nodiscard]] virtual Result<std::string> read_link(const std::string& path) = 0;
  // One system call, by number: its result, or -errno. A descriptor in the result belongs to the caller.
  [[nodiscard]] virtual long call(long number, std::array<std::uintptr_t, 6> arguments) = 0;
  // Closes a descriptor whose close() makes the kernel wait for every CPU (50 to 100 ms), without making the caller
  // wait.
  virtual void close_slowly(UniqueFd descriptor) = 0;
  // Starts a process that ends at once, and waits for its end: its id.
  [[nodiscard]] virtual Result<std::uint32_t> run_child() = 0;
};

// The machine we run on. Its end waits for descriptors that are still being closed.
class HostSystem final : public System {
 public:
  [[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) override;
  [[nodiscard]] Result<std::string> read_link(const std::string& path) override;
  [[nodiscard]] long call(long number, std::array<std::uintptr_t, 6> arguments) override;
  void close_slowly(UniqueFd descriptor) override;
  [[nodiscard]] Result<std::uint32_t> run_child() override;

 private:
  std::vector<std::jthread> closers_;
};

}  // namespace tracer
