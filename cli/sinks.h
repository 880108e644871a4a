// The sink that the options and the kind of output ask for.
#pragma once

#include <cstdint>
#include <memory>

#include "cli/options.h"
#include "cli/selection.h"
#include "core/sinks/sink.h"

namespace tracer::cli {

// `selection` may be null and must outlive the sink; `command_pid`: of the command that was started, 0: none was.
[[nodiscard]] std::unique_ptr<Sink> make_sink(const Options& options, int output_fd,
                                              const Selection* selection = nullptr, std::uint32_t command_pid = 0);

}  // namespace tracer::cli
