// How probes phrase what they found.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/capability.h"
#include "probe-matrix/host.h"
#include "probe-matrix/prober.h"

namespace tracer {

[[nodiscard]] Answer supported(Capability capability);
// A fact: what was found, although nothing is wrong.
[[nodiscard]] Answer supported_because(Capability capability, std::string fact);
[[nodiscard]] Answer unsupported(Capability capability, std::string reason, std::string fix = {});
[[nodiscard]] Answer unknown(Capability capability, std::string reason, std::string fix = {});

// EPERM or EACCES: says whether the privilege is missing or, held, was overruled by a policy, and names that as far as
// it can be told.
[[nodiscard]] Answer not_permitted(ProbeContext& context, Capability capability, std::string_view what,
                                   Privilege privilege);

// The failure of `what`: not permitted, or `unknown` with the error's own words. Errors that prove an absence are the
// caller's to recognise first.
[[nodiscard]] Answer not_concluded(ProbeContext& context, Capability capability, std::string_view what,
                                   Privilege privilege, const Error& error);

// "none", "integrity", "confidentiality", or empty where securityfs does not say.
[[nodiscard]] std::string lockdown_mode(System& system);

// What may be typed to leave lockdown.
inline constexpr std::string_view fix_lockdown = "boot with lockdown=integrity, or without Secure Boot";

// A file of /proc that could not be read: `unknown`, in plain words where there is no /proc at all.
[[nodiscard]] Answer cannot_read(ProbeContext& context, Capability asked, const Error& error);
[[nodiscard]] std::string fix_proc(ProbeContext& context);
[[nodiscard]] std::string fix_securityfs(ProbeContext& context);
[[nodiscard]] Answer sysfs_not_mounted(ProbeContext& context, Capability capability);

// A file that holds one word or number, without the line's end.
[[nodiscard]] Result<std::string> read_word(System& system, const std::string& path);
// Present, also as a folder.
[[nodiscard]] bool is_there(System& system, const std::string& path);

}  // namespace tracer
