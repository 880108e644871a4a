#include "backends/tracepoint/tracefs.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/unique_fd.h"

namespace tracer {

std::vector<std::string> tracefs_roots() { return {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}; }

Result<std::string> read_small_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(os_failure(errno, "open " + path));
  std::array<char, tracefs_file_bytes_max> buffer;
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return std::unexpected(os_failure(errno, "read " + path));
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

Result<void> write_small_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!file) return std::unexpected(os_failure(errno, "open " + path));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return std::unexpected(os_failure(errno, "write " + path));
  return {};
}

Result<EventFormat> read_event_format(const std::string& root, const std::string& event) {
  const auto text = read_small_file(root + "/events/" + event + "/format");
  if (!text) return std::unexpected(text.error());
  auto format = parse_event_format(*text);
  if (!format) return fail(Errc::malformed, event + ": not a format file");
  return *std::move(format);
}

Result<EventFormat> read_event_format(const std::string& event) {
  Error last{Errc::not_found, 0, "no tracefs", "mount -t tracefs tracefs /sys/kernel/tracing"};
  for (const std::string& root : tracefs_roots()) {
    auto format = read_event_format(root, event);
    if (format) return format;
    last = format.error();
  }
  return std::unexpected(last);
}

}  // namespace tracer
