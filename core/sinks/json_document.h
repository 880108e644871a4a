// Records of a stream as one JSON document: an array, also of no records at all. What json_sink.h writes a line each is
// an element each here, the records about the trace itself among them; finish() closes the array.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/sinks/sink.h"

namespace tracer {

[[nodiscard]] std::unique_ptr<Sink> make_json_array_sink(SinkOptions options);   // an element a line
[[nodiscard]] std::unique_ptr<Sink> make_json_pretty_sink(SinkOptions options);  // indented

// Appends `json`, a valid JSON text without whitespace between its tokens, indented by two spaces a level; its first
// line is not indented, all others by `depth` levels more. Strings are copied as they are.
void put_indented_json(std::string_view json, unsigned depth, std::string& out);

}  // namespace tracer
