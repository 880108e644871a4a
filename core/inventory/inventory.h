// Everything that one run said about cryptography, each thing once, with who used it, how often and how that is known.
//
// Pure: no clock and no I/O. What it answers depends on the records only, not on when they were added or where they lie
// in memory. Bounded by InventoryLimits; what found no room is counted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/inventory/items.h"
#include "core/inventory/limits.h"
#include "core/process_selection.h"
#include "core/records/record.h"

namespace tracer {

// What found no room, by what it was, as often as it came; and texts that were cut off.
struct InventoryLosses {
  std::uint64_t processes = 0, libraries = 0, files = 0, handshakes = 0, calls = 0, assets = 0, certificates = 0,
                users = 0, values = 0, texts = 0, switches = 0;
  [[nodiscard]] bool any() const {
    const std::uint64_t things = processes + libraries + files + handshakes + calls + assets + certificates;
    return things + users + values + texts + switches != 0;
  }
};

class Inventory {
 public:
  using Key = std::pair<std::string, std::string>;  // path, container

  // `processes`: of a handshake's two ends, whose are told. Null: all. Must outlive the inventory.
  explicit Inventory(InventoryLimits limits, const ProcessSelection* processes = nullptr)
      : limits_(limits), selection_(processes) {}

  void add(const Record& record);

  // In the order of their coming.
  [[nodiscard]] const std::vector<ProcessItem>& processes() const { return processes_; }
  [[nodiscard]] const std::map<Key, LibraryItem>& libraries() const { return libraries_; }
  [[nodiscard]] const std::map<Key, FileItem>& files() const { return files_; }
  [[nodiscard]] const std::map<HandshakeKind, HandshakeItem>& handshakes() const { return handshakes_; }
  [[nodiscard]] const std::map<CallKind, CallItem>& calls() const { return calls_; }
  // Of handshakes, by SHA-256.
  [[nodiscard]] const std::map<std::string, CertificateFacts>& certificates() const { return certificates_; }
  [[nodiscard]] const InventoryLosses& left_out() const { return left_out_; }

  // About the trace itself; absent while there was no such record.
  [[nodiscard]] const std::optional<TraceStart>& trace_start() const { return trace_start_; }
  [[nodiscard]] const std::optional<TraceEnd>& trace_end() const { return trace_end_; }
  [[nodiscard]] const std::vector<BackendSwitch>& switches() const { return switches_; }
  // By cause: as trace_end says, else what was told until now.
  [[nodiscard]] std::map<std::string_view, LossCount> losses() const;
  [[nodiscard]] std::optional<WallTime> first_time() const { return first_time_; }
  [[nodiscard]] std::optional<WallTime> last_time() const { return last_time_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }  // not those about the trace itself
  [[nodiscard]] std::uint64_t handshakes_seen() const { return handshakes_seen_; }

 private:
  using Index = std::optional<std::uint32_t>;

  template <typename Body>
  void on(const Body&, const Record&) {}
  void on(const TlsHandshake& handshake, const Record& record);
  void on(const ProcessExec& exec, const Record& record);
  void on(const ProcessExit& exit, const Record& record);
  void on(const FileOpen& file, const Record& record);
  void on(const LibLoad& library, const Record& record);
  void on(const ApiCall& call, const Record& record);
  void on(const TraceStart& start, const Record& record);
  void on(const TraceEnd& end, const Record& record);
  void on(const Loss& loss, const Record& record);
  void on(const BackendSwitch& change, const Record& record);

  [[nodiscard]] Index process_of(const std::shared_ptr<const ProcessFacts>& facts, bool asked_for, bool fresh = false);
  [[nodiscard]] Index end_of(const Party& party);
  void add_handshake(HandshakeKind kind, Index user, const TlsHandshake& handshake, const Record& record);
  void note(Sightings& seen, Index user, std::uint64_t count, const Record& record, bool refused = false);
  void note(Sightings& seen, const std::vector<Evidence>& evidence);
  void note_assets(FileItem& item, const FileFinding& finding);
  void keep(std::vector<std::string>& list, const std::vector<CertificateFacts>& certificates);
  void keep(std::set<std::string>& set, const std::string& text);
  [[nodiscard]] std::string text(std::string_view raw);

  InventoryLimits limits_;
  const ProcessSelection* selection_;
  std::vector<ProcessItem> processes_;
  std::unordered_map<std::uint32_t, std::uint32_t> latest_;  // index by tgid, of the one that has it now
  std::map<Key, LibraryItem> libraries_;
  std::map<Key, FileItem> files_;
  std::map<HandshakeKind, HandshakeItem> handshakes_;
  std::map<CallKind, CallItem> calls_;
  std::map<std::string, CertificateFacts> certificates_;
  std::size_t assets_ = 0;
  InventoryLosses left_out_;
  std::optional<TraceStart> trace_start_;
  std::optional<TraceEnd> trace_end_;
  std::vector<BackendSwitch> switches_;
  std::map<std::string_view, LossCount> losses_;
  std::optional<WallTime> first_time_, last_time_;
  std::uint64_t records_ = 0, handshakes_seen_ = 0;
};

}  // namespace tracer
