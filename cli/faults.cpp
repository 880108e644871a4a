#include "cli/faults.h"

#include <algorithm>

#include "cli/values.h"

namespace tracer::cli {

Result<Fault> parse_fault(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::size_t at = text.find('@');
  if (colon == text.npos || at == text.npos || at < colon)
    return fail(Errc::invalid_argument, "'" + std::string(text) + "' is not BACKEND:KIND@SECONDS");
  const auto backend = parse_backend(text.substr(0, colon));
  if (!backend) return std::unexpected(backend.error());
  const auto after = parse_seconds(text.substr(at + 1));
  if (!after) return std::unexpected(after.error());
  const std::string_view kind = text.substr(colon + 1, at - colon - 1);
  Fault fault{*backend, FaultKind::detach, *after};
  if (kind == "stall") {
    fault.kind = FaultKind::stall;
  } else if (kind == "loss") {
    fault.kind = FaultKind::loss;
  } else if (kind != "detach") {
    return fail(Errc::invalid_argument, "'" + std::string(kind) + "' is none of detach, stall, loss");
  }
  return fault;
}

Result<FaultOptions> take_faults(std::vector<std::string>& args) {
  FaultOptions options;
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::size_t equals = std::min(args[i].find('='), args[i].size());
    const std::string name = args[i].substr(0, equals);
    if (name != "--fault" && name != "--fault-retry") {
      rest.push_back(args[i]);
      continue;
    }
    std::string value;
    if (equals < args[i].size()) {
      value = args[i].substr(equals + 1);
    } else if (i + 1 < args.size()) {
      value = args[++i];
    }
    if (name == "--fault") {
      const auto fault = parse_fault(value);
      if (!fault) return std::unexpected(fault.error());
      options.faults.push_back(*fault);
    } else {
      const auto seconds = parse_seconds(value);
      if (!seconds) return std::unexpected(seconds.error());
      options.retry = *seconds;
    }
  }
  args = std::move(rest);
  return options;
}

void make_faulty(OpenedBackend& opened, std::span<const Fault> faults, std::chrono::steady_clock::time_point began) {
  for (const Fault& fault : faults) {
    const auto at = began + fault.after;
    if (fault.backend != opened.kind || std::chrono::steady_clock::now() >= at) continue;
    opened.backend = std::make_unique<FaultyBackend>(std::move(opened.backend), fault.kind, at);
  }
}

}  // namespace tracer::cli
