#include "backends/tracepoint/event_format.h"

#include <algorithm>
#include <charconv>

namespace tracer {
namespace {

// "field:TYPE NAME[N];\toffset:8;\tsize:4;\tsigned:0;"
std::optional<std::uint32_t> number_after(std::string_view line, std::string_view label) {
  const std::size_t at = line.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + label.size());
  std::uint32_t value = 0;
  const auto [end, failed] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (failed != std::errc{} || end == line.data()) return std::nullopt;
  return value;
}

// "__data_loc char[] filename", "__u8 saddr[4]", "const void * skaddr"
std::string_view name_in(std::string_view declaration) {
  if (declaration.ends_with(']')) declaration = declaration.substr(0, declaration.rfind('['));
  const std::size_t before = declaration.find_last_of(" *");
  return before == std::string_view::npos ? declaration : declaration.substr(before + 1);
}

}  // namespace

const EventField* EventFormat::find(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &EventField::name);
  return found != fields.end() ? &*found : nullptr;
}

std::optional<EventFormat> parse_event_format(std::string_view text) {
  if (text.find("format:") == std::string_view::npos) return std::nullopt;
  EventFormat format;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    constexpr std::string_view marker = "field:";
    const std::size_t at = line.find(marker);
    if (at == std::string_view::npos) continue;
    line.remove_prefix(at + marker.size());
    const auto offset = number_after(line, "offset:");
    const auto size = number_after(line, "size:");
    const std::string_view name = name_in(line.substr(0, line.find(';')));
    if (offset && size && !name.empty()) format.fields.push_back({std::string(name), *offset, *size});
  }
  return format;
}

}  // namespace tracer
