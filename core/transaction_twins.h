// One transaction that two ends tell, of which one does not know its connection: a TLS library that never sees the
// socket (memory BIOs). No address ties the two. What does: the end that is known sees, at the other end of its
// connection, the process whose session told; and both saw the same heads at the same offsets. Equal ones are matched
// one to one, so that each is told once, however many of them are under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "core/event.h"
#include "core/records/http_transaction.h"

namespace tracer {

struct TwinLimits {
  std::size_t transactions_max = 16'384;   // remembered; the oldest goes
  std::uint64_t keep_ns = 10'000'000'000;  // how much later than the other an end may have it whole
};

class TransactionTwins {
 public:
  // The end that does not know its connection: as its own session says, or as the other end's connection does.
  struct End {
    std::uint32_t tgid = 0;
    bool client = false;
    bool from_start = false;  // the offsets count from the first byte of the session
  };

  explicit TransactionTwins(TwinLimits limits = {}) : limits_(limits) {}

  // A connection tells one, and `there` is its other end. True: that end's session has told it before.
  [[nodiscard]] bool told_by_session(const End& there, const HttpTransaction& transaction, EventTime now) {
    return match(connections_, sessions_, there, transaction, now);
  }
  // A session is about to tell one. True: a connection tells it.
  [[nodiscard]] bool told_by_connection(const End& self, const HttpTransaction& transaction, EventTime now) {
    return match(sessions_, connections_, self, transaction, now);
  }
  [[nodiscard]] std::size_t size() const { return sessions_.size + connections_.size; }

 private:
  struct Told {
    End end;
    bool request = false, response = false;  // what was seen of it
    std::uint64_t request_offset = 0, response_offset = 0, response_head = 0;
    std::uint64_t serial = 0;
  };
  struct Age {
    std::uint64_t head = 0, serial = 0;
    EventTime at;
  };
  struct Side {
    std::unordered_map<std::uint64_t, std::deque<Told>> by_head;  // of equal heads the oldest first
    std::deque<Age> order;                                        // of all, matched or not, the oldest first
    std::size_t size = 0;
  };

  bool match(Side& mine, Side& theirs, const End& end, const HttpTransaction& transaction, EventTime now);
  void forget(Side& side, EventTime now) const;

  TwinLimits limits_;
  Side sessions_, connections_;  // told, and not matched yet
  std::uint64_t next_serial_ = 1;
};

}  // namespace tracer
