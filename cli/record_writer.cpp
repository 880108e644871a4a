#include "cli/record_writer.h"

namespace tracer::cli {

bool RecordWriter::render(const Record& record) {
  line_.clear();
  sink_->write(record, line_);
  return line_.empty() || output_.append(line_);
}

void RecordWriter::write(const Record& record) {
  if (complete() || !filters_.pass(record)) return;
  if (render(record)) {
    ++written_;
  } else {
    ++not_taken_;
  }
}

}  // namespace tracer::cli
