#include "cli/filters.h"

#include <algorithm>

#include "cli/values.h"
#include "core/records/fields_http.h"

namespace tracer::cli {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// `needle` is lower case already.
bool contains_caseless(std::string_view text, std::string_view needle) {
  const auto found =
      std::search(text.begin(), text.end(), needle.begin(), needle.end(), [](char a, char b) { return lower(a) == b; });
  return found != text.end() || needle.empty();
}

// Where the set that begins at pattern[at] == '[' ends; npos: it does not, so the bracket means itself.
std::size_t set_end(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  return pattern.find(']', i + 1);  // a first ']' belongs to the set
}

bool in_set(std::string_view set, char c) {
  const bool negated = set.starts_with('!') || set.starts_with('^');
  if (negated) set.remove_prefix(1);
  const auto byte = [](char x) { return static_cast<unsigned char>(x); };
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (byte(set[i]) <= byte(c) && byte(c) <= byte(set[i + 2]));
      i += 2;
    } else {
      found = found || set[i] == c;
    }
  }
  return found != negated;
}

// Matches one element of the pattern other than `*` against `c`; returns the element's size, 0: no match.
std::size_t match_one(std::string_view pattern, std::size_t at, char c) {
  if (pattern[at] == '?') return 1;
  if (pattern[at] == '[') {
    if (const std::size_t end = set_end(pattern, at); end != std::string_view::npos) {
      return in_set(pattern.substr(at + 1, end - at - 1), c) ? end - at + 1 : 0;
    }
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) return pattern[at + 1] == c ? 2 : 0;
  return pattern[at] == c ? 1 : 0;
}

std::string_view without_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const bool in_brackets = colon != std::string_view::npos && authority.find(']', colon) != std::string_view::npos;
  return colon == std::string_view::npos || in_brackets ? authority : authority.substr(0, colon);
}

// A pattern without a port fits every port. An IPv6 address may come without its brackets.
bool host_matches(std::string_view pattern, std::string_view authority) {
  std::string host = ascii_lower(authority);
  if (const std::size_t at = host.rfind('@'); at != std::string::npos) host.erase(0, at + 1);
  const bool v6 = pattern.starts_with('[') && pattern.find(':') < pattern.find(']');  // not a set of characters
  if (v6) return pattern == (pattern.ends_with(']') ? without_port(host) : std::string_view(host));
  const bool bare_v6 = !pattern.starts_with('[') && std::ranges::count(pattern, ':') > 1;
  if (bare_v6) return "[" + std::string(pattern) + "]" == without_port(host);
  const bool with_port = without_port(pattern).size() != pattern.size();
  return glob_match(pattern, with_port ? std::string_view(host) : without_port(host));
}

bool is_process(const Party& party, std::uint32_t pid) {
  return party.process != nullptr && party.process->local_pid == pid;
}

bool is_named(const Party& party, std::string_view name) {
  return party.process != nullptr &&
         (contains_caseless(party.process->comm, name) || contains_caseless(party.process->executable, name));
}

// Of a record about one process; nullopt: it is about something else.
std::optional<std::shared_ptr<const ProcessFacts>> process_of(const Record& record) {
  return std::visit(
      []<typename Body>(const Body& body) -> std::optional<std::shared_ptr<const ProcessFacts>> {
        if constexpr (requires { body.process; }) return body.process;
        return std::nullopt;
      },
      record.body);
}

}  // namespace

std::string_view option_of(FilterKind kind) {
  switch (kind) {
    case FilterKind::pid:
      return "--pid";
    case FilterKind::name:
      return "--name";
    case FilterKind::port:
      return "--port";
    case FilterKind::addr:
      return "--addr";
    case FilterKind::host:
      return "--host";
    case FilterKind::path:
      return "--path";
    case FilterKind::status:
      return "--status";
  }
  return "";
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;  // where to go on after a mismatch
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    const std::size_t size = p < pattern.size() ? match_one(pattern, p, text[t]) : 0;
    if (size != 0) {
      p += size;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool Filters::holds(FilterKind kind, const FlowIdentity& flow, const HttpTransaction* http) const {
  // True when there is no such filter or one of its values fits.
  const auto any = [](const auto& values, auto fits) { return values.empty() || std::ranges::any_of(values, fits); };
  const auto& [pids, names, ports, hosts, paths, statuses, addresses] = options_;
  switch (kind) {
    case FilterKind::pid:
      return any(pids, [&](std::uint32_t pid) { return is_process(flow.client, pid) || is_process(flow.server, pid); });
    case FilterKind::name:
      return any(names,
                 [&](std::string_view name) { return is_named(flow.client, name) || is_named(flow.server, name); });
    case FilterKind::port:
      return any(ports, [&](std::uint16_t port) { return flow.server.endpoint && flow.server.endpoint->port == port; });
    case FilterKind::addr:
      return any(addresses, [&](const AddressRange& range) {
        return (flow.client.endpoint && range.contains(*flow.client.endpoint)) ||
               (flow.server.endpoint && range.contains(*flow.server.endpoint));
      });
    case FilterKind::host:
      return any(hosts, [&](std::string_view host) {
        const auto authority = http != nullptr && http->request.present ? request_host(http->request) : std::nullopt;
        return authority && host_matches(host, *authority);
      });
    case FilterKind::path:
      return any(paths, [&](std::string_view pattern) {
        const auto path = http != nullptr && http->request.present ? request_path(http->request) : std::nullopt;
        return path && glob_match(pattern, *path);
      });
    case FilterKind::status:
      return any(statuses, [&](StatusRange range) {
        return http != nullptr && http->response.present && http->response.status_code >= range.first &&
               http->response.status_code <= range.last;
      });
  }
  return true;
}

bool Filters::pass(const Record& record) {
  const auto* http = std::get_if<HttpTransaction>(&record.body);
  const auto* connection = std::get_if<ConnectionSummary>(&record.body);
  const auto process = process_of(record);
  if (http == nullptr && connection == nullptr && !process) return true;
  // A process by itself has no addresses: a filter that asks for some lets none pass.
  FlowIdentity alone;
  if (process) alone.server.process = *process;
  const FlowIdentity& flow = http != nullptr ? http->flow : connection != nullptr ? connection->flow : alone;
  ++counts_.seen;
  bool passed = true;
  for (std::size_t i = 0; i < filter_count; ++i) {
    if (holds(static_cast<FilterKind>(i), flow, http)) continue;
    ++counts_.refused[i];
    passed = false;
  }
  if (!passed) ++counts_.dropped;
  return passed;
}

std::optional<FilterKind> Filters::culprit() const {
  if (counts_.seen == 0) return std::nullopt;
  for (std::size_t i = 0; i < filter_count; ++i) {
    if (counts_.refused[i] == counts_.seen) return static_cast<FilterKind>(i);
  }
  return std::nullopt;
}

}  // namespace tracer::cli
