// An analyzer turns the two byte streams of one connection into records. It knows one protocol, no kernel, no clock of
// its own and no output.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/bytes.h"
#include "core/event.h"
#include "core/records/record.h"

namespace tracer {

// A connection has two sides; the stream of a side is what that side sends. Which side is the client may not be known.
enum class Side : std::uint8_t { a, b };
[[nodiscard]] constexpr Side other(Side side) { return side == Side::a ? Side::b : Side::a; }

enum class StreamEnd : std::uint8_t {
  closed,       // orderly end (FIN, shutdown, close): a message delimited by the end of the stream is complete
  cut,          // the stream goes on but will not be seen any more: tracer stops, flow evicted
  handed_over,  // it goes on, and from here on another backend, and another analyzer, sees it
};

// What an analyzer may ask of the connection it sits on.
class AnalyzerHost {
 public:
  // Takes a finished record. The host adds connection, processes and wall times.
  virtual void emit(std::unique_ptr<Record> record) = 0;
  // A cleared record to fill, from a pool where there is one.
  virtual std::unique_ptr<Record> make_record() = 0;
  // Bytes of this stream before `until` are not needed: they may stay in the kernel. A hint; they may still come.
  virtual void skip(Side from, std::uint64_t until) = 0;
  // Every byte of this stream from here on is needed (chunked bodies); undone by `normal`.
  virtual void need_whole(Side from) = 0;
  virtual void need_normal(Side from) = 0;
  // This connection is of no further interest: nothing of it needs to be copied.
  virtual void lose_interest(std::string_view protocol) = 0;
  // Told once the analyzer is sure which side sends requests.
  virtual void client_is(Side side) = 0;

 protected:
  ~AnalyzerHost() = default;
};

// Each stream arrives in order and without overlap, split anywhere; every offset is covered by exactly one on_bytes or
// on_gap. The two streams are not ordered against each other: a response may come before its request.
// Offsets are 64-bit stream positions (see OffsetSource) and start anywhere. Of a stream that began before what is seen
// of it, on_gap(size 0, before_attach) says so first; its offset means nothing.
class Analyzer {
 public:
  virtual ~Analyzer() = default;
  virtual void on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) = 0;
  virtual void on_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) = 0;
  virtual void on_end(Side from, StreamEnd end, EventTime at) = 0;
  // Time passes; for what waits for the other stream. Called at least every 50 ms of event time while busy.
  virtual void on_time(EventTime now) = 0;
};

}  // namespace tracer
