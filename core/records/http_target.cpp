#include <algorithm>

#include "core/records/fields_http.h"

namespace tracer {
namespace {

std::string_view without_query(std::string_view path) { return path.substr(0, path.find_first_of("?#")); }

// Where the authority at the start of `text` ends. A password with a raw '/', '?' or '#' in it is not valid, but must
// not end up in another field: what looks like a port and is no number belongs to the user info if an '@' follows.
std::size_t authority_size(std::string_view text) {
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, end);
  const std::size_t colon = authority.rfind(':');
  if (authority.contains('@') || colon == std::string_view::npos || authority.ends_with(']')) return end;
  if (authority.find_first_not_of("0123456789", colon + 1) == std::string_view::npos) return end;
  const std::size_t at = text.rfind('@');
  return at == std::string_view::npos ? end : std::min(text.find_first_of("/?#", at), text.size());
}

}  // namespace

TargetParts split_target(std::string_view method, std::string_view target) {
  if (target.empty()) return {};
  if (target.front() == '/') return {std::nullopt, without_query(target)};
  if (target == "*") return {std::nullopt, target};
  if (method == "CONNECT") return {target, std::nullopt};
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos || target.find_first_of("/?#") < scheme_end) return {};
  const std::string_view rest = target.substr(scheme_end + 3);
  const std::size_t path_start = authority_size(rest);
  if (path_start == rest.size() || rest[path_start] != '/') return {rest.substr(0, path_start), "/"};
  return {rest.substr(0, path_start), without_query(rest.substr(path_start))};
}

std::optional<std::string_view> request_host(const HttpMessage& request) {
  const std::string_view target = request.view(request.url);
  if (!target.starts_with('/'))
    if (const auto authority = split_target(request.view(request.method), target).authority; authority)
      return authority;
  const auto host = request.header("host");
  return host ? unless_empty(*host) : std::nullopt;
}

std::optional<std::string_view> request_path(const HttpMessage& request) {
  return split_target(request.view(request.method), request.view(request.url)).path;
}

}  // namespace tracer
