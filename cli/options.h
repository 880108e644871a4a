// What the user asked for, as plain data. Parsing is pure: it reads its arguments and nothing else.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/capability.h"
#include "core/event.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {

enum class Command : std::uint8_t {
  trace,
  monitor,
  profile,
  snapshot,
  libs,
  files,
  replay,
  doctor,
  help,
  version,
  licenses
};
enum class Format : std::uint8_t { text, json_stream, json_array, json_pretty, summary, cyclonedx };

struct StatusRange {
  std::uint16_t first = 0, last = 0;  // both included
  bool operator==(const StatusRange&) const = default;
};

// IPv4 ranges are held v4-mapped, like Endpoint.
struct AddressRange {
  std::array<std::uint8_t, 16> address{};
  unsigned prefix_bits = 128;
  [[nodiscard]] bool contains(const Endpoint& endpoint) const;
  bool operator==(const AddressRange&) const = default;
};

// Values of one option are alternatives; different options must all hold. An empty list asks for nothing.
struct FilterOptions {
  std::vector<std::uint32_t> pids{};
  std::vector<std::string> names{};  // lower case
  std::vector<std::uint16_t> ports{};
  std::vector<std::string> hosts{};  // lower case, may contain globs
  std::vector<std::string> paths{};  // globs
  std::vector<StatusRange> statuses{};
  std::vector<AddressRange> addresses{};
  std::vector<std::string> libraries{};  // part of a name or path, or a glob
  std::vector<std::string> files{};      // globs
  // Processes pass what is asked of libraries and files: a document says whose they are.
  bool keep_processes = false;
};

struct Options {
  Command command = Command::trace;
  std::string help_topic;  // of `help`; may be empty

  std::vector<BackendKind> backends;  // in order of preference; empty: all of them, in the built-in order
  std::optional<Mechanism> mechanism;
  std::vector<Capability> without;
  std::vector<Requirement> required;
  std::vector<Facet> show{Facet::http, Facet::tls, Facet::https};
  bool show_given = false;  // the user named them
  bool strict = false;
  std::string interface;                       // whose packets are captured; empty: all
  std::optional<double> overhead_percent_max;  // of one CPU
  std::optional<double> loss_percent_max;      // above: the next backend takes over; absent: a default
  std::string input_path;                      // of `replay`; "-": standard input

  FilterOptions filters;
  bool follow_children = false;
  std::vector<std::string> run;  // of `profile -- COMMAND`: what is started and watched; empty: nothing is

  std::vector<std::string> registry_paths;  // rules about files and libraries beside the built-in ones

  std::optional<std::chrono::milliseconds> duration;
  std::optional<std::uint64_t> count;
  std::string output_path;  // empty: standard output
  // Absent: json-pretty for profile and snapshot, else text on a terminal and json-stream elsewhere.
  std::optional<Format> format;
  bool meta = true;
  bool redact = true;
  bool fail_on_loss = false;
  std::optional<std::uint32_t> ring_kib;  // absent: the backend's own default
  bool quiet = false;
  bool verbose = false;

  std::vector<std::string> ignored;  // options that mean nothing to the command: "--pid"

  // Of `doctor`.
  bool json = false;
  bool verify = false;
  std::string from_path;    // a report of another machine; "-": standard input; empty: this machine is asked
  std::string bundle_path;  // empty: none is made
};

// The output is one document about all that was seen, not a stream of records.
[[nodiscard]] bool is_document(const Options& options);

// `args` without the program's name. Every error is Errc::invalid_argument and says what, why and one thing to type.
[[nodiscard]] Result<Options> parse_options(std::span<const std::string> args);

}  // namespace tracer::cli
