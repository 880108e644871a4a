#include "cli/faulty_backend.h"

#include <utility>

namespace tracer::cli {

namespace {

struct Nobody final : EventHandler {
  void on_event(const Event&) override {}
};

}  // namespace

FaultyBackend::FaultyBackend(std::unique_ptr<Backend> inner, FaultKind kind, Time at)
    : inner_(std::move(inner)), kind_(kind), at_(at) {}

void FaultyBackend::die() {
  dead_ = true;
  last_ = inner_->counters();
  beats_ = inner_->beats();
}

Result<Drained> FaultyBackend::drain(EventHandler& handler, std::size_t budget) {
  if (kind_ != FaultKind::loss && !dead_ && is_due()) die();
  if (dead_) {
    Nobody nobody;
    const auto drained = inner_->drain(nobody, budget);
    if (!drained) return drained;
    return kind_ == FaultKind::detach ? Result<Drained>(fail(Errc::os, "detached by --fault")) : Drained::idle;
  }
  if (kind_ != FaultKind::loss || !is_due()) return inner_->drain(handler, budget);
  handler_ = &handler;
  auto drained = inner_->drain(*this, budget);
  handler_ = nullptr;
  return drained;
}

void FaultyBackend::on_event(const Event& event) {
  const auto* data = std::get_if<FlowData>(&event.body);
  odd_ = !odd_;
  if (odd_) {
    ++dropped_;
    if (data != nullptr) dropped_bytes_ += data->moved;
    handler_->on_event(Event{event.at, {}, Lost{1, GapCause::ring_full}});
    return;
  }
  handler_->on_event(event);
}

void FaultyBackend::set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) {
  if (!dead_) inner_->set_verdict(flow, direction, verdict);
}

BackendCounters FaultyBackend::counters() const {
  BackendCounters counters = dead_ ? last_ : inner_->counters();
  counters.delivered -= dropped_;
  counters.lost_ring_full += dropped_;
  counters.lost_bytes += dropped_bytes_;
  return counters;
}

Result<void> FaultyBackend::send_beat() {
  if (!dead_) return inner_->send_beat();
  ++beats_.sent;  // and nobody sees it
  return {};
}

Beats FaultyBackend::beats() const { return dead_ ? beats_ : inner_->beats(); }

std::vector<BlindSpot> FaultyBackend::blind() const { return inner_->blind(); }

std::optional<std::uint64_t> FaultyBackend::probe_time_ns() const { return inner_->probe_time_ns(); }

}  // namespace tracer::cli
