// What kernels and libbpf say when a program does not load, on any bytes: a code, and words that fit on a screen.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "backends/bpf/load_failure.h"

namespace {

using namespace tracer;

void require(bool condition) {
  if (!condition) std::abort();
}

bool one_line(std::string_view text) { return text.find('\n') == std::string_view::npos; }

// The next part, up to a zero byte.
std::string_view take_part(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\0'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t facts = 2;
  if (size < facts) return 0;
  constexpr std::array<std::string_view, 4> lockdowns{"", "none", "integrity", "confidentiality"};
  std::string_view rest(reinterpret_cast<const char*>(data) + facts, size - facts);
  LoadEvidence evidence;
  // Errors have numbers; 524 is the kernel's ENOTSUPP, from 4000 on they are libbpf's.
  evidence.os_error = data[0] == 0 ? 524 : data[0] > 140 ? 4000 + data[0] % 16 : data[0];
  evidence.step = static_cast<LoadStep>(data[1] % 3U);
  evidence.privileged = (data[1] & 0x10U) != 0;
  evidence.lockdown = lockdowns.at((data[1] >> 6U) & 3U);
  evidence.messages = take_part(rest);
  evidence.kernel_log = take_part(rest);
  evidence.log = rest;

  const LoadFailure failure = distill(evidence);
  require(!to_string(failure.code).empty());
  require(!failure.reason.empty() && one_line(failure.reason) && one_line(failure.source));
  require(failure.summary.size() <= summary_lines_max && std::ranges::all_of(failure.summary, one_line));
  require(failure.log.size() <= load_log_bytes_max + 4096);  // and a word about what was left out
  // A rejection for size is never tried again.
  require(!failure.retry_with_larger_log || failure.code == LoadFailureCode::log_truncated);
  for (const std::size_t lines : {std::size_t{0}, std::size_t{1}, std::size_t{4}})
    require(one_line(verifier_summary(evidence.log, lines)));
  return 0;
}
