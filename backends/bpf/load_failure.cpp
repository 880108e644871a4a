#include "backends/bpf/load_failure.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace tracer {
namespace {

constexpr int not_supported_in_kernel = 524;  // ENOTSUPP, which user space has no name for
constexpr int libbpf_errors_begin = 4000;

using Lines = std::vector<std::string_view>;

std::string_view without_blanks(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  return first == std::string_view::npos ? std::string_view()
                                         : line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
}

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

template <std::size_t N>
bool has_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return has(text, part); });
}

bool is_statistics(std::string_view line) {
  constexpr std::array<std::string_view, 5> marks{"processed ", "verification time", "stack depth", "insns_processed",
                                                  "-- "};
  return std::ranges::any_of(marks, [&](std::string_view mark) { return line.starts_with(mark); });
}

constexpr std::string_view section_title = "Verification failed:";  // since 7.3

// The text below the line `heading`, until the next empty line, as one line.
std::string section(const Lines& lines, std::string_view heading) {
  std::string text;
  auto line = std::ranges::find_if(lines, [&](std::string_view each) { return each.starts_with(heading); });
  if (line == lines.end()) return text;
  text = without_blanks(line->substr(heading.size()));
  for (++line; line != lines.end() && !without_blanks(*line).empty(); ++line) {
    if (!line->starts_with(' ') && !line->starts_with('\t')) break;
    if (!text.empty()) text += ' ';
    text += without_blanks(*line);
  }
  return text;
}

// Of the log of a rejection: what says why, last line last.
std::vector<std::string> reasons(const Lines& lines) {
  std::vector<std::string> found;
  const std::string title = section(lines, section_title);
  if (!title.empty()) {
    found.push_back(title);
    if (std::string reason = section(lines, "Reason:"); !reason.empty()) found.push_back(std::move(reason));
    return found;
  }
  for (const std::string_view line : lines) {
    if (line.starts_with("Suggestion:")) break;  // behind the reason; it may be several lines
    if (!without_blanks(line).empty() && !is_statistics(line)) found.emplace_back(line);
  }
  return found;
}

// The last source line that the log quotes: "; if (length > 3) @ stream.bpf.h:40", the place only since 6.10.
std::string source_of(const Lines& lines) {
  std::string source;
  for (const std::string_view line : lines) {
    if (line.starts_with(section_title)) break;
    if (!line.starts_with("; ")) continue;
    const std::string_view text = line.substr(2);
    const std::size_t at = text.rfind(" @ ");
    source = at == std::string_view::npos ? std::string(without_blanks(text))
                                          : std::string(without_blanks(text.substr(at + 3))) + ": " +
                                                std::string(without_blanks(text.substr(0, at)));
  }
  return source;
}

// The last of libbpf's messages that tells of a failure.
std::string last_message(std::string_view messages) {
  constexpr std::array<std::string_view, 6> consequences{"failed to load object",
                                                         "failed to load: -",
                                                         "Error loading vmlinux BTF",
                                                         "failed to prepare load attributes",
                                                         "-- BEGIN",
                                                         "-- END"};
  std::string_view last;
  for (const std::string_view line : lines_of(messages)) {
    if (without_blanks(line).empty() || has_any(line, consequences)) continue;
    last = line;
  }
  if (last.starts_with("libbpf: ")) last.remove_prefix(8);
  return std::string(without_blanks(last));
}

bool refused(const LoadEvidence& evidence) { return evidence.os_error == EPERM || evidence.os_error == EACCES; }

bool hidden_by_lockdown(const LoadEvidence& evidence) {
  return evidence.lockdown == "confidentiality" ||
         has(evidence.kernel_log, "use of bpf to read kernel RAM is restricted");
}

std::optional<LoadFailureCode> by_log(const LoadEvidence& evidence) {
  using enum LoadFailureCode;
  const std::string_view log = evidence.log;
  constexpr std::array<std::string_view, 5> size_marks{"BPF program is too large", "jumps is too complex",
                                                       "insns limit 1000000", "processed 1000001 insns",
                                                       "too many instructions"};
  if (has_any(log, size_marks)) return program_too_large;
  // libbpf poisons what it cannot relocate.
  constexpr std::array<std::string_view, 3> relocation_marks{"<invalid CO-RE relocation>", "unknown#195896080",
                                                             "unrecognized/unsupported CO-RE"};
  if (has_any(log, relocation_marks)) return core_relocation_failure;
  constexpr std::array<std::string_view, 5> helper_marks{"unknown func ", "invalid func ", "cannot use helper",
                                                         "helper call is not allowed", "unsupported helper"};
  if (has_any(log, helper_marks)) {
    // Under lockdown the verifier names the helper, and the helper is not what is wrong.
    const bool reads_memory = has(log, "bpf_probe_read") || has(log, "#4\n") || has(log, "#113") || has(log, "#115");
    return reads_memory && hidden_by_lockdown(evidence) ? policy_denied : unsupported_helper;
  }
  constexpr std::array<std::string_view, 3> target_marks{"attach_btf_id", "is not a function", "has no btf_id"};
  if (evidence.os_error == EINVAL && has_any(log, target_marks)) return attach_target_missing;
  const std::vector<std::string> said = reasons(lines_of(log));
  if (said.empty()) return std::nullopt;
  return evidence.os_error == ENOSPC ? log_truncated : verifier_rejection;
}

