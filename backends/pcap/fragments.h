// Datagrams put together from IP fragments in any order. Where fragments overlap the first bytes win.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "backends/pcap/limits.h"
#include "backends/pcap/packet.h"

namespace tracer {

struct FragmentCounters {
  std::uint64_t fragments = 0;
  std::uint64_t datagrams = 0;   // that became whole
  std::uint64_t incomplete = 0;  // given up: too old, or pushed out by newer ones
  std::uint64_t overlapping = 0;
  std::uint64_t malformed = 0;
};

class FragmentTable {
 public:
  struct Whole {
    std::uint8_t protocol = 0;
    std::array<std::uint8_t, 16> source{}, destination{};
    Bytes captured;  // up to the first byte that was not captured; valid until the next call
    std::size_t wire_size = 0;
  };

  explicit FragmentTable(const PcapLimits& limits) : limits_(limits) {}

  // True: the datagram is complete, and forgotten here.
  [[nodiscard]] bool add(const IpFragment& fragment, EventTime now, Whole& whole);
  [[nodiscard]] const FragmentCounters& counters() const { return counters_; }

 private:
  struct Range {
    std::uint32_t begin = 0, end = 0;
  };
  struct Datagram {
    std::array<std::uint8_t, 16> source{}, destination{};
    std::uint32_t id = 0;
    bool v6 = false;
    std::uint8_t protocol = 0;
    std::uint32_t size = 0;                   // 0: the last fragment was not seen yet
    std::uint32_t captured_end = UINT32_MAX;  // the first byte that no fragment's capture holds
    EventTime since;
    std::vector<Range> ranges;  // sorted, disjoint, not touching
    std::vector<std::byte> bytes;
  };
  [[nodiscard]] Datagram& datagram_of(const IpFragment& fragment, EventTime now);
  void place(Datagram& datagram, const IpFragment& fragment);

  PcapLimits limits_;
  std::deque<Datagram> datagrams_;  // by age
  std::vector<std::byte> whole_;
  FragmentCounters counters_;
};

}  // namespace tracer
