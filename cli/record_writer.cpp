#include "cli/record_writer.h"

namespace tracer::cli {

void RecordWriter::render(const Record& record) {
  line_.clear();
  sink_->write(record, line_);
}

bool RecordWriter::write_meta(const Record& record) {
  render(record);
  if (!output_.has_room(line_.size())) return false;
  return line_.empty() || output_.append(line_);
}

void RecordWriter::write(const Record& record) {
  if (complete() || !filters_.pass(record)) return;
  render(record);
  if (line_.empty() || output_.append(line_)) {
    ++written_;
  } else {
    ++not_taken_;
  }
}

}  // namespace tracer::cli
