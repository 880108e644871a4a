// Records → filters → sink → output queue, and the count of each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/filters.h"
#include "cli/output.h"
#include "core/sinks/sink.h"

namespace tracer::cli {

class RecordWriter {
 public:
  RecordWriter(Filters filters, std::unique_ptr<Sink> sink, OutputQueue& output,
               std::optional<std::uint64_t> records_max)
      : filters_(std::move(filters)), sink_(std::move(sink)), output_(output), records_max_(records_max) {}

  // A record about traffic. Those after the last one asked for are not looked at.
  void write(const Record& record);
  // A record about the trace itself: not filtered, not counted. False: there is no room; the caller may try again.
  bool write_meta(const Record& record);

  // Appends what the sink still has to say after the last record. Once.
  void finish(std::string& out) { sink_->finish(out); }

  [[nodiscard]] bool complete() const { return records_max_ && written_ >= *records_max_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] std::uint64_t not_taken() const { return not_taken_; }  // there was no room in the queue
  [[nodiscard]] const Filters& filters() const { return filters_; }

 private:
  void render(const Record& record);

  Filters filters_;
  std::unique_ptr<Sink> sink_;
  OutputQueue& output_;
  std::optional<std::uint64_t> records_max_;
  std::string line_;  // reused
  std::uint64_t written_ = 0;
  std::uint64_t not_taken_ = 0;
};

}  // namespace tracer::cli
