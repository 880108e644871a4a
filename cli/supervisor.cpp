#include "cli/supervisor.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace tracer::cli {
namespace {

std::uint64_t lost_of(const BackendCounters& counters) { return counters.lost_ring_full + counters.lost_user; }

std::uint64_t growth(std::uint64_t now, std::uint64_t before) { return now > before ? now - before : 0; }

}  // namespace

Health::Health(const HealthLimits& limits, SteadyTime now, const BackendCounters& counters)
    : limits_(limits),
      next_beat_(now),
      next_count_(now + limits.loss_window),
      alive_at_(now),
      drained_at_(now),
      lost_(lost_of(counters)),
      delivered_(counters.delivered) {}

void Health::die(std::string reason) {
  if (!dead_) dead_ = std::move(reason);
}

void Health::on_beat(SteadyTime now, bool sent, const Beats& beats, const BackendCounters& counters) {
  const std::uint64_t lost = lost_of(counters);
  if (pending_ && beats.seen < awaited_ && idle_since_ && lost == lost_at_beat_) {
    if (++missed_ >= limits_.beats_missed_max) {
      const auto silent = std::chrono::duration_cast<std::chrono::milliseconds>(now - alive_at());
      die("no heartbeat came back for " + std::to_string(silent.count()) + " ms");
    }
  }
  next_beat_ = now + limits_.beat;
  pending_ = sent;
  idle_since_ = false;
  lost_at_beat_ = lost;
  if (!sent) return;
  has_beats_ = true;
  // While an earlier one is on its way too it cannot be told which of them comes back: then the earlier one counts.
  if (beats.seen >= awaited_) sent_at_ = now;
  awaited_ = beats.seen + 1;
}

void Health::on_drained(SteadyTime now, bool idle, const Beats& beats, std::optional<SteadyTime> bytes_at) {
  drained_at_ = now;
  if (bytes_at) alive_at_ = std::max(alive_at_, std::min(*bytes_at, now));
  if (!pending_) return;
  if (beats.seen >= awaited_) {
    pending_ = false;
    missed_ = 0;
    alive_at_ = std::max(alive_at_, sent_at_);
  }
  // What is sent during a drain is read by the next one at the latest.
  idle_since_ = idle_since_ || idle;
}

void Health::on_error(const std::string& reason) { die(reason); }

void Health::on_counters(SteadyTime now, const BackendCounters& counters) {
  const std::uint64_t lost = growth(lost_of(counters), lost_);
  const std::uint64_t delivered = growth(counters.delivered, delivered_);
  lost_ = lost_of(counters);
  delivered_ = counters.delivered;
  next_count_ = now + limits_.loss_window;
  const double percent = lost == 0 ? 0.0 : 100.0 * static_cast<double>(lost) / static_cast<double>(lost + delivered);
  if (lost < limits_.loss_events_min || percent <= limits_.loss_percent) {
    lossy_windows_ = 0;
    return;
  }
  if (++lossy_windows_ < limits_.loss_windows_max || dead_) return;
  lossy_ = true;
  die("it loses " + std::to_string(std::lround(percent)) + " % of the events");
}

void Health::outlive_loss() {
  if (!lossy_) return;
  dead_.reset();
  lossy_ = false;
  lossy_windows_ = 0;
  limits_.loss_percent = 100;
}

SteadyTime Health::alive_at() const { return has_beats_ ? alive_at_ : std::max(alive_at_, drained_at_); }

std::optional<std::size_t> dearest(std::span<const SourceCost> sources) {
  if (sources.size() < 2) return std::nullopt;
  const auto rank = [](const SourceCost& cost) {
    return std::tuple(!cost.shows_first_facet, cost.probe_ns.value_or(0), cost.events);
  };
  const auto found = std::ranges::max_element(sources, {}, rank);
  return static_cast<std::size_t>(found - sources.begin());
}

bool Budget::over(SteadyTime now, std::uint64_t spent_ns) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - since_).count();
  percent_ = 100.0 * static_cast<double>(growth(spent_ns, spent_ns_)) / static_cast<double>(elapsed);
  since_ = now;
  spent_ns_ = spent_ns;
  windows_over_ = percent_ > percent_max_ ? windows_over_ + 1 : 0;
  if (windows_over_ < windows_max) return false;
  windows_over_ = 0;
  return true;
}

void Budget::restart(SteadyTime now, std::uint64_t spent_ns) {
  since_ = now;
  spent_ns_ = spent_ns;
  windows_over_ = 0;
}

}  // namespace tracer::cli
