// Mechanism `uprobe` of backend `ebpf`: calls into cryptographic libraries, seen at their own functions.
//
// What is attached: crypto_functions.h, a table of libraries and functions. Breakpoints are set per file (inode), in
// the processes that are selected and no others where the kernel can do that: where a few were given by number and
// nobody can join them. Else they hit in every process that maps the file, and a program decides in the kernel.
//
// Calls are counted in the kernel, by process, function, name, size and result. The first of a kind is told at once,
// later ones as a number at most each `tell_ns`, when the process ends or runs another program, and after
// hold_nothing_back(). Which library a call went into is what the process has mapped when its first call is told.
//
// What may be missed: calls into a file that is in none of the loader's directories and was not mapped by any process
// yet, until the next look (about a second); libraries that are linked into programs, have no symbols, or are for
// another architecture; calls that began before their function was watched.
#pragma once

#include <cstdint>
#include <string>

#include "backends/ebpf/crypto_functions.h"
#include "core/backend.h"
#include "core/ownership.h"
#include "core/process_selection.h"

namespace tracer {

struct UprobeOptions {
  const ProcessSelection* processes = nullptr;  // null: all; must outlive the backend
  Ownership* ownership = nullptr;               // null: processes are known by number and name only; as `processes`
  std::string proc_root = "/proc";
  std::string system_root;                // where the loader's directories are
  CryptoTable table = crypto_table();     // at most UPROBE_SLOTS functions
  std::size_t libraries_max = 64;         // files attached to at once
  std::size_t counters_max = 8192;        // (process, function, argument, result) counted at once
  std::uint64_t tell_ns = 1'000'000'000;  // counts that grew are told again after so long
  std::uint64_t look_ns = 1'000'000'000;  // between two looks at what is mapped; longer where one takes long
  std::size_t alone_max = 4;              // processes that get breakpoints of their own
  std::size_t ring_bytes = 1u << 20;      // buffer between kernel and tracer; a power of two, at least a page
  bool ring_buffer = true;                // false: perf buffers (kernels before 5.8)
  bool one_by_one = false;                // a breakpoint at a time, as kernels before 6.6 need it
  bool measure_time = false;              // probe_time_ns() is wanted
};

// Succeeds also where no library is mapped yet.
[[nodiscard]] Result<OpenedBackend> open_uprobe(UprobeOptions options);

}  // namespace tracer
