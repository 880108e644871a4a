// A sink turns records into bytes. It owns no file: what it appends goes to the output queue.
#pragma once

#include <string>

#include "core/records/record.h"

namespace tracer {

struct SinkOptions {
  std::string run_id;
  bool redact = true;          // --no-redact
  bool colour = false;         // ANSI colours; only the text sink has any
  int utc_offset_seconds = 0;  // for times of day; only the text sink shows them
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Appends the whole output of one record to `out`, with its line end. `out` is never shortened, and what was in it
  // before stays. Reusing the same `out` and the same sink, a call allocates only when a record is larger than all
  // before it. The record is not kept. Calls come from one thread.
  virtual void write(const Record& record, std::string& out) = 0;
  // Once, after the last record: what a document that is one piece still needs, or all of it. What finds no room in the
  // output is waited for.
  virtual void finish(std::string& /* out */) {}
};

}  // namespace tracer
