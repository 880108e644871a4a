#include "cli/doctor_verify.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "cli/doctor_traffic.h"
#include "cli/machine.h"
#include "cli/source.h"

namespace tracer::cli {
namespace {

constexpr std::size_t events_max = 4096;
constexpr std::chrono::milliseconds look_again{10};
constexpr std::chrono::milliseconds last_drain{200};
// A program that only polling can see must have run for longer than a poll takes to come round.
constexpr std::chrono::milliseconds program_runs{700};

bool is_process(const std::shared_ptr<const ProcessFacts>& facts, std::uint32_t pid) {
  return facts && (facts->local_pid ? *facts->local_pid == pid : facts->tgid == pid);
}

// What the trial opens and maps stands for a certificate and for a library.
class TrialLookup final : public CryptoLookup {
 public:
  [[nodiscard]] bool is_candidate(std::string_view path) const override { return path == file_; }
  [[nodiscard]] FileFinding look_into(const FileQuestion&, bool) override { return {}; }
  [[nodiscard]] std::optional<LibraryFinding> library(const FileQuestion& question) override {
    return question.path == file_ ? std::optional(LibraryFinding{}) : std::nullopt;
  }

 private:
  std::string file_ = trial_file();
};

// Counts the records of the trial's own traffic; everybody else's pass by.
class TrialReader final : public RecordReader {
 public:
  explicit TrialReader(std::string path) : path_(std::move(path)) {}
  void watch(const TrialTraffic& traffic) {
    port_ = traffic.port();
    client_ = traffic.client();
    executed_ = traffic.executed();
  }
  void on_record(const Record& record) override {
    if (const auto* transaction = std::get_if<HttpTransaction>(&record.body)) {
      const bool ours = transaction->request.present && transaction->request.view(transaction->request.url) == path_ &&
                        transaction->complete;
      requests += ours ? 1 : 0;
    } else if (const auto* connection = std::get_if<ConnectionSummary>(&record.body)) {
      const auto has_port = [&](const Party& party) { return party.endpoint && party.endpoint->port == port_; };
      connections += has_port(connection->flow.client) || has_port(connection->flow.server) ? 1 : 0;
    } else if (const auto* exec = std::get_if<ProcessExec>(&record.body)) {
      execs += is_process(exec->process, executed_) ? 1 : 0;
    } else if (const auto* exit = std::get_if<ProcessExit>(&record.body)) {
      exits += is_process(exit->process, executed_) ? 1 : 0;
    } else if (const auto* open = std::get_if<FileOpen>(&record.body)) {
      opens += is_process(open->process, client_) && open->file == file_ ? 1 : 0;
    } else if (const auto* load = std::get_if<LibLoad>(&record.body)) {
      loads += is_process(load->process, client_) ? 1 : 0;
    }
  }

  std::uint64_t requests = 0, connections = 0, execs = 0, exits = 0, opens = 0, loads = 0;

 private:
  std::string path_;
  std::string file_ = trial_file();
  std::uint16_t port_ = 0;
  std::uint32_t client_ = 0, executed_ = 0;
};

VerifyRow row_of(const FacetPlan& facet, const TrialReader& reader) {
  VerifyRow row{facet.facet, facet.backend, facet.mechanism, {}, 0, 0, {}};
  switch (facet.facet) {
    case Facet::http:
      row.what = "requests";
      row.expected = trial_requests;
      row.seen = reader.requests;
      break;
    case Facet::connection:
      row.what = "connections";
      row.expected = 1;
      row.seen = std::min<std::uint64_t>(reader.connections, 1);  // two ends that were not joined are one connection
      break;
    case Facet::process:
      row.what = "starts and ends of a program";
      row.expected = 2;
      row.seen = std::min<std::uint64_t>(reader.execs, 1) + std::min<std::uint64_t>(reader.exits, 1);
      break;
    case Facet::file:
      row.what = "opened files";
      row.expected = 1;
      row.seen = std::min<std::uint64_t>(reader.opens, 1);
      break;
    case Facet::library:
      row.what = "mapped libraries";
      row.expected = 1;
      row.seen = std::min<std::uint64_t>(reader.loads, 1);
      break;
    default:
      row.note = "not tried";
      break;
  }
  if (!facet.backend) {
    row.seen = 0;
    row.note = "not visible";
  }
  return row;
}

bool complete(const Plan& plan, const TrialReader& reader) {
  return std::ranges::all_of(plan.facets, [&](const FacetPlan& facet) {
    const VerifyRow row = row_of(facet, reader);
    // A connection is told at its end, and polled ones later than that.
    return !facet.backend || row.seen >= row.expected;
  });
}

}  // namespace

bool Verification::anything_seen() const {
  return std::ranges::any_of(rows, [](const VerifyRow& row) { return row.seen != 0; });
}

bool Verification::everything_seen() const {
  return std::ranges::all_of(rows, [](const VerifyRow& row) { return !row.backend || row.seen >= row.expected; });
}

Verification verify(const VerifyRequest& request) {
  Verification result;
  Opener opener(request.rows, request.plan, request.how);
  opener.on_opened = [&](OpenedBackend& backend) {
    result.opened.push_back({backend.kind, backend.mechanism, backend.outcomes});
  };
  std::vector<Facet> wanted;
  for (const FacetPlan& facet : opener.plan().facets)
    if (facet.backend) wanted.push_back(facet.facet);
  std::vector<OpenedSource> opened = opener.open(wanted);
  result.plan = opener.plan();
  if (!request.make_traffic) return result;

  const std::string path = "/tracer-doctor/" + new_run_id();
  TrialReader reader(path);
  // Nobody is left out: the traffic is made by children of this process, and of whoever is left out the children are
  // too.
  TrialLookup lookup;
  const SourceSetting setting{request.ownership, reader, {}, {}, &lookup};
  std::vector<std::unique_ptr<Source>> sources;
  for (OpenedSource& each : opened)
    sources.push_back(std::make_unique<Source>(std::move(each), setting, std::nullopt, Handover{}));
  auto traffic = TrialTraffic::start(path, request.program);
  if (traffic) {
    reader.watch(*traffic);
    const auto began = std::chrono::steady_clock::now();
    const auto passed = [&] { return std::chrono::steady_clock::now() - began; };
    bool more = false;
    while (passed() < (more ? request.wait_max : program_runs + request.wait) && !complete(result.plan, reader)) {
      more = false;
      for (const std::unique_ptr<Source>& source : sources)
        more = source->drain(Instant::now(), events_max).value_or(Drained::idle) == Drained::more || more;
      if (passed() > program_runs) traffic->let_go();
      if (!more) std::this_thread::sleep_for(look_again);
    }
  }
  for (const std::unique_ptr<Source>& source : sources) source->finish(last_drain);
  const bool no_talk = traffic && traffic->client_failed();
  for (const FacetPlan& facet : result.plan.facets) {
    if (!facet.backend && facet.rejected.empty()) continue;
    VerifyRow& row = result.rows.emplace_back(row_of(facet, reader));
    if (!traffic) row.note = traffic.error().context;
    if (no_talk && row.backend && (row.facet == Facet::http || row.facet == Facet::connection))
      row.note = "the trial's own connection did not come about: sudo ip link set lo up";
  }
  return result;
}

}  // namespace tracer::cli
