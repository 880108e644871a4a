#include "backends/procfs/proc_net_tcp.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "backends/procfs/proc_text.h"

namespace tracer::procfs {
namespace {

constexpr std::size_t hex_digits_per_word = 8;

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::size_t length = std::min(text.find_first_of(" \t\n"), text.size());
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

template <typename Number>
std::optional<Number> parse_hex(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The kernel prints each 32-bit word of the address, which is in network order in memory, as a number of this machine:
// putting that number back into memory gives the bytes of the wire on either endianness. The port is a plain number.
std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_hex<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  const std::string_view address = text.substr(0, colon);
  if (address.size() != hex_digits_per_word && address.size() != 4 * hex_digits_per_word) return std::nullopt;
  std::uint8_t bytes[16];
  for (std::size_t i = 0; i < address.size() / hex_digits_per_word; ++i) {
    const auto word = parse_hex<std::uint32_t>(address.substr(i * hex_digits_per_word, hex_digits_per_word));
    if (!word) return std::nullopt;
    std::memcpy(bytes + i * sizeof *word, &*word, sizeof *word);
  }
  if (address.size() == hex_digits_per_word) return endpoint_of_ipv4(bytes, *port);
  Endpoint endpoint;
  std::memcpy(endpoint.address.data(), bytes, sizeof bytes);
  endpoint.port = *port;
  return endpoint;
}

}  // namespace

Endpoint endpoint_of_ipv4(const std::uint8_t* address, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.address[10] = endpoint.address[11] = 0xff;
  std::copy_n(address, 4, endpoint.address.begin() + 12);
  endpoint.port = port;
  return endpoint;
}

std::optional<TcpState> tcp_state_of(std::uint32_t kernel_state) {
  if (kernel_state >= 1 && kernel_state <= std::to_underlying(TcpState::closing)) {
    return static_cast<TcpState>(kernel_state);
  }
  if (kernel_state == 12) return TcpState::syn_recv;  // TCP_NEW_SYN_RECV, since 4.1
  if (kernel_state == 13) return TcpState::close;     // TCP_BOUND_INACTIVE, since 6.8
  return std::nullopt;
}

std::optional<ListedSocket> parse_proc_net_tcp_line(std::string_view line) {
  if (!next_word(line).ends_with(':')) return std::nullopt;  // sl
  const auto local = parse_endpoint(next_word(line));
  const auto remote = parse_endpoint(next_word(line));
  const auto kernel_state = parse_hex<std::uint32_t>(next_word(line));
  if (!local || !remote || !kernel_state) return std::nullopt;
  const auto state = tcp_state_of(*kernel_state);
  if (!state) return std::nullopt;
  for (int skipped = 0; skipped < 3; ++skipped) next_word(line);  // queues, timer, retransmits
  const auto uid = parse_decimal<std::uint32_t>(next_word(line));
  next_word(line);  // timeout
  const auto inode = parse_decimal<std::uint64_t>(next_word(line));
  if (!uid || !inode) return std::nullopt;

  ListedSocket socket;
  socket.facts.inode = *inode;
  socket.facts.state = *state;
  if (local->port != 0) socket.facts.local = local;
  if (remote->port != 0) socket.facts.remote = remote;
  socket.uid = *uid;
  return socket;
}

}  // namespace tracer::procfs
