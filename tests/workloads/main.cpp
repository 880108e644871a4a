// workload: makes HTTP traffic of known content between processes of its own, and says exactly what it made.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

constexpr std::string_view usage =
    "usage: workload list [--json] [--facets]\n"
    "       workload NAME...|--all [--truth FILE] [--netns] [--address ADDRESS] [--port PORT]\n"
    "                [--hold-ready FILE --hold-go FILE] [--hold-seconds N] [--linger-ms N] [--process-seconds N]\n"
    "                [--server-netns FILE] [--client-netns FILE] [--connect-address ADDRESS] [--connect-port PORT]\n"
    "Makes the transactions of each scenario between processes of its own and logs them to FILE (else standard\n"
    "output), one JSON object a line. --netns: in a network namespace of its own. The hold files are for the "
    "scenarios\n"
    "that pause: they create the first and wait for the second. No process lives longer than --process-seconds (30),\n"
    "not counting the pause. Exit code 77: this machine can make none of the chosen scenarios, for the reasons "
    "given.\n";

constexpr int exit_skipped = 77;

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (const auto theme : {http_scenarios(), edge_scenarios(), syscall_scenarios(), zero_copy_scenarios(),
                           io_uring_scenarios(), process_scenarios()}) {
    all.insert(all.end(), theme.begin(), theme.end());
  }
  return all;
}

// Of these the truth is no HTTP alone; they are listed apart.
std::vector<Scenario> scenarios_of_facets() {
  std::vector<Scenario> all(facet_scenarios().begin(), facet_scenarios().end());
#ifdef WORKLOAD_TLS
  all.insert(all.end(), https_scenarios().begin(), https_scenarios().end());
#endif
  return all;
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    std::fprintf(stderr, "workload: '%.*s' is not a number\n", static_cast<int>(text.size()), text.data());
    std::exit(2);
  }
  return value;
}

struct CommandLine {
  Options options;
  std::vector<std::string_view> names;
  bool own_network_namespace = false;
  bool all = false;
};

[[noreturn]] void refuse(std::string_view word) {
  std::fprintf(stderr, "workload: '%.*s' is not understood\n%s", static_cast<int>(word.size()), word.data(),
               usage.data());
  std::exit(2);
}

CommandLine parse(std::span<char*> words) {
  CommandLine line;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string_view word = words[at];
    const auto value = [&]() -> std::string_view {
      if (at + 1 == words.size()) refuse(word);
      return words[++at];
    };
    if (word == "--truth") {
      line.options.truth_fd = ::open(std::string(value()).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      require(line.options.truth_fd >= 0, "the truth file does not open");
    } else if (word == "--netns") {
      line.own_network_namespace = true;
    } else if (word == "--all") {
      line.all = true;
    } else if (word == "--address") {
      line.options.address = value();
    } else if (word == "--port") {
      line.options.port = number<std::uint16_t>(value());
    } else if (word == "--hold-ready") {
      line.options.hold_ready = value();
    } else if (word == "--hold-go") {
      line.options.hold_go = value();
    } else if (word == "--hold-seconds") {
      line.options.hold_seconds_max = number<unsigned>(value());
    } else if (word == "--process-seconds") {
      line.options.process_seconds_max = number<unsigned>(value());
    } else if (word == "--linger-ms") {
      line.options.linger_ms = number<unsigned>(value());
    } else if (word == "--server-netns") {
      line.options.server_netns = value();
    } else if (word == "--client-netns") {
      line.options.client_netns = value();
    } else if (word == "--connect-address") {
      line.options.connect_host = value();
    } else if (word == "--connect-port") {
      line.options.connect_port = number<std::uint16_t>(value());
    } else if (word.starts_with("-")) {
      refuse(word);
    } else {
      line.names.push_back(word);
    }
  }
  return line;
}

int run_scenarios(const CommandLine& line) {
  std::vector<Scenario> chosen;
  auto all = all_scenarios();
  if (line.all) chosen = all;
  const auto apart = scenarios_of_facets();
  all.insert(all.end(), apart.begin(), apart.end());
  for (const auto name : line.names) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Scenario& scenario) { return scenario.name == name; });
    if (found == all.end()) refuse(name);
    chosen.push_back(*found);
  }
  if (line.own_network_namespace) {
    require(::unshare(CLONE_NEWNET) == 0, "a network namespace (needs root)");
    bring_loopback_up();
  }
  auto& registry = *ServerRegistry::create();
  std::size_t failed = 0, skipped = 0;
  for (const auto& scenario : chosen) {
    if (const auto reason = scenario.unavailable != nullptr ? scenario.unavailable() : ""; !reason.empty()) {
      std::fprintf(stderr, "skipped %.*s (%s)\n", static_cast<int>(scenario.name.size()), scenario.name.data(),
                   reason.c_str());
      ++skipped;
      continue;
    }
    Run run(line.options, std::string(scenario.name), registry);
    const bool made = scenario.run(run);
    std::fprintf(stderr, "%s %s\n", made ? "made" : "FAILED", run.name().c_str());
    failed += made ? 0 : 1;
  }
  if (failed != 0) return 1;
  return skipped == chosen.size() ? exit_skipped : 0;
}

const char* as_json_value(Needs needs) {
  switch (needs) {
    case Needs::nothing:
      return "null";
    case Needs::kernel_sockets:
      return "\"kernel-sockets\"";
    case Needs::socket_layer:
      return "\"socket-layer\"";
    case Needs::socket_layer_at_one_end:
      return "\"socket-layer-at-one-end\"";
  }
  std::abort();
}

// The names and summaries need no escaping.
int list(std::span<char*> words) {
  bool as_json = false;
  auto scenarios = all_scenarios();
  for (const std::string_view word : words) {
    if (word == "--json") {
      as_json = true;
    } else if (word == "--facets") {
      scenarios = scenarios_of_facets();
    } else {
      refuse(word);
    }
  }
  for (const auto& scenario : scenarios) {
    const std::string name(scenario.name), summary(scenario.summary);
    if (as_json) {
      std::printf("{\"name\":\"%s\",\"summary\":\"%s\",\"needs\":%s}\n", name.c_str(), summary.c_str(),
                  as_json_value(scenario.needs));
    } else {
      std::printf("%-28s %s\n", name.c_str(), summary.c_str());
    }
  }
  return 0;
}

int main_of(std::span<char*> words) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string_view first = words.empty() ? std::string_view{} : words[0];
  if (first == "--serve-stdin") return serve_stdin();
  if (first == "--exit-code") return exit_with(words.subspan(1));
  if (first == "list") {
    return list(words.subspan(1));
  }
  const auto line = parse(words);
  if (!line.all && line.names.empty()) {
    std::fputs(usage.data(), stderr);
    return 2;
  }
  return run_scenarios(line);
}

}  // namespace
}  // namespace tracer::workload

int main(int argc, char** argv) {
  return tracer::workload::main_of(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
}
