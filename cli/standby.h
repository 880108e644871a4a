// A better backend that was lost and opened again: it runs beside the one in use until it has proven itself. What it
// brings is thrown away.
#pragma once

#include "cli/source.h"

namespace tracer::cli {

class Standby final : private EventHandler {
 public:
  Standby(OpenedBackend opened, const HealthLimits& limits, SteadyTime now)
      : opened_(std::move(opened)), health_(limits, now, opened_.backend->counters()), since_(now) {}

  // True: there is more to read now.
  bool drain(SteadyTime now, std::size_t events_max) {
    if (health_.dead()) return false;
    const auto drained = opened_.backend->drain(*this, events_max);
    if (!drained) {
      health_.on_error(drained.error().context);
      return false;
    }
    health_.on_drained(now, *drained != Drained::more, opened_.backend->beats(), std::nullopt);
    return *drained == Drained::more;
  }
  void look_after(SteadyTime now) { cli::look_after(*opened_.backend, health_, now); }
  [[nodiscard]] const Health& health() const { return health_; }
  [[nodiscard]] SteadyTime since() const { return since_; }
  [[nodiscard]] int fd() const { return opened_.backend->fd(); }
  // At its end: to be closed elsewhere.
  [[nodiscard]] std::unique_ptr<Backend> take_backend() { return std::move(opened_.backend); }

 private:
  void on_event(const Event&) override {}

  OpenedBackend opened_;
  Health health_;
  SteadyTime since_;
};

}  // namespace tracer::cli
