#include "backends/procfs/proc_file_text.h"

#include <algorithm>
#include <charconv>

#include "backends/procfs/proc_text.h"

namespace tracer::procfs {
namespace {

// Cuts fields off the front of a line.
struct Fields {
  std::string_view rest;
  bool ok = true;  // false: a separator was missing, and what was cut since means nothing
  std::string_view until(char separator) {
    const std::size_t end = rest.find(separator);
    if (end == std::string_view::npos) {
      ok = false;
      return {};
    }
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return field;
  }
};

template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_octal_digit(char c) { return c >= '0' && c <= '7'; }

// The byte that "\ooo" at the beginning of `text` stands for.
std::optional<char> octal_escape(std::string_view text) {
  if (text.size() < 4 || text[0] != '\\') return std::nullopt;
  if (!is_octal_digit(text[1]) || text[1] > '3' || !is_octal_digit(text[2]) || !is_octal_digit(text[3]))
    return std::nullopt;
  return static_cast<char>((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
}

}  // namespace

std::optional<MapsLine> parse_maps_line(std::string_view line) {
  // 7f0c4a000000-7f0c4a026000 r-xp 00026000 fe:00 131586                     /usr/lib/x86_64-linux-gnu/libc.so.6
  Fields fields{line};
  const auto start = parse_number<std::uint64_t>(fields.until('-'), 16);
  const auto end = parse_number<std::uint64_t>(fields.until(' '), 16);
  const std::string_view permissions = fields.until(' ');
  const auto offset = parse_number<std::uint64_t>(fields.until(' '), 16);
  const auto device_major = parse_number<std::uint32_t>(fields.until(':'), 16);
  const auto device_minor = parse_number<std::uint32_t>(fields.until(' '), 16);
  const auto inode = parse_decimal<std::uint64_t>(fields.until(' '));  // at least one blank is before a name
  if (!fields.ok || !start || !end || !offset || permissions.size() != 4) return std::nullopt;
  if (!device_major || !device_minor || !inode || *inode == 0) return std::nullopt;
  const std::size_t name = fields.rest.find_first_not_of(' ');
  if (name == std::string_view::npos || fields.rest[name] != '/') return std::nullopt;
  return MapsLine{permissions[2] == 'x', *inode, *device_major, *device_minor, fields.rest.substr(name)};
}

std::string unescape_octal(std::string_view text, Escaped escaped) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain_size = std::min(text.find('\\'), text.size());
    plain += text.substr(0, plain_size);
    text.remove_prefix(plain_size);
    if (text.empty()) break;
    const auto byte = octal_escape(text);
    if (byte && (*byte == '\n' || escaped == Escaped::blanks_too)) {
      plain += *byte;
      text.remove_prefix(4);
    } else {
      plain += '\\';
      text.remove_prefix(1);
    }
  }
  return plain;
}

bool split_deleted_mark(std::string_view& path) {
  const std::string_view without = without_deleted_mark(path);
  const bool deleted = without.size() != path.size();
  path = without;
  return deleted;
}

std::optional<std::uint32_t> parse_fdinfo_flags(std::string_view text) {
  constexpr std::string_view key = "flags:";
  std::size_t at = 0;
  while (at < text.size() && text.substr(at, key.size()) != key) {
    const std::size_t newline = text.find('\n', at);
    if (newline == std::string_view::npos) return std::nullopt;
    at = newline + 1;
  }
  if (at >= text.size()) return std::nullopt;
  std::string_view value = text.substr(at + key.size());
  value = value.substr(0, value.find('\n'));
  const std::size_t digits = value.find_first_not_of(" \t");
  if (digits == std::string_view::npos) return std::nullopt;
  return parse_number<std::uint32_t>(value.substr(digits), 8);
}

std::optional<MountLine> parse_mountinfo_line(std::string_view line) {
  // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
  Fields fields{line};
  const auto id = parse_decimal<std::uint32_t>(fields.until(' '));
  const auto parent = parse_decimal<std::uint32_t>(fields.until(' '));
  const auto device_major = parse_decimal<std::uint32_t>(fields.until(':'));
  const auto device_minor = parse_decimal<std::uint32_t>(fields.until(' '));
  const std::string_view root = fields.until(' ');
  const std::string_view mount_point = fields.until(' ');
  if (!fields.ok || !id || !parent || !device_major || !device_minor) return std::nullopt;
  const std::size_t dash = fields.rest.find(" - ");  // blanks in other fields are escaped
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view last = fields.rest.substr(dash + 3);
  const std::string_view file_system = last.substr(0, last.find(' '));
  if (file_system.empty()) return std::nullopt;
  return MountLine{*device_major, *device_minor, unescape_octal(root, Escaped::blanks_too),
                   unescape_octal(mount_point, Escaped::blanks_too), std::string(file_system)};
}

std::optional<std::string_view> path_within(std::string_view path, std::string_view root) {
  if (!path.starts_with('/')) return std::nullopt;
  if (root == "/") return path;
  if (root.empty() || !path.starts_with(root)) return std::nullopt;
  path.remove_prefix(root.size());
  if (path.empty()) return "/";
  return path.front() == '/' ? std::optional(path) : std::nullopt;
}

}  // namespace tracer::procfs
