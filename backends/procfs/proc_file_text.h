// Pure readers of what /proc says of files: mappings, open descriptors, mounts. As in proc_text.h any bytes may come;
// paths are written by hostile processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tracer::procfs {

// A line of /proc/PID/maps that names a file. nullopt also for what is no file: "[heap]", "[vdso]", nothing at all.
struct MapsLine {
  bool executable = false;
  std::uint64_t inode = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  std::string_view path;  // as written there: see unescape_octal() and split_deleted_mark()
};
[[nodiscard]] std::optional<MapsLine> parse_maps_line(std::string_view line);

// "a\012b" → "a\nb". /proc writes newlines so in maps (but no backslash: a file that is really called `\012` cannot be
// told from it), and blanks, tabs and backslashes as well in mountinfo.
enum class Escaped : std::uint8_t { newlines, blanks_too };
[[nodiscard]] std::string unescape_octal(std::string_view text, Escaped escaped);

// Whether the kernel appended " (deleted)", which it cuts off.
[[nodiscard]] bool split_deleted_mark(std::string_view& path);

// /proc/PID/fdinfo/N: the flags, O_… as open(2) takes them; those that only matter while opening (O_CREAT, O_TRUNC, …)
// are never there.
[[nodiscard]] std::optional<std::uint32_t> parse_fdinfo_flags(std::string_view text);

// A line of /proc/PID/mountinfo.
struct MountLine {
  std::uint32_t device_major = 0, device_minor = 0;
  std::string root;         // the part of the file system that is mounted there
  std::string mount_point;  // in the root of the process
  std::string file_system;
};
[[nodiscard]] std::optional<MountLine> parse_mountinfo_line(std::string_view line);

// A path as this tracer sees it, told as a process sees it whose root has the path `root` here. nullopt: it is outside.
[[nodiscard]] std::optional<std::string_view> path_within(std::string_view path, std::string_view root);

}  // namespace tracer::procfs
