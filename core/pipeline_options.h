// What the pipeline is given and what it tells: limits, the two ways out (verdicts and records), counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend.h"
#include "core/capability.h"
#include "core/crypto_lookup.h"
#include "core/records/record.h"
#include "core/stream_observer.h"

namespace tracer {

// Which connections get a `connection` record when they end.
enum class ConnectionRecords : std::uint8_t { none, unexplained, all };

struct PipelineOptions {
  std::size_t flows_max = 65'536;
  std::size_t prefix_bytes_max = 1024;  // held per side until the protocol is known
  std::size_t sessions_max = 32'768;    // of TLS libraries
  std::size_t resync_tries_max = 256;   // calls looked at to find a known protocol in a stream seen from its middle
  std::size_t records_pending_max = 16'384;  // finished, waiting for the other end's times
  std::size_t records_pooled_max = 1024;
  std::size_t processes_max = 32'768;
  std::uint64_t skip_bytes_min = 4096;  // a shorter rest of a body is not worth a verdict
  std::uint64_t record_hold_ns = 100'000'000;
  std::uint64_t close_linger_ns = 50'000'000;  // late events of a closed flow are still taken
  std::uint64_t process_keep_ns = 5'000'000'000;
  std::uint64_t loss_interval_ns = 1'000'000'000;
  StreamLimits stream;
  ConnectionRecords connections = ConnectionRecords::none;
  bool transactions = true;        // false: the streams are not analyzed
  bool processes = false;          // process_exec and process_exit
  bool files = false;              // file_open
  bool libraries = false;          // lib_load
  bool api_calls = false;          // api_call
  bool handshakes = true;          // tls_handshake; without it they are looked at for what else needs them
  bool plaintext = false;          // TLS connections of which no plaintext is seen are counted as a blind spot
  CryptoLookup* crypto = nullptr;  // null: no file or library is known for what it is; must outlive the pipeline
  std::vector<std::string> file_patterns;    // globs; empty: files that `crypto` takes for candidates, without it all
  std::size_t libraries_told_max = 65'536;   // remembered, so that none is told twice for one process
  std::vector<std::uint32_t> ignored_tgids;  // the tracer itself and its helpers: counted as self, never tracked
  BackendKind backend = BackendKind::tracepoint;
  Mechanism mechanism = Mechanism::tp_btf;
  std::vector<std::string_view> missing;  // record fields that the mechanism can never fill
};

// Where verdicts go: the backend, through its owner.
class VerdictSink {
 public:
  virtual void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) = 0;

 protected:
  ~VerdictSink() = default;
};

// Where records go: filters, redaction, output. Records of one connection come in the order of their completion.
class RecordSink {
 public:
  virtual void on_record(std::unique_ptr<Record> record) = 0;

 protected:
  ~RecordSink() = default;
};

struct ProtocolCount {
  std::string_view protocol;  // static storage
  std::uint64_t connections = 0;
  bool analyzed = false;
};

struct PipelineCounters {
  std::uint64_t events = 0;
  std::uint64_t self = 0;         // events of ignored processes
  std::uint64_t flows = 0;        // ends seen
  std::uint64_t connections = 0;  // after joining
  std::uint64_t joined = 0;
  std::uint64_t connections_filtered = 0;   // of which a filter of the user's kept all payload in the kernel
  std::uint64_t ambiguous = 0;              // more than one end could be proven to be the other one
  std::uint64_t transactions = 0;           // records of analyzers
  std::uint64_t opens_without_name = 0;     // nobody can say whether they were asked for
  std::uint64_t files_passed_over = 0;      // opens of files that were not asked for
  std::uint64_t libraries_passed_over = 0;  // mapped, and no cryptographic library by any rule
  std::uint64_t superseded = 0;             // records of an end that turned out to be told by the other end too
  std::uint64_t sessions = 0;               // of TLS libraries
  std::uint64_t flows_evicted = 0;
  std::uint64_t sessions_evicted = 0;
  std::uint64_t pending_limit_hits = 0;
  std::uint64_t unwitnessed = 0, ledger_mismatch = 0;
  std::uint64_t flows_of_unseen_calls = 0;  // the kernel counted bytes and no call that moved any was told
  std::uint64_t verdicts = 0;
  std::array<std::uint64_t, gap_cause_count> lost_events{};  // by GapCause, as reported
  std::vector<ProtocolCount> protocols;
};

// What was seen instead of records.
struct SilenceReport {
  std::uint64_t transactions = 0;
  std::uint64_t connections = 0;         // without those
  std::uint64_t filtered = 0;            // of which a filter kept all payload in the kernel
  std::vector<ProtocolCount> protocols;  // `unknown` among them
  std::vector<std::string_view> wanted;  // what the records would be called; empty: HTTP/1
};
// "0 HTTP/1 yet; 41 flows: 33 TLS, 5 HTTP/2, 3 unknown; filters dropped 0"
[[nodiscard]] std::string silence_line(const SilenceReport& report, std::uint64_t filtered);

}  // namespace tracer
