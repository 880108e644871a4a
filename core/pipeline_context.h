// What all connections of a pipeline share. Owned by the pipeline; outlives them.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/pipeline_options.h"
#include "core/process_table.h"
#include "core/router.h"
#include "core/stream_observer.h"
#include "core/timeline.h"
#include "core/transaction_twins.h"

namespace tracer {

// Records that were printed, kept with their buffers for the next ones.
class RecordPool {
 public:
  explicit RecordPool(std::size_t records_max) : records_max_(records_max) {}
  [[nodiscard]] std::unique_ptr<Record> take();
  void give_back(std::unique_ptr<Record> record);

 private:
  std::size_t records_max_;
  std::vector<std::unique_ptr<Record>> free_;
};

// Which of the fields that a mechanism can never fill belong to which record: by the index of its body.
using MissingByBody = std::array<std::vector<std::string_view>, std::variant_size_v<decltype(Record::body)>>;
[[nodiscard]] MissingByBody missing_by_body(const std::vector<std::string_view>& names);

struct PipelineContext {
  PipelineOptions options;
  Routers routers;
  ProcessTable processes;
  Timeline timeline;
  VerdictSink& verdicts;
  RecordSink& records;
  MissingByBody missing;
  RecordPool pool;
  StreamEnvironment streams;
  PipelineCounters counters;
  std::size_t records_pending = 0;
  EventTime now;  // the youngest time seen
  // Flows whose addresses are not known yet, and when the last of them came: any of them may be the other end of any
  // connection that is seen from one end only.
  std::size_t nameless_flows = 0;
  EventTime nameless_since;
  bool owners_told = false;  // somebody says whose the flows on the wire are
  Coverage coverage;
  std::uint64_t preexisting_flows = 0, zero_copy_flows = 0, zero_copy_bytes = 0;
  TransactionTwins twins;
  std::uint64_t tls_without_plaintext = 0;
  // By tgid: sessions that brought plaintext and of which the connection is not known, for all that is known of one.
  std::unordered_map<std::uint32_t, std::uint64_t> unbound_sessions;

  void count_protocol(std::string_view protocol, bool analyzed);
  // A connection that was counted as TLS is counted by what it carries.
  void uncount_tls();
};

}  // namespace tracer