std::optional<LoadFailureCode> by_messages(const LoadEvidence& evidence) {
  using enum LoadFailureCode;
  const std::string_view messages = evidence.messages;
  constexpr std::array<std::string_view, 5> btf_marks{"failed to find valid kernel BTF", "vmlinux BTF is not found",
                                                      "kernel BTF is missing", "Error loading vmlinux BTF",
                                                      "kernel doesn't support BTF"};
  if (has_any(messages, btf_marks)) return missing_btf;
  constexpr std::array<std::string_view, 3> relocation_marks{"failed to resolve CO-RE relocation",
                                                             "failed to relocate: ", "relo #"};
  constexpr std::array<std::string_view, 6> target_marks{
      "is not found in vmlinux BTF",    "failed to find kernel BTF type ID", "not found in kernel or module BTFs",
      "failed to determine tracepoint", "failed to resolve legacy kprobe",   "perf event: No such file or directory"};
  if (has_any(messages, target_marks)) return attach_target_missing;
  constexpr std::array<std::string_view, 3> map_marks{"failed to create map", "Error in bpf_create_map",
                                                      "': failed to create:"};
  if (has_any(messages, map_marks)) {
    if (evidence.os_error == EPERM) {
      if (!evidence.privileged) return capability_failure;
      return has(messages, "ulimit -l") ? memory_limit : policy_denied;
    }
    if (evidence.os_error == EINVAL) return unsupported_map_type;
  }
  if (!refused(evidence) && has_any(messages, relocation_marks)) return core_relocation_failure;
  return std::nullopt;
}

LoadFailureCode by_error(const LoadEvidence& evidence) {
  using enum LoadFailureCode;
  if (refused(evidence)) {
    if (hidden_by_lockdown(evidence) || evidence.privileged) return policy_denied;
    return capability_failure;
  }
  switch (evidence.os_error) {
    case E2BIG:
      return program_too_large;
    case ENOSPC:
      return evidence.step == LoadStep::load ? log_truncated : memory_limit;
    case ENOMEM:
      return memory_limit;
    case ENOENT:
      return attach_target_missing;
    case ESRCH:
      return evidence.step == LoadStep::attach ? attach_target_missing : missing_btf;
    case ENOSYS:
      return unsupported_program_type;
    case EINVAL:
    case EOPNOTSUPP:
    case not_supported_in_kernel:
      return evidence.step == LoadStep::open ? invalid_object : unsupported_program_type;
    default:
      return evidence.os_error >= libbpf_errors_begin && evidence.os_error != not_supported_in_kernel ? invalid_object
                                                                                                      : unknown;
  }
}

// What the code means, before anybody's words. Empty: the words say it.
std::string_view meaning(LoadFailureCode code) {
  using enum LoadFailureCode;
  switch (code) {
    case unsupported_program_type:
      return "this kernel does not know programs of this type";
    case unsupported_map_type:
      return "this kernel does not know maps of this type";
    case unsupported_helper:
      return "this kernel has not the helper that it calls";
    case missing_btf:
      return "this kernel carries no type information (CONFIG_DEBUG_INFO_BTF=n)";
    case core_relocation_failure:
      return "this kernel's types are not what it was built for";
    case program_too_large:
      return "too large for this kernel's verifier";
    case policy_denied:
      return "refused by a policy, with all privileges";
    case capability_failure:
      return "not permitted: needs CAP_BPF and CAP_PERFMON (or root)";
    case attach_target_missing:
      return "this kernel has not what it hangs on";
    case memory_limit:
      return "no memory for it: see ulimit -l on kernels before 5.11";
    case log_truncated:
      return "refused by the kernel's verifier, whose reason did not fit";
    case invalid_object:
      return "the object cannot be read";
    case verifier_rejection:
      return "refused by the kernel's verifier";
    case unknown:
      break;
  }
  return "";
}

bool from_verifier(LoadFailureCode code) {
  using enum LoadFailureCode;
  return code == verifier_rejection || code == unsupported_helper || code == core_relocation_failure ||
         code == program_too_large || code == log_truncated;
}

