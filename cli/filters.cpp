#include "cli/filters.h"

#include <algorithm>

#include "cli/values.h"
#include "core/base/glob.h"
#include "core/records/fields_http.h"

namespace tracer::cli {
namespace {

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

bool is_glob(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

bool library_matches(std::string_view wanted, std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (is_glob(wanted)) return glob_match(wanted, path) || glob_match(wanted, name);
  return path.contains(wanted);
}

// Empty: the record is not about a library.
std::string_view library_of(const Record& record) {
  if (const auto* load = std::get_if<LibLoad>(&record.body))
    return load->library.empty() ? load->library_name : load->library;
  if (const auto* call = std::get_if<ApiCall>(&record.body)) return call->library;
  return {};
}

// What a client asked for: in its request, or in its ClientHello.
bool is_for_host(const Record& record, std::string_view pattern) {
  if (const auto* http = std::get_if<HttpTransaction>(&record.body)) {
    const auto authority = http->request.present ? request_host(http->request) : std::nullopt;
    return authority && host_matches(pattern, *authority);
  }
  const auto* tls = std::get_if<TlsHandshake>(&record.body);
  return tls != nullptr && tls->sni && host_matches(pattern, *tls->sni);
}

bool is_process_record(const Record& record) {
  return std::holds_alternative<ProcessExec>(record.body) || std::holds_alternative<ProcessExit>(record.body);
}

const FlowIdentity* flow_of(const Record& record) {
  return std::visit(
      []<typename Body>(const Body& body) -> const FlowIdentity* {
        if constexpr (requires { body.flow; }) return &body.flow;
        return nullptr;
      },
      record.body);
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
    case FilterKind::library:
      return "--library";
    case FilterKind::file:
      return "--file";
  }
  return "";
}

bool Filters::is_process(const Party& party) const {
  if (party.process == nullptr) return false;
  if (selection_ != nullptr) return selection_->fits_number(*party.process) || selection_->is_follower(*party.process);
  return party.process->local_pid && std::ranges::find(options_.pids, *party.process->local_pid) != options_.pids.end();
}

bool Filters::has_name(const Party& party) const {
  if (party.process == nullptr) return false;
  const auto fits = [&](std::string_view name) { return is_named(*party.process, name); };
  return std::ranges::any_of(options_.names, fits) ||
         (selection_ != nullptr && selection_->is_follower(*party.process));
}

bool Filters::holds(FilterKind kind, const Record& record, const FlowIdentity& flow) const {
  // True when there is no such filter or one of its values fits.
  const auto any = [](const auto& values, auto fits) { return values.empty() || std::ranges::any_of(values, fits); };
  const auto& [pids, names, ports, hosts, paths, statuses, addresses, libraries, files, keep_processes] = options_;
  const auto* http = std::get_if<HttpTransaction>(&record.body);
  switch (kind) {
    case FilterKind::pid:
      return pids.empty() || is_process(flow.client) || is_process(flow.server);
    case FilterKind::name:
      return names.empty() || has_name(flow.client) || has_name(flow.server);
    case FilterKind::port:
      return any(ports, [&](std::uint16_t port) { return flow.server.endpoint && flow.server.endpoint->port == port; });
    case FilterKind::addr:
      return any(addresses, [&](const AddressRange& range) {
        return (flow.client.endpoint && range.contains(*flow.client.endpoint)) ||
               (flow.server.endpoint && range.contains(*flow.server.endpoint));
      });
    case FilterKind::host:
      return any(hosts, [&](std::string_view host) { return is_for_host(record, host); });
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
    case FilterKind::library:
      if (keep_processes && is_process_record(record)) return true;
      return any(libraries, [&](std::string_view wanted) {
        const std::string_view path = library_of(record);
        return !path.empty() && library_matches(wanted, path);
      });
    case FilterKind::file: {
      if (keep_processes && is_process_record(record)) return true;
      const auto* open = std::get_if<FileOpen>(&record.body);
      return any(files, [&](std::string_view pattern) {
        return open != nullptr && (glob_match(pattern, open->file) || glob_match(pattern, open->finding.path));
      });
    }
  }
  return true;
}

bool Filters::pass(const Record& record) {
  const FlowIdentity* flow = flow_of(record);
  const auto process = process_of(record);
  if (flow == nullptr && !process) return true;
  // A process by itself has no addresses: a filter that asks for some lets none pass.
  FlowIdentity alone;
  if (process) alone.server.process = *process;
  ++counts_.seen;
  bool passed = true;
  for (std::size_t i = 0; i < filter_count; ++i) {
    if (holds(static_cast<FilterKind>(i), record, flow != nullptr ? *flow : alone)) continue;
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
