// One BPF object file in the kernel: its programs loaded one by one where that is needed, its maps, its attachments.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/bpf/load_times.h"
#include "backends/bpf/missed_runs.h"
#include "core/backend.h"
#include "core/base/result.h"
#include "core/base/unique_fd.h"

struct bpf_object;
struct bpf_link;

namespace tracer {

struct MapEntries {
  std::string_view map;
  std::uint32_t entries = 0;
};

struct SharedMap {
  std::string_view map;
  int fd = -1;
};

// What to load, and how.
struct BpfImage {
  std::span<const unsigned char> bytes;  // packed (packed_image.h) or not
  std::string_view name;
  std::vector<MapEntries> map_entries;      // sizes to set before loading
  std::vector<SharedMap> shared_maps;       // of another object, used in place of its own; must outlive the loading
  std::string btf_path;                     // kernel type information to relocate against; empty: the running kernel's
  std::vector<std::string_view> leave_out;  // programs that are not wanted here: not loaded, and no failure either
  std::vector<std::string_view> only;       // these and their copies; empty: all
  std::vector<std::string_view> without;    // not these, nor their copies
  std::vector<std::string_view> maps_left_out;   // not made: no program that is loaded uses them
  std::vector<std::string_view> at_many_places;  // for links of type uprobe_multi (6.6), which libbpf 1.1 does not know
  // Also the programs with copy_mark in their name, copies for when the kernel skips the first: kernel_types.bpf.h.
  bool twice = false;
  // Programs that read user memory must still do so where bpf_probe_read_kernel is refused (lockdown=confidentiality);
  // see user_reads.h. For objects of typed programs, or at breakpoints, that read no kernel memory by helper.
  bool keep_user_reads = false;
};

// Owns the object and every link. Destroying it detaches and unloads; nothing is pinned.
class BpfObject {
 public:
  // Loads all programs. One whose target this kernel does not have is left out and named in `outcomes`. If the rest
  // does not load, the one that libbpf blames, and if that is not enough each, is tried alone; the refused ones are
  // left out and named with the verifier's last lines, and the rest is loaded. Fails only when nothing loads.
  [[nodiscard]] static Result<std::unique_ptr<BpfObject>> load(const BpfImage& image,
                                                               std::vector<AttachOutcome>& outcomes);
  ~BpfObject();
  BpfObject(const BpfObject&) = delete;
  BpfObject& operator=(const BpfObject&) = delete;

  // -1: no such map.
  [[nodiscard]] int map_fd(std::string_view name) const;
  // -1: no such program, or it is not loaded.
  [[nodiscard]] int program_fd(std::string_view name) const;

  // Attaches every loaded program to the place that its section names; adds one outcome for each.
  void attach_all(std::vector<AttachOutcome>& outcomes);
  // One outcome, with its load time, for each program that is attached: for those whose outcomes name events.
  void tell_attached_programs(std::vector<AttachOutcome>& outcomes) const;
  // Attaches one program to tracefs event category/event; may be called often for one program.
  [[nodiscard]] AttachOutcome attach_tracepoint(std::string_view program, const std::string& category,
                                                const std::string& event);

  [[nodiscard]] std::size_t attachments() const { return attachments_.size(); }

  // Runs that the kernel skipped, by program; nullopt: this kernel does not count them (before 5.12).
  [[nodiscard]] std::optional<std::vector<ProgramMisses>> missed_runs() const;
  // Time that all programs took while the kernel measured (measure_programs); nullopt: it does not say.
  [[nodiscard]] std::optional<std::uint64_t> run_time_ns() const;

 private:
  BpfObject(bpf_object* object, std::vector<LoadTime> load_times, std::vector<AttachOutcome> left_out)
      : object_(object), load_times_(std::move(load_times)), left_out_(std::move(left_out)) {}
  [[nodiscard]] std::optional<double> load_ms(std::string_view program) const;

  bpf_object* object_;
  std::vector<LoadTime> load_times_;     // names are owned by object_
  std::vector<AttachOutcome> left_out_;  // at loading
  struct Attachment {
    bpf_link* link = nullptr;
    const char* program = nullptr;  // owned by object_
  };
  std::vector<Attachment> attachments_;
};

// The kernel measures how long programs run (5.8) as long as this descriptor is open: all programs of the machine, at
// about 25 ns a run.
[[nodiscard]] Result<UniqueFd> measure_programs();

}  // namespace tracer
