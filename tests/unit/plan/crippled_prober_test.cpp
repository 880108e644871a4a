// The probes on machines that something was taken from: each reason must be the true one.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>

#include "core/base/btf_ids.h"
#include "probe-matrix/report.h"
#include "tests/unit/plan/fake_system.h"

namespace tracer::test {
namespace {

// Type information with the function that probes hang on, and nothing else.
std::string types_with_the_test_function() {
  constexpr std::string_view text("\0bpf_fentry_test1\0", 18);
  constexpr std::array<std::uint32_t, 3> types{1, 12U << 24, 0};
  constexpr auto size = static_cast<std::uint32_t>(sizeof types);
  constexpr std::array<std::uint32_t, 6> header{0x0001eb9f, 24, 0, size, size, text.size()};
  std::string image(reinterpret_cast<const char*>(header.data()), sizeof header);
  return image.append(reinterpret_cast<const char*>(types.data()), sizeof types).append(text);
}

bool says(const Answer& answer, std::string_view words) { return answer.reason.find(words) != std::string::npos; }

TEST(Crippled, WhereFunctionTracingIsOffProgramsAreNotEvenAttached) {
  FakeSystem system;
  system.files[kernel_types_path] = {types_with_the_test_function()};
  system.files["/proc/sys/kernel/ftrace_enabled"] = {"1\n"};
  EXPECT_FALSE(says(ask(system, Capability::fexit), "switched off"));
  EXPECT_GT(system.attached, 0);
  system.attached = 0;
  system.files["/proc/sys/kernel/ftrace_enabled"] = {"0\n"};
  for (const Capability asked : {Capability::fentry, Capability::fexit}) {
    const Answer answer = ask(system, asked);
    EXPECT_EQ(answer.verdict, Verdict::unsupported);
    EXPECT_TRUE(says(answer, "function tracing is switched off")) << answer.reason;
    EXPECT_EQ(answer.fix, "sudo sysctl kernel.ftrace_enabled=1");
  }
  EXPECT_EQ(system.attached, 0);
}

TEST(Crippled, WhereFunctionTracingIsOffAKprobeMustHaveCounted) {
  FakeSystem system;
  system.files["/sys/bus/event_source/devices/kprobe/type"] = {"8\n"};
  system.files["/proc/sys/kernel/ftrace_enabled"] = {"0\n"};
  const Answer silent = ask(system, Capability::kprobe);
  EXPECT_EQ(silent.verdict, Verdict::unsupported);
  EXPECT_TRUE(says(silent, "not noticed")) << silent.reason;
  system.probed_calls = 3;  // breakpoints do not need it
  EXPECT_EQ(ask(system, Capability::kprobe).verdict, Verdict::supported);
  system.probed_calls = 0;
  system.files["/proc/sys/kernel/ftrace_enabled"] = {"1\n"};
  EXPECT_EQ(ask(system, Capability::kprobe).verdict, Verdict::supported);
}

TEST(Crippled, TracefsThatIsMountedAndEmpty) {
  FakeSystem system;
  system.results[SYS_mkdirat] = -ENOENT;
  system.files["/sys/kernel"] = system.files["/sys/kernel/tracing"] = {"", EISDIR};
  system.files["/proc/self/mounts"] = {"tracefs /sys/kernel/tracing tracefs rw,nosuid 0 0\n"};
  const Answer untold = ask(system, Capability::tracefs);
  EXPECT_EQ(untold.verdict, Verdict::unknown);
  EXPECT_EQ(untold.fix, "sudo mount -t securityfs securityfs /sys/kernel/security");
  system.files["/sys/kernel/security/lockdown"] = {"none integrity [confidentiality]\n"};
  EXPECT_TRUE(says(ask(system, Capability::tracefs), "lockdown in mode confidentiality hides tracefs"));
  system.files["/sys/kernel/security/lockdown"] = {"[none] integrity confidentiality\n"};
  EXPECT_EQ(ask(system, Capability::tracefs).verdict, Verdict::unsupported);
  EXPECT_TRUE(says(ask(system, Capability::tracefs_instance), "needs tracefs: tracefs is mounted and empty"));
  system.files["/proc/self/mounts"].content += "none /sys/kernel/tracing tmpfs rw 0 0\n";
  EXPECT_EQ(ask(system, Capability::tracefs).reason, "tracefs is not mounted") << "one mount covers another";
}

TEST(Crippled, WithoutSysfsNothingIsDenied) {
  FakeSystem system;
  system.become_root();
  for (const Capability asked : {Capability::btf, Capability::tp_btf, Capability::kprobe, Capability::uprobe,
                                 Capability::tracefs, Capability::syscall_tp, Capability::exec_tp}) {
    const Answer answer = ask(system, asked);
    EXPECT_EQ(answer.verdict, Verdict::unknown) << to_string(asked);
    EXPECT_TRUE(says(answer, "sysfs is not mounted")) << to_string(asked) << ": " << answer.reason;
    EXPECT_EQ(answer.fix, "sudo mount -t sysfs sysfs /sys") << to_string(asked);
  }
}

TEST(Crippled, WithoutProcNobodyKnowsWhichPrivilegeIsMissing) {
  FakeSystem system;
  system.files["/.dockerenv"] = {""};  // of the image that this root was made from
  system.on_map_create = [](const bpf_attr&) { return -EPERM; };
  const Answer answer = ask(system, Capability::bpf_syscall);
  EXPECT_TRUE(is_not_permitted(answer));
  EXPECT_FALSE(lacks_privilege(answer.reason)) << answer.reason;
  EXPECT_EQ(answer.fix, "sudo mount -t proc proc /proc");
  EXPECT_EQ(ask(system, Capability::in_container).verdict, Verdict::unknown);
  for (const Capability asked : {Capability::proc_mounted, Capability::proc_net_tcp})
    EXPECT_EQ(ask(system, asked).reason, "/proc is not mounted");
}

TEST(Crippled, WithoutProcNoErrorNumberStandsForIt) {
  FakeSystem system;
  system.files["/sys/bus/event_source/devices/uprobe/type"] = {"9\n"};
  system.results[SYS_perf_event_open] = -ENOENT;  // the file of the probe is /proc/self/exe
  for (const Capability asked :
       {Capability::kernel_symbols, Capability::uprobe, Capability::function_tracing, Capability::bpf_jit,
        Capability::perf_unrestricted, Capability::bpf_unprivileged, Capability::initial_user_namespace,
        Capability::initial_pid_namespace, Capability::in_wsl, Capability::in_gvisor, Capability::in_virtual_machine,
        Capability::proc_other_processes, Capability::proc_maps, Capability::proc_complete}) {
    EXPECT_EQ(ask(system, asked).reason, "/proc is not mounted") << to_string(asked);
    EXPECT_EQ(ask(system, asked).fix, "sudo mount -t proc proc /proc") << to_string(asked);
  }
  system.on_map_create = [](const bpf_attr&) { return -ENOSYS; };
  EXPECT_TRUE(says(ask(system, Capability::bpf_syscall), "seccomp")) << "whether there is a filter is not known";
}

TEST(Crippled, ProcessesThatAreHidden) {
  FakeSystem system;
  system.become_nobody();
  system.files["/proc/self"] = {"", EISDIR};
  for (const Capability asked : {Capability::proc_other_processes, Capability::proc_maps}) {
    EXPECT_TRUE(is_not_permitted(ask(system, asked))) << to_string(asked);
    EXPECT_TRUE(says(ask(system, asked), "hidepid")) << ask(system, asked).reason;
  }
}

// Tracefs belongs to root and is closed to everybody else: what it takes is to be let through.
TEST(Crippled, WhoeverIsNotRootMayNotReadTracefs) {
  FakeSystem system;
  system.files["/proc/self/status"] = {"Name:\tx\nUid:\t1000\t1000\nCapEff:\t000000c000000000\n"};  // BPF and PERFMON
  for (const char* event : {"syscalls/sys_enter_read", "sched/sched_process_exec"})
    system.files["/sys/kernel/tracing/events/" + std::string(event) + "/id"] = {"", EACCES};
  for (const Capability asked : {Capability::tracefs, Capability::syscall_tp, Capability::exec_tp})
    EXPECT_TRUE(says(ask(system, asked), "needs CAP_DAC_READ_SEARCH (or root)")) << ask(system, asked).reason;
}

// A program that traces takes two privileges, whichever of them is missing.
TEST(Crippled, AProgramIsRefusedForWantOfEitherPrivilege) {
  for (const char* held : {"0000004000000000", "0000008000000000"}) {
    FakeSystem system;
    system.files["/proc/self/status"] = {"Name:\tx\nUid:\t0\t0\t0\t0\nCapEff:\t" + std::string(held) + "\n"};
    system.on_prog_load = [](const bpf_attr&) { return -EPERM; };
    for (const Capability asked : {Capability::raw_tp, Capability::bpf_probe_read_kernel, Capability::bpf_prog_kprobe})
      EXPECT_TRUE(says(ask(system, asked), "needs CAP_BPF and CAP_PERFMON (or root)")) << ask(system, asked).reason;
  }
}

TEST(Crippled, AddressesOfTheKernel) {
  FakeSystem system;
  system.files["/proc/kallsyms"] = {"0000000000000000 T _text\n"};
  system.files["/proc/sys/kernel/kptr_restrict"] = {"0\n"};
  system.become_nobody();
  EXPECT_TRUE(says(ask(system, Capability::kernel_symbols), "needs CAP_SYSLOG (or root)"));
  system.files["/proc/sys/kernel/kptr_restrict"] = {"2\n"};
  EXPECT_TRUE(says(ask(system, Capability::kernel_symbols), "every address reads 0; kernel.kptr_restrict is 2"));
}

TEST(Crippled, TheTableOfTcpSockets) {
  FakeSystem system;
  system.files["/proc/self/stat"] = {"1 (x) R"};
  EXPECT_EQ(ask(system, Capability::proc_mounted).verdict, Verdict::supported);
  EXPECT_EQ(ask(system, Capability::proc_net_tcp).reason, "this kernel has no table of TCP sockets in /proc");
  system.files["/proc/self/net/tcp"] = {"  sl  local_address"};
  EXPECT_EQ(ask(system, Capability::proc_net_tcp).verdict, Verdict::supported);
}

TEST(Crippled, ASeccompFilterIsNamedWhereThereIsOne) {
  FakeSystem system;
  system.become_root();
  system.files["/proc/self/status"].content += "Seccomp:\t2\n";
  system.files["/sys/kernel/security/lockdown"] = {"[none] integrity confidentiality\n"};
  system.on_map_create = [](const bpf_attr&) { return -EPERM; };
  const Answer filtered = ask(system, Capability::bpf_syscall);
  EXPECT_TRUE(says(filtered, "are held: this process has a seccomp filter")) << filtered.reason;
  EXPECT_EQ(filtered.fix, "systemd: SystemCallFilter= of the service");
  system.become_root();
  EXPECT_FALSE(says(ask(system, Capability::bpf_syscall), "seccomp"));
  EXPECT_TRUE(ask(system, Capability::bpf_syscall).fix.empty());
}

// As in user-mode Linux.
TEST(Crippled, WhatAKernelWasBuiltWithoutIsAPlainNo) {
  FakeSystem system;
  system.become_root();
  system.results[SYS_mkdirat] = -ENOENT;
  system.files["/proc/sys/kernel"] = system.files["/proc/sys/net/core"] = {"", EISDIR};
  system.files["/sys/kernel"] = system.files["/sys/bus"] = {"", EISDIR};
  system.files["/sys/kernel/security/lsm"] = {"capability,yama"};
  EXPECT_EQ(ask(system, Capability::lockdown_off).reason, "this kernel has no lockdown");
  for (const Capability asked :
       {Capability::function_tracing, Capability::bpf_jit, Capability::perf_unrestricted, Capability::kprobe,
        Capability::uprobe, Capability::tracefs, Capability::syscall_tp, Capability::tracefs_instance, Capability::btf,
        Capability::fentry, Capability::tp_btf, Capability::bpf_prog_tracing}) {
    const Answer answer = ask(system, asked);
    EXPECT_EQ(answer.verdict, Verdict::unsupported) << to_string(asked) << ": " << answer.reason;
    EXPECT_TRUE(says(answer, "this kernel ha") || says(answer, "this kernel carries")) << answer.reason;
  }
  system.on_map_create = [](const bpf_attr&) { return -EPERM; };
  EXPECT_FALSE(says(ask(system, Capability::bpf_syscall), "lockdown"));
}

TEST(Crippled, WithoutBpfWhatNeedsItSaysSo) {
  FakeSystem system;
  system.become_root();
  system.on_map_create = system.on_prog_load = [](const bpf_attr&) { return -ENOSYS; };
  const CapabilityReport report = probe_all(system);
  for (const Capability asked : {Capability::bpf_ring_buffer, Capability::raw_tp, Capability::bpf_map_hash,
                                 Capability::bpf_global_data, Capability::bpf_probe_read_kernel})
    EXPECT_TRUE(report.find(asked)->reason.starts_with("needs bpf_syscall: this kernel has no bpf(2)"))
        << report.find(asked)->reason;
  EXPECT_TRUE(report.find(Capability::packet_socket)->reason.empty());
}

// A kernel before 5.11 answers EPERM to whoever is over the limit.
TEST(Crippled, LockedMemoryIsNamedWhereItIsLimited) {
  FakeSystem system;
  system.become_root();
  system.files["/sys/kernel/security/lockdown"] = {"[none] integrity confidentiality\n"};
  system.on_map_create = [](const bpf_attr&) { return -EPERM; };
  system.locked_memory_bytes = 0;
  const Answer answer = ask(system, Capability::bpf_syscall);
  EXPECT_TRUE(says(answer, "RLIMIT_MEMLOCK is 0 KiB")) << answer.reason;
  EXPECT_TRUE(answer.fix.starts_with("ulimit -l unlimited")) << answer.fix;
  system.files["/proc/self/uid_map"] = {"0 1000 1\n"};  // there bpf(2) is refused whatever the limit
  EXPECT_FALSE(says(ask(system, Capability::bpf_syscall), "RLIMIT_MEMLOCK"));
}

}  // namespace
}  // namespace tracer::test
