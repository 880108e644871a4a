// UTCTime and GeneralizedTime as RFC 5280 section 4.1.2.5 has them.
#pragma once

#include <optional>

#include "core/asn1/der.h"
#include "core/records/flow_identity.h"

namespace tracer {

// nullopt: no time, one not in UTC, or one outside of what nanoseconds in 64 bits can say (1678 to 2262). The latter is
// true of 99991231235959Z too, by which a certificate says that it has no well-defined end.
[[nodiscard]] std::optional<WallTime> parse_asn1_time(const DerElement& element);

}  // namespace tracer
