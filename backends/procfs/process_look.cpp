#include "backends/procfs/process_look.h"

namespace tracer::procfs {

void ProcessLook::begin(bool libraries, bool files, const LookLimits& limits) {
  if (!libraries && !files) return;
  const auto root = root_of(directory_);
  if (!root) return note(root.error());
  if (libraries) {
    auto maps = MappedFiles::open(directory_, *root, limits.maps_bytes_max);
    if (maps) maps_ = *std::move(maps);
    if (!maps) note(maps.error());
  }
  if (files) {
    auto descriptors = OpenFiles::open(directory_, *root, limits.descriptors_max);
    if (descriptors) descriptors_ = *std::move(descriptors);
    if (!descriptors) note(descriptors.error());
  }
}

bool ProcessLook::step(std::vector<SeenFile>& mapped, std::vector<SeenFile>& opened, const KnownDescriptor& known) {
  if (maps_) {
    const auto more = maps_->next(mapped);
    if (more && *more) return true;
    if (!more) note(more.error());
    maps_cut_ = maps_->cut();
    maps_.reset();
    return true;
  }
  if (descriptors_) {
    const auto more = descriptors_->next(opened, known);
    if (more && *more) return true;
    if (!more) note(more.error());
    descriptors_left_out_ = descriptors_->left_out();
    descriptors_.reset();
    return true;
  }
  return false;
}

}  // namespace tracer::procfs
