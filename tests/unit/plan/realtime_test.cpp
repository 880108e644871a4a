// What the prober answers on kernels that preempt programs.
#include "probe-matrix/realtime.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/btf_ids.h"
#include "tests/unit/plan/fake_system.h"

namespace tracer::test {
namespace {

constexpr char realtime[] = "#1 SMP PREEMPT_RT Debian 5.10.251-5 (2026-05-15)";

// Types: 1 spinlock_t, 2 raw_spinlock_t, 3 a ring buffer whose `member` is of type `lock`.
std::string types_with(std::uint32_t lock, std::string_view member = "spinlock") {
  std::string strings(1, '\0');
  const auto name = [&](std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(strings.size());
    strings.append(text).push_back('\0');
    return offset;
  };
  const std::array<std::uint32_t, 12> types{name("spinlock_t"),     8U << 24,       0,            //
                                            name("raw_spinlock_t"), 8U << 24,       0,            //
                                            name("bpf_ringbuf"),    (4U << 24) | 1, sizeof(int),  //
                                            name(member),           lock,           0};
  const auto size = static_cast<std::uint32_t>(sizeof types);
  const std::array<std::uint32_t, 6> header{0x0001eb9f, 24, 0, size, size, static_cast<std::uint32_t>(strings.size())};
  std::string image(reinterpret_cast<const char*>(header.data()), sizeof header);
  return image.append(reinterpret_cast<const char*>(types.data()), sizeof types) + strings;
}

TEST(RingLock, RealtimeKernelsSaySo) {
  EXPECT_TRUE(is_realtime(realtime));
  EXPECT_TRUE(is_realtime("#1 SMP PREEMPT RT Debian 4.19.208-1 (2021-09-29)"));
  EXPECT_FALSE(is_realtime("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"));
  EXPECT_FALSE(is_realtime(""));
}

TEST(Preemption, IsTheKernelsOrTheBootsChoice) {
  EXPECT_TRUE(is_fully_preemptible(realtime, ""));
  EXPECT_TRUE(is_fully_preemptible("#41-Ubuntu SMP PREEMPT Tue Aug 2 2024", "")) << "a lowlatency kernel";
  const std::string_view chosen_at_boot = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)";
  EXPECT_TRUE(is_fully_preemptible(chosen_at_boot, "none voluntary (full)\n"));
  EXPECT_FALSE(is_fully_preemptible(chosen_at_boot, "none (voluntary) full\n"));
  EXPECT_FALSE(is_fully_preemptible(chosen_at_boot, ""));
  EXPECT_FALSE(is_fully_preemptible("#1 SMP Debian 5.10.262-1 (2026-07-31)", ""));
}

TEST(Preemption, OfTracepointsIsLazyToo) {
  const std::string_view chosen_at_boot = "#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1~bpo13+1 (2026-11-15)";
  EXPECT_TRUE(may_preempt_tracepoints(chosen_at_boot, "full (lazy) \n"));
  EXPECT_TRUE(may_preempt_tracepoints(chosen_at_boot, "(full) lazy \n"));
  EXPECT_TRUE(may_preempt_tracepoints(realtime, ""));
  EXPECT_FALSE(may_preempt_tracepoints(chosen_at_boot, "none (voluntary) full lazy \n"));
  EXPECT_FALSE(may_preempt_tracepoints(chosen_at_boot, ""));
}

TEST(RingLock, OneOfTheLocksSleeps) {
  EXPECT_EQ(ring_lock_sleeps(as_bytes(types_with(1))), true);
  EXPECT_EQ(ring_lock_sleeps(as_bytes(types_with(2))), false);
  EXPECT_FALSE(ring_lock_sleeps(as_bytes(types_with(1, "queue")))) << "a shape that nobody knows";
  EXPECT_FALSE(ring_lock_sleeps(as_bytes(std::string("nothing"))));
}

Answer ring_buffer_of(std::string version, std::string types) {
  FakeSystem system;
  system.become_root();
  system.kernel_version = std::move(version);
  if (!types.empty()) system.files[kernel_types_path] = {std::move(types)};
  return ask(system, Capability::bpf_ring_buffer);
}

TEST(RingLock, OnARealtimeKernelTheCapabilityIsWhatCanBeUsed) {
  const Answer sleeps = ring_buffer_of(realtime, types_with(1));
  EXPECT_EQ(sleeps.verdict, Verdict::unsupported);
  EXPECT_NE(sleeps.reason.find("would sleep"), std::string::npos) << sleeps.reason;
  EXPECT_EQ(ring_buffer_of(realtime, types_with(2)).verdict, Verdict::supported);
  const Answer untold = ring_buffer_of(realtime, "");
  EXPECT_EQ(untold.verdict, Verdict::unsupported);
  EXPECT_NE(untold.reason.find("might sleep"), std::string::npos) << untold.reason;
}

TEST(RingLock, ElsewhereNoLockSleeps) {
  EXPECT_EQ(ring_buffer_of("#1 SMP Debian 5.10.262-1 (2026-07-31)", types_with(1)).verdict, Verdict::supported);
  EXPECT_EQ(ring_buffer_of("", "").verdict, Verdict::supported);
}

// The hooks that the prober aims at, and what keeps a program on its processor or, cut off by a letter, does not.
std::string types_with_preempt_disable(bool there) {
  std::string strings(1, '\0');
  std::string types;
  const auto add = [&](std::uint32_t kind, std::string_view text) {
    const std::array<std::uint32_t, 3> type{static_cast<std::uint32_t>(strings.size()), kind << 24, 0};
    types.append(reinterpret_cast<const char*>(type.data()), sizeof type);
    strings.append(text).push_back('\0');
  };
  add(8, "btf_trace_sys_enter");
  add(12, "bpf_fentry_test1");
  add(12, "bpf_rdonly_cast");
  add(12, there ? "bpf_preempt_disable" : "bpf_preempt_disabl");
  const auto size = static_cast<std::uint32_t>(types.size());
  const std::array<std::uint32_t, 6> header{0x0001eb9f, 24, 0, size, size, static_cast<std::uint32_t>(strings.size())};
  std::string image(reinterpret_cast<const char*>(header.data()), sizeof header);
  return image + types + strings;
}

TEST(Preemption, FunctionProgramsAreOfNoUseWhereTheyCannotForbidIt) {
  const auto fentry = [](std::string version, bool can_forbid) {
    FakeSystem system;
    system.become_root();
    system.kernel_version = std::move(version);
    system.files[kernel_types_path] = {types_with_preempt_disable(can_forbid)};
    return ask(system, Capability::fentry);
  };
  const Answer refused = fentry(realtime, false);
  EXPECT_EQ(refused.verdict, Verdict::unsupported);
  EXPECT_NE(refused.reason.find("preempts"), std::string::npos) << refused.reason;
  EXPECT_EQ(fentry(realtime, true).verdict, Verdict::supported);
  EXPECT_EQ(fentry("#1 SMP Debian 5.10.262-1", false).verdict, Verdict::supported);
}

}  // namespace
}  // namespace tracer::test
