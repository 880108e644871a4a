// One BPF object file in the kernel: its programs loaded one by one where that is needed, its maps, its attachments.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend.h"
#include "core/base/result.h"

struct bpf_object;
struct bpf_link;

namespace tracer {

struct MapEntries {
  std::string_view map;
  std::uint32_t entries = 0;
};

// Where a program without a fixed place of its own (SEC without a target) goes; see BpfObject::attach_tracepoint.
struct BpfImage {
  std::span<const unsigned char> bytes;  // static storage
  std::string_view name;
  std::vector<MapEntries> map_entries;  // sizes to set before loading
  std::string btf_path;                 // kernel type information to relocate against; empty: the running kernel's
};

// Owns the object and every link. Destroying it detaches and unloads; nothing is pinned.
class BpfObject {
 public:
  // Loads all programs. If that fails, each is tried alone, the refused ones are left out and named in `outcomes` with
  // the verifier's last lines, and the rest is loaded. Fails only when nothing loads.
  [[nodiscard]] static Result<std::unique_ptr<BpfObject>> load(const BpfImage& image,
                                                               std::vector<AttachOutcome>& outcomes);
  ~BpfObject();
  BpfObject(const BpfObject&) = delete;
  BpfObject& operator=(const BpfObject&) = delete;

  // -1: no such map.
  [[nodiscard]] int map_fd(std::string_view name) const;

  // Attaches every loaded program to the place that its section names; adds one outcome for each.
  void attach_all(std::vector<AttachOutcome>& outcomes);
  // Attaches one program to tracefs event category/event; may be called often for one program.
  [[nodiscard]] AttachOutcome attach_tracepoint(std::string_view program, const std::string& category,
                                                const std::string& event);

  // Runs of this object's programs that the kernel skipped; nullopt: this kernel does not count them (before 5.12).
  [[nodiscard]] std::optional<std::uint64_t> missed_runs() const;

 private:
  explicit BpfObject(bpf_object* object) : object_(object) {}
  bpf_object* object_;
  std::vector<bpf_link*> links_;
};

// The last lines of a verifier log that say why, at most `lines_max` of them, joined by " | ".
[[nodiscard]] std::string verifier_summary(std::string_view log, std::size_t lines_max = 4);

}  // namespace tracer
