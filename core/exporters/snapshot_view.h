// Who has which library mapped and which file open: an inventory read by process.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/inventory/inventory.h"

namespace tracer {

struct ProcessUse {
  std::uint32_t process = 0;  // index into Inventory::processes()
  std::vector<const LibraryItem*> libraries;
  std::vector<const FileItem*> files;
};

struct SnapshotView {
  std::vector<ProcessUse> processes;  // those that use cryptography, in the order of their numbers
  std::set<std::string_view> library_names;
  std::vector<const FileItem*> files;  // that are cryptographic
};

// The name of a library as the loader knows it.
[[nodiscard]] std::string_view name_of(const LibraryItem& item);

[[nodiscard]] SnapshotView snapshot_view(const Inventory& inventory);

}  // namespace tracer
