#include "cli/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include "cli/suggest.h"

namespace tracer::cli {
namespace {

constexpr std::array facets{Facet::http, Facet::tls,     Facet::https,      Facet::process,
                            Facet::file, Facet::library, Facet::crypto_api, Facet::connection};
static_assert(facets.size() == facet_count);
constexpr std::array backends{BackendKind::ebpf, BackendKind::tracepoint, BackendKind::pcap, BackendKind::procfs};
constexpr std::array mechanisms{Mechanism::fentry,   Mechanism::kprobe,     Mechanism::uprobe,   Mechanism::tp_btf,
                                Mechanism::raw_tp,   Mechanism::syscall_tp, Mechanism::tracefs,  Mechanism::af_packet,
                                Mechanism::file,     Mechanism::sock_diag,  Mechanism::proc_net, Mechanism::proc_events,
                                Mechanism::fanotify, Mechanism::poll};
constexpr std::array capabilities{Capability::bpf_syscall,
                                  Capability::btf,
                                  Capability::bpf_ring_buffer,
                                  Capability::bpf_mmapable_array,
                                  Capability::bpf_probe_read_kernel,
                                  Capability::fentry,
                                  Capability::kprobe,
                                  Capability::uprobe,
                                  Capability::tp_btf,
                                  Capability::raw_tp,
                                  Capability::tracefs,
                                  Capability::syscall_tp,
                                  Capability::perf_event_open,
                                  Capability::sock_diag,
                                  Capability::proc_other_processes,
                                  Capability::packet_socket};

// The member of a closed list that is spelled `text`. Dashes count as underscores.
template <typename T, std::size_t count>
Result<T> parse_name(std::string_view text, const std::array<T, count>& values, std::string_view kind) {
  std::string wanted = ascii_lower(text);
  std::ranges::replace(wanted, '-', '_');
  std::array<std::string_view, count> names;
  for (std::size_t i = 0; i < count; ++i) {
    names[i] = to_string(values[i]);
    if (names[i] == wanted) return values[i];
  }
  std::string why = "'" + std::string(text) + "' is no " + std::string(kind);
  if (const std::string_view near = nearest(wanted, names); !near.empty()) {
    return fail(Errc::invalid_argument, why + "; did you mean '" + std::string(near) + "'?", std::string(near));
  }
  why += "; there are ";
  for (std::size_t i = 0; i < count; ++i)
    why += (i == 0 ? "" : i + 1 == count ? " and " : ", ") + std::string(names[i]);
  return fail(Errc::invalid_argument, why);
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool bit(const std::array<std::uint8_t, 16>& address, unsigned index) {
  return (address[index / 8] >> (7 - index % 8) & 1) != 0;
}

// Digits with an optional fraction: no sign, exponent, "inf" or "nan".
std::optional<double> decimal(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view fraction = dot == std::string_view::npos ? "0" : text.substr(dot + 1);
  double value = 0;
  if (!all_digits(text.substr(0, dot)) || !all_digits(fraction)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

Result<std::vector<std::string_view>> split_list(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (part.empty()) return fail(Errc::invalid_argument, "an element of the list is empty");
    parts.push_back(part);
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = all_digits(text);
  if (number && error == std::errc() && value >= min && value <= max) return value;
  const std::string range = " from " + std::to_string(min) + " to " + std::to_string(max);
  return fail(Errc::invalid_argument, "'" + std::string(text) + "' is not a number" + range);
}

Result<std::chrono::milliseconds> parse_seconds(std::string_view text) {
  constexpr double seconds_max = 365.0 * 24 * 3600;
  const auto value = decimal(text);
  if (value && *value <= seconds_max)
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(*value * 1000)));
  return fail(Errc::invalid_argument, "'" + std::string(text) + "' is not a number of seconds from 0 to 31536000");
}

Result<double> parse_percent(std::string_view text) {
  const auto value = decimal(text);
  if (value && *value > 0 && *value <= 100) return *value;
  return fail(Errc::invalid_argument, "'" + std::string(text) + "' is not a percentage above 0, up to 100");
}

Result<StatusRange> parse_status(std::string_view text) {
  if (text.size() == 3 && text[0] >= '1' && text[0] <= '9') {
    const auto hundreds = static_cast<std::uint16_t>((text[0] - '0') * 100);
    const std::string tail = ascii_lower(text.substr(1));
    if (tail == "xx") return StatusRange{hundreds, static_cast<std::uint16_t>(hundreds + 99)};
    if (all_digits(tail)) {
      const auto code = static_cast<std::uint16_t>(hundreds + (tail[0] - '0') * 10 + (tail[1] - '0'));
      return StatusRange{code, code};
    }
  }
  return fail(Errc::invalid_argument, "'" + std::string(text) + "' is neither a status code (404) nor a class (5xx)");
}

bool AddressRange::contains(const Endpoint& endpoint) const {
  const std::size_t bytes = prefix_bits / 8;
  if (!std::equal(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(bytes), endpoint.address.begin())) {
    return false;
  }
  for (unsigned i = static_cast<unsigned>(bytes) * 8; i < prefix_bits; ++i) {
    if (bit(address, i) != bit(endpoint.address, i)) return false;
  }
  return true;
}

Result<AddressRange> parse_address_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  AddressRange range;
  in_addr v4{};
  in6_addr v6{};
  unsigned before = 0;  // bits of the prefix that v4-mapping adds
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    before = 96;
    range.address[10] = range.address[11] = 0xff;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&v4);
    std::copy_n(bytes, 4, range.address.begin() + 12);
  } else if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) {
    std::copy_n(std::begin(v6.s6_addr), 16, range.address.begin());
  } else {
    return fail(Errc::invalid_argument,
                "'" + std::string(text) + "' is not an address or CIDR range (names are not looked up)");
  }
  if (slash != std::string_view::npos) {
    const auto prefix = parse_number(text.substr(slash + 1), 0, 128 - before);
    if (!prefix)
      return fail(Errc::invalid_argument,
                  "the prefix length in '" + std::string(text) + "': " + prefix.error().context);
    range.prefix_bits = before + static_cast<unsigned>(*prefix);
  }
  AddressRange masked = range;
  for (unsigned i = range.prefix_bits; i < 128; ++i)
    masked.address[i / 8] &= static_cast<std::uint8_t>(~(1u << (7 - i % 8)));
  if (masked == range) return range;
  std::array<char, INET6_ADDRSTRLEN> text_of{};
  const void* bytes = masked.address.data() + (before == 96 ? 12 : 0);
  inet_ntop(before == 96 ? AF_INET : AF_INET6, bytes, text_of.data(), static_cast<socklen_t>(text_of.size()));
  const std::string meant = std::string(text_of.data()) + std::string(text.substr(slash));
  return fail(Errc::invalid_argument,
              "'" + std::string(text) + "' has bits set behind its prefix; the range is " + meant, meant);
}

Result<Facet> parse_facet(std::string_view text) { return parse_name(text, facets, "facet"); }
Result<BackendKind> parse_backend(std::string_view text) { return parse_name(text, backends, "backend"); }
Result<Mechanism> parse_mechanism(std::string_view text) { return parse_name(text, mechanisms, "mechanism"); }
Result<Capability> parse_capability(std::string_view text) { return parse_name(text, capabilities, "capability"); }

Result<Requirement> parse_requirement(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto facet = parse_facet(text.substr(0, equals));
  if (!facet) return std::unexpected(facet.error());
  if (equals == std::string_view::npos) return Requirement{*facet, std::nullopt};
  const auto backend = parse_backend(text.substr(equals + 1));
  if (!backend) {
    Error error = backend.error();
    if (!error.suggestion.empty()) error.suggestion.insert(0, std::string(to_string(*facet)) + "=");
    return std::unexpected(std::move(error));
  }
  return Requirement{*facet, *backend};
}

}  // namespace tracer::cli
