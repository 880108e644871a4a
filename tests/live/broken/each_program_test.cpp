// Each program of each object, spoiled alone and taken out alone: what it serves is lost and nothing else, and the
// reason is named. The backends are opened for real, in this process. Where a mechanism is not possible its objects are
// skipped; with TRACER_MUST_OPEN in the environment, as in a guest that has it all, that is a failure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <set>
#include <string>

#include "backends/bpf/bpf_elf.h"
#include "backends/ebpf/ebpf.h"
#include "backends/procfs/ownership.h"
#include "backends/tracepoint/tracepoint.h"
#include "tests/live/broken/bpf_image.h"
#include "tests/live/broken/objects.h"

namespace tracer {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::Field;
using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

constexpr const char* refused_by_verifier =
    "refused by the kernel's verifier: .*(last insn is not an exit or jmp|End each subprogram with an exit)";

Result<OpenedBackend> open_for(const BuiltObject& object, Ownership& ownership) {
  const std::vector<Facet> facets(std::begin(opened_facets), std::end(opened_facets));
  constexpr std::size_t ring_bytes = 1 << 20;
  if (object.backend == BackendKind::ebpf) {
    EbpfOptions options;
    options.mechanism = object.mechanism;
    options.ring_bytes = ring_bytes;
    options.facets = facets;
    options.ring_buffer = options.mappable_arrays = object.ring_buffer;
    options.kernel_reads = object.kernel_reads;
    options.first_segments_only = true;
    return open_ebpf(options);
  }
  TracepointOptions options;
  options.mechanism = object.mechanism;
  options.ring_bytes = ring_bytes;
  options.facets = facets;
  options.ring_buffer = options.mappable_arrays = object.ring_buffer;
  options.kernel_reads = object.kernel_reads;
  options.ownership = &ownership;
  return open_tracepoint(options);
}

std::vector<std::string> programs_of(const BuiltObject& object) {
  const auto elf = read_bpf_elf(object.image);
  std::vector<std::string> names;
  if (elf)
    for (const BpfFunction& function : elf->functions)
      if (function.section != ".text") names.push_back(function.name);
  return names;
}

// Of the programs, not of the events that some are attached to.
std::set<std::string> attached_programs(const BuiltObject& object, const OpenedBackend& opened) {
  const std::vector<std::string> programs = programs_of(object);
  std::set<std::string> names;
  for (const AttachOutcome& outcome : opened.outcomes)
    if (outcome.attached && std::ranges::find(programs, outcome.what) != programs.end()) names.insert(outcome.what);
  return names;
}

template <typename Range, typename Projection>
std::vector<std::string_view> names_of(const Range& range, Projection facet_of) {
  std::vector<std::string_view> names;
  for (const auto& each : range) names.push_back(to_string(facet_of(each)));
  return names;
}

std::string name_of(const testing::TestParamInfo<BuiltObject>& info) { return std::string(info.param.name); }

class EachProgram : public testing::TestWithParam<BuiltObject> {
 protected:
  void SetUp() override {
    if (!ownership_) {
      auto ownership = ProcOwnership::open();
      ASSERT_TRUE(ownership) << ownership.error().context;
      ownership_ = std::move(*ownership);
    }
    ASSERT_TRUE(place_image(GetParam().image, Spoil::nothing, {}));
    auto whole = open_for(GetParam(), *ownership_);
    if (!whole && std::getenv("TRACER_MUST_OPEN") == nullptr) GTEST_SKIP() << whole.error().context;
    ASSERT_TRUE(whole) << whole.error().context;
    EXPECT_TRUE(whole->refused.empty()) << whole->refused.front().reason;
    EXPECT_TRUE(whole->self_test_seen);
    attached_ = attached_programs(GetParam(), *whole);
    EXPECT_GE(attached_.size(), 7U);
    for (const AttachOutcome& outcome : whole->outcomes) {
      EXPECT_EQ(outcome.load_ms.has_value(), attached_.contains(outcome.what)) << outcome.what;
    }
    if (GetParam().mechanism == Mechanism::syscall_tp && !held_) held_ = std::move(whole->backend);
  }

  static void TearDownTestSuite() {
    held_.reset();
    ownership_.reset();
  }

  void spoil(const std::string& program, Spoil how) {
    SCOPED_TRACE(program);
    ASSERT_TRUE(place_image(GetParam().image, how, program));
    const auto opened = open_for(GetParam(), *ownership_);
    ASSERT_TRUE(opened) << opened.error().context;
    const std::vector<Facet>& lost = *lost_without(GetParam(), program);
    EXPECT_THAT(names_of(opened->refused, [](const RefusedFacet& refused) { return refused.facet; }),
                UnorderedElementsAreArray(names_of(lost, std::identity{})));
    for (const RefusedFacet& refused : opened->refused) {
      EXPECT_THAT(refused.reason, HasSubstr(program));
      if (how == Spoil::refused) {
        EXPECT_THAT(refused.reason, ContainsRegex(refused_by_verifier));
      }
    }
    const bool sockets_left = std::ranges::find(lost, Facet::http) == lost.end();
    if (how == Spoil::refused && sockets_left) {
      EXPECT_THAT(opened->outcomes,
                  Contains(AllOf(Field(&AttachOutcome::what, program), Field(&AttachOutcome::attached, false),
                                 Field(&AttachOutcome::code, "VERIFIER_REJECTION"),
                                 Field(&AttachOutcome::reason, ContainsRegex(refused_by_verifier)))));
    }
    EXPECT_TRUE(opened->self_test_seen);
    std::set<std::string> left = attached_;
    left.erase(program);
    if (!sockets_left)  // processes and files are told of by programs of their own
      std::erase_if(left, [](const std::string& name) {
        return !name.starts_with("tracer_ex") && !name.contains("_exec") && !name.contains("_fork") &&
               !name.contains("process_exit") && !name.contains("_file_") && name != "tracer_io_uring";
      });
    EXPECT_EQ(attached_programs(GetParam(), *opened), left);
  }

  static inline std::unique_ptr<ProcOwnership> ownership_;
  // The kernel waits for all processors with each event that the last one lets go of, and this mechanism has a hundred:
  // so this one is never the last.
  static inline std::unique_ptr<Backend> held_;
  std::set<std::string> attached_;  // of the whole object
};

TEST_P(EachProgram, RefusedCostsItsFacetOnly) {
  for (const std::string& program : attached_) spoil(program, Spoil::refused);
}

TEST_P(EachProgram, TakenOutCostsItsFacetOnly) {
  if (GetParam().same_programs) return;  // as in another object; what it costs is decided by their names
  for (const std::string& program : attached_) spoil(program, Spoil::gone);
}

INSTANTIATE_TEST_SUITE_P(Tracepoint, EachProgram, testing::ValuesIn(tracepoint_objects), name_of);
INSTANTIATE_TEST_SUITE_P(Ebpf, EachProgram, testing::ValuesIn(ebpf_objects), name_of);

class WrittenDown : public testing::TestWithParam<BuiltObject> {};

TEST_P(WrittenDown, IsWhatEachProgramCosts) {
  const std::vector<std::string> programs = programs_of(GetParam());
  ASSERT_GE(programs.size(), 7U);
  for (const std::string& program : programs) EXPECT_NE(lost_without(GetParam(), program), nullptr) << program;
}

INSTANTIATE_TEST_SUITE_P(Tracepoint, WrittenDown, testing::ValuesIn(tracepoint_objects), name_of);
INSTANTIATE_TEST_SUITE_P(Ebpf, WrittenDown, testing::ValuesIn(ebpf_objects), name_of);

}  // namespace
}  // namespace tracer
