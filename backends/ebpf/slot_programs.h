// The programs of an object that has two for every function of a table, by number (function_programs.bpf.h): which of
// them are loaded, and which belongs to which function.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/bpf/bpf_object.h"
#include "backends/ebpf/library_watch.h"

namespace tracer {

// What one function of the table needs.
struct SlotNeed {
  bool entry = false, ret = false;
};

class SlotPrograms {
 public:
  // `prefix` of the programs' names: "tracer_" of "tracer_entry_00". `many_places`: one program for all, told by links
  // which function it is; else one for each.
  SlotPrograms(std::string_view prefix, std::vector<SlotNeed> needs, bool many_places);

  // Adds them to what is loaded of the image, which must not outlive this.
  void choose(BpfImage& image) const;
  [[nodiscard]] std::vector<FunctionPrograms> find(const BpfObject& object) const;
  [[nodiscard]] CommonPrograms find_common(const BpfObject& object) const;

 private:
  [[nodiscard]] std::string name(std::string_view kind, std::size_t slot) const;

  std::string prefix_, entry_any_, return_any_;
  std::vector<SlotNeed> needs_;
  std::vector<std::string> names_;
  bool many_places_;
};

}  // namespace tracer
