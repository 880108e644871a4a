// Of Capture: what it costs, and what is given up over --max-overhead.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/capture.h"

namespace tracer::cli {
namespace {

using std::chrono::steady_clock;

// CPU time of this process.
std::uint64_t own_cpu_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_usec) * 1'000u;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

// In tenths, as text.
std::string tenths(double value) {
  const long rounded = std::lround(value * 10);
  return std::to_string(rounded / 10) + "." + std::to_string(rounded % 10);
}

}  // namespace

std::uint64_t Capture::spent_ns() const {
  std::uint64_t ns = own_cpu_ns() + past_probe_ns_;
  for (const auto& source : sources_) ns += source->probe_ns().value_or(0);
  return ns;
}

void Capture::keep_to_budget() {
  if (!budget_ || !budget_->due(steady_clock::now())) return;
  if (!budget_->over(steady_clock::now(), spent_ns())) return;
  const std::string over = "over --max-overhead " + tenths(*options_.overhead_percent_max) + ": " +
                           tenths(budget_->percent()) + " % of a processor";
  if (shed(over) || give_up_dearest(over)) {
    budget_->restart(steady_clock::now(), spent_ns());
  } else if (!std::exchange(nothing_to_shed_told_, true)) {
    talk_.notice(over + "; nothing more can be given up");
  }
}

// Breakpoints in other programs go before any source does: all else that their source shows goes on.
bool Capture::shed(const std::string& reason) {
  if (options_.first_facet == Facet::https) return false;  // given up last
  bool any = false;
  for (std::size_t i = 0; i < sources_.size();) {
    Source& source = *sources_[i];
    const std::vector<Facet> gone = source.beside() ? std::vector<Facet>{} : source.shed();
    for (const Facet facet : gone) {
      any = true;
      shed_.emplace_back(facet, reason);
      opener_.give_up_everywhere(facet, reason);
      recover_without(facet);
      tell(facet, source.choice(), std::nullopt, reason, 0);
    }
    const bool of_no_use = !gone.empty() && source.facets().empty();
    if (of_no_use) {
      replace(i, reason, Old::alive, Next::none);
    } else {
      ++i;
    }
  }
  if (any && unmet_demand()) failure_ = Error{Errc::os, 0, reason, "tracer --auto    # without --require and --strict"};
  return any;
}

bool Capture::give_up_dearest(const std::string& reason) {
  std::vector<SourceCost> costs;
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = *sources_[i];
    if (source.beside()) continue;
    costs.push_back({source.serves(options_.first_facet), source.probe_ns(), source.events()});
    indexes.push_back(i);
  }
  const auto index = dearest(costs);
  if (index) replace(indexes[*index], reason, Old::alive, Next::none);
  return index.has_value();
}

}  // namespace tracer::cli
