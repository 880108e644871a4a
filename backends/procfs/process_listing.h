// From one list of processes to the next: what began, became another program or ended between them. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace tracer::procfs {

struct ListedProcess {
  std::uint32_t pid = 0, parent = 0;
  std::uint64_t start_ticks = 0;  // with the pid a unique identity
  std::string comm;
};

struct ProcessChange {
  enum class Kind : std::uint8_t { begun, renamed, ended };
  Kind kind{};
  std::uint32_t pid = 0, parent = 0;
};

class ProcessListing {
 public:
  // What changed since the list before; nothing for the first one. Ends come before beginnings, for a number may be
  // another process's by now.
  [[nodiscard]] std::vector<ProcessChange> update(std::span<const ListedProcess> processes);

 private:
  std::unordered_map<std::uint32_t, ListedProcess> known_;
  bool first_ = true;
};

}  // namespace tracer::procfs
