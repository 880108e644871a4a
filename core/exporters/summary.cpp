// Snapshots and profiles as text for people. Foreign text cannot act on the terminal.
#include <algorithm>
#include <cmath>
#include <map>

#include "core/exporters/document_parts.h"
#include "core/exporters/snapshot_view.h"
#include "core/exporters/writers.h"
#include "core/sinks/terminal_text.h"

namespace tracer {
namespace {

class Summary {
 public:
  Summary(bool redact, std::string& out) : redactor_(redact), out_(out) {}

  // `text` is ours.
  void line(std::string_view text) { out_.append(text).push_back('\n'); }
  void heading(std::string_view text, std::size_t count) {
    out_.append("\n").append(text).append(" (" + std::to_string(count) + "):\n");
  }
  // For a terminal, without what must not be shown.
  [[nodiscard]] std::string safe(std::string_view raw, Redaction redaction = Redaction::none) {
    std::string text;
    {
      LineBuffer buffer(text);
      put_terminal_text(buffer, redactor_.field(redaction, raw).text);
    }
    return text;
  }
  [[nodiscard]] std::string path(std::string_view raw) { return safe(raw, Redaction::path); }

 private:
  FieldRedactor redactor_;
  std::string& out_;
};

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

std::string number_of(const ProcessFacts& facts) {
  if (facts.local_pid) return "PID " + std::to_string(*facts.local_pid);
  return "PID " + std::to_string(facts.tgid) + " of another pid namespace";
}

// "2 keys, 1 certificate": what was found in a file; or why that is not known.
std::string contents_of(const FileItem& item) {
  std::map<std::string_view, std::uint64_t> types;
  for (const FileAsset& asset : item.assets) ++types[asset.type];
  std::string text;
  for (const auto& [type, count] : types) {
    std::string name(type);
    std::ranges::replace(name, '_', ' ');
    text += (text.empty() ? "" : ", ") + counted(count, name, name + "s");
  }
  if (item.assets_left_out != 0) text += ", " + std::to_string(item.assets_left_out) + " more";
  if (!text.empty()) return text;
  return item.contents_seen ? "nothing cryptographic found in it" : "contents not seen";
}

void put_start(Summary& summary, std::string_view title, const Inventory& inventory, const DocumentOptions& options) {
  summary.line(title);
  summary.line(std::string(title.size(), '='));
  if (options.now) summary.line("Generated: " + time_text(options.now()));
  const auto& start = inventory.trace_start();
  if (start && !start->host.empty()) summary.line("Host: " + summary.safe(start->host));
  if (start && !start->kernel.empty()) summary.line("Kernel: " + summary.safe(start->kernel));
}

// What a reader must not take for absence.
void put_not_seen(Summary& summary, const Inventory& inventory) {
  std::vector<std::string> lines;
  if (!inventory.trace_end()) lines.push_back("the end of the trace: what follows it is not here");
  for (const auto& [cause, count] : inventory.losses())
    lines.push_back("lost: " + std::string(cause) + ": " + counted(count.events, "event", "events"));
  if (inventory.trace_start())
    for (const std::string& each : inventory.trace_start()->blind)
      lines.push_back(summary.safe(each, Redaction::message));
  if (inventory.trace_end()) {
    for (const BlindCount& row : inventory.trace_end()->blind) {
      std::string name(row.what);
      std::ranges::replace(name, '_', ' ');
      if (row.count) lines.push_back(name + ": " + std::to_string(*row.count));
    }
  }
  for (const BackendSwitch& change : inventory.switches())
    lines.push_back(std::string(to_string(change.facet)) + ": unwatched for " +
                    std::to_string(std::llround(change.unwatched_ms)) +
                    " ms: " + summary.safe(change.reason, Redaction::message));
  if (inventory.left_out().any()) lines.push_back("more than fits into this document (left_out in the JSON form)");
  if (lines.empty()) return;
  summary.heading("Not Seen", lines.size());
  for (const std::string& line : lines) summary.line("  " + line);
}

std::string file_line(Summary& summary, const FileItem& item) {
  return "  " + summary.path(item.path) + " (" + counted(item.seen.users.size(), "process", "processes") +
         "): " + contents_of(item);
}

void put_libraries(Summary& summary, const Inventory& inventory) {
  summary.heading("Libraries", inventory.libraries().size());
  for (const auto& [key, item] : inventory.libraries()) {
    std::string line =
        "  " + summary.safe(name_of(item)) + " (" + counted(item.seen.users.size(), "process", "processes") + ")";
    if (!item.family.empty()) line += ": " + summary.safe(item.family);
    if (!item.version.empty()) line += " " + summary.safe(item.version);
    if (!item.path.empty()) line += ", " + summary.path(item.path);
    summary.line(line);
  }
}

std::string handshake_line(Summary& summary, const HandshakeItem& item) {
  const HandshakeKind& kind = item.kind;
  const auto word = [&](const std::optional<std::string>& text, std::string_view otherwise) {
    return text ? summary.safe(*text) : std::string(otherwise);
  };
  std::string line = "  " + std::to_string(item.seen.count) + " x as " + std::string(to_string(kind.role)) + ": " +
                     word(kind.version, "version not known") + ", " + word(kind.cipher_suite, "suite not known") +
                     ", " + word(kind.group, "no group known");
  if (kind.sni) line += ", for " + summary.safe(*kind.sni);
  if (kind.peer) line += ", with " + address_text(kind.peer->address);
  if (kind.post_quantum == PostQuantum::negotiated) line += ", post-quantum";
  if (!kind.complete) line += ", incomplete: " + summary.safe(kind.incomplete_reason);
  for (const std::string_view finding : item.findings) line += ", weak: " + std::string(finding);
  return line;
}

}  // namespace

void put_snapshot_summary(const Inventory& inventory, const DocumentOptions& options, std::string& out) {
  Summary summary(options.sink.redact, out);
  const SnapshotView view = snapshot_view(inventory);
  put_start(summary, "Crypto Snapshot Summary", inventory, options);
  summary.line("Total Processes: " + std::to_string(view.processes.size()) + " of " +
               std::to_string(inventory.processes().size()) + " looked at");
  summary.line("Total Libraries: " + std::to_string(inventory.libraries().size()));
  summary.line("Total Files: " + std::to_string(view.files.size()));
  summary.heading("Processes Using Crypto", view.processes.size());
  for (const ProcessUse& use : view.processes) {
    const ProcessFacts& facts = inventory.processes()[use.process].facts;
    summary.line("  " + number_of(facts) + ": " + (facts.comm.empty() ? "?" : summary.safe(facts.comm)) + " (" +
                 counted(use.libraries.size(), "library", "libraries") + ", " +
                 counted(use.files.size(), "file", "files") + ")");
  }
  put_libraries(summary, inventory);
  summary.heading("Files", view.files.size());
  for (const FileItem* item : view.files) summary.line(file_line(summary, *item));
  put_not_seen(summary, inventory);
}

void put_profile_summary(const Inventory& inventory, const DocumentOptions& options, std::string& out) {
  // A capture file tells handshakes of nobody: they are worth a summary, too.
  if (inventory.records() == 0) return;
  Summary summary(options.sink.redact, out);
  JsonMaker maker(options.sink.redact);
  put_start(summary, "Crypto Profile Summary", inventory, options);
  summary.line("Duration: " + std::to_string(std::llround(duration_ms(inventory))) + " ms");
  summary.heading("Processes", inventory.processes().size());
  for (const std::uint32_t index : by_number(inventory)) {
    const ProcessItem& item = inventory.processes()[index];
    std::string line =
        "  " + number_of(item.facts) + ": " + (item.facts.comm.empty() ? "?" : summary.safe(item.facts.comm));
    if (item.arguments) line += ": " + summary.safe(command_line(maker.safe_arguments(*item.arguments)));
    if (item.exit_code) line += " (exit code " + std::to_string(*item.exit_code) + ")";
    if (item.signal) line += " (signal " + std::to_string(*item.signal) + ")";
    summary.line(line);
  }
  put_libraries(summary, inventory);
  summary.heading("Files", inventory.files().size());
  for (const auto& [key, item] : inventory.files()) {
    std::string line = file_line(summary, item);
    if (item.opened != 0) line += ", opened " + std::to_string(item.opened) + " x";
    if (item.found_open != 0) line += ", found open";
    for (const auto& [error, count] : item.failures) line += ", " + error + " " + std::to_string(count) + " x";
    summary.line(line);
  }
  summary.heading("TLS Handshakes", inventory.handshakes_seen());
  for (const auto& [kind, item] : inventory.handshakes()) summary.line(handshake_line(summary, item));
  summary.heading("API Calls", inventory.calls().size());
  for (const auto& [kind, item] : inventory.calls()) {
    std::string line = "  " + std::to_string(item.seen.count) + " x " + summary.safe(kind.function);
    if (!kind.argument.empty()) line += " " + summary.path(kind.argument);
    if (kind.size) line += " size " + std::to_string(*kind.size);
    if (kind.result) line += " = " + std::to_string(*kind.result);
    summary.line(line);
  }
  put_not_seen(summary, inventory);
}

}  // namespace tracer
