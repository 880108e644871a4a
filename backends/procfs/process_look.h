// One look at the files of one process, in small steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "backends/procfs/open_files.h"
#include "core/event.h"

namespace tracer::procfs {

struct LookLimits {
  std::size_t descriptors_max = 65'536;
  std::size_t maps_bytes_max = 16u << 20;
};

class ProcessLook {
 public:
  // `pid` in this /proc; `tgid` as events name it.
  ProcessLook(std::uint32_t pid, std::uint32_t tgid, ProcessDirectory directory, EventTime at)
      : pid_(pid), tgid_(tgid), at_(at), directory_(std::move(directory)) {}

  [[nodiscard]] std::uint32_t pid() const { return pid_; }
  [[nodiscard]] std::uint32_t tgid() const { return tgid_; }
  [[nodiscard]] EventTime at() const { return at_; }
  [[nodiscard]] const ProcessDirectory& directory() const { return directory_; }

  void begin(bool libraries, bool files, const LookLimits& limits);
  // Appends what the next step found to one of the two; false: there was none left.
  [[nodiscard]] bool step(std::vector<SeenFile>& mapped, std::vector<SeenFile>& opened,
                          const KnownDescriptor& known = {});

  [[nodiscard]] bool refused() const { return refused_; }  // something of it may not be looked at
  [[nodiscard]] bool maps_cut() const { return maps_cut_; }
  [[nodiscard]] std::size_t descriptors_left_out() const { return descriptors_left_out_; }

 private:
  void note(Refusal refusal) { refused_ = refused_ || refusal == Refusal::denied; }

  std::uint32_t pid_, tgid_;
  EventTime at_;
  ProcessDirectory directory_;
  std::optional<MappedFiles> maps_;
  std::optional<OpenFiles> descriptors_;
  bool refused_ = false;
  bool maps_cut_ = false;
  std::size_t descriptors_left_out_ = 0;
};

}  // namespace tracer::procfs
