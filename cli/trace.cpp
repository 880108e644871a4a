#include "cli/trace.h"

#include <unistd.h>

#include <algorithm>

#include "cli/child.h"
#include "cli/own_processes.h"
#include "cli/plan_request.h"
#include "cli/progress.h"
#include "cli/run_end.h"
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

// A facet that no machine can show with this version is news only to who asked for it by name.
bool worth_a_line(const FacetPlan& facet, const Options& options) {
  if (facet.backend || options.show_given || options.command != Command::trace)
    return facet.backend || !facet.rejected.empty();
  return std::ranges::any_of(rungs(facet.facet), [](const Rung& rung) { return rung.never.empty(); }) &&
         !facet.rejected.empty();
}

void tell_plan(const TraceRequest& request, const Plan& plan, const CapabilityReport& report) {
  std::vector<const FacetPlan*> news, details;
  for (const FacetPlan& facet : plan.facets) {
    if (worth_a_line(facet, request.options)) {
      news.push_back(&facet);
    } else if (!facet.rejected.empty()) {
      details.push_back(&facet);
    }
  }
  for (const std::string& line : describe(news, report)) request.talk.notice(line);
  for (const std::string& line : describe(details, report)) request.talk.detail(line);
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
  if (options.show_given || options.strict || options.command != Command::trace) return {};
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
  return capture.closing() ||
         std::ranges::any_of(capture.sources(), [](const auto& source) { return source->opened().slow_to_detach; });
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

// What is there already belongs to the answer of some commands.
std::vector<Facet> facets_beside(const Options& options) {
  const auto is_told = [&](Facet facet) {
    switch (options.command) {
      case Command::libs:
        return facet == Facet::library;
      case Command::monitor:
        return facet == Facet::library || facet == Facet::file;
      case Command::profile:
        return facet == Facet::library || facet == Facet::file || facet == Facet::process;
      default:
        return false;
    }
  };
  std::vector<Facet> facets;
  std::ranges::copy_if(options.show, std::back_inserter(facets), is_told);
  return facets;
}

// After everything else has attached, so that nothing falls between.
void add_scan(const TraceRequest& request, const Selection& selection, std::vector<OpenedSource>& sources) {
  std::vector<Facet> facets = facets_beside(request.options);
  if (facets.empty() || !request.scan) return;
  auto scan = request.scan(facets, &selection);
  if (!scan) return request.talk.notice("what was there before is not told: " + scan.error().context);
  scan->kind = BackendKind::procfs;
  scan->mechanism = Mechanism::poll;
  sources.push_back({std::move(*scan), std::move(facets), true});
}

std::uint32_t number_of(const std::optional<Child>& child) {
  return child ? static_cast<std::uint32_t>(child->pid()) : 0;
}

SelectionOptions selection_options(const TraceRequest& request, const Options& options) {
  SelectionOptions selection;
  selection.pids = options.filters.pids;
  selection.names = options.filters.names;
  selection.follow_children = options.follow_children;
  selection.relatives = request.relatives;
  return selection;
}

// A profile of nobody would be empty: that is known at once of a number, and of a name only at the end.
std::optional<Error> nobody_there(const TraceRequest& request) {
  if (request.options.command != Command::profile || !request.parent_of) return std::nullopt;
  for (const std::uint32_t pid : request.options.filters.pids)
    if (!request.parent_of(pid))
      return Error{Errc::invalid_argument, 0, "there is no process " + std::to_string(pid),
                   "tracer profile --name nginx --duration 10"};
  return std::nullopt;
}

Error nobody_came(const Options& options) {
  std::string who;
  const auto add = [&](std::string_view option, std::string_view value) {
    who.append(" ").append(option).append(" ").append(value);
  };
  for (const std::uint32_t pid : options.filters.pids) add("--pid", std::to_string(pid));
  for (const std::string& name : options.filters.names) add("--name", name);
  return {Errc::invalid_argument, 0, "no process was seen that fits" + who + ": there is nothing to tell",
          "tracer snapshot --format summary    # who is there"};
}

CaptureOptions capture_options(const TraceRequest& request) {
  CaptureOptions capture;
  capture.times = request.times.capture;
  if (request.options.loss_percent_max) capture.times.health.loss_percent = *request.options.loss_percent_max;
  capture.overhead_percent_max = request.options.overhead_percent_max;
  capture.first_facet = request.options.show.front();
  capture.instead = facets_instead(request.options);
  capture.crypto = request.crypto;
  capture.file_patterns = request.options.filters.files;
  return capture;
}

// A document of nobody is not written.
bool is_told(const Options& options, const Session& session) {
  return !is_document(options) || session.wrote_document();
}

}  // namespace

