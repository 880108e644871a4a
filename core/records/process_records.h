// What processes did: exec, exit, and the opening of files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/ownership.h"
#include "core/records/crypto_records.h"

namespace tracer {

// An exec that succeeded. `process` is what it became.
struct ProcessExec {
  std::shared_ptr<const ProcessFacts> process;
  std::optional<std::uint32_t> parent;                  // pid in the tracer's pid namespace
  std::string executable;                               // as given to exec; empty: not known
  std::optional<std::vector<std::string>> arguments{};  // absent: not known
  bool arguments_cut = false;                           // there were more
  std::optional<std::uint32_t> gid{};
  bool preexisting = false;              // was found running
  std::optional<WallTime> started_at{};  // of the process, which may have been another program then
};

struct ProcessExit {
  std::shared_ptr<const ProcessFacts> process;
  std::optional<int> exit_code, signal;  // at most one of the two
};

// An attempt to open a file.
struct FileOpen {
  std::shared_ptr<const ProcessFacts> process;
  std::string file;                               // as given, may be relative or cut off
  std::optional<std::vector<std::string>> flags;  // names as in open(2)
  std::optional<std::string> result;              // "success" or the name of the error
  std::optional<std::int32_t> error{};            // errno; 0: it was opened
  bool preexisting = false;                       // was found open
  FileFinding finding{};
};

// "O_RDONLY", "O_CLOEXEC", …; bits without a name come last, together, as "0x…". O_LARGEFILE is left out: it says how
// the program was compiled.
[[nodiscard]] std::vector<std::string> open_flag_names(std::uint32_t flags);
// "success", "ENOENT", …
[[nodiscard]] std::string result_name(std::int32_t error);

}  // namespace tracer
