// Puts the events of a backend that delivers them unordered (one perf buffer per CPU) in order of time.
//
// An event waits until events `window_ns` younger were seen, or until a limit makes the oldest leave early (counted).
// What an event borrows is copied while it waits. A backend that is ordered by itself passes straight through, with no
// copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/event.h"

namespace tracer {

struct ReorderLimits {
  std::uint64_t window_ns = 50'000'000;
  std::size_t events_max = 65'536;
  std::size_t bytes_max = 32U << 20U;
};

class ReorderWindow final : public EventHandler {
 public:
  enum class Input : std::uint8_t { ordered, unordered };

  ReorderWindow(EventHandler& next, Input input, const ReorderLimits& limits = {});

  void on_event(const Event& event) override;
  // Lets go what is older than `now` - window. Call when the backend has nothing more to read at `now`.
  void advance(EventTime now);
  // Lets everything go, in order.
  void flush();

  [[nodiscard]] std::size_t waiting() const { return heap_.size(); }
  [[nodiscard]] std::uint64_t released_early() const { return released_early_; }  // by a limit, not by time
  [[nodiscard]] std::uint64_t too_late() const { return too_late_; }              // older than one already released

 private:
  struct Held {
    Event event;
    std::uint64_t arrival = 0;  // keeps the order of events of equal time
    std::vector<std::byte> bytes;
    std::string text[3];
  };
  using HeldPtr = std::unique_ptr<Held>;

  static bool later(const HeldPtr& a, const HeldPtr& b);
  HeldPtr hold(const Event& event);
  void release_oldest();

  EventHandler& next_;
  Input input_;
  ReorderLimits limits_;
  std::vector<HeldPtr> heap_;   // oldest first
  std::vector<HeldPtr> spare_;  // reused, with their buffers
  std::size_t bytes_held_ = 0;
  std::uint64_t arrivals_ = 0;
  EventTime youngest_, released_until_;
  std::uint64_t released_early_ = 0, too_late_ = 0;
};

}  // namespace tracer
