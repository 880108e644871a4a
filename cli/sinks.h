// The sink that the options and the kind of output ask for.
#pragma once

#include <memory>

#include "cli/options.h"
#include "core/sinks/sink.h"

namespace tracer::cli {

[[nodiscard]] std::unique_ptr<Sink> make_sink(const Options& options, int output_fd);

}  // namespace tracer::cli
