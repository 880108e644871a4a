// Opens mechanism tracefs: tracepoints without bpf(2). What they carry are facts, never the bytes of a stream.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "backends/bpf/self_test.h"
#include "backends/tracepoint/openers.h"
#include "backends/tracepoint/tracefs.h"
#include "backends/tracepoint/tracefs_backend.h"

namespace tracer {
namespace {

constexpr Facet served[] = {Facet::process, Facet::file, Facet::connection};
// sched_process_exit does not hold what was given to exit().
constexpr std::string_view process_missing[] = {"exit_code", "signal"};
constexpr std::string_view connection_missing[] = {"client_to_server", "server_to_client", "rtt_ms",
                                                   "retransmits",      "protocol",         "transactions"};

bool contains(const std::vector<Facet>& facets, Facet facet) {
  return std::ranges::find(facets, facet) != facets.end();
}

Result<std::string> find_root() {
  Error last{Errc::not_found, 0, "no tracefs", "mount -t tracefs tracefs /sys/kernel/tracing"};
  for (std::string& root : tracefs_roots()) {
    if (::access((root + "/events").c_str(), R_OK | X_OK) == 0) return std::move(root);
    if (errno != ENOENT) last = os_failure(errno, "look into " + root + "/events");
  }
  return std::unexpected(last);
}

Result<std::uint16_t> add_event(const std::string& root, const TraceEventRow& row, TraceLayout& layout) {
  const std::string name(row.name);
  const auto format = read_event_format(root, name);
  if (!format) return std::unexpected(format.error());
  const auto id = read_small_file(root + "/events/" + name + "/id");
  if (!id) return std::unexpected(id.error());
  std::uint16_t number = 0;
  if (std::from_chars(id->data(), id->data() + id->size(), number).ec != std::errc{})
    return fail(Errc::malformed, name + ": its id is no number");
  if (!layout.add(row, number, *format))
    return fail(Errc::not_supported, name + ": this kernel's record has other fields");
  return number;
}

// What is asked for that this kernel does not have. Events of all that remains go to `sources`.
std::vector<TraceSource> find_sources(const std::string& root, std::vector<Facet>& wanted, TraceLayout& layout,
                                      OpenedBackend& opened) {
  std::vector<TraceSource> sources;
  for (const TraceEventRow& row : trace_events()) {
    // Which thread belongs to which process, all of them must know.
    if (row.facet != Facet::process && !contains(wanted, row.facet)) continue;
    const auto id = add_event(root, row, layout);
    if (id) {
      sources.push_back({std::string(row.name), *id});
    } else if (row.required && contains(wanted, row.facet)) {
      opened.refused.push_back({row.facet, id.error().context});
      std::erase(wanted, row.facet);
    }
    if (id || row.required)
      opened.outcomes.push_back({std::string(row.name), id.has_value(), id ? std::string() : id.error().context});
  }
  return sources;
}

Result<std::unique_ptr<TraceReader>> open_instance(const std::string& root, const std::vector<TraceSource>& sources,
                                                   std::size_t ring_bytes) {
  // Its records number threads as the initial namespace does, and nobody in another can say whose they are.
  if (foreign_pid_namespace().inode != 0)
    return fail(Errc::not_supported, "a tracing instance is of no use in a pid namespace of one's own");
  return open_instance_reader(root, sources, ring_bytes);
}

}  // namespace

void remove_tracefs_leftovers() {
  // In a pid namespace of one's own nobody can say whether the maker of an instance lives.
  if (foreign_pid_namespace().inode != 0) return;
  if (const auto root = find_root()) remove_dead_instances(*root);
}

Result<OpenedBackend> open_tracefs(const TracepointOptions& options) {
  const auto root = find_root();
  if (!root) return std::unexpected(root.error());
  remove_tracefs_leftovers();
  OpenedBackend opened;
  opened.kind = BackendKind::tracepoint;
  opened.mechanism = options.mechanism;
  std::vector<Facet> wanted;
  for (const Facet facet : served)
    if (options.facets.empty() || contains(options.facets, facet)) wanted.push_back(facet);
  for (const Facet facet : options.facets)
    if (!contains(wanted, facet)) opened.refused.push_back({facet, "it carries no stream bytes"});
  TraceLayout layout;
  const std::vector<TraceSource> sources = find_sources(*root, wanted, layout, opened);
  if (contains(wanted, Facet::file)) {
    const auto format = read_event_format(*root, "syscalls/sys_enter_openat");
    if (format && format->find("__filename_val") == nullptr)
      opened.outcomes.push_back({"paths of opens that fail", false,
                                 "the event carries no path on this kernel (it does from Linux 6.19); after an open "
                                 "that succeeds /proc is asked, while the descriptor is there"});
  }
  if (wanted.empty() || sources.empty())
    return fail(Errc::not_supported, opened.refused.empty() ? "no events" : opened.refused.front().reason);

  TraceDecoderOptions decoding;
  decoding.self_tgid = static_cast<std::uint32_t>(::getpid());
  decoding.numbers_agree = foreign_pid_namespace().inode == 0;
  // Who opened a file is often gone when /proc is asked: its exec said the name.
  decoding.processes = contains(wanted, Facet::process) || contains(wanted, Facet::file);
  decoding.files = contains(wanted, Facet::file);
  decoding.connections = contains(wanted, Facet::connection);
  std::uint32_t parts = beat_thread;
  if (decoding.files) parts |= beat_open;
  if (decoding.connections) parts |= beat_socket;

  std::unique_ptr<TracefsBackend> backend;
  Error why;
  // Records of an instance name a thread only: where /proc does not show whose it is, perf events are better.
  const bool perf_first = ::access((decoding.proc + "/1").c_str(), F_OK) != 0;
  for (const bool by_perf : {perf_first, !perf_first}) {
    if (options.by_perf.value_or(by_perf) != by_perf) continue;
    auto reader =
        by_perf ? open_perf_reader(sources, options.ring_bytes) : open_instance(*root, sources, options.ring_bytes);
    Result<void> tested;
    if (reader) {
      backend =
          std::make_unique<TracefsBackend>(std::move(*reader), std::make_unique<TraceLayout>(layout), decoding, parts);
      tested = backend->run_self_test();
      if (tested) break;
      backend.reset();
    }
    Error failed = reader ? tested.error() : reader.error();
    if (!why.context.empty()) failed.context = why.context + "; " + failed.context;
    why = std::move(failed);
  }
  if (!backend) return std::unexpected(why);
  opened.self_test_seen = true;
  if (decoding.processes)
    opened.missing.insert(opened.missing.end(), std::begin(process_missing), std::end(process_missing));
  if (decoding.connections)
    opened.missing.insert(opened.missing.end(), std::begin(connection_missing), std::end(connection_missing));
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