int run_trace(const TraceRequest& request) {
  Options options = request.options;
  if (const auto nobody = nobody_there(request)) {
    request.talk.error(*nobody);
    return exit_error;
  }
  OutputQueue output(request.output_fd);
  if (output.state() == OutputState::failed) {
    request.talk.error(output.error());
    return exit_error;
  }

  // Before anything is opened: what the command does is watched from its first instruction on.
  std::optional<Child> child;
  if (!options.run.empty()) {
    auto started = Child::start(options.run, options.output_path.empty() ? STDERR_FILENO : STDOUT_FILENO);
    if (!started) {
      request.talk.error(started.error());
      return exit_error;
    }
    child.emplace(std::move(*started));
    options.filters.pids = {number_of(child)};
    if (request.relatives.started) request.relatives.started(number_of(child));
  }
  SelectionOptions chosen = selection_options(request, options);
  chosen.newcomer = number_of(child);
  Selection selection(std::move(chosen), request.ownership, request.parent_of);

  const CapabilityReport report = pretended(request.report, options.without);
  OpenRequest how;
  how.report = &report;
  how.ownership = &request.ownership;
  how.procfs = request.procfs;
  how.ring_kib = options.ring_kib;
  how.ports = options.filters.ports;
  how.interface = options.interface;
  how.files = request.files;
  how.processes = selection.everybody() ? nullptr : &selection;
  how.measure_time = options.overhead_percent_max.has_value();
  Opener opener(request.rows, plan_request(options), how);
  opener.on_opened = request.on_opened;

  // What cannot be enough is not even opened.
  const std::vector<Facet> instead = facets_instead(options);
  if (!shows_any(opener.plan(), opener.request().facets)) opener.want(instead);
  std::vector<OpenedSource> sources;
  auto refused = refusal(opener);
  if (!refused) {
    Progress progress(request.talk, "attaching");
    opener.on_try = [&](const Choice& choice) { progress.now("attaching " + to_string(choice)); };
    const std::vector<Facet> wanted = opener.request().facets;
    sources = opener.open(wanted);
    if (sources.empty()) {
      opener.want(instead);
      sources = opener.open(instead);
    }
    opener.on_try = nullptr;
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

  add_scan(request, selection, sources);

  RecordWriter writer(
      Filters(options.filters, &selection),
      make_sink(options, request.output_fd, selection.everybody() ? nullptr : &selection, number_of(child)), output,
      options.count);
  RunEnd run_end(selection, child ? &*child : nullptr, {});
  Session session(options, writer, output, request.talk, Pace::live, request.times,
                  options.command == Command::profile ? &run_end : nullptr);
  CaptureOptions capturing = capture_options(request);
  capturing.selection = &selection;
  Capture capture(std::move(capturing), opener, std::move(sources), request.ownership,
                  own_processes(request.ownership, request.output_fd), session, request.talk);
  session.begin(capture, opener.plan(), this_machine(), request.began, std::chrono::steady_clock::now());
  if (child) {
    if (const auto runs = child->release(); !runs) {
      request.talk.error(runs.error());
      return exit_error;
    }
  }
  if (const auto ran = run_loop(session, session.descriptors()); !ran) {
    request.talk.error(ran.error());
    return exit_start;
  }
  int code = session.finish();
  if (options.command == Command::profile && code == exit_ok && !(selection.matched() && is_told(options, session))) {
    request.talk.error(nobody_came(options));
    code = exit_error;
  }
  if (child && !child->status())
    request.talk.notice("process " + std::to_string(child->pid()) + " (" + options.run.front() + ") goes on");
  if (is_slow_to_detach(capture)) request.talk.notice("detaching; the kernel takes a few seconds for it here");
  return code;
}

}  // namespace tracer::cli
