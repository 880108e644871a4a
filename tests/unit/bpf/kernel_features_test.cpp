#include "backends/bpf/kernel_features.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tracer {
namespace {

constexpr std::uint32_t structure = 4, type_definition = 8, function = 12, variable = 14;

// Type information with these names and nothing else.
std::string types_with(const std::vector<std::pair<std::uint32_t, std::string_view>>& names) {
  std::string strings(1, '\0');
  std::vector<std::uint32_t> types;
  for (const auto& [kind, name] : names) {
    types.insert(types.end(), {static_cast<std::uint32_t>(strings.size()), kind << 24, 0});
    if (kind == variable) types.push_back(0);  // linkage
    strings.append(name).push_back('\0');
  }
  const auto bytes = static_cast<std::uint32_t>(types.size() * sizeof(std::uint32_t));
  const std::uint32_t header[] = {0x0001eb9f, 24, 0, bytes, bytes, static_cast<std::uint32_t>(strings.size())};
  std::string image(reinterpret_cast<const char*>(header), sizeof header);
  image.append(reinterpret_cast<const char*>(types.data()), bytes);
  return image + strings;
}

KernelFeatures features_of(const std::vector<std::pair<std::uint32_t, std::string_view>>& names) {
  const std::string image = types_with(names);
  const auto found = find_kernel_features(as_bytes(image));
  EXPECT_TRUE(found) << (found ? "" : found.error().context);
  return found.value_or(KernelFeatures{});
}

TEST(KernelFeatures, ByTheNamesOfFunctions) {
  const KernelFeatures none = features_of({{function, "bpf_loo"}, {structure, "bpf_loop"}});
  EXPECT_FALSE(none.bpf_loop);
  EXPECT_FALSE(none.hold_processor);
  const KernelFeatures both = features_of({{function, "bpf_loop"}, {function, "bpf_preempt_disable"}});
  EXPECT_TRUE(both.bpf_loop);
  EXPECT_TRUE(both.hold_processor);
}

TEST(KernelFeatures, SubmissionsAreCountedWhereTheyAreTold) {
  EXPECT_FALSE(features_of({{type_definition, "btf_trace_io_uring_submit_sqe"}}).io_uring_submissions);  // until 6.2
  EXPECT_TRUE(features_of({{type_definition, "btf_trace_io_uring_submit_req"}}).io_uring_submissions);
}

TEST(KernelFeatures, TracepointsArePreemptibleOnlyWhereBothSignsAreThere) {
  EXPECT_FALSE(features_of({{variable, "tracepoint_srcu_srcu_data"}}).preemptible_tracepoints);  // 6.12
  EXPECT_FALSE(features_of({{structure, "tracepoint_ext"}}).preemptible_tracepoints);            // 6.18
  EXPECT_TRUE(features_of({{structure, "tracepoint_ext"}, {variable, "tracepoint_srcu_srcu_data"}})
                  .preemptible_tracepoints);  // 7.3
}

TEST(KernelFeatures, MalformedTypesAreAnError) {
  EXPECT_EQ(find_kernel_features({}).error().code, Errc::malformed);
  EXPECT_FALSE(read_kernel_types("/nonexistent"));
}

}  // namespace
}  // namespace tracer
