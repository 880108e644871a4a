#include "cli/replay.h"

#include <algorithm>
#include <limits>

#include "cli/exit_code.h"
#include "cli/no_ownership.h"
#include "cli/sinks.h"

namespace tracer::cli {
namespace {

constexpr Choice from_file{BackendKind::pcap, Mechanism::file};

bool asked_for(const Options& options, Facet facet) {
  return std::ranges::find(options.show, facet) != options.show.end();
}

// Why a file of packets cannot show it; empty: it can.
std::string_view obstacle(Facet facet) {
  switch (facet) {
    case Facet::http:
    case Facet::tls:
    case Facet::connection:
      return {};
    case Facet::https:
    case Facet::process:
    case Facet::file:
    case Facet::library:
    case Facet::crypto_api:
      return "a capture file holds packets and nothing of processes";
  }
  return {};
}

Plan plan_of(const Options& options, const std::vector<std::string_view>& missing) {
  Plan plan;
  for (std::size_t index = 0; index < facet_count; ++index) {
    FacetPlan row;
    row.facet = static_cast<Facet>(index);
    if (asked_for(options, row.facet)) {
      if (const std::string_view why = obstacle(row.facet); why.empty()) {
        row.backend = from_file.backend;
        row.mechanism = from_file.mechanism;
        row.missing.assign(missing.begin(), missing.end());
      } else {
        row.rejected.push_back({from_file.backend, from_file.mechanism, std::string(why)});
      }
    }
    plan.facets.push_back(std::move(row));
  }
  return plan;
}

}  // namespace

int run_replay(const ReplayRequest& request) {
  const Options& options = request.options;
  OutputLimits limits;
  limits.queued_bytes_max = std::numeric_limits<std::size_t>::max();  // the session reads no further instead
  OutputQueue output(request.output_fd, limits);
  if (output.state() == OutputState::failed) {
    request.talk.error(output.error());
    return exit_error;
  }
  OpenedSource source;
  std::ranges::copy_if(options.show, std::back_inserter(source.facets),
                       [](Facet facet) { return obstacle(facet).empty(); });
  if (source.facets.empty()) {
    request.talk.error(
        Error{Errc::invalid_argument, 0,
              std::string(to_string(options.show.front())) + ": " + std::string(obstacle(options.show.front())),
              "tracer replay --show http,connection"});
    return exit_usage;
  }
  auto opened = request.open(options.input_path);
  if (!opened) {
    request.talk.error(opened.error());
    return exit_error;
  }
  source.backend = std::move(*opened);
  source.backend.kind = from_file.backend;
  source.backend.mechanism = from_file.mechanism;
  const Plan plan = plan_of(options, source.backend.missing);

  NoOwnership nobody;
  const CapabilityReport nothing;
  OpenRequest how;
  how.report = &nothing;
  Opener opener({}, {}, how);
  CaptureOptions capture_options;
  capture_options.replaceable = false;
  capture_options.times.last_drain = {};

  RecordWriter writer(Filters(options.filters), make_sink(options, request.output_fd), output, options.count);
  Session session(options, writer, output, request.talk, Pace::reader);
  std::vector<OpenedSource> sources;
  sources.push_back(std::move(source));
  Capture capture(std::move(capture_options), opener, std::move(sources), nobody, {}, session, request.talk);
  Machine machine = this_machine();
  machine.scope = {options.input_path == "-" ? "the packets on standard input"
                                             : "the packets in " + options.input_path};
  session.begin(capture, plan, machine, request.began, std::chrono::steady_clock::now());
  if (const auto ran = run_loop(session, session.descriptors()); !ran) {
    request.talk.error(ran.error());
    return exit_error;
  }
  return session.finish();
}

}  // namespace tracer::cli