std::vector<LoadFailure>& noted() {
  static thread_local std::vector<LoadFailure> list;
  return list;
}

}  // namespace

std::string_view to_string(LoadFailureCode code) {
  using enum LoadFailureCode;
  switch (code) {
    case unsupported_program_type:
      return "UNSUPPORTED_PROGRAM_TYPE";
    case unsupported_map_type:
      return "UNSUPPORTED_MAP_TYPE";
    case unsupported_helper:
      return "UNSUPPORTED_HELPER";
    case missing_btf:
      return "MISSING_BTF";
    case core_relocation_failure:
      return "CORE_RELOCATION_FAILURE";
    case verifier_rejection:
      return "VERIFIER_REJECTION";
    case program_too_large:
      return "PROGRAM_TOO_LARGE";
    case policy_denied:
      return "POLICY_DENIED";
    case capability_failure:
      return "CAPABILITY_FAILURE";
    case attach_target_missing:
      return "ATTACH_TARGET_MISSING";
    case memory_limit:
      return "MEMORY_LIMIT";
    case log_truncated:
      return "LOG_TRUNCATED";
    case invalid_object:
      return "INVALID_OBJECT";
    case unknown:
      break;
  }
  return "UNKNOWN";
}

std::string verifier_summary(std::string_view log, std::size_t lines_max) {
  const std::vector<std::string> said = reasons(lines_of(log));
  std::string joined;
  for (std::size_t i = said.size() - std::min(said.size(), lines_max); i < said.size(); ++i) {
    if (!joined.empty()) joined += " | ";
    joined += said[i];
  }
  return joined;
}

LoadFailure distill(const LoadEvidence& evidence) {
  LoadFailure failure;
  const auto from_log = by_log(evidence);
  const auto from_messages = from_log ? std::nullopt : by_messages(evidence);
  failure.code = from_log ? *from_log : from_messages ? *from_messages : by_error(evidence);
  failure.retry_with_larger_log = failure.code == LoadFailureCode::log_truncated;
  const Lines log = lines_of(evidence.log);
  failure.source = source_of(log);
  failure.log = std::string(evidence.messages);
  if (!failure.log.empty() && !failure.log.ends_with('\n')) failure.log += '\n';
  failure.log += evidence.log;
  if (failure.log.size() > load_log_bytes_max) {
    const std::string note = "\n[" + std::to_string(failure.log.size() - load_log_bytes_max) + " bytes left out]\n";
    failure.log.replace(load_log_bytes_max / 2, failure.log.size() - load_log_bytes_max, note);
  }

  const std::string error = evidence.os_error == 0 || evidence.os_error >= not_supported_in_kernel
                                ? std::string()
                                : std::generic_category().message(evidence.os_error);
  constexpr std::size_t reasons_in_line = 4;
  const std::string said = verifier_summary(evidence.log, reasons_in_line);
  failure.reason = meaning(failure.code);
  if (!said.empty() && (from_verifier(failure.code) || from_log)) {
    // The prefix that tells a rejection from a refusal, whatever the finer code.
    const bool finer = failure.code != LoadFailureCode::verifier_rejection;
    failure.reason = "refused by the kernel's verifier: " + (finer ? failure.reason + ": " : std::string()) + said;
  } else if (const std::string message = last_message(evidence.messages); from_messages && !message.empty()) {
    failure.reason += ": " + message;
  } else if (!error.empty()) {
    failure.reason += (failure.reason.empty() ? "" : ": ") + error;
  }

  // Code and meaning, then what was said, then where.
  std::string first(to_string(failure.code));
  if (const std::string_view means = meaning(failure.code); !means.empty()) first += ": " + std::string(means);
  if (said.empty() && !error.empty()) first += " (" + error + ")";
  failure.summary.push_back(std::move(first));
  const std::size_t for_source = failure.source.empty() ? 0 : 1;
  std::vector<std::string> why = reasons(log);
  if (why.empty()) {
    if (std::string message = last_message(evidence.messages); !message.empty()) why.push_back(std::move(message));
  }
  const std::size_t room = summary_lines_max - failure.summary.size() - for_source;
  why.erase(why.begin(), why.end() - static_cast<std::ptrdiff_t>(std::min(why.size(), room)));
  std::ranges::move(why, std::back_inserter(failure.summary));
  if (for_source != 0) failure.summary.push_back("at " + failure.source);
  return failure;
}

void note_load_failure(LoadFailure failure) {
  if (noted().size() >= load_failures_max) failure.log = "[left out: too many]";
  if (noted().size() < 2 * load_failures_max) noted().push_back(std::move(failure));
}

std::vector<LoadFailure> take_load_failures() { return std::exchange(noted(), {}); }

}  // namespace tracer
