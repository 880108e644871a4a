// Sinks that write one document about a whole run: they collect records, and finish() writes. What they remember is
// bounded; what found no room is counted in the document.
//
// They need the records about the trace itself as well (trace_start, loss, backend_switch, trace_end): host, duration,
// losses and what could not be seen come from there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/inventory/inventory.h"
#include "core/process_selection.h"
#include "core/sinks/sink.h"

namespace tracer {

enum class DocumentLayout : std::uint8_t {
  pretty,  // indented
  line,    // one line
  array,   // indented, as the only element of an array
};

// What the run was asked to look at, as the user said it.
struct DocumentTarget {
  std::vector<std::uint32_t> pids;
  std::vector<std::string> names;
  std::vector<std::string> command;  // of `profile -- CMD ARGS…`
  std::uint32_t command_pid = 0;     // its number in the tracer's pid namespace; 0: there is none
};

struct DocumentOptions {
  SinkOptions sink;
  std::string version;  // of tracer
  DocumentLayout layout = DocumentLayout::pretty;
  DocumentTarget target;
  // Wall time; asked once, by finish(). Empty: the document tells no time of its own.
  std::function<WallTime()> now;
  // Empty, or nullopt: no name is known.
  std::function<std::optional<std::string>(std::uint32_t uid)> user_name;
  std::array<std::uint8_t, 16> random{};  // makes the serial number of a CycloneDX document
  // Of a connection's two ends only selected processes are told of. Null: both. Must outlive the sink.
  const ProcessSelection* processes = nullptr;
  InventoryLimits limits;
};

class DocumentSink final : public Sink {
 public:
  // Appends the document. A pure function of both, but for options.now.
  using Writer = void (*)(const Inventory& inventory, const DocumentOptions& options, std::string& out);
  DocumentSink(DocumentOptions options, Writer writer)
      : options_(std::move(options)), inventory_(options_.limits, options_.processes), writer_(writer) {}

  void write(const Record& record, std::string& /* out */) override { inventory_.add(record); }
  void finish(std::string& out) override { writer_(inventory_, options_, out); }

 private:
  DocumentOptions options_;
  Inventory inventory_;
  Writer writer_;
};

// Keys of the predecessor's profile and snapshot, version 1.0, and more: docs/documents.md. A profile is written only
// where a process that was asked for was seen.
[[nodiscard]] std::unique_ptr<DocumentSink> make_profile_sink(DocumentOptions options);
[[nodiscard]] std::unique_ptr<DocumentSink> make_snapshot_sink(DocumentOptions options);

// Text for people, of what a profile or a snapshot tells.
enum class SummaryOf : std::uint8_t { profile, snapshot };
[[nodiscard]] std::unique_ptr<DocumentSink> make_summary_sink(SummaryOf what, DocumentOptions options);

// CycloneDX 1.6 (ECMA-424), JSON. `pretty` and `line` are its layouts; `array` is as `pretty`.
[[nodiscard]] std::unique_ptr<DocumentSink> make_cyclonedx_sink(DocumentOptions options);

}  // namespace tracer
