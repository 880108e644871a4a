#include "cli/capture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "cli/standby.h"

namespace tracer::cli {
namespace {

using std::chrono::steady_clock;

constexpr unsigned connection_id_range_bits = 40;  // of each source that does not go on from another

constexpr auto every_facet = [] {
  std::array<Facet, facet_count> all{};
  for (std::size_t i = 0; i < facet_count; ++i) all[i] = static_cast<Facet>(i);
  return all;
}();

double ms_between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

std::string in_seconds(std::chrono::milliseconds time) {
  const auto ms = time.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

bool show_all(std::span<const OpenedSource> opened, std::span<const Facet> facets) {
  return std::ranges::all_of(facets, [&](Facet facet) {
    return std::ranges::any_of(
        opened, [&](const OpenedSource& each) { return std::ranges::find(each.facets, facet) != each.facets.end(); });
  });
}

}  // namespace

struct Capture::Recovery {
  Choice choice;
  std::vector<Facet> facets;
  SteadyTime alive_at, next_try;
  std::unique_ptr<Standby> standby{};
  bool done = false;
};

Capture::Capture(CaptureOptions options, Opener& opener, std::vector<OpenedSource> sources, Ownership& ownership,
                 std::vector<std::uint32_t> ignored_tgids, CaptureReader& reader, const Talk& talk)
    : options_(std::move(options)),
      opener_(opener),
      reader_(reader),
      talk_(talk),
      setting_{ownership,
               reader,
               std::move(ignored_tgids),
               options_.times.health,
               options_.crypto,
               options_.file_patterns,
               options_.selection},
      closer_(options_.times.last_close) {
  for (OpenedSource& source : sources) {
    const Choice choice{source.backend.kind, source.backend.mechanism};
    if (!source.beside)
      for (const Facet facet : source.facets) first_plan_.emplace_back(facet, choice);
    add(std::move(source), std::nullopt, std::nullopt);
  }
  if (options_.overhead_percent_max) budget_.emplace(*options_.overhead_percent_max, steady_clock::now(), spent_ns());
}

Capture::~Capture() = default;

// ---- every step ----

bool Capture::drain(std::size_t events_max) {
  bool more = false;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i]->beside()) continue;
    const auto drained = sources_[i]->drain(Instant::now(), events_max);
    if (!drained) continue;  // supervise() sees it in the health
    more = more || *drained == Drained::more;
    ended_ = ended_ || *drained == Drained::ended;
  }
  for (const Recovery& recovery : recoveries_) {
    if (recovery.standby) more = recovery.standby->drain(steady_clock::now(), events_max) || more;
  }
  // Last: what it finds may just have been told by who saw it happen.
  return drain_beside() || more;
}

void Capture::supervise() {
  if (!options_.replaceable) {
    for (const auto& source : sources_)
      if (const auto& reason = source->health().dead()) failure_ = Error{Errc::malformed, 0, *reason, {}};
    return;
  }
  for (std::size_t i = 0; i < sources_.size() && !failure_;) {
    Source& source = *sources_[i];
    if (source.beside()) {
      ++i;
      continue;
    }
    source.look_after(steady_clock::now());
    if (source.health().dead()) {
      replace(i, *source.health().dead(), source.health().only_lossy() ? Old::alive : Old::dead, Next::best);
      i = 0;
    } else {
      ++i;
    }
  }
  if (failure_) return;
  recover();
  keep_to_budget();
}

void Capture::finish() {
  recoveries_.clear();
  for (const auto& source : sources_) source->finish(options_.times.last_drain);
}

// ---- the watch changes hands ----

void Capture::add(OpenedSource opened, const std::optional<Instant>& from, std::optional<Handover> handover) {
  if (!handover) handover = Handover{(id_ranges_++ << connection_id_range_bits) + 1, {}};
  sources_.push_back(std::make_unique<Source>(std::move(opened), setting_, from, std::move(*handover)));
  ++generation_;
}

void Capture::retire(std::unique_ptr<Source> source) {
  past_events_ += source->events();
  past_missed_runs_ += source->counters().missed_runs_measured ? source->counters().missed_runs : 0;
  past_probe_ns_ += source->probe_ns().value_or(0);
  source->fill(past_);
  closer_.close(source->take_backend());
  ++generation_;
}

void Capture::discard(std::vector<OpenedSource>& opened) {
  for (OpenedSource& each : opened) closer_.close(std::move(each.backend.backend));
  opened.clear();
}

