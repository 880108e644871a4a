#include "cli/snapshot.h"

#include <algorithm>
#include <limits>

#include "cli/exit_code.h"
#include "cli/own_processes.h"
#include "cli/sinks.h"

namespace tracer::cli {
namespace {

// Behind a look that is over nothing more comes: then the run is over too.
class OneLook final : public Backend {
 public:
  explicit OneLook(std::unique_ptr<Backend> scan) : scan_(std::move(scan)) {}
  [[nodiscard]] int fd() const override { return scan_->fd(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override {
    auto drained = scan_->drain(handler, budget);
    if (drained && *drained == Drained::idle) return Drained::ended;
    return drained;
  }
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override {
    scan_->set_verdict(flow, direction, verdict);
  }
  [[nodiscard]] BackendCounters counters() const override { return scan_->counters(); }
  [[nodiscard]] std::vector<BlindSpot> blind() const override { return scan_->blind(); }

 private:
  std::unique_ptr<Backend> scan_;
};

Plan plan_of(const std::vector<Facet>& facets, const std::vector<std::string_view>& missing) {
  Plan plan;
  for (std::size_t index = 0; index < facet_count; ++index) {
    FacetPlan row;
    row.facet = static_cast<Facet>(index);
    if (std::ranges::find(facets, row.facet) != facets.end()) {
      row.backend = BackendKind::procfs;
      row.mechanism = Mechanism::poll;
      row.missing.assign(missing.begin(), missing.end());
    }
    plan.facets.push_back(std::move(row));
  }
  return plan;
}

void tell_ignored(const Options& options, const Talk& talk) {
  if (options.ignored.empty()) return;
  std::string line = "a snapshot is one look at everything; ignored:";
  for (const std::string& option : options.ignored) line += " " + option;
  talk.notice(line);
}

}  // namespace

int run_snapshot(SnapshotRequest request) {
  const Options& options = request.options;
  tell_ignored(options, request.talk);
  OutputLimits limits;
  limits.queued_bytes_max = std::numeric_limits<std::size_t>::max();  // the session reads no further instead
  OutputQueue output(request.output_fd, limits);
  if (output.state() == OutputState::failed) {
    request.talk.error(output.error());
    return exit_error;
  }
  Selection everybody({}, request.ownership, {});
  auto scan = request.scan(options.show, &everybody);
  if (!scan) {
    request.talk.error(scan.error());
    return exit_start;
  }
  scan->kind = BackendKind::procfs;
  scan->mechanism = Mechanism::poll;
  scan->backend = std::make_unique<OneLook>(std::move(scan->backend));
  const Plan plan = plan_of(options.show, scan->missing);

  const CapabilityReport nothing;
  OpenRequest how;
  how.report = &nothing;
  Opener opener({}, {}, how);
  CaptureOptions capture_options;
  capture_options.replaceable = false;
  capture_options.times.last_drain = {};
  capture_options.crypto = request.crypto;
  capture_options.file_patterns = options.filters.files;

  RecordWriter writer(Filters(options.filters), make_sink(options, request.output_fd), output, options.count);
  Session session(options, writer, output, request.talk, Pace::reader, request.times);
  std::vector<OpenedSource> sources;
  sources.push_back({std::move(*scan), options.show});
  Capture capture(std::move(capture_options), opener, std::move(sources), request.ownership,
                  own_processes(request.ownership, request.output_fd), session, request.talk);
  session.begin(capture, plan, this_machine(), request.began, std::chrono::steady_clock::now());
  if (const auto ran = run_loop(session, session.descriptors()); !ran) {
    request.talk.error(ran.error());
    return exit_error;
  }
  return session.finish();
}

}  // namespace tracer::cli
