#include "backends/bpf/user_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

extern "C" {
extern const unsigned char bpf_object_fixture_start[], bpf_object_fixture_end[];
extern const unsigned char tracepoint_typed_start[], tracepoint_typed_end[];
extern const unsigned char tracepoint_floor_typed_start[], tracepoint_floor_typed_end[];
extern const unsigned char ebpf_fentry_sealed_start[], ebpf_fentry_sealed_end[];
}

namespace tracer {
namespace {

bpf_insn call(std::int32_t number, std::uint8_t kind = 0) {
  bpf_insn made{};
  made.code = BPF_JMP | BPF_CALL;
  made.src_reg = kind & 0xF;
  made.imm = number;
  return made;
}

TEST(UserReads, OnlyCallsOfTheTwoOldHelpersAreTurned) {
  bpf_insn no_call{};
  no_call.code = BPF_ALU64 | BPF_MOV | BPF_K;
  no_call.imm = BPF_FUNC_probe_read;
  std::vector<bpf_insn> code{call(BPF_FUNC_probe_read),      call(BPF_FUNC_probe_read_str),
                             call(BPF_FUNC_map_lookup_elem), call(BPF_FUNC_probe_read, BPF_PSEUDO_CALL),
                             call(BPF_FUNC_probe_read_user), no_call};
  EXPECT_EQ(restore_user_reads(code), 2U);
  std::vector<std::int32_t> after;
  for (const bpf_insn& each : code) after.push_back(each.imm);
  EXPECT_THAT(after,
              testing::ElementsAre(BPF_FUNC_probe_read_user, BPF_FUNC_probe_read_user_str, BPF_FUNC_map_lookup_elem,
                                   BPF_FUNC_probe_read, BPF_FUNC_probe_read_user, BPF_FUNC_probe_read));
  EXPECT_EQ(restore_user_reads(code), 0U);
}

TEST(UserReads, AnObjectThatReadsKernelMemoryByHelperIsRefused) {
  const auto kept = UserReadsKept::make({tracepoint_typed_start, tracepoint_typed_end});
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, Errc::invalid_argument);
  EXPECT_THAT(kept.error().context, testing::HasSubstr("reads kernel memory by helper"));
}

TEST(UserReads, ObjectsForLockedDownKernelsAreTaken) {
  EXPECT_TRUE(UserReadsKept::make({tracepoint_floor_typed_start, tracepoint_floor_typed_end}));
  EXPECT_TRUE(UserReadsKept::make({ebpf_fentry_sealed_start, ebpf_fentry_sealed_end}));
  EXPECT_TRUE(UserReadsKept::make({bpf_object_fixture_start, bpf_object_fixture_end}));
}

TEST(UserReads, CanBeKeptAgain) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(UserReadsKept::make({bpf_object_fixture_start, bpf_object_fixture_end})) << i;
}

}  // namespace
}  // namespace tracer
