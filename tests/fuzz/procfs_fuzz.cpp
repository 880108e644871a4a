// Everything that reads text of /proc, on any bytes: the first byte chooses the parser. Beyond "no crash" it holds each
// answer to what its contract says about it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
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
  }
  return 0;
}
