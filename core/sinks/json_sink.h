// One JSON object a line. Written by hand over the field tables: a document tree would cost more than everything else
// that is done to a record.
#pragma once

#include <memory>

#include "core/sinks/sink.h"

namespace tracer {

[[nodiscard]] std::unique_ptr<Sink> make_json_sink(SinkOptions options);

}  // namespace tracer