void Capture::replace(std::size_t index, std::string reason, Old old, Next next) {
  const Choice from = sources_[index]->choice();
  const std::vector<Facet> facets = sources_[index]->facets();
  const SteadyTime alive_at = sources_[index]->health().alive_at();
  // What is dead for one facet is dead for all; what costs too much is given up for its own.
  opener_.give_up(next == Next::best ? std::span<const Facet>(every_facet) : std::span<const Facet>(facets), from,
                  reason);

  const Instant before = Instant::now();
  std::vector<OpenedSource> opened;
  if (next == Next::best) opened = opener_.open(facets);
  if (unmet_demand()) discard(opened);
  if (next == Next::best && old == Old::alive && !show_all(opened, facets)) {
    discard(opened);
    opener_.forgive(every_facet, from);
    sources_[index]->outlive_loss();
    talk_.notice(to_string(from) + ": " + reason + "; it goes on, because nothing else shows as much");
    return;
  }
  const Instant after = Instant::now();
  std::unique_ptr<Source> source = std::move(sources_[index]);
  sources_.erase(sources_.begin() + static_cast<std::ptrdiff_t>(index));
  const Handover handover = source->hand_over(old == Old::alive ? after : before, options_.times.hand_over);
  const double unwatched_ms = old == Old::alive ? 0 : ms_between(alive_at, after.steady);

  bool is_heir = true;  // the first goes on with the connections' numbers; others know them, and count from elsewhere
  std::vector<std::pair<Facet, Choice>> chosen;
  for (OpenedSource& each : opened) {
    for (const Facet facet : each.facets) chosen.emplace_back(facet, Choice{each.backend.kind, each.backend.mechanism});
    Handover given = handover;
    if (!std::exchange(is_heir, false)) given.next_connection_id = (id_ranges_++ << connection_id_range_bits) + 1;
    add(std::move(each), old == Old::alive ? after : before, std::move(given));
  }
  for (const Facet facet : facets) {
    const auto to = std::ranges::find(chosen, facet, &std::pair<Facet, Choice>::first);
    tell(facet, from, to == chosen.end() ? std::nullopt : std::optional(to->second), reason, unwatched_ms);
  }
  retire(std::move(source));

  std::vector<Facet> first;
  std::ranges::copy_if(facets, std::back_inserter(first), [&](Facet facet) {
    return std::ranges::find(first_plan_, std::pair(facet, from)) != first_plan_.end();
  });
  if (next == Next::best && !first.empty())
    recoveries_.push_back({from, std::move(first), alive_at, after.steady + options_.times.retry});
  if (watches_nothing() && !unmet_demand()) show_instead();
  if (watches_nothing() || unmet_demand()) {
    const bool confined = !opener_.request().backends.empty();
    failure_ = Error{Errc::os, 0, std::move(reason), confined ? "tracer --auto    # anything else may take over" : ""};
  }
}

bool Capture::unmet_demand() const {
  return opener_.unmet_requirement().has_value() || (opener_.request().strict && opener_.unmet().has_value());
}

// Nothing of what was asked for can be seen any more.
void Capture::show_instead() {
  if (options_.instead.empty() || instead_) return;
  instead_ = true;
  opener_.want(options_.instead);
  for (OpenedSource& each : opener_.open(options_.instead)) {
    for (const Facet facet : each.facets)
      talk_.notice(std::string(to_string(facet)) + ": shown instead, by " +
                   to_string(Choice{each.backend.kind, each.backend.mechanism}));
    add(std::move(each), std::nullopt, std::nullopt);
  }
}

void Capture::tell(Facet facet, const Choice& from, const std::optional<Choice>& to, const std::string& reason,
                   double unwatched_ms) {
  BackendSwitch change;
  change.facet = facet;
  change.from_backend = from.backend;
  change.from_mechanism = from.mechanism;
  if (to) {
    change.to_backend = to->backend;
    change.to_mechanism = to->mechanism;
  }
  change.reason = reason;
  change.unwatched_ms = unwatched_ms;
  reader_.on_switch(change);
  std::string line = std::string(to_string(facet)) + ": " + to_string(from) + " -> " +
                     (to ? to_string(*to) : std::string("not visible any more")) + " (" + reason + ")";
  if (unwatched_ms > 0) line += "; nobody watched for " + std::to_string(std::lround(unwatched_ms)) + " ms";
  talk_.notice(line);
}

