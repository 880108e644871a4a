#include "cli/sinks.h"

#include <unistd.h>

#include <cstdlib>

#include "cli/machine.h"
#include "core/sinks/json_sink.h"
#include "core/sinks/text_sink.h"

namespace tracer::cli {

std::unique_ptr<Sink> make_sink(const Options& options, int output_fd) {
  const bool terminal = ::isatty(output_fd) == 1;
  SinkOptions sink;
  sink.run_id = new_run_id();
  sink.redact = options.redact;
  const char* kind = std::getenv("TERM");
  sink.colour = terminal && std::getenv("NO_COLOR") == nullptr && kind != nullptr && std::string_view(kind) != "dumb";
  sink.utc_offset_seconds = local_utc_offset_seconds();
  const Format format = options.format.value_or(terminal ? Format::text : Format::json_stream);
  return format == Format::text ? make_text_sink(std::move(sink)) : make_json_sink(std::move(sink));
}

}  // namespace tracer::cli
