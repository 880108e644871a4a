// The floor must load on kernels of the time of 4.18, and every other object on the oldest kernel that it is for:
// checked on the objects that are linked into the tracer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <algorithm>

#include "tests/unit/bpf_limits/limits.h"
#include "tests/unit/bpf_limits/map_types.h"

extern "C" {
extern const unsigned char tracepoint_floor_start[], tracepoint_floor_end[];
extern const unsigned char tracepoint_floor_perf_start[], tracepoint_floor_perf_end[];
extern const unsigned char tracepoint_floor_typed_start[], tracepoint_floor_typed_end[];
extern const unsigned char tracepoint_typed_start[], tracepoint_typed_end[];
extern const unsigned char tracepoint_typed_loop_start[], tracepoint_typed_loop_end[];
extern const unsigned char tracepoint_raw_start[], tracepoint_raw_end[];
extern const unsigned char ebpf_fentry_start[], ebpf_fentry_end[];
extern const unsigned char ebpf_fentry_loop_start[], ebpf_fentry_loop_end[];
extern const unsigned char ebpf_fentry_sealed_start[], ebpf_fentry_sealed_end[];
extern const unsigned char ebpf_kprobe_start[], ebpf_kprobe_end[];
extern const unsigned char ebpf_kprobe_perf_start[], ebpf_kprobe_perf_end[];
extern const unsigned char ebpf_tls_start[], ebpf_tls_end[];
extern const unsigned char ebpf_tls_perf_start[], ebpf_tls_perf_end[];
extern const unsigned char fits_start[], fits_end[];
extern const unsigned char has_loop_start[], has_loop_end[];
extern const unsigned char has_data_start[], has_data_end[];
extern const unsigned char has_relocation_start[], has_relocation_end[];
extern const unsigned char has_many_start[], has_many_end[];
extern const unsigned char has_many_in_callee_start[], has_many_in_callee_end[];
extern const unsigned char has_helper_start[], has_helper_end[];
}

