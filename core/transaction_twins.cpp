#include "core/transaction_twins.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace tracer {

namespace {

// The text of a message is its head, as sent.
std::uint64_t head_of(const HttpMessage& message) {
  if (!message.present) return 0;
  return std::hash<std::string_view>{}(message.text) * 31 + message.header_bytes;
}

}  // namespace

void TransactionTwins::forget(Side& side, EventTime now) const {
  while (!side.order.empty()) {
    const Age oldest = side.order.front();
    if (side.order.size() <= limits_.transactions_max && now.ns < oldest.at.ns + limits_.keep_ns) return;
    side.order.pop_front();
    const auto row = side.by_head.find(oldest.head);
    if (row == side.by_head.end() || row->second.front().serial != oldest.serial) continue;  // matched long ago
    row->second.pop_front();
    --side.size;
    if (row->second.empty()) side.by_head.erase(row);
  }
}

bool TransactionTwins::match(Side& mine, Side& theirs, const End& end, const HttpTransaction& transaction,
                             EventTime now) {
  forget(mine, now);
  forget(theirs, now);
  Told told{end,
            transaction.request.present,
            transaction.response.present,
            transaction.request.first_offset,
            transaction.response.first_offset,
            head_of(transaction.response),
            next_serial_};
  // A response alone is told by what answers nothing known: too little to tell two of them apart.
  if (!told.request) return false;
  const std::uint64_t head = head_of(transaction.request) + end.tgid * 2ULL + (end.client ? 1 : 0);
  const auto same = [&](const Told& it) {
    if (it.end.tgid != end.tgid || it.end.client != end.client) return false;
    const bool both = it.response && told.response;
    if (both && it.response_head != told.response_head) return false;
    if (!it.end.from_start || !end.from_start) return true;  // counted from different places
    return it.request_offset == told.request_offset && (!both || it.response_offset == told.response_offset);
  };
  if (const auto row = theirs.by_head.find(head); row != theirs.by_head.end()) {
    if (const auto twin = std::ranges::find_if(row->second, same); twin != row->second.end()) {
      row->second.erase(twin);
      --theirs.size;
      if (row->second.empty()) theirs.by_head.erase(row);
      return true;
    }
  }
  mine.by_head[head].push_back(told);
  mine.order.push_back({head, next_serial_++, now});
  ++mine.size;
  return false;
}

}  // namespace tracer
