#include "backends/ebpf/mapped_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <utility>

#include "core/base/unique_fd.h"

namespace tracer {
namespace {

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;

void for_each_entry(const std::string& path, const std::function<void(const char* name)>& found) {
  const Directory directory(::opendir(path.c_str()));
  if (!directory) return;
  while (const dirent* entry = ::readdir(directory.get())) found(entry->d_name);
}

// The next field of a line, which ends at a blank.
std::string_view take_field(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(line.find_first_not_of(' ', end), line.size()));
  return field;
}

std::optional<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::optional<std::string>(real.get()) : std::nullopt;
}

constexpr std::size_t directories_max = 64;

}  // namespace

// "7f01-7f02 r-xp 00001000 fe:01 1234      /usr/lib/libssl.so.3 (deleted)"
std::optional<ExecutableMapping> parse_mapping(std::string_view line) {
  ExecutableMapping mapping;
  mapping.range = take_field(line);
  const std::string_view permissions = take_field(line);
  take_field(line);  // offset
  mapping.device = take_field(line);
  const std::string_view inode = take_field(line);
  if (permissions.size() < 3 || permissions[2] != 'x' || !line.starts_with('/')) return std::nullopt;
  const auto number = std::from_chars(inode.data(), inode.data() + inode.size(), mapping.inode);
  if (number.ec != std::errc{} || mapping.inode == 0) return std::nullopt;
  constexpr std::string_view gone = " (deleted)";
  mapping.deleted = line.ends_with(gone);
  if (mapping.deleted) line.remove_suffix(gone.size());
  mapping.path = line;
  return mapping;
}

bool for_each_executable_mapping(const std::string& proc_root, std::uint32_t pid, std::size_t bytes_max,
                                 const std::function<void(const ExecutableMapping&)>& found) {
  const UniqueFd file(::open((proc_root + "/" + std::to_string(pid) + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  std::string text;
  std::array<char, 16384> piece;
  for (std::size_t looked_at = 0; looked_at < bytes_max;) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0) return false;
    if (count == 0) break;
    looked_at += static_cast<std::size_t>(count);
    text.append(piece.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      if (const auto mapping = parse_mapping(std::string_view(text).substr(begin, end - begin))) found(*mapping);
      begin = end + 1;
    }
    text.erase(0, begin);
  }
  return true;
}

std::uint64_t mapped_pages(const std::string& proc_root, std::uint32_t pid) {
  const UniqueFd file(::open((proc_root + "/" + std::to_string(pid) + "/statm").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t count = file ? ::read(file.get(), text.data(), text.size()) : 0;
  std::uint64_t pages = 0;
  if (count > 0) std::from_chars(text.data(), text.data() + count, pages);
  return pages;
}

std::vector<std::uint32_t> list_processes(const std::string& proc_root) {
  std::vector<std::uint32_t> pids;
  for_each_entry(proc_root, [&](std::string_view name) {
    std::uint32_t pid = 0;
    const auto number = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (number.ec == std::errc{} && number.ptr == name.data() + name.size()) pids.push_back(pid);
  });
  return pids;
}

LoaderDirectories::LoaderDirectories(std::string root) {
  const auto add = [&](const std::string& path) {
    const auto real = real_path(path);
    if (real && directories_.size() < directories_max && std::ranges::find(directories_, *real) == directories_.end())
      directories_.push_back(*real);
  };
  for (const char* each : {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"}) {
    const std::string directory = root + each;
    add(directory);
    for_each_entry(directory, [&](std::string_view name) {  // Debian's: x86_64-linux-gnu
      if (name.ends_with("-linux-gnu") || name.ends_with("-linux-musl")) add(directory + "/" + std::string(name));
    });
  }
  const std::string configured = root + "/etc/ld.so.conf.d";
  for_each_entry(configured, [&](std::string_view name) {
    if (!name.ends_with(".conf")) return;
    std::ifstream file(configured + "/" + std::string(name));
    for (std::string line; std::getline(file, line);)
      if (line.starts_with('/')) add(root + line.substr(0, line.find_first_of(" \t#")));
  });
}

std::optional<std::vector<std::string>> LoaderDirectories::changed_files(
    const std::function<bool(std::string_view name)>& wanted) {
  bool changed = false;
  for (const std::string& directory : directories_) {
    struct stat facts{};
    if (::stat(directory.c_str(), &facts) != 0) facts = {};
    Seen& seen = seen_[directory];
    if (seen.inode == facts.st_ino && seen.changed.tv_sec == facts.st_mtim.tv_sec &&
        seen.changed.tv_nsec == facts.st_mtim.tv_nsec)
      continue;
    seen = {facts.st_ino, facts.st_mtim};
    changed = true;
  }
  if (!changed) return std::nullopt;
  std::vector<std::string> files;
  for (const std::string& directory : directories_)
    for_each_entry(directory, [&](std::string_view name) {
      if (!wanted(name)) return;
      const auto real = real_path(directory + "/" + std::string(name));
      if (real && std::ranges::find(files, *real) == files.end()) files.push_back(*real);
    });
  return files;
}

}  // namespace tracer
