#include "cli/trace.h"

#include <algorithm>

#include "cli/own_processes.h"
#include "cli/sinks.h"
#include "cli/unattached.h"
#include "probe-matrix/planner.h"
#include "probe-matrix/report.h"

namespace tracer::cli {
namespace {

CapabilityReport pretended(CapabilityReport report, const std::vector<Capability>& absent) {
  for (const Capability capability : absent) report = without(std::move(report), capability);
  return report;
}

PlanRequest plan_request(const Options& options) {
  PlanRequest request;
  request.facets = options.show;
  request.backends = options.backends;
  request.mechanism = options.mechanism;
  request.strict = options.strict;
  request.require = options.required;
  for (const Requirement& required : options.required) {
    if (std::ranges::find(request.facets, required.facet) == request.facets.end())
      request.facets.push_back(required.facet);
  }
  return request;
}

// A facet that no machine can show with this version is news only to who asked for it by name.
bool worth_a_line(const FacetPlan& facet, const Options& options) {
  if (facet.backend || options.show_given) return facet.backend || !facet.rejected.empty();
  return std::ranges::any_of(rungs(facet.facet), [](const Rung& rung) { return rung.never.empty(); }) &&
         !facet.rejected.empty();
}

void tell_plan(const TraceRequest& request, const Plan& plan, const CapabilityReport& report) {
  for (const FacetPlan& facet : plan.facets) {
    const std::string line = describe(facet, report);
    if (worth_a_line(facet, request.options)) {
      request.talk.notice(line);
    } else if (!facet.rejected.empty()) {
      request.talk.detail(line);
    }
  }
}

bool asked_for_more(const Options& options) {
  return !options.backends.empty() || options.mechanism || options.strict || !options.required.empty();
}

int exit_code_of(const Error& unmet, const Opener& opener) {
  if (unmet.code == Errc::invalid_argument) return exit_usage;
  if (unmet.code == Errc::not_permitted) return exit_privileges;
  return opener.attempt_failed() ? exit_start : exit_kernel;
}

bool shows_any(const Plan& plan, const std::vector<Facet>& facets) {
  return std::ranges::any_of(plan.facets, [&](const FacetPlan& facet) {
    return facet.backend && std::ranges::find(facets, facet.facet) != facets.end();
  });
}

// What is shown where nothing of the default can be.
std::vector<Facet> facets_instead(const Options& options) {
  if (options.show_given || options.strict) return {};
  return {Facet::connection};
}

// Why the run cannot begin as it was asked for, and the exit code of that.
struct Refusal {
  Error error;
  int code;
};
std::optional<Refusal> refusal(const Opener& opener) {
  if (auto error = opener.unmet_requirement()) return Refusal{std::move(*error), exit_start};
  if (auto error = opener.unmet()) return Refusal{*error, exit_code_of(*error, opener)};
  return std::nullopt;
}

bool is_slow_to_detach(const Capture& capture) {
  return capture.closing() || std::ranges::any_of(capture.sources(), [](const auto& source) {
           return source->choice().mechanism == Mechanism::syscall_tp;
         });
}

// `--interface` alone chose the backend: its own reason is what helps.
Error interface_error(const std::string& interface, const Plan& plan) {
  Error error{Errc::not_supported, 0, "--interface " + interface + " cannot be captured on", "ip -brief link"};
  for (const FacetPlan& facet : plan.facets) {
    const auto pcap = std::ranges::find(facet.rejected, BackendKind::pcap, &RejectedChoice::backend);
    if (facet.facet != Facet::http || pcap == facet.rejected.end()) continue;
    error.context += ": " + pcap->reason;
  }
  return error;
}

CaptureOptions capture_options(const TraceRequest& request) {
  CaptureOptions capture;
  capture.times = request.times.capture;
  if (request.options.loss_percent_max) capture.times.health.loss_percent = *request.options.loss_percent_max;
  capture.overhead_percent_max = request.options.overhead_percent_max;
  capture.first_facet = request.options.show.front();
  capture.instead = facets_instead(request.options);
  return capture;
}

}  // namespace

int run_trace(const TraceRequest& request) {
  const Options& options = request.options;
  OutputQueue output(request.output_fd);
  if (output.state() == OutputState::failed) {
    request.talk.error(output.error());
    return exit_error;
  }

  const CapabilityReport report = pretended(request.report, options.without);
  OpenRequest how;
  how.report = &report;
  how.ownership = &request.ownership;
  how.procfs = request.procfs;
  how.ring_kib = options.ring_kib;
  how.ports = options.filters.ports;
  how.interface = options.interface;
  how.measure_time = options.overhead_percent_max.has_value();
  Opener opener(request.rows, plan_request(options), how);
  opener.on_opened = request.on_opened;

  // What cannot be enough is not even opened.
  const std::vector<Facet> instead = facets_instead(options);
  if (!shows_any(opener.plan(), opener.request().facets)) opener.want(instead);
  std::vector<OpenedSource> sources;
  auto refused = refusal(opener);
  if (!refused) {
    const std::vector<Facet> wanted = opener.request().facets;
    sources = opener.open(wanted);
    if (sources.empty()) {
      opener.want(instead);
      sources = opener.open(instead);
    }
    refused = refusal(opener);
  }
  if (refused && !options.interface.empty()) refused->error = interface_error(options.interface, opener.plan());
  if (refused) {
    if (asked_for_more(options) || options.quiet) {
      request.talk.error(refused->error);
    } else {
      tell_plan(request, opener.plan(), report);  // says it all: what is not visible, why, and what to type
    }
    return refused->code;
  }
  tell_plan(request, opener.plan(), report);
  for (const OpenedSource& source : sources)
    for (const std::string& line : describe_unattached(source.backend.outcomes)) request.talk.notice(line);

  RecordWriter writer(Filters(options.filters), make_sink(options, request.output_fd), output, options.count);
  Session session(options, writer, output, request.talk, Pace::live, request.times);
  Capture capture(capture_options(request), opener, std::move(sources), request.ownership,
                  own_processes(request.ownership, request.output_fd), session, request.talk);
  session.begin(capture, opener.plan(), this_machine(), request.began, std::chrono::steady_clock::now());
  if (const auto ran = run_loop(session, session.descriptors()); !ran) {
    request.talk.error(ran.error());
    return exit_start;
  }
  const int code = session.finish();
  // The kernel waits for all processors at every event it lets go of; the floor has some fifty.
  if (is_slow_to_detach(capture))
    request.talk.notice("detaching; with syscall_tp the kernel takes a few seconds for it");
  return code;
}

}  // namespace tracer::cli
