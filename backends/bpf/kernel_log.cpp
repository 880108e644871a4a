#include "backends/bpf/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace tracer {
namespace {

constexpr std::size_t record_bytes_max = 8192;  // the kernel's own limit; it refuses to read into less than a record

// "6,339,5140900,-;text\n KEY=value\n" → "text"
std::string_view message_of(std::string_view record) {
  const std::size_t prefix = record.find(';');
  if (prefix == std::string_view::npos) return {};
  record.remove_prefix(prefix + 1);
  return record.substr(0, record.find('\n'));
}

}  // namespace

KernelLog::KernelLog(const char* path) : file_(::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (file_) ::lseek(file_.get(), 0, SEEK_END);
}

std::string KernelLog::fresh() {
  std::string text;
  if (!file_) return text;
  std::array<char, record_bytes_max> record;
  for (std::size_t records = 0; records < kernel_log_records_max; ++records) {
    const ssize_t size = ::read(file_.get(), record.data(), record.size());  // one record each
    if (size < 0 && errno == EPIPE) continue;                                // some were overwritten meanwhile
    if (size <= 0) break;
    text += message_of({record.data(), static_cast<std::size_t>(size)});
    text += '\n';
  }
  return text;
}

}  // namespace tracer