namespace tracer {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* by_loader =
    "5.5; elsewhere libbpf puts the one that reads any memory in its place (4.1, _str 4.11)";

constexpr AllowedHelper floor_helpers[] = {
    {1, "3.19"},       // bpf_map_lookup_elem
    {2, "3.19"},       // bpf_map_update_elem
    {3, "3.19"},       // bpf_map_delete_elem
    {5, "4.1"},        // bpf_ktime_get_ns
    {8, "4.1"},        // bpf_get_smp_processor_id
    {14, "4.2"},       // bpf_get_current_pid_tgid
    {15, "4.2"},       // bpf_get_current_uid_gid
    {16, "4.2"},       // bpf_get_current_comm
    {25, "4.4"},       // bpf_perf_event_output
    {112, by_loader},  // bpf_probe_read_user
    {113, by_loader},  // bpf_probe_read_kernel
    {114, by_loader},  // bpf_probe_read_user_str
    {115, by_loader},  // bpf_probe_read_kernel_str
};

// The floor with a ring buffer is only opened where there is one (5.8, and distributions that brought it to older
// kernels). What else that implies it may use as well.
constexpr AllowedHelper
    ring_helpers[] =
        {
            {1, "3.19"},      {2, "3.19"},      {3, "3.19"},  {5, "4.1"},       {8, "4.1"},
            {14, "4.2"},      {15, "4.2"},      {16, "4.2"},  {112, by_loader}, {113, by_loader},
            {114, by_loader}, {115, by_loader}, {130, "5.8"},  // bpf_ringbuf_output
            {134, "5.8"},                                      // bpf_ringbuf_query
};

constexpr ObjectLimits perf_limits{.instructions_max = 4095, .loops = false, .helpers = floor_helpers};
constexpr ObjectLimits ring_limits{.instructions_max = 4095, .loops = true, .helpers = ring_helpers};

std::vector<std::string> judge(std::span<const unsigned char> image, const ObjectLimits& limits = perf_limits) {
  const auto object = read_bpf_elf(image);
  if (!object) return {object.error().context};
  return violations(*object, limits);
}

TEST(FloorLimits, TheFloorWithPerfBuffersKeepsThem) {
  EXPECT_THAT(judge({tracepoint_floor_perf_start, tracepoint_floor_perf_end}), IsEmpty());
}

TEST(FloorLimits, TheFloorWithARingBufferKeepsThemButForLoops) {
  EXPECT_THAT(judge({tracepoint_floor_start, tracepoint_floor_end}, ring_limits), IsEmpty());
}

TEST(FloorLimits, TheObjectsAreTheOnesMeant) {
  for (const std::span<const unsigned char> image :
       {std::span(tracepoint_floor_start, tracepoint_floor_end),
        std::span(tracepoint_floor_perf_start, tracepoint_floor_perf_end)}) {
    const auto object = read_bpf_elf(image);
    ASSERT_TRUE(object) << object.error().context;
    std::vector<std::string> names;
    for (const BpfFunction& each : object->functions)
      if (each.section == "tracepoint") names.push_back(each.name);
    EXPECT_THAT(names, testing::UnorderedElementsAre("floor_enter", "floor_data_exit", "floor_descriptor_exit",
                                                     "floor_state", "floor_destroy", "floor_fork", "floor_exec",
                                                     "floor_process_exit", "floor_file_enter", "floor_file_exit"));
  }
}

struct BuiltObject {
  const char* name;
  std::span<const unsigned char> image;
};

const BuiltObject without_bpf_loop[] = {
    {"tracepoint_floor", {tracepoint_floor_start, tracepoint_floor_end}},
    {"tracepoint_floor_perf", {tracepoint_floor_perf_start, tracepoint_floor_perf_end}},
    {"tracepoint_floor_typed", {tracepoint_floor_typed_start, tracepoint_floor_typed_end}},
    {"tracepoint_typed", {tracepoint_typed_start, tracepoint_typed_end}},
    {"tracepoint_raw", {tracepoint_raw_start, tracepoint_raw_end}},
    {"ebpf_fentry", {ebpf_fentry_start, ebpf_fentry_end}},
    {"ebpf_fentry_sealed", {ebpf_fentry_sealed_start, ebpf_fentry_sealed_end}},
    {"ebpf_kprobe", {ebpf_kprobe_start, ebpf_kprobe_end}},
    {"ebpf_kprobe_perf", {ebpf_kprobe_perf_start, ebpf_kprobe_perf_end}},
    {"ebpf_tls", {ebpf_tls_start, ebpf_tls_end}},
    {"ebpf_tls_perf", {ebpf_tls_perf_start, ebpf_tls_perf_end}},
};
// Chosen where the kernel has bpf_loop.
const BuiltObject with_bpf_loop[] = {
    {"tracepoint_typed_loop", {tracepoint_typed_loop_start, tracepoint_typed_loop_end}},
    {"ebpf_fentry_loop", {ebpf_fentry_loop_start, ebpf_fentry_loop_end}},
};
constexpr std::uint32_t last_helper_of_5_17 = 187;  // bpf_set_retval

// Map types up to 4.11; a buffer for all processors came with 5.8 and is asked for (bpf_ring_buffer).
constexpr std::uint32_t old_maps[] = {
    BPF_MAP_TYPE_HASH,         BPF_MAP_TYPE_ARRAY,    BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
    BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH,  BPF_MAP_TYPE_LPM_TRIE};

void expect_maps(const BuiltObject& built, bool ring) {
  const auto maps = map_types(built.image);
  ASSERT_TRUE(maps.contains("events")) << built.name;
  EXPECT_TRUE(maps.contains("config") && maps.contains("verdicts")) << built.name;
  for (const auto& [name, type] : maps) {
    if (name == "events") {
      EXPECT_EQ(type, ring ? BPF_MAP_TYPE_RINGBUF : BPF_MAP_TYPE_PERF_EVENT_ARRAY) << built.name;
    } else {
      EXPECT_THAT(old_maps, testing::Contains(type)) << built.name << ": " << name;
    }
  }
}

TEST(Maps, NoneIsYoungerThan4_11ButTheRingBuffer) {
  for (const BuiltObject& each : without_bpf_loop) expect_maps(each, !std::string_view(each.name).ends_with("_perf"));
  for (const BuiltObject& each : with_bpf_loop) expect_maps(each, true);
}

TEST(Maps, OfWhatIsNoObjectThereAreNone) {
  const unsigned char text[] = "not an object file, but long enough to hold the header of one, or so it seems to be";
  EXPECT_THAT(map_types(text), IsEmpty());
}

// Of instructions only. A verifier refuses one that it does not know even where it is never reached.
void expect_known_instructions(const BuiltObject& built, const ObjectLimits& limits) {
  const auto object = read_bpf_elf(built.image);
  ASSERT_TRUE(object) << built.name << ": " << object.error().context;
  EXPECT_THAT(violations(*object, limits), testing::Each(testing::Not(testing::AnyOf(
                                               HasSubstr("atomic"), HasSubstr("32-bit"), HasSubstr("instruction of")))))
      << built.name;
}

// The compiler makes such instructions by itself: clang turned "add the constant 0" into an atomic "or".
TEST(ObjectsWithoutBpfLoop, HaveNoInstructionThat5_10DoesNotKnow) {
  for (const BuiltObject& each : without_bpf_loop) expect_known_instructions(each, perf_limits);
}

TEST(ObjectsWithBpfLoop, HaveNoInstructionThat5_17DoesNotKnow) {
  constexpr ObjectLimits limits{.jumps32 = true, .atomics = true, .helpers = {}};
  for (const BuiltObject& each : with_bpf_loop) expect_known_instructions(each, limits);
}

// Lives beside the floor where that is all there is.
TEST(FloorLimits, PlaintextWithPerfBuffersKeepsThem) {
  // bpf_get_attach_cookie, in the programs for links of 6.6 alone
  EXPECT_THAT(judge({ebpf_tls_perf_start, ebpf_tls_perf_end}), testing::Each(HasSubstr("_any: helper 174 ")));
}

// The deepest place of its stack that a function reads or takes the address of.
int stack_bytes(const BpfFunction& function) {
  constexpr std::uint8_t frame = 10;
  int deepest = 0;
  const BpfInstruction* before = nullptr;
  for (const BpfInstruction& each : function.code) {
    if (BPF_CLASS(each.opcode) == BPF_LDX && each.source == frame) deepest = std::max(deepest, -int{each.offset});
    const bool adds = each.opcode == (BPF_ALU64 | BPF_ADD | BPF_K);
    if (adds && before != nullptr && before->opcode == (BPF_ALU64 | BPF_MOV | BPF_X) && before->source == frame)
      deepest = std::max(deepest, -each.immediate);
    before = &each;
  }
  return deepest;
}

// Since 6.13 a stack of 64 bytes or more, rounded up to 16, is one for each processor: and what runs at breakpoints may
// be preempted by another task that runs the same program.
TEST(ObjectsAtBreakpoints, NeedNoStackThatTheyWouldShare) {
  const auto object = read_bpf_elf({ebpf_tls_start, ebpf_tls_end});
  ASSERT_TRUE(object) << object.error().context;
  int deepest = 0;
  for (const BpfFunction& function : object->functions) {
    EXPECT_LE(stack_bytes(function), 48) << function.name;
    deepest = std::max(deepest, stack_bytes(function));
  }
  EXPECT_GT(deepest, 0) << "a stack that is never used was not looked at";
}

// A younger one would need a question for it, as the others have for what is younger than 5.8.
TEST(ObjectsWithBpfLoop, CallNoHelperThat5_17DoesNotHave) {
  for (const BuiltObject& each : with_bpf_loop) {
    const auto object = read_bpf_elf(each.image);
    ASSERT_TRUE(object) << each.name << ": " << object.error().context;
    std::uint32_t youngest = 0;
    for (const BpfFunction& function : object->functions)
      for (const BpfInstruction& instruction : function.code)
        youngest = std::max(youngest, instruction.helper().value_or(0));
    EXPECT_GE(youngest, BPF_FUNC_loop) << each.name << " does not need 5.17 at all";
    EXPECT_LE(youngest, last_helper_of_5_17) << each.name;
  }
}

// Each of these objects passes one limit, and nothing else.
TEST(FloorLimits, SomethingSmallFits) { EXPECT_THAT(judge({fits_start, fits_end}), IsEmpty()); }

TEST(FloorLimits, ALoopIsFound) {
  EXPECT_THAT(judge({has_loop_start, has_loop_end}), ElementsAre("program: a loop (kernel 5.3)"));
}

TEST(FloorLimits, GlobalDataIsFound) {
  EXPECT_THAT(judge({has_data_start, has_data_end}), ElementsAre(AllOf(HasSubstr(".bss"), HasSubstr("5.2"))));
}

TEST(FloorLimits, ARelocationIsFound) {
  EXPECT_THAT(judge({has_relocation_start, has_relocation_end}), ElementsAre(HasSubstr("CO-RE")));
}

TEST(FloorLimits, TooManyInstructionsAreFound) {
  EXPECT_THAT(judge({has_many_start, has_many_end}),
              ElementsAre(testing::MatchesRegex("program: [4-9][0-9]+ instr.*")));
}

TEST(FloorLimits, CalledFunctionsCount) {
  EXPECT_THAT(judge({has_many_in_callee_start, has_many_in_callee_end}),
              ElementsAre(testing::MatchesRegex("program: [4-9][0-9]+ instr.*")));
}

TEST(FloorLimits, AYoungHelperIsFound) {
  EXPECT_THAT(judge({has_helper_start, has_helper_end}), ElementsAre("program: helper 35 is not in the list"));
}

// What code generation v2 does not make, by hand.
BpfElf object_of(std::vector<BpfInstruction> code) {
  BpfElf object;
  object.functions.push_back({"program", "tracepoint", std::move(code), {}});
  return object;
}

TEST(FloorLimits, AYoungAtomicOperationIsFound) {
  constexpr BpfInstruction exit{0x95, 0, 0, 0};
  EXPECT_THAT(violations(object_of({{0xdb, 1, 0, 0}, exit}), perf_limits), IsEmpty());
  EXPECT_THAT(violations(object_of({{0xdb, 1, 0, 1}, exit}), perf_limits),
              ElementsAre("program: an atomic operation of 5.12"));
}

TEST(FloorLimits, A32BitComparisonIsFound) {
  EXPECT_THAT(violations(object_of({{0x16, 0, 1, 0}, {0xb7, 0, 0, 0}, {0x95, 0, 0, 0}}), perf_limits),
              ElementsAre(HasSubstr("32-bit registers")));
}

TEST(FloorLimits, InstructionsOf5_12PassWhereTheyAreAllowed) {
  constexpr ObjectLimits limits{.jumps32 = true, .atomics = true, .helpers = {}};
  EXPECT_THAT(violations(object_of({{0xdb, 1, 0, 1}, {0x16, 0, 0, 0}, {0x95, 0, 0, 0}}), limits), IsEmpty());
}

TEST(FloorLimits, InstructionsOf6_6AreFoundWhateverIsAllowed) {
  constexpr ObjectLimits limits{.jumps32 = true, .atomics = true, .helpers = {}};
  const std::pair<const char*, BpfInstruction> young[] = {
      {"signed load", {0x81, 1, 0, 0}},      {"signed move", {0xbf, 1, 8, 0}},
      {"signed division", {0x37, 0, 1, 3}},  {"byte swap", {0xd7, 0, 0, 64}},
      {"long jump", {0x06, 0, 0, 0}},        {"may_goto", {0xe5, 0, 0, 0}},
      {"load acquire", {0xdb, 1, 0, 0x100}}, {"store release", {0xdb, 1, 0, 0x110}},
  };
  for (const auto& [name, instruction] : young)
    EXPECT_THAT(violations(object_of({instruction, {0x95, 0, 0, 0}}), limits),
                ElementsAre("program: an instruction of 6.6 or later"))
        << name;
  const std::pair<const char*, BpfInstruction> old[] = {
      {"load", {0x79, 1, 0, 0}},           {"move", {0xbf, 1, 0, 0}}, {"division", {0x37, 0, 0, 3}},
      {"to big endian", {0xdc, 0, 0, 64}}, {"jump", {0x05, 0, 0, 0}}, {"exchange", {0xdb, 1, 0, 0xe1}},
  };
  for (const auto& [name, instruction] : old)
    EXPECT_THAT(violations(object_of({instruction, {0x95, 0, 0, 0}}), limits), IsEmpty()) << name;
}

TEST(FloorLimits, AJumpBackToASharedEndIsNoLoop) {
  // 0: if r1 goto 3   1: r0 = 0   2: exit   3: goto 1
  const std::vector<BpfInstruction> code{{0x15, 0, 2, 0}, {0xb7, 0, 0, 0}, {0x95, 0, 0, 0}, {0x05, 0, -3, 0}};
  EXPECT_FALSE(has_loop(code));
  // 0: r0 = 0   1: if r1 goto 0   2: exit
  const std::vector<BpfInstruction> again{{0xb7, 0, 0, 0}, {0x15, 0, -2, 0}, {0x95, 0, 0, 0}};
  EXPECT_TRUE(has_loop(again));
}

TEST(BpfElf, WhatIsNoObjectIsRefused) {
  const unsigned char text[] = "not an object file";
  EXPECT_FALSE(read_bpf_elf(text));
  EXPECT_FALSE(read_bpf_elf({}));
  EXPECT_FALSE(read_bpf_elf({fits_start, 40}));
}

}  // namespace
}  // namespace tracer
