#include "backends/procfs/proc_text.h"

#include <algorithm>
#include <charconv>

namespace tracer::procfs {
namespace {

constexpr std::size_t container_id_length = 64;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Cuts the next blank-separated word off `text`; empty when there is none.
std::string_view next_word(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  const auto end = std::ranges::find_if(text, is_blank);
  const auto length = static_cast<std::size_t>(end - text.begin());
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

// Cuts the next line off `text`, without its newline.
std::string_view next_line(std::string_view& text) {
  const std::size_t length = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return line;
}

bool is_container_id(std::string_view text) {
  return text.size() == container_id_length &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// One path component: ID, PREFIX-ID.scope, or SLICE:PREFIX:ID (containerd told the wrong cgroup driver).
std::string_view id_of_component(std::string_view component) {
  constexpr std::string_view scope = ".scope";
  if (component.ends_with(scope)) component.remove_suffix(scope.size());
  if (component.size() < container_id_length) return {};
  const std::string_view id = component.substr(component.size() - container_id_length);
  const std::string_view prefix = component.substr(0, component.size() - container_id_length);
  if (!is_container_id(id)) return {};
  if (prefix.ends_with("-conmon-")) return {};
  if (prefix.empty() || prefix.ends_with('-') || prefix.ends_with(':')) return id;
  return {};
}

std::string_view id_of_path(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view component = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (const std::string_view id = id_of_component(component); !id.empty()) return id;
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
  }
  return {};
}

}  // namespace

template <typename Number>
std::optional<Number> parse_decimal(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}
template std::optional<std::uint16_t> parse_decimal(std::string_view);
template std::optional<std::uint32_t> parse_decimal(std::string_view);
template std::optional<std::uint64_t> parse_decimal(std::string_view);
template std::optional<int> parse_decimal(std::string_view);

std::optional<StatFacts> parse_stat(std::string_view text) {
  const std::size_t open = text.find(" (");
  const std::size_t close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) return std::nullopt;
  const auto pid = parse_decimal<std::uint32_t>(text.substr(0, open));
  if (!pid) return std::nullopt;
  std::string_view rest = text.substr(close + 2);
  next_word(rest);  // field 3: the state
  const auto parent = parse_decimal<std::uint32_t>(next_word(rest));
  constexpr int fields_between_parent_and_start = 17;  // fields 5 to 21
  for (int i = 0; i < fields_between_parent_and_start; ++i) next_word(rest);
  const auto start_ticks = parse_decimal<std::uint64_t>(next_word(rest));
  if (!start_ticks) return std::nullopt;
  return StatFacts{*pid, std::string(text.substr(open + 2, close - open - 2)), *start_ticks, parent.value_or(0)};
}

std::optional<StatusFacts> parse_status(std::string_view text) {
  StatusFacts facts;
  bool has_tgid = false;
  bool has_uid = false;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    line.remove_prefix(colon + 1);
    if (key == "Tgid") {
      const auto tgid = parse_decimal<std::uint32_t>(next_word(line));
      if (!tgid) return std::nullopt;
      facts.tgid = *tgid;
      has_tgid = true;
    } else if (key == "Uid") {
      const auto uid = parse_decimal<std::uint32_t>(next_word(line));
      if (!uid) return std::nullopt;
      facts.uid_real = *uid;
      has_uid = true;
    } else if (key == "Gid") {
      facts.gid_real = parse_decimal<std::uint32_t>(next_word(line));
    } else if (key == "NSpid") {
      facts.pids_by_level.clear();
      for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        const auto pid = parse_decimal<std::uint32_t>(word);
        if (!pid) return std::nullopt;
        facts.pids_by_level.push_back(*pid);
      }
    }
  }
  if (!has_tgid || !has_uid) return std::nullopt;
  return facts;
}

std::string_view container_id(std::string_view cgroup_text) {
  while (!cgroup_text.empty()) {
    const std::string_view line = next_line(cgroup_text);  // hierarchy:controllers:path
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    if (const std::string_view id = id_of_path(line.substr(second + 1)); !id.empty()) return id;
  }
  return {};
}

std::optional<std::uint64_t> inode_of_link(std::string_view target, std::string_view kind) {
  if (!target.starts_with(kind)) return std::nullopt;
  target.remove_prefix(kind.size());
  if (!target.starts_with(":[") || !target.ends_with(']') || target.size() < 3) return std::nullopt;
  return parse_decimal<std::uint64_t>(target.substr(2, target.size() - 3));
}

std::string_view without_deleted_mark(std::string_view target) {
  constexpr std::string_view mark = " (deleted)";
  if (target.ends_with(mark)) target.remove_suffix(mark.size());
  return target;
}

std::string_view without_title_padding(std::string_view arguments) {
  const std::size_t end = arguments.find('\0');
  if (end == std::string_view::npos || arguments.substr(0, end).find(' ') == std::string_view::npos) return arguments;
  const bool only_padding = arguments.find_first_not_of('\0', end) == std::string_view::npos;
  return only_padding ? arguments.substr(0, end + 1) : arguments;
}

bool is_tcp_protocol_name(std::string_view name) {
  while (name.ends_with('\0')) name.remove_suffix(1);
  return name == "TCP" || name == "TCPv6" || name == "MPTCP" || name == "MPTCPv6";
}

}  // namespace tracer::procfs
