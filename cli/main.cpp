#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>

#include "backends/bpf/load_failure.h"
#include "backends/pcap/pcap_backend.h"
#include "backends/pcap/privileges.h"
#include "backends/procfs/ownership.h"
#include "backends/procfs/proc_reader.h"
#include "backends/procfs/process_scan.h"
#include "backends/tracepoint/tracepoint.h"
#include "cli/backend_table.h"
#include "cli/crypto_parts.h"
#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/no_ownership.h"
#include "cli/options.h"
#include "cli/procfs_parts.h"
#include "cli/replay.h"
#include "cli/snapshot.h"
#include "cli/talk.h"
#include "cli/tls_files.h"
#include "cli/trace.h"
#ifdef TRACER_FAULTS
#include "cli/faults.h"
#endif
#include "probe-matrix/prober.h"

namespace tracer::cli {
namespace {

// A descriptor 0, 1 or 2 that was closed by who started us would be given to the next file opened, and then written to.
// True: standard output was there.
bool hold_standard_descriptors() {
  const bool output = ::fcntl(STDOUT_FILENO, F_GETFD) >= 0;
  for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
    if (fd <= STDERR_FILENO) continue;
    ::close(fd);
    break;
  }
  return output;
}

int print(std::string_view text, const Talk& talk) {
  std::signal(SIGPIPE, SIG_IGN);
  // Text for people, once: waiting for a slow pager is right here.
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (errno == EPIPE) return exit_ok;
      talk.error(os_failure(errno, "standard output"));
      return exit_error;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return exit_ok;
}

// The file that the options name, or standard output.
struct Destination {
  UniqueFd file;
  int fd = STDOUT_FILENO;
};
std::optional<Destination> destination(const Options& options, const Talk& talk, bool have_output) {
  Destination to;
  if (!options.output_path.empty()) {
    auto opened = OutputQueue::open_file(options.output_path);
    if (!opened) {
      talk.error(opened.error());
      return std::nullopt;
    }
    to.file = std::move(*opened);
    to.fd = to.file.get();
  } else if (!have_output) {
    talk.error(Error{Errc::invalid_argument, 0, "standard output is closed", "tracer -o /tmp/trace.json"});
    return std::nullopt;
  }
  return to;
}

void give_up_privileges(std::span<const int> but, const Talk& talk) {
  if (const auto kept = keep_only(but); !kept) talk.notice("privileges are kept: " + kept.error().context);
}

int replay(const Options& options, const Talk& talk, bool have_output, std::chrono::steady_clock::time_point began) {
  const auto to = destination(options, talk, have_output);
  if (!to) return exit_error;
  const auto open = [&](const std::string& path) -> Result<OpenedBackend> {
    PcapOptions pcap;
    pcap.ports = options.filters.ports;
    auto opened = open_pcap_file(path, pcap);
    if (opened) give_up_privileges({}, talk);  // what follows reads bytes from strangers
    return opened;
  };
  return run_replay({options, open, to->fd, talk, began});
}

// Where /proc does not count as the kernel does, whom the scan tells of is known through `parts` only.
OpenScan scan_with(const ProcfsParts& parts) {
  return [known = parts.processes()](std::span<const Facet> facets, const ProcessSelection* processes) {
    ProcessScanOptions scan;
    scan.facets.assign(facets.begin(), facets.end());
    scan.processes = processes;
    scan.known = known;
    return open_process_scan(std::move(scan));
  };
}

// Knows of processes what the other parts come across.
Result<std::unique_ptr<ProcOwnership>> open_ownership(const ProcfsParts& parts) {
  OwnershipOptions options;
  options.processes = parts.processes();
  return ProcOwnership::open(std::move(options));
}

// Empty where /proc cannot be read.
ParentOf parents() {
  auto reader = procfs::ProcReader::open("/proc");
  if (!reader) return {};
  const auto shared = std::make_shared<procfs::ProcReader>(std::move(*reader));
  return [shared](std::uint32_t pid) -> std::optional<std::uint32_t> {
    const auto directory = shared->process(pid);
    if (!directory) return std::nullopt;
    const auto stat = directory->stat();
    return stat ? std::optional(stat->parent) : std::nullopt;
  };
}

// The files of a child that ends at once can still be found if it was known where to look.
Relatives relatives(ProcFileSource* files) {
  if (files == nullptr) return {};
  return {[files](std::uint32_t parent, std::uint32_t child) { files->adopt(parent, child); },
          [files](std::uint32_t pid) { files->look_at(pid); }};
}

// Nothing is asked of a process of which nobody wants to know.
bool is_about_crypto(std::span<const Facet> facets) {
  return std::ranges::any_of(facets, [](Facet facet) { return facet == Facet::file || facet == Facet::library; });
}

int snapshot(const Options& options, const Talk& talk, bool have_output, std::chrono::steady_clock::time_point began) {
  const auto crypto = CryptoParts::make(options);
  if (!crypto) {
    talk.error(crypto.error());
    return exit_usage;
  }
  const auto to = destination(options, talk, have_output);
  if (!to) return exit_error;
  const ProcfsParts parts;
  const auto procfs = open_ownership(parts);
  if (!procfs) {
    talk.error(procfs.error());
    return exit_start;
  }
  return run_snapshot({options, scan_with(parts), **procfs, (*crypto)->lookup(), to->fd, talk, began});
}

int trace(const Options& options, const Talk& talk, bool have_output, std::chrono::steady_clock::time_point began,
          const SessionTimes& times, const std::function<void(OpenedBackend&)>& on_opened) {
  std::vector<Facet> wanted = options.show;
  for (const Requirement& required : options.required) wanted.push_back(required.facet);
  std::unique_ptr<CryptoParts> crypto;
  FileFilter files;
  if (is_about_crypto(wanted)) {
    auto made = CryptoParts::make(options);
    if (!made) {
      talk.error(made.error());
      return exit_usage;
    }
    crypto = std::move(*made);
    files = crypto->filter(options, wanted);
  }
  const auto to = destination(options, talk, have_output);
  if (!to) return exit_error;

  NoOwnership nobody;
  Ownership* ownership = &nobody;
  ProcfsParts parts;
  const auto procfs = open_ownership(parts);
  if (procfs) {
    ownership = procfs->get();
  } else {
    talk.notice("processes will not be named: " + procfs.error().context);
  }
  remove_tracefs_leftovers();
  HostSystem system;
  // What is shown where nothing of the default can be is part of the question.
  std::vector<Facet> facets = wanted;
  if (!options.show_given && options.command == Command::trace) facets.push_back(Facet::connection);
  if (options.follow_children) facets.push_back(Facet::process);
  const CapabilityReport report = probe_needed(system, capabilities_for(facets));
  // With nothing to fall back to, nothing will be opened that needs more.
  const bool packets_only = options.backends == std::vector{BackendKind::pcap};
  const auto opened = [&](OpenedBackend& backend) {
    if (on_opened) on_opened(backend);
    if (packets_only) give_up_privileges(owner_lookup_capabilities(), talk);
  };
  return run_trace({options, report, backend_rows(), *ownership, &parts, to->fd, talk, began, times, opened,
                    crypto ? crypto->lookup() : nullptr, crypto ? &files : nullptr, scan_with(parts), parents(),
                    crypto ? relatives(crypto->files()) : Relatives{}});
}

int doctor(const Options& options, const Talk& talk, bool have_output) {
  const auto to = destination(options, talk, have_output);
  if (!to) return exit_error;
  NoOwnership nobody;
  const auto procfs = ProcOwnership::open();
  ProcfsParts parts;
  const auto probe = [] {
    HostSystem system;
    return probe_all(system);
  };
  const auto refused = [] {
    std::vector<RefusedProgram> programs;
    for (LoadFailure& failure : take_load_failures())
      programs.push_back({std::move(failure.object), std::move(failure.program), std::string(to_string(failure.code)),
                          std::move(failure.log)});
    return programs;
  };
  return run_doctor({options, probe, host_facts(), this_machine().host, refused, backend_rows(),
                     procfs ? **procfs : static_cast<Ownership&>(nobody), &parts, to->fd, talk, tls_files_here});
}

int run(std::vector<std::string> args, std::chrono::steady_clock::time_point began) {
  const bool have_output = hold_standard_descriptors();
  std::function<void(OpenedBackend&)> on_opened;
  SessionTimes times;
#ifdef TRACER_FAULTS
  const auto faults = take_faults(args);
  if (!faults) {
    Talk(Talkative::normal).error(faults.error());
    return exit_usage;
  }
  on_opened = [&](OpenedBackend& backend) { make_faulty(backend, faults->faults, began); };
  if (faults->retry) times.capture.retry = times.capture.standby = *faults->retry;
#endif
  const auto options = parse_options(args);
  if (!options) {
    Talk(Talkative::normal).error(options.error());
    return exit_usage;
  }
  const Talk talk(options->quiet ? Talkative::quiet : options->verbose ? Talkative::verbose : Talkative::normal);
  switch (options->command) {
    case Command::trace:
    case Command::monitor:
    case Command::profile:
    case Command::libs:
    case Command::files:
      return trace(*options, talk, have_output, began, times, on_opened);
    case Command::snapshot:
      return snapshot(*options, talk, have_output, began);
    case Command::replay:
      return replay(*options, talk, have_output, began);
    case Command::doctor:
      return doctor(*options, talk, have_output);
    case Command::help:
      return print(help_text(options->help_topic), talk);
    case Command::version:
      return print(version_text(), talk);
    case Command::licenses:
      return print(licenses_text(), talk);
  }
  return exit_usage;
}

}  // namespace
}  // namespace tracer::cli

int main(int argc, char** argv) {
  const auto began = std::chrono::steady_clock::now();
  return tracer::cli::run({argv + 1, argv + argc}, began);
}
