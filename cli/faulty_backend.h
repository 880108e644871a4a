// A backend that dies on time. Only in builds for tests.
#pragma once

#include <chrono>
#include <memory>

#include "core/backend.h"

namespace tracer::cli {

enum class FaultKind : std::uint8_t {
  detach,  // gone, and drain() says so
  stall,   // gone, and drain() says that there is nothing
  loss,    // every second event finds the buffer full
};

class FaultyBackend final : public Backend, private EventHandler {
 public:
  using Time = std::chrono::steady_clock::time_point;
  FaultyBackend(std::unique_ptr<Backend> inner, FaultKind kind, Time at);

  [[nodiscard]] int fd() const override { return inner_->fd(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override;
  [[nodiscard]] BackendCounters counters() const override;
  [[nodiscard]] Result<void> send_beat() override;
  [[nodiscard]] Beats beats() const override;
  [[nodiscard]] std::vector<BlindSpot> blind() const override;
  [[nodiscard]] std::optional<std::uint64_t> probe_time_ns() const override;

 private:
  void on_event(const Event& event) override;
  [[nodiscard]] bool is_due() const { return std::chrono::steady_clock::now() >= at_; }
  void die();

  std::unique_ptr<Backend> inner_;  // emptied without a word when dead: to close one may take seconds
  FaultKind kind_;
  Time at_;
  EventHandler* handler_ = nullptr;  // during drain()
  bool dead_ = false, odd_ = false;
  BackendCounters last_;  // of the dead
  Beats beats_;
  std::uint64_t dropped_ = 0, dropped_bytes_ = 0;
};

}  // namespace tracer::cli
