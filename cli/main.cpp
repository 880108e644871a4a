#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "backends/procfs/ownership.h"
#include "cli/backend_table.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/talk.h"
#include "cli/trace.h"
#include "probe-matrix/prober.h"

namespace tracer::cli {
namespace {

// Where /proc cannot be read: nothing is known of any process.
class NoOwnership final : public Ownership {
 public:
  std::optional<ProcessFacts> process(std::uint32_t) override { return std::nullopt; }
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {FdKind::unreadable, {}}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
};

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

int trace(const Options& options, const Talk& talk, bool have_output, std::chrono::steady_clock::time_point began) {
  UniqueFd file;
  if (!options.output_path.empty()) {
    auto opened = OutputQueue::open_file(options.output_path);
    if (!opened) {
      talk.error(opened.error());
      return exit_error;
    }
    file = std::move(*opened);
  } else if (!have_output) {
    talk.error(Error{Errc::invalid_argument, 0, "standard output is closed", "tracer -o /tmp/trace.json"});
    return exit_error;
  }

  NoOwnership nobody;
  Ownership* ownership = &nobody;
  const auto procfs = ProcOwnership::open();
  if (procfs) {
    ownership = procfs->get();
  } else {
    talk.notice("processes will not be named: " + procfs.error().context);
  }
  HostSystem system;
  const CapabilityReport report = probe_all(system);
  return run_trace({options, report, backend_rows(), *ownership, file ? file.get() : STDOUT_FILENO, talk, began, {}});
}

int run(std::span<const std::string> args, std::chrono::steady_clock::time_point began) {
  const bool have_output = hold_standard_descriptors();
  const auto options = parse_options(args);
  if (!options) {
    Talk(Talkative::normal).error(options.error());
    return exit_usage;
  }
  const Talk talk(options->quiet ? Talkative::quiet : options->verbose ? Talkative::verbose : Talkative::normal);
  switch (options->command) {
    case Command::trace:
      return trace(*options, talk, have_output, began);
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
  const std::vector<std::string> args(argv + 1, argv + argc);
  return tracer::cli::run(args, began);
}
