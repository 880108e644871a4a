#include "cli/sinks.h"

#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "cli/machine.h"
#include "cli/version.h"
#include "core/exporters/documents.h"
#include "core/exporters/user_names.h"
#include "core/sinks/json_document.h"
#include "core/sinks/json_sink.h"
#include "core/sinks/text_sink.h"

namespace tracer::cli {
namespace {

SinkOptions sink_options(const Options& options, bool terminal) {
  SinkOptions sink;
  sink.run_id = new_run_id();
  sink.redact = options.redact;
  const char* kind = std::getenv("TERM");
  sink.colour = terminal && std::getenv("NO_COLOR") == nullptr && kind != nullptr && std::string_view(kind) != "dumb";
  sink.utc_offset_seconds = local_utc_offset_seconds();
  return sink;
}

bool is_about_processes(const Options& options) {
  return options.command == Command::profile || options.command == Command::snapshot;
}

DocumentOptions document_options(const Options& options, SinkOptions sink, const Selection* selection,
                                 std::uint32_t command_pid) {
  DocumentOptions document;
  document.sink = std::move(sink);
  document.version = version;
  document.layout = options.format == Format::json_stream  ? DocumentLayout::line
                    : options.format == Format::json_array ? DocumentLayout::array
                                                           : DocumentLayout::pretty;
  document.target = {options.filters.pids, options.filters.names, options.run, command_pid};
  document.now = [] {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return WallTime{static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())};
  };
  // Not by getpwuid(3), which would load code into the tracer.
  std::ifstream file("/etc/passwd");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  document.user_name = [names = parse_user_names(text)](std::uint32_t uid) -> std::optional<std::string> {
    const auto found = names.find(uid);
    return found == names.end() ? std::nullopt : std::optional(found->second);
  };
  [[maybe_unused]] const ssize_t got = ::getrandom(document.random.data(), document.random.size(), 0);
  document.processes = selection;
  return document;
}

}  // namespace

std::unique_ptr<Sink> make_sink(const Options& options, int output_fd, const Selection* selection,
                                std::uint32_t command_pid) {
  const bool terminal = ::isatty(output_fd) == 1;
  SinkOptions sink = sink_options(options, terminal);
  const Format otherwise = is_about_processes(options) ? Format::json_pretty
                           : terminal                  ? Format::text
                                                       : Format::json_stream;
  const Format format = options.format.value_or(otherwise);
  if (format == Format::text) return make_text_sink(std::move(sink));
  if (is_document(options)) {
    DocumentOptions document = document_options(options, std::move(sink), selection, command_pid);
    if (format == Format::cyclonedx) return make_cyclonedx_sink(std::move(document));
    const bool snapshot = options.command == Command::snapshot;
    if (format == Format::summary)
      return make_summary_sink(snapshot ? SummaryOf::snapshot : SummaryOf::profile, std::move(document));
    return snapshot ? make_snapshot_sink(std::move(document)) : make_profile_sink(std::move(document));
  }
  if (format == Format::json_array) return make_json_array_sink(std::move(sink));
  if (format == Format::json_pretty) return make_json_pretty_sink(std::move(sink));
  return make_json_sink(std::move(sink));
}

}  // namespace tracer::cli
