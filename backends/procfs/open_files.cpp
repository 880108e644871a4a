#include "backends/procfs/open_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace tracer::procfs {
namespace {

constexpr std::size_t maps_piece_bytes = std::size_t{64} * 1024;
constexpr std::size_t maps_line_bytes_max = std::size_t{4} * PATH_MAX + 128;  // a path of nothing but newlines
constexpr std::size_t names_bytes = std::size_t{4} * 1024;
constexpr std::size_t fdinfo_bytes = 256;  // the flags are in the second line

std::unexpected<Refusal> refused() { return std::unexpected(refusal_of(errno)); }

bool is_regular(int directory, const char* name) {
  struct statx facts{};
  if (::statx(directory, name, AT_STATX_DONT_SYNC, STATX_TYPE, &facts) == 0) return S_ISREG(facts.stx_mode);
  if (errno != ENOSYS) return false;
  struct stat old_facts{};  // before Linux 4.11
  return ::fstatat(directory, name, &old_facts, 0) == 0 && S_ISREG(old_facts.st_mode);
}

}  // namespace

Found<std::string> root_of(const ProcessDirectory& process) { return process.link("root"); }

SeenFile seen_file(std::string_view path, std::string_view root) {
  SeenFile file;
  file.not_at_path = split_deleted_mark(path);
  const auto inside = path_within(path, root);
  file.path = inside.value_or(path);
  file.not_at_path = file.not_at_path || !inside;
  return file;
}

Found<MappedFiles> MappedFiles::open(const ProcessDirectory& process, std::string root, std::size_t bytes_max) {
  auto maps = process.open("maps");
  if (!maps) return std::unexpected(maps.error());
  return MappedFiles(*std::move(maps), std::move(root), bytes_max);
}

void MappedFiles::take(std::string_view line, std::vector<SeenFile>& found) {
  const auto mapping = parse_maps_line(line);
  if (!mapping || !mapping->executable) return;
  const std::uint64_t device = std::uint64_t{mapping->device_major} << 32 | mapping->device_minor;
  if (!told_.emplace(device, mapping->inode).second) return;
  found.push_back(seen_file(unescape_octal(mapping->path, Escaped::newlines), root_));
}

Found<bool> MappedFiles::next(std::vector<SeenFile>& found) {
  if (bytes_left_ == 0) {
    cut_ = true;
    return false;
  }
  std::array<char, maps_piece_bytes> buffer;  // the kernel gives whole lines, and at most a page of them at once
  const ssize_t count = ::read(maps_.get(), buffer.data(), std::min(buffer.size(), bytes_left_));
  if (count < 0 && errno == EINTR) return true;
  if (count < 0) return refused();
  if (count == 0) {
    take(begun_, found);
    return false;
  }
  bytes_left_ -= static_cast<std::size_t>(count);
  std::string_view text(buffer.data(), static_cast<std::size_t>(count));
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    if (newline == std::string_view::npos) {
      if (begun_.size() + line.size() <= maps_line_bytes_max) begun_ += line;
      break;
    }
    if (begun_.empty()) {
      take(line, found);
    } else {
      begun_ += line;
      take(begun_, found);
      begun_.clear();
    }
    text.remove_prefix(newline + 1);
  }
  return true;
}

Found<OpenFiles> OpenFiles::open(const ProcessDirectory& process, std::string root, std::size_t count_max) {
  auto descriptors = process.open_directory("fd");
  if (!descriptors) return std::unexpected(descriptors.error());
  auto details = process.open_directory("fdinfo");
  if (!details) return std::unexpected(details.error());
  return OpenFiles(*std::move(descriptors), *std::move(details), std::move(root), count_max);
}

void OpenFiles::look_at(int fd, const char* name, std::vector<SeenFile>& found, const KnownDescriptor& known) const {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(descriptors_.get(), name, target.data(), target.size());
  if (length <= 0 || target[0] != '/') return;  // "socket:[123]", "anon_inode:[eventpoll]"
  const std::string_view path(target.data(), static_cast<std::size_t>(length));
  if (known && known(fd, path)) return;
  if (!is_regular(descriptors_.get(), name)) return;
  SeenFile file = seen_file(path, root_);
  file.fd = fd;
  if (const UniqueFd details{::openat(details_.get(), name, O_RDONLY | O_CLOEXEC)}) {
    std::array<char, fdinfo_bytes> text;
    const ssize_t count = ::read(details.get(), text.data(), text.size());
    if (count > 0) file.flags = parse_fdinfo_flags({text.data(), static_cast<std::size_t>(count)});
  }
  found.push_back(std::move(file));
}

Found<bool> OpenFiles::next(std::vector<SeenFile>& found, const KnownDescriptor& known) {
  alignas(dirent64) std::array<char, names_bytes> buffer;
  const ssize_t count = ::getdents64(descriptors_.get(), buffer.data(), buffer.size());
  if (count < 0) return refused();
  for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
    const char* entry = buffer.data() + at;
    unsigned short length = 0;
    std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
    const char* name = entry + offsetof(dirent64, d_name);
    if (const auto fd = parse_decimal<int>(name)) {
      if (count_left_ == 0) {
        ++left_out_;
      } else {
        --count_left_;
        look_at(*fd, name, found, known);
      }
    }
    at += length;
  }
  return count != 0;
}

}  // namespace tracer::procfs
