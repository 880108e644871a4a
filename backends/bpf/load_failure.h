// Why a BPF program did not load or attach: a stable code and a few lines, made of what libbpf, the verifier and the
// machine say. Pure, but for the list at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

enum class LoadFailureCode : std::uint8_t {
  unsupported_program_type,
  unsupported_map_type,
  unsupported_helper,
  missing_btf,              // the kernel has no type information, and the object needs it
  core_relocation_failure,  // the kernel's types have not what the object looks for
  verifier_rejection,
  program_too_large,  // for the verifier. Trying again is no use and may take it ten seconds
  policy_denied,      // although the privilege is held: lockdown, a security module, seccomp, the vendor
  capability_failure,
  attach_target_missing,  // no such function, tracepoint or event
  memory_limit,           // RLIMIT_MEMLOCK, or no memory
  log_truncated,          // the verifier's reason did not fit
  invalid_object,         // libbpf cannot read the object
  unknown,
};
[[nodiscard]] std::string_view to_string(LoadFailureCode code);  // "VERIFIER_REJECTION"

enum class LoadStep : std::uint8_t { open, load, attach };

// All that is known of one failure.
struct LoadEvidence {
  LoadStep step = LoadStep::load;
  int os_error = 0;                  // positive
  std::string_view messages = {};    // libbpf's, by lines
  std::string_view log = {};         // the verifier's
  std::string_view kernel_log = {};  // what dmesg got meanwhile; empty: nothing, or not known
  std::string_view lockdown = {};    // "none", "integrity", "confidentiality"; empty: not known
  bool privileged = false;           // the privilege that it takes is held
};

inline constexpr std::size_t summary_lines_max = 5;
inline constexpr std::size_t load_log_bytes_max = 128 * 1024;

struct LoadFailure {
  std::string object, program;  // set by the caller
  LoadFailureCode code = LoadFailureCode::unknown;
  std::string reason;                // one line, for a list of programs
  std::string source;                // "file.c:12: code" that the verifier stopped at; empty: the log does not say
  std::vector<std::string> summary;  // for a screen: at most summary_lines_max lines
  std::string log;                   // messages and verifier log; of a very long one both ends
  bool retry_with_larger_log = false;
};
[[nodiscard]] LoadFailure distill(const LoadEvidence& evidence);

// The last lines of a verifier log that say why, at most `lines_max` of them, joined by " | ".
[[nodiscard]] std::string verifier_summary(std::string_view log, std::size_t lines_max = 4);

// What failed since the last call, oldest first; the logs only of the first load_failures_max. A way to capture that
// does not open at all leaves nothing else that could carry them. For one thread.
inline constexpr std::size_t load_failures_max = 32;
void note_load_failure(LoadFailure failure);
[[nodiscard]] std::vector<LoadFailure> take_load_failures();

}  // namespace tracer
