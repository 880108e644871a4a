// What processes read and write in clear through TLS libraries, seen at the functions of the libraries.
//
// What is attached: tls_functions.h, a table of libraries and functions. Breakpoints are set per file (inode): in every
// library of the table that a process has mapped, or that the loader would find, and in programs that hold such a
// library themselves and have symbols. As for crypto_api (uprobe.h): in few selected processes alone, else everywhere.
//
// The backend whose programs see sockets carries it: both share the buffer, so that clear text and connection come in
// one order, and a map in which they tell each other which flow is used inside of a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "backends/bpf/companion.h"
#include "backends/ebpf/tls_functions.h"
#include "core/ownership.h"
#include "core/process_selection.h"

namespace tracer {

struct PlaintextOptions {
  const ProcessSelection* processes = nullptr;  // null: all; must outlive the companion
  Ownership* ownership = nullptr;               // null: descriptors are not looked up; as `processes`
  std::string proc_root = "/proc";
  std::string system_root;                // where the loader's directories are
  TlsTable table = tls_table();           // at most TLS_SLOTS functions
  std::size_t files_max = 256;            // attached to at once
  std::uint64_t look_ns = 1'000'000'000;  // between two looks at what is mapped; longer where one takes long
  std::size_t alone_max = 4;              // processes that get breakpoints of their own
  bool ring_buffer = true;                // as the carrier has it
  bool one_by_one = false;                // a breakpoint at a time, as kernels before 6.6 need it
  bool measure_time = false;              // run_time_ns() is wanted
};

// Succeeds also where no library is mapped yet. It tells nothing before wire_config.plaintext is set, by the carrier.
[[nodiscard]] Result<std::unique_ptr<Companion>> open_plaintext(const PlaintextOptions& options, BpfObject& carrier);

}  // namespace tracer
