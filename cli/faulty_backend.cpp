#include "cli/faulty_backend.h"

#include <utility>

namespace tracer::cli {

FaultyBackend::FaultyBackend(std::unique_ptr<Backend> inner, FaultKind kind, Time at)
    : inner_(std::move(inner)), kind_(kind), at_(at), fd_(inner_->fd()) {}

void FaultyBackend::die() {
  last_ = inner_->counters();
  beats_ = inner_->beats();
  inner_.reset();
  fd_ = -1;
}

Result<Drained> FaultyBackend::drain(EventHandler& handler, std::size_t budget) {
  if (kind_ != FaultKind::loss && inner_ && is_due()) die();
  if (!inner_)
    return kind_ == FaultKind::detach ? Result<Drained>(fail(Errc::os, "detached by --fault")) : Drained::idle;
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
  if (inner_) inner_->set_verdict(flow, direction, verdict);
}

BackendCounters FaultyBackend::counters() const {
  BackendCounters counters = inner_ ? inner_->counters() : last_;
  counters.delivered -= dropped_;
  counters.lost_ring_full += dropped_;
  counters.lost_bytes += dropped_bytes_;
  return counters;
}

Result<void> FaultyBackend::send_beat() {
  if (inner_) return inner_->send_beat();
  ++beats_.sent;  // and nobody sees it
  return {};
}

Beats FaultyBackend::beats() const { return inner_ ? inner_->beats() : beats_; }

std::vector<BlindSpot> FaultyBackend::blind() const { return inner_ ? inner_->blind() : std::vector<BlindSpot>{}; }

std::optional<std::uint64_t> FaultyBackend::probe_time_ns() const {
  return inner_ ? inner_->probe_time_ns() : std::nullopt;
}

}  // namespace tracer::cli
