#include "backends/ebpf/slot_programs.h"

#include <utility>

namespace tracer {

SlotPrograms::SlotPrograms(std::string_view prefix, std::vector<SlotNeed> needs, bool many_places)
    : prefix_(prefix),
      entry_any_(prefix_ + "entry_any"),
      return_any_(prefix_ + "return_any"),
      needs_(std::move(needs)),
      many_places_(many_places) {
  if (many_places_) return;
  for (std::size_t slot = 0; slot < needs_.size(); ++slot) {
    if (needs_[slot].entry) names_.push_back(name("entry", slot));
    if (needs_[slot].ret) names_.push_back(name("return", slot));
  }
}

std::string SlotPrograms::name(std::string_view kind, std::size_t slot) const {
  constexpr std::string_view digits = "0123456789abcdef";
  return prefix_ + std::string(kind) + "_" + digits[slot >> 4 & 15] + digits[slot & 15];
}

void SlotPrograms::choose(BpfImage& image) const {
  image.only.insert(image.only.end(), names_.begin(), names_.end());
  if (!many_places_) return;
  image.only.insert(image.only.end(), {entry_any_, return_any_});
  image.at_many_places.insert(image.at_many_places.end(), {entry_any_, return_any_});
}

std::vector<FunctionPrograms> SlotPrograms::find(const BpfObject& object) const {
  std::vector<FunctionPrograms> programs;
  for (std::size_t slot = 0; slot < needs_.size(); ++slot)
    if (many_places_)
      programs.push_back({needs_[slot].entry ? 0 : -1, needs_[slot].ret ? 0 : -1});
    else
      programs.push_back({object.program_fd(name("entry", slot)), object.program_fd(name("return", slot))});
  return programs;
}

CommonPrograms SlotPrograms::find_common(const BpfObject& object) const {
  return {object.program_fd(entry_any_), object.program_fd(return_any_)};
}

}  // namespace tracer
