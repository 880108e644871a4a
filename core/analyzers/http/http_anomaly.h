// Deviations from RFC 9112 that matter for message framing or that hide something, as a set without allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tracer {

enum class HttpAnomaly : std::uint8_t {
  content_length_and_transfer_encoding,
  repeated_content_length,
  conflicting_content_length,
  invalid_content_length,
  space_before_colon,
  obs_fold,
  bare_lf,
  bare_cr,
  control_character,
  transfer_encoding_not_chunked_last,
  repeated_chunked,
  http_1_0_transfer_encoding,
  transfer_encoding_without_body,
  empty_line_before_status_line,
  chunk_size_whitespace,
  chunk_bare_lf,
  unsolicited_101,
};

inline constexpr std::array<std::string_view, 17> http_anomaly_names = {
    "content-length-and-transfer-encoding",
    "repeated-content-length",
    "conflicting-content-length",
    "invalid-content-length",
    "space-before-colon",
    "obs-fold",
    "bare-lf",
    "bare-cr",
    "control-character",
    "transfer-encoding-not-chunked-last",
    "repeated-chunked",
    "http-1.0-transfer-encoding",
    "transfer-encoding-without-body",
    "empty-line-before-status-line",
    "chunk-size-whitespace",
    "chunk-bare-lf",
    "unsolicited-101",
};
static_assert(static_cast<std::size_t>(HttpAnomaly::unsolicited_101) + 1 == http_anomaly_names.size());

class HttpAnomalySet {
 public:
  void add(HttpAnomaly anomaly) { mask_ |= bit(anomaly); }
  void add(HttpAnomalySet others) { mask_ |= others.mask_; }
  [[nodiscard]] bool has(HttpAnomaly anomaly) const { return (mask_ & bit(anomaly)) != 0; }
  [[nodiscard]] bool empty() const { return mask_ == 0; }

  // Appends the names that are not in `names` yet.
  void append_to(std::vector<std::string_view>& names) const {
    for (std::size_t i = 0; mask_ >> i != 0; ++i) {
      if ((mask_ >> i & 1U) == 0) continue;
      bool known = false;
      for (std::string_view name : names) known = known || name == http_anomaly_names[i];
      if (!known) names.push_back(http_anomaly_names[i]);
    }
  }

 private:
  static std::uint32_t bit(HttpAnomaly anomaly) { return std::uint32_t{1} << static_cast<unsigned>(anomaly); }
  std::uint32_t mask_ = 0;
};

}  // namespace tracer