// ---- back to the better one ----

void Capture::recover() {
  const SteadyTime now = steady_clock::now();
  for (Recovery& recovery : recoveries_) {
    if (!recovery.standby) {
      if (now >= recovery.next_try) try_standby(recovery, now);
      continue;
    }
    recovery.standby->look_after(now);
    if (recovery.standby->health().dead()) {
      end_standby(recovery);
      recovery.next_try = now + options_.times.retry;
    } else if (now - recovery.standby->since() >= options_.times.standby) {
      recovery.done = switch_back(recovery);
    }
  }
  std::erase_if(recoveries_, [](const Recovery& recovery) { return recovery.done; });
}

// With less than it had before it would take facets away.
Result<OpenedSource> Capture::open_again(const Recovery& recovery) {
  auto opened = opener_.open(recovery.choice, recovery.facets);
  if (!opened || opened->facets.size() == recovery.facets.size()) return opened;
  closer_.close(std::move(opened->backend.backend));
  return fail(Errc::not_supported, opened->backend.refused.front().reason);
}

void Capture::try_standby(Recovery& recovery, SteadyTime now) {
  recovery.next_try = now + options_.times.retry;
  auto opened = open_again(recovery);
  if (!opened) {
    talk_.detail(to_string(recovery.choice) + " cannot be opened again: " + opened.error().context);
    return;
  }
  recovery.standby = std::make_unique<Standby>(std::move(opened->backend), setting_.health, steady_clock::now());
  ++generation_;
}

void Capture::end_standby(Recovery& recovery) {
  closer_.close(recovery.standby->take_backend());
  recovery.standby.reset();
  ++generation_;
}

// What is given up for good does not come back with the rest. A standby has it attached: it begins anew.
void Capture::recover_without(Facet facet) {
  for (Recovery& recovery : recoveries_) {
    if (std::erase(recovery.facets, facet) == 0) continue;
    recovery.done = recovery.facets.empty();
    if (recovery.standby) end_standby(recovery);
  }
  std::erase_if(recoveries_, [](const Recovery& recovery) { return recovery.done; });
}

// The standby has seen connections open whose events were thrown away: a fresh one looks at all there are.
bool Capture::switch_back(Recovery& recovery) {
  auto opened = open_again(recovery);
  const SteadyTime now = steady_clock::now();
  recovery.next_try = now + options_.times.retry;
  end_standby(recovery);
  if (!opened) return false;
  const std::vector<Facet> facets = opened->facets;
  const Instant from = Instant::now();
  const std::string reason = to_string(recovery.choice) + " has been healthy for " + in_seconds(options_.times.standby);

  std::optional<Handover> handover;
  std::vector<std::pair<Facet, Choice>> before;
  for (std::size_t i = 0; i < sources_.size();) {
    Source& source = *sources_[i];
    const bool gives = std::ranges::any_of(facets, [&](Facet facet) { return source.serves(facet); });
    if (source.beside() || (!gives && !instead_)) {
      ++i;
      continue;
    }
    for (const Facet facet : source.facets()) before.emplace_back(facet, source.choice());
    Handover given = source.hand_over(from, options_.times.hand_over);
    if (gives && (!handover || source.serves(Facet::http))) handover = std::move(given);
    retire(std::move(sources_[i]));
    sources_.erase(sources_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (std::exchange(instead_, false))
    for (const auto& [facet, choice] : before)
      if (std::ranges::find(facets, facet) == facets.end())
        talk_.notice(std::string(to_string(facet)) + ": shown no more, because what was asked for is back");
  opener_.forgive(every_facet, recovery.choice);
  for (const auto& [facet, why] : shed_) opener_.give_up_everywhere(facet, why);
  add(std::move(*opened), from, std::move(handover));
  for (const Facet facet : facets) {
    const auto was = std::ranges::find(before, facet, &std::pair<Facet, Choice>::first);
    const bool watched = was != before.end();
    tell(facet, watched ? was->second : recovery.choice, recovery.choice, reason,
         watched ? 0 : ms_between(recovery.alive_at, from.steady));
  }
  return true;
}

// ---- what others ask ----

std::vector<int> Capture::descriptors() const {
  std::vector<int> all;
  for (const auto& source : sources_) all.push_back(source->fd());
  for (const Recovery& recovery : recoveries_)
    if (recovery.standby) all.push_back(recovery.standby->fd());
  return all;
}

}  // namespace tracer::cli
