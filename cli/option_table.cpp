#include "cli/option_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "cli/values.h"

namespace tracer::cli {
namespace {

using Text = std::string_view;

// Applies `parse` to every part of a comma-separated list and appends the values.
template <typename T, typename Parse>
Result<void> append_list(std::vector<T>& to, Text text, Parse parse) {
  const auto parts = split_list(text);
  if (!parts) return std::unexpected(parts.error());
  for (const Text part : *parts) {
    const auto value = parse(part);
    if (!value) return std::unexpected(value.error());
    to.push_back(static_cast<T>(*value));
  }
  return {};
}

// Stores the value of `parsed`, which may be an error.
template <typename T, typename U>
Result<void> store(T& to, const Result<U>& parsed) {
  if (!parsed) return std::unexpected(parsed.error());
  to = static_cast<U>(*parsed);
  return {};
}

Result<void> show(Options& options, Text value) {
  std::vector<Facet> facets;
  if (value == "all") {
    for (std::size_t i = 0; i < facet_count; ++i) facets.push_back(static_cast<Facet>(i));
  } else if (auto parsed = append_list(facets, value, parse_facet); !parsed) {
    return parsed;
  }
  options.show = std::move(facets);
  options.show_given = true;
  return {};
}

Result<void> path(Options& options, Text value) {
  if (value.empty() || (value[0] != '/' && value[0] != '*' && value[0] != '?' && value[0] != '[')) {
    return fail(Errc::invalid_argument, "'" + std::string(value) + "' matches no path: paths begin with '/'",
                "/" + std::string(value));
  }
  options.filters.paths.emplace_back(value);
  return {};
}

Result<void> names(std::vector<std::string>& to, Text value) {
  return append_list(to, value, [](Text part) -> Result<std::string> { return ascii_lower(part); });
}

// A name without a folder is one in any folder; a folder means all that is in it.
Result<void> file(Options& options, Text value) {
  if (value.empty()) return fail(Errc::invalid_argument, "the value is empty");
  std::string pattern(value);
  if (pattern.ends_with('/')) pattern += '*';
  if (!pattern.contains('/') && !pattern.starts_with('*')) options.filters.files.push_back("*/" + pattern);
  options.filters.files.push_back(std::move(pattern));
  return {};
}

constexpr std::array formats{
    std::pair{Text("text"), Format::text},
    std::pair{Text("json-stream"), Format::json_stream},
    std::pair{Text("json-lines"), Format::json_stream},
    std::pair{Text("json-array"), Format::json_array},
    std::pair{Text("json-pretty"), Format::json_pretty},
    std::pair{Text("summary"), Format::summary},
    std::pair{Text("cyclonedx"), Format::cyclonedx},
};

Result<void> format(Options& options, Text value) {
  const auto* found = std::ranges::find(formats, value, &std::pair<Text, Format>::first);
  if (found != formats.end()) {
    options.format = found->second;
    return {};
  }
  return fail(Errc::invalid_argument, "format '" + std::string(value) + "' is " +
                                          (value == "har" ? "not in this version" : "unknown") +
                                          "; there are text, json-stream (alias json-lines), json-array, json-pretty, "
                                          "summary and cyclonedx");
}

constexpr std::uint64_t pid_max = 4'194'304;  // PID_MAX_LIMIT of the kernel
constexpr std::uint64_t ring_kib_min = 4, ring_kib_max = 1'048'576;

Result<void> ring_kib(Options& options, Text value) {
  const auto parsed = parse_number(value, ring_kib_min, ring_kib_max);
  if (!parsed) return std::unexpected(parsed.error());
  const std::uint64_t rounded = std::bit_ceil(*parsed);
  if (rounded != *parsed) {
    return fail(Errc::invalid_argument, "'" + std::string(value) + "' is no power of two", std::to_string(rounded));
  }
  options.ring_kib = static_cast<std::uint32_t>(*parsed);
  return {};
}

// "5" or "2.5"; more than nothing and at most 100.
Result<void> percent(std::optional<double>& to, Text value) {
  const auto parsed = parse_percent(value);
  if (!parsed) return std::unexpected(parsed.error());
  to = *parsed;
  return {};
}

constexpr std::array rows{
    OptionRow{"auto", 0, "", "trace with the best backends that work here (the default)", "", Section::choice,
              [](Options&, Text) -> Result<void> { return {}; }},
    OptionRow{"show", 0, "FACETS", "what to show: http, tls, https (inside of TLS), ... or all; default http,tls,https",
              "http", Section::choice, show},
    OptionRow{"backend", 0, "LIST", "only these backends, in this order", "tracepoint", Section::choice,
              [](Options& o, Text v) { return append_list(o.backends, v, parse_backend); }},
    OptionRow{"mechanism", 0, "NAME", "only this way to hook in: fentry, kprobe, tp_btf, ...", "syscall_tp",
              Section::choice, [](Options& o, Text v) { return store(o.mechanism, parse_mechanism(v)); }},
    OptionRow{"without", 0, "CAPABILITY", "do as if the kernel could not do this: btf, bpf_ring_buffer, ...", "btf",
              Section::choice, [](Options& o, Text v) { return append_list(o.without, v, parse_capability); }},
    OptionRow{"strict", 0, "", "fail instead of falling back to a lesser way", "", Section::choice,
              [](Options& o, Text) -> Result<void> {
                o.strict = true;
                return {};
              }},
    OptionRow{"require", 0, "FACET[=BACKEND]", "fail if this cannot be shown (by this backend)", "http",
              Section::choice,
              [](Options& o, Text v) -> Result<void> {
                const auto requirement = parse_requirement(v);
                if (!requirement) return std::unexpected(requirement.error());
                o.required.push_back(*requirement);
                return {};
              }},

    OptionRow{"interface", 'i', "NAME", "only packets of this interface; means --backend pcap", "eth0", Section::choice,
              [](Options& o, Text v) -> Result<void> {
                if (v.empty()) return fail(Errc::invalid_argument, "the value is empty");
                o.interface = v;
                return {};
              }},
    OptionRow{"max-overhead", 0, "PERCENT",
              "of one processor: over it the dearest part of the capture is given up, https first", "5",
              Section::choice, [](Options& o, Text v) { return percent(o.overhead_percent_max, v); }},
    OptionRow{"loss-threshold", 0, "PERCENT",
              "of events lost, three seconds in a row: above it the next backend takes over; default 25, 100: never",
              "50", Section::advanced, [](Options& o, Text v) { return percent(o.loss_percent_max, v); }},

    OptionRow{"pid", 'p', "PID", "client or server is this process", "1", Section::filter,
              [](Options& o, Text v) {
                return append_list(o.filters.pids, v, [](Text part) { return parse_number(part, 1, pid_max); });
              }},
    OptionRow{"name", 'n', "NAME", "client's or server's name or executable contains this, in any case", "nginx",
              Section::filter, [](Options& o, Text v) { return names(o.filters.names, v); }},
    OptionRow{"port", 0, "PORT", "port of the server", "8080", Section::filter,
              [](Options& o, Text v) {
                return append_list(o.filters.ports, v, [](Text part) { return parse_number(part, 1, 65535); });
              }},
    OptionRow{"addr", 0, "CIDR", "address of either end: 10.0.0.0/8, ::1", "10.0.0.0/8", Section::filter,
              [](Options& o, Text v) { return append_list(o.filters.addresses, v, parse_address_range); }},
    OptionRow{"host", 0, "HOST", "host that the request names, a glob: *.example.org", "localhost", Section::filter,
              [](Options& o, Text v) { return names(o.filters.hosts, v); }},
    OptionRow{"path", 0, "GLOB", "path without the query; * also crosses /", "'/api/*'", Section::filter, path},
    OptionRow{"status", 0, "LIST", "status codes or classes: 404,5xx", "5xx", Section::filter,
              [](Options& o, Text v) { return append_list(o.filters.statuses, v, parse_status); }},
    OptionRow{"library", 'l', "NAME", "part of a library's name or path, or a glob", "libssl", Section::filter,
              [](Options& o, Text v) -> Result<void> {
                if (v.empty()) return fail(Errc::invalid_argument, "the value is empty");
                o.filters.libraries.emplace_back(v);
                return {};
              }},
    OptionRow{"file", 'F', "GLOB", "opened files, a glob: '*.pem', '/etc/ssl/*'; * also crosses /", "'*.pem'",
              Section::filter, file},
    OptionRow{"follow-children", 0, "", "also what those start that --pid and --name fit", "", Section::filter,
              [](Options& o, Text) -> Result<void> {
                o.follow_children = true;
                return {};
              }},

    OptionRow{"format", 'f', "FORMAT",
              "text, json-stream (alias json-lines), json-array, json-pretty, summary, cyclonedx; default text on a "
              "terminal, else json-stream; of profile and snapshot json-pretty",
              "json-stream", Section::output, format},
    OptionRow{"output", 'o', "FILE", "write here (created with mode 0600) instead of standard output", "trace.json",
              Section::output,
              [](Options& o, Text v) -> Result<void> {
                if (v.empty()) return fail(Errc::invalid_argument, "the value is empty");
                o.output_path = v == "-" ? Text() : v;
                return {};
              }},
    OptionRow{"duration", 'd', "SECONDS", "stop after this time, fractions allowed; 0: never", "10", Section::output,
              [](Options& o, Text v) -> Result<void> {
                const auto parsed = parse_seconds(v);
                if (!parsed) return std::unexpected(parsed.error());
                o.duration.reset();
                if (parsed->count() != 0) o.duration = *parsed;
                return {};
              }},
    OptionRow{"count", 0, "N", "stop after this many records", "100", Section::output,
              [](Options& o, Text v) {
                return store(o.count, parse_number(v, 1, std::numeric_limits<std::int64_t>::max()));
              }},
    OptionRow{"no-meta", 0, "", "records only: what is about the trace itself goes to standard error", "",
              Section::output,
              [](Options& o, Text) -> Result<void> {
                o.meta = false;
                return {};
              }},
    OptionRow{"no-redact", 0, "", "show passwords, cookies, tokens and home directories", "", Section::output,
              [](Options& o, Text) -> Result<void> {
                o.redact = false;
                return {};
              }},
    OptionRow{"fail-on-loss", 0, "", "exit 6 if anything was lost", "", Section::output,
              [](Options& o, Text) -> Result<void> {
                o.fail_on_loss = true;
                return {};
              }},

    OptionRow{"quiet", 'q', "", "errors only on standard error", "", Section::general,
              [](Options& o, Text) -> Result<void> {
                o.quiet = true;
                return {};
              }},
    OptionRow{"verbose", 'v', "", "say more on standard error: every program that did not attach", "", Section::general,
              [](Options& o, Text) -> Result<void> {
                o.verbose = true;
                return {};
              }},
    OptionRow{"help", 'h', "", "this text", "", Section::general,
              [](Options& o, Text) -> Result<void> {
                o.command = Command::help;
                return {};
              }},
    OptionRow{"version", 'V', "", "the version", "", Section::general,
              [](Options& o, Text) -> Result<void> {
                o.command = Command::version;
                return {};
              }},

    OptionRow{"json", 0, "", "the report as JSON (docs/schema/doctor.schema.json)", "", Section::doctor,
              [](Options& o, Text) -> Result<void> {
                o.json = true;
                return {};
              }},
    OptionRow{"verify", 0, "", "open what was planned, make traffic, and say what of it was seen", "", Section::doctor,
              [](Options& o, Text) -> Result<void> {
                o.verify = true;
                return {};
              }},
    OptionRow{"from", 0, "REPORT", "plan for the machine that this JSON report is of; -: standard input", "report.json",
              Section::doctor,
              [](Options& o, Text v) -> Result<void> {
                if (v.empty()) return fail(Errc::invalid_argument, "the value is empty");
                o.from_path = v;
                return {};
              }},
    OptionRow{"bundle", 0, "FILE", "also write a file for a bug report: the report, and what the kernel said",
              "tracer-bundle.json", Section::doctor,
              [](Options& o, Text v) -> Result<void> {
                if (v.empty()) return fail(Errc::invalid_argument, "the value is empty");
                o.bundle_path = v;
                return {};
              }},

    OptionRow{"registry", 0, "FILE", "more rules about cryptographic files and libraries (docs/registry.md)",
              "rules.json", Section::advanced,
              [](Options& o, Text v) -> Result<void> {
                if (v.empty()) return fail(Errc::invalid_argument, "the value is empty");
                o.registry_paths.emplace_back(v);
                return {};
              }},
    OptionRow{"ring-kib", 0, "KIB", "size of the buffer between kernel and tracer, a power of two", "4096",
              Section::advanced, ring_kib},
};

constexpr std::array<Text, 3> later_option_names{"container", "btf", "bodies"};
constexpr std::array<Text, 1> later_command_names{"run"};
constexpr std::array<Text, 10> command_names{"monitor", "profile", "snapshot", "libs",    "files",
                                             "doctor",  "replay",  "help",     "version", "licenses"};

}  // namespace

std::span<const OptionRow> option_rows() { return rows; }
std::span<const std::string_view> later_options() { return later_option_names; }
std::span<const std::string_view> later_commands() { return later_command_names; }
std::span<const std::string_view> commands() { return command_names; }

bool is_live_only(const OptionRow& row) {
  constexpr std::array<Text, 8> others{"pid",     "name", "ring-kib",        "loss-threshold",
                                       "library", "file", "follow-children", "registry"};
  return (row.section == Section::choice && row.name != "show") || std::ranges::find(others, row.name) != others.end();
}

std::span<const Facet> facets_with(const OptionRow& row) {
  static constexpr std::array flows{Facet::http, Facet::https, Facet::tls, Facet::connection};
  static constexpr std::array named{Facet::http, Facet::https, Facet::tls};
  static constexpr std::array transactions{Facet::http, Facet::https};
  static constexpr std::array libraries{Facet::library, Facet::crypto_api};
  static constexpr std::array files{Facet::file};
  if (row.name == "port" || row.name == "addr") return flows;
  if (row.name == "host") return named;
  if (row.name == "path" || row.name == "status") return transactions;
  if (row.name == "library") return libraries;
  if (row.name == "file") return files;
  return {};
}

const OptionRow* find_option(std::string_view name) {
  const auto* row = std::ranges::find(rows, name, &OptionRow::name);
  return row == rows.end() ? nullptr : row;
}

}  // namespace tracer::cli
