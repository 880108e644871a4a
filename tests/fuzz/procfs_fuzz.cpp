// Everything that reads text of /proc, on any bytes: the first byte chooses the parser. Beyond "no crash" it holds each
// answer to what its contract says about it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "backends/procfs/mount_table.h"
#include "backends/procfs/proc_file_text.h"
#include "backends/procfs/proc_net_tcp.h"
#include "backends/procfs/proc_text.h"

namespace {

using namespace tracer::procfs;

void require(bool condition) {
  if (!condition) std::abort();
}

void stat_keeps_the_name(std::string_view text) {
  const auto facts = parse_stat(text);
  if (facts) require(text.find("(" + facts->comm + ") ") != std::string_view::npos);
  // Any name comes back as it was.
  const std::string line = "7 (" + std::string(text) + ") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99 0\n";
  const auto round_trip = parse_stat(line);
  require(round_trip && round_trip->pid == 7 && round_trip->start_ticks == 99 && round_trip->comm == text);
}

void container_id_is_one(std::string_view text) {
  const std::string_view id = container_id(text);
  require(id.empty() || (id.size() == 64 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos));
  require(id.empty() || (id.data() >= text.data() && id.data() + id.size() <= text.data() + text.size()));
}

void link_is_rebuilt(std::string_view text) {
  const auto inode = inode_of_link(text, "socket");
  if (inode) require(text.size() >= 9 && text.starts_with("socket:[") && text.ends_with("]"));
  const std::string_view path = without_deleted_mark(text);
  require(path == text || std::string(path) + " (deleted)" == text);
}

void table_line_is_plausible(std::string_view text) {
  const auto socket = parse_proc_net_tcp_line(text);
  if (!socket) return;
  require(!socket->facts.local || socket->facts.local->port != 0);
  require(!socket->facts.remote || socket->facts.remote->port != 0);
  require(socket->facts.state >= tracer::TcpState::established && socket->facts.state <= tracer::TcpState::closing);
}

bool is_part_of(std::string_view part, std::string_view text) {
  return part.empty() || (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size());
}

void mapping_is_a_file(std::string_view text) {
  const auto mapping = parse_maps_line(text);
  if (!mapping) return;
  require(mapping->inode != 0 && mapping->path.starts_with('/') && is_part_of(mapping->path, text));
  const std::string plain = unescape_octal(mapping->path, Escaped::newlines);
  require(plain.size() <= mapping->path.size());
  // Whatever it is called: inside of a root is inside of it.
  const auto inside = path_within(plain, "/jail");
  require(!inside || (inside->starts_with('/') && plain.starts_with("/jail")));
}

void flags_are_said_once(std::string_view text) {
  const auto flags = parse_fdinfo_flags(text);
  if (flags) require(text.find("flags:") != std::string_view::npos);
}

void mount_is_plausible(std::string_view text) {
  const auto mount = parse_mountinfo_line(text);
  if (!mount) return;
  require(!mount->file_system.empty() && mount->file_system.find(' ') == std::string::npos);
  require(mount->mount_point.size() <= text.size());
  const std::vector<std::string> points = unsafe_mount_points({*mount});
  if (!points.empty()) require(lies_below(points[0], points) && lies_below(points[0] + "/a", points));
}

void arguments_lose_only_padding(std::string_view text) {
  const std::string_view kept = without_title_padding(text);
  require(text.starts_with(kept));
  require(text.substr(kept.size()).find_first_not_of('\0') == std::string_view::npos);
}

void mark_is_cut_once(std::string_view text) {
  std::string_view path = text;
  const bool deleted = split_deleted_mark(path);
  require(deleted == (path.size() != text.size()) && text.starts_with(path));
  (void)unescape_octal(text, Escaped::blanks_too);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 11) {
    case 0:
      stat_keeps_the_name(text);
      break;
    case 1:
      (void)parse_status(text);
      break;
    case 2:
      container_id_is_one(text);
      break;
    case 3:
      link_is_rebuilt(text);
      break;
    case 4:
      table_line_is_plausible(text);
      break;
    case 5:
      (void)is_tcp_protocol_name(text);
      break;
    case 6:
      mapping_is_a_file(text);
      break;
    case 7:
      flags_are_said_once(text);
      break;
    case 8:
      mount_is_plausible(text);
      break;
    case 9:
      arguments_lose_only_padding(text);
      break;
    case 10:
      mark_is_cut_once(text);
      break;
  }
  return 0;
}
