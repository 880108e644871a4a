#include "cli/trace.h"

#include <unistd.h>
#include <algorithm>
#include <cstdlib>

#include "cli/own_processes.h"
#include "cli/unattached.h"
#include "core/sinks/json_sink.h"
#include "core/sinks/text_sink.h"
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

void tell_plan(const TraceRequest& request, const Opened& opened, const CapabilityReport& report) {
  for (const FacetPlan& facet : opened.plan.facets) {
    const std::string line = describe(facet, report);
    if (worth_a_line(facet, request.options)) {
      request.talk.notice(line);
    } else if (!facet.rejected.empty()) {
      request.talk.detail(line);
    }
  }
  for (const OpenedBackend& backend : opened.backends) {
    for (const std::string& line : describe_unattached(backend.outcomes)) request.talk.notice(line);
  }
}

bool asked_for_more(const Options& options) {
  return !options.backends.empty() || options.mechanism || options.strict || !options.required.empty();
}

int exit_code_of(const Error& unmet, const Opened& opened) {
  if (unmet.code == Errc::invalid_argument) return exit_usage;
  if (unmet.code == Errc::not_permitted) return exit_privileges;
  return opened.attempt_failed ? exit_start : exit_kernel;
}

std::unique_ptr<Sink> make_sink(const Options& options, int output_fd) {
  const bool terminal = ::isatty(output_fd) == 1;
  SinkOptions sink;
  sink.run_id = new_run_id();
  sink.redact = options.redact;
  const char* kind = std::getenv("TERM");
  sink.colour = terminal && std::getenv("NO_COLOR") == nullptr && kind != nullptr && std::string_view(kind) != "dumb";
  sink.utc_offset_seconds = local_utc_offset_seconds();
  const Format format = options.format.value_or(terminal ? Format::text : Format::json_stream);
  return format == Format::text ? make_text_sink(std::move(sink)) : make_json_sink(std::move(sink));
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
  PlanRequest plan = plan_request(options);
  OpenRequest how;
  how.report = &report;
  how.ownership = &request.ownership;
  how.ring_kib = options.ring_kib;
  how.ports = options.filters.ports;
  // What cannot be enough is not even opened.
  Opened opened{make_plan(report, plan), {}, false};
  auto missing = unmet(opened.plan, plan, report);
  if (!missing) {
    opened = open_backends(request.rows, plan, how);
    missing = unmet(opened.plan, plan, report);
  }
  if (missing || opened.backends.empty()) {
    const Error error = missing.value_or(Error{Errc::not_supported, 0, "no backend could be opened", {}});
    if (asked_for_more(options) || options.quiet) {
      request.talk.error(error);
    } else {
      tell_plan(request, opened, report);  // says it all: what is not visible, why, and what to type
    }
    return exit_code_of(error, opened);
  }
  tell_plan(request, opened, report);

  RecordWriter writer(Filters(options.filters), make_sink(options, request.output_fd), output, options.count);
  Session session(options, opened, request.ownership, writer, output, request.talk,
                  own_processes(request.ownership, request.output_fd), request.times);
  session.begin(this_machine(), request.began, std::chrono::steady_clock::now());
  if (const auto ran = run_loop(session, session.descriptors()); !ran) {
    request.talk.error(ran.error());
    return exit_start;
  }
  const int code = session.finish();
  // The kernel waits for all processors at every event it lets go of; the floor has some fifty.
  if (opened.backends.front().mechanism == Mechanism::syscall_tp)
    request.talk.notice("detaching; with syscall_tp the kernel takes a few seconds for it");
  return code;
}

}  // namespace tracer::cli
