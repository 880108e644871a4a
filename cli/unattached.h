// In words: which parts of a backend do not run, and why.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/backend.h"

namespace tracer::cli {

// One line for each reason, which names the first few: "not running: tracer_accept_exit, tracer_splice_exit: attach:
// Permission denied".
[[nodiscard]] std::vector<std::string> describe_unattached(std::span<const AttachOutcome> outcomes);

}  // namespace tracer::cli
