#include "probe-matrix/system.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

namespace tracer {
namespace {

constexpr std::size_t read_step_bytes = 256 * 1024;

}  // namespace

Result<std::string> HostSystem::read_file(const std::string& path, std::size_t limit_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(os_failure(errno, path));
  std::string content;
  while (content.size() < limit_bytes) {
    const std::size_t had = content.size();
    content.resize(std::min(limit_bytes, had + read_step_bytes));
    const ssize_t got = ::read(file.get(), content.data() + had, content.size() - had);
    if (got < 0) return std::unexpected(os_failure(errno, path));
    content.resize(had + static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  return content;
}

Result<std::string> HostSystem::read_link(const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return std::unexpected(os_failure(errno, path));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

long HostSystem::call(long number, std::array<std::uintptr_t, 6> arguments) {
  const auto& [a, b, c, d, e, f] = arguments;
  const long result = ::syscall(number, a, b, c, d, e, f);
  return result < 0 ? -static_cast<long>(errno) : result;
}

void HostSystem::close_slowly(UniqueFd descriptor) {
  try {
    closers_.emplace_back([closing = std::move(descriptor)]() mutable { closing.reset(); });
  } catch (const std::system_error&) {
    // No thread to be had. The closure, and with it the descriptor, is already gone: closed here after all.
  }
}

Result<std::uint32_t> HostSystem::run_child() {
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(os_failure(errno, "start a process"));
  if (child == 0) ::_exit(0);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return static_cast<std::uint32_t>(child);
}

}  // namespace tracer
