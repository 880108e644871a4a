// Questions about a capability report that do not need the machine it came from.
#pragma once

#include <optional>
#include <string_view>

#include "core/capability.h"

namespace tracer {

// How the reason of an answer begins when privileges or a policy, not the kernel's abilities, stand in the way. Such an
// answer's verdict is `unknown`: with other privileges it might be yes.
inline constexpr std::string_view not_permitted_prefix = "not permitted: ";
[[nodiscard]] bool is_not_permitted(const Answer& answer);
// Of those, the ones that a privilege would change ("needs CAP_BPF (or root)"): not what a policy refuses to everybody.
[[nodiscard]] bool lacks_privilege(std::string_view reason);

// Which part of the system a capability belongs to; groups the rows of `doctor`.
[[nodiscard]] std::string_view family_of(Capability capability);

// Whether the row tells how things are, and not what can be done: the families `policy` and `place`. Such a row gives
// its reason also when it is `supported`.
[[nodiscard]] bool is_fact(Capability capability);

// How the reason of an answer ends that was taken away by the user.
inline constexpr std::string_view reason_switched_off = "switched off by --without";

// Where there is no bpf(2) at all, whatever needs it says so, and not what its own refusal looked like.
void explain_without_bpf(CapabilityReport& report);

// The report of a machine that has neither `capability` nor what cannot be had without it.
[[nodiscard]] CapabilityReport without(CapabilityReport report, Capability capability);

// The names that people type, back to values.
[[nodiscard]] std::optional<Capability> capability_from_name(std::string_view name);
[[nodiscard]] std::optional<Verdict> verdict_from_name(std::string_view name);
[[nodiscard]] std::optional<Facet> facet_from_name(std::string_view name);
[[nodiscard]] std::optional<BackendKind> backend_from_name(std::string_view name);
[[nodiscard]] std::optional<Mechanism> mechanism_from_name(std::string_view name);

}  // namespace tracer
