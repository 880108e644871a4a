// What BPF programs can count but not see into.
#pragma once

#include <string_view>

#include "backends/bpf/wire.h"

namespace tracer {

inline constexpr std::string_view blind_io_uring = "io_uring";              // submissions on TCP sockets
inline constexpr std::string_view blind_32bit = "calls_32bit";              // of 32-bit programs on TCP sockets
inline constexpr std::string_view blind_unix_sockets = "unix_sockets";      // calls on them
inline constexpr std::string_view blind_quic = "quic";                      // calls on UDP sockets with port 443
inline constexpr std::string_view blind_kernel_tls = "kernel_tls";          // connections that ended
inline constexpr std::string_view blind_32bit_opens = "opens_32bit";        // of files, by 32-bit programs
inline constexpr std::string_view blind_io_uring_opens = "io_uring_opens";  // of files, submitted to it
inline constexpr std::string_view blind_mappings =
    "unknown_mappings";  // to be executed, of a file that nobody could name

// Of TLS libraries, where plaintext is told; counted by the programs at their functions.
inline constexpr std::string_view blind_tls_libraries = "tls_libraries_unseen";    // files without a breakpoint
inline constexpr std::string_view blind_tls_unpaired = "tls_calls_without_begin";  // that began before
inline constexpr std::string_view blind_tls_nested = "tls_calls_nested";           // within a call of another session
inline constexpr std::string_view blind_tls_untracked = "tls_calls_untracked";     // a table in the kernel was full

struct BlindSpotCounter {
  std::string_view what;
  __u64 wire_counters::* counter;
};

inline constexpr BlindSpotCounter blind_spot_counters[] = {
    {blind_io_uring, &wire_counters::io_uring},
    {blind_32bit, &wire_counters::calls_32bit},
    {blind_unix_sockets, &wire_counters::unix_sockets},
    {blind_quic, &wire_counters::quic},
    {blind_kernel_tls, &wire_counters::kernel_tls},
    {blind_32bit_opens, &wire_counters::opens_32bit},
    {blind_io_uring_opens, &wire_counters::io_uring_opens},
};

}  // namespace tracer
