#include "cli/doctor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "cli/doctor_bundle.h"
#include "cli/doctor_text.h"
#include "cli/doctor_verify.h"
#include "cli/exit_code.h"
#include "cli/machine.h"
#include "cli/plan_request.h"
#include "cli/version.h"
#include "core/sinks/terminal_text.h"
#include "probe-matrix/host.h"
#include "probe-matrix/planner.h"
#include "probe-matrix/report.h"

namespace tracer::cli {
namespace {

constexpr std::size_t report_bytes_max = 4u << 20;

Result<std::string> read_report(const std::string& path) {
  UniqueFd file;
  if (path != "-") {
    file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::unexpected(os_failure(errno, path));
  }
  const std::string name = path == "-" ? "standard input" : path;
  std::string text;
  while (true) {
    constexpr std::size_t step = 64 * 1024;
    const std::size_t had = text.size();
    text.resize(had + step);
    const ssize_t got = ::read(path == "-" ? STDIN_FILENO : file.get(), text.data() + had, step);
    if (got < 0 && errno != EINTR) return std::unexpected(os_failure(errno, name));
    text.resize(had + static_cast<std::size_t>(got < 0 ? 0 : got));
    if (got == 0) return text;
    if (text.size() > report_bytes_max) return fail(Errc::malformed, name + ": far too long for a report");
  }
}

// Also of a report that another tracer made. `code`: the exit code where there is none.
Result<DoctorReport> report_of(const DoctorRequest& request, int& code) {
  const Options& options = request.options;
  if (options.from_path.empty()) return DoctorReport{std::string(version), request.host, request.probe(), {}};
  auto text = read_report(options.from_path);
  code = exit_error;
  if (!text) return std::unexpected(std::move(text.error()));
  auto report = doctor_report_from_json(*text);
  code = exit_ok;
  if (report) return report;
  Error error = std::move(report.error());
  code = error.code == Errc::invalid_argument ? exit_usage : exit_error;
  error.context = (options.from_path == "-" ? "standard input" : options.from_path) + ": " + error.context;
  return std::unexpected(std::move(error));
}

// As a trace with these options would ask; about all facets where none was named.
PlanRequest plan_to_check(const Options& options) {
  PlanRequest request = plan_request(options);
  if (!options.show_given) request.facets.clear();
  return request;
}

nlohmann::ordered_json to_json(std::span<const VerifyRow> rows) {
  nlohmann::ordered_json facets = nlohmann::ordered_json::object();
  for (const VerifyRow& row : rows) {
    nlohmann::ordered_json entry{{"backend", nullptr}, {"mechanism", nullptr}};
    if (row.backend) entry["backend"] = tracer::to_string(*row.backend);
    if (row.mechanism) entry["mechanism"] = tracer::to_string(*row.mechanism);
    entry["expected"] = row.backend ? row.expected : 0;
    entry["seen"] = row.seen;
    if (!row.note.empty()) entry["note"] = row.note;
    facets[std::string(tracer::to_string(row.facet))] = std::move(entry);
  }
  return facets;
}

// Names of files and programs, and reports of other machines, hold what somebody wrote into them: the terminal must not
// act on that.
std::string harmless(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    {
      LineBuffer line(out);
      put_terminal_text(line, text.substr(0, end));
    }
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// A closed pipe is how a reader says that it has enough.
int write_out(const DoctorRequest& request, std::string_view text) {
  std::signal(SIGPIPE, SIG_IGN);
  while (!text.empty()) {
    const ssize_t written = ::write(request.output_fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return exit_ok;
    if (written < 0) {
      request.talk.error(os_failure(errno, "write the report"));
      return exit_error;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return exit_ok;
}

int make_bundle(const DoctorRequest& request, const DoctorReport& report, const Verification& verification) {
  const auto written =
      write_bundle(request.options.bundle_path,
                   bundle_text(report, verification,
                               request.refused ? request.refused() : std::vector<RefusedProgram>{}, request.host_name));
  if (!written) {
    request.talk.error(written.error());
    return exit_error;
  }
  request.talk.notice("written to " + request.options.bundle_path +
                      ", without host name and home directories; read it before you send it");
  return exit_ok;
}

}  // namespace

int run_doctor(const DoctorRequest& request) {
  const Options& options = request.options;
  int code = exit_ok;
  auto report = report_of(request, code);
  if (!report) {
    request.talk.error(report.error());
    return code;
  }
  for (const Capability absent : options.without)
    report->capabilities = without(std::move(report->capabilities), absent);
  const PlanRequest wanted = plan_to_check(options);
  report->plan = make_plan(report->capabilities, wanted);
  const bool https = wanted.facets.empty() || std::ranges::find(wanted.facets, Facet::https) != wanted.facets.end();
  if (https && options.from_path.empty() && request.tls_libraries) report->tls_libraries = request.tls_libraries();

  Verification verification;
  if (options.verify || !options.bundle_path.empty()) {
    OpenRequest how;
    how.report = &report->capabilities;
    how.ownership = &request.ownership;
    how.procfs = request.procfs;
    how.ring_kib = options.ring_kib;
    VerifyRequest trial{request.rows, wanted, how, request.ownership};
    trial.make_traffic = options.verify;
    verification = verify(trial);
    report->plan = verification.plan;  // what would not open is planned around
  }
  if (!options.bundle_path.empty()) code = make_bundle(request, *report, verification);

  std::string text;
  if (options.json) {
    nlohmann::ordered_json document = tracer::to_json(*report);
    if (options.verify) {
      document["degraded"] = document["degraded"].get<bool>() || !verification.everything_seen();
      document["verify"] = to_json(verification.rows);
    }
    constexpr int indent = 1;
    text = document.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  } else {
    text = harmless(doctor_text(*report, wanted, verification.rows));
  }
  if (const int wrote = write_out(request, text); wrote != exit_ok) code = wrote;
  if (code != exit_ok) return code;
  return works(report->plan) && (!options.verify || verification.anything_seen()) ? exit_ok : exit_kernel;
}

HostFacts host_facts() {
  const Machine machine = this_machine();
  HostSystem system;
  return {machine.kernel, machine.boot_id, read_host(system).distribution_name};
}

}  // namespace tracer::cli
