// One line per record for people at a terminal. Columns of fixed width come first, what varies (the URL) last; a line
// is never wrapped or cut.
#pragma once

#include <memory>

#include "core/sinks/sink.h"

namespace tracer {

[[nodiscard]] std::unique_ptr<Sink> make_text_sink(SinkOptions options);

}  // namespace tracer
