// What the packet tracker may hold and for how long. Times are packet time. Each limit is counted when it is hit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracer {

struct PcapLimits {
  std::size_t flows_max = 65'536;                   // the one idle longest goes
  std::size_t ranges_max = 64;                      // seen behind holes, per direction; the first hole is then given up
  std::uint64_t hole_acknowledged_ns = 20'000'000;  // a hole that the receiver has acknowledged waits for a late packet
  std::uint64_t hole_ns = 2'000'000'000;            // any other hole
  std::uint64_t loss_memory_ns = 5'000'000'000;     // a hole so soon after the kernel reported drops is due to them
  std::uint64_t idle_ns = 3'600'000'000'000;        // an open connection without a packet
  std::uint64_t opening_ns = 75'000'000'000;        // one that never got an answer
  std::uint64_t closing_ns = 60'000'000'000;        // one of which both ends are finished but for an acknowledgment
  std::uint64_t closed_ns = 10'000'000'000;         // late packets of a closed one are known as such
  std::size_t fragmented_max = 128;                 // datagrams being put together, of 64 KiB at most
  std::uint64_t fragment_ns = 30'000'000'000;       // an incomplete one
  std::size_t questions_per_second_max = 20'000;    // who holds a socket
  std::uint64_t questions_ns_per_second_max = 250'000'000;  // and so long may they take
  std::size_t questions_waiting_max = 4'096;
  std::size_t held_before_max = 16'384;  // ends of connections that were there before, with who holds them
};

}  // namespace tracer
