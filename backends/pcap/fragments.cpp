#include "backends/pcap/fragments.h"

#include <algorithm>

namespace tracer {
namespace {

constexpr std::uint32_t datagram_max = 65'535;

}  // namespace

FragmentTable::Datagram& FragmentTable::datagram_of(const IpFragment& fragment, EventTime now) {
  while (!datagrams_.empty() && datagrams_.front().since.ns + limits_.fragment_ns <= now.ns) {
    ++counters_.incomplete;
    datagrams_.pop_front();
  }
  const auto known = std::ranges::find_if(datagrams_, [&](const Datagram& it) {
    return it.id == fragment.id && it.v6 == fragment.v6 && it.source == fragment.source &&
           it.destination == fragment.destination && (it.v6 || it.protocol == fragment.protocol);
  });
  if (known != datagrams_.end()) return *known;
  if (datagrams_.size() >= std::max<std::size_t>(limits_.fragmented_max, 1)) {
    ++counters_.incomplete;
    datagrams_.pop_front();
  }
  Datagram& fresh = datagrams_.emplace_back();
  fresh.source = fragment.source;
  fresh.destination = fragment.destination;
  fresh.id = fragment.id;
  fresh.v6 = fragment.v6;
  fresh.protocol = fragment.protocol;
  fresh.since = now;
  return fresh;
}

void FragmentTable::place(Datagram& datagram, const IpFragment& fragment) {
  const std::uint32_t begin = fragment.offset, end = fragment.offset + fragment.size;
  if (datagram.bytes.size() < end) datagram.bytes.resize(end);
  // Piece by piece between what is there already.
  std::uint32_t at = begin;
  bool overlaps = false;
  const auto copy = [&](std::uint32_t to) {
    const std::uint32_t captured_end = begin + static_cast<std::uint32_t>(fragment.bytes.size());
    if (to > captured_end) datagram.captured_end = std::min(datagram.captured_end, std::max(at, captured_end));
    if (at < std::min(to, captured_end)) {
      const Bytes piece = fragment.bytes.subspan(at - begin, std::min(to, captured_end) - at);
      std::ranges::copy(piece, datagram.bytes.begin() + at);
    }
    at = to;
  };
  for (const Range& range : datagram.ranges) {
    if (range.end <= at) continue;
    if (range.begin >= end) break;
    overlaps = true;
    if (at < range.begin) copy(range.begin);
    at = range.end;
  }
  if (at < end) copy(end);
  counters_.overlapping += overlaps;

  Range merged{begin, end};
  const auto first = std::ranges::find_if(datagram.ranges, [&](const Range& it) { return it.end >= merged.begin; });
  auto last = first;
  for (; last != datagram.ranges.end() && last->begin <= merged.end; ++last) {
    merged = {std::min(merged.begin, last->begin), std::max(merged.end, last->end)};
  }
  datagram.ranges.insert(datagram.ranges.erase(first, last), merged);
}

bool FragmentTable::add(const IpFragment& fragment, EventTime now, Whole& whole) {
  ++counters_.fragments;
  // All but the last carry a multiple of eight bytes.
  const bool wrong = fragment.size == 0 || fragment.offset + fragment.size > datagram_max ||
                     (fragment.more && fragment.size % 8 != 0) || fragment.bytes.size() > fragment.size;
  if (wrong) {
    ++counters_.malformed;
    return false;
  }
  Datagram& datagram = datagram_of(fragment, now);
  if (fragment.offset == 0) datagram.protocol = fragment.protocol;
  if (!fragment.more && datagram.size == 0) datagram.size = fragment.offset + fragment.size;
  place(datagram, fragment);
  const Range& first = datagram.ranges.front();
  if (datagram.size == 0 || first.begin != 0 || first.end < datagram.size) return false;

  ++counters_.datagrams;
  whole_ = std::move(datagram.bytes);
  const std::size_t captured = std::min<std::size_t>(datagram.captured_end, datagram.size);
  whole = {datagram.protocol, datagram.source, datagram.destination, Bytes(whole_).first(captured), datagram.size};
  datagrams_.erase(std::ranges::find_if(datagrams_, [&](const Datagram& it) { return &it == &datagram; }));
  return true;
}

}  // namespace tracer
