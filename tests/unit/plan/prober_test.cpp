// The probes against kernels that are not here.
#include "probe-matrix/prober.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "probe-matrix/bpf_probes.h"
#include "probe-matrix/report.h"
#include "tests/unit/plan/fake_system.h"

namespace tracer {
namespace {

using test::ask;
using test::FakeSystem;

std::int32_t helper_called_by(const bpf_attr& attributes) {
  const auto* instructions = reinterpret_cast<const bpf_insn*>(attributes.insns);
  for (std::uint32_t i = 0; i < attributes.insn_cnt; ++i)
    if (instructions[i].code == (BPF_JMP | BPF_CALL)) return instructions[i].imm;
  return 0;
}

std::string error_reply(std::int32_t code, std::uint16_t type = NLMSG_ERROR) {
  nlmsghdr header{};
  header.nlmsg_len = sizeof header + sizeof code;
  header.nlmsg_type = type;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(&code), sizeof code);
  return bytes;
}

TEST(Probes, OneRowPerCapabilityInItsOrder) {
  std::uint8_t expected = 0;
  for (const Probe& probe : probes()) EXPECT_EQ(probe.capability, static_cast<Capability>(expected++));
  EXPECT_TRUE(to_string(static_cast<Capability>(expected)).empty()) << "a capability without a probe";
}

// A kernel before 5.11 answers EPERM to whoever is over the limit, root or not.
TEST(Probes, LockedMemoryIsAllowedBeforeAnythingIsMade) {
  FakeSystem system;
  system.become_root();
  system.on_map_create = [&](const bpf_attr&) { return system.locked_memory_allowed ? 0L : -EPERM; };
  const CapabilityReport report = probe_all(system);
  EXPECT_EQ(report.find(Capability::bpf_syscall)->verdict, Verdict::supported);
  EXPECT_EQ(report.find(Capability::bpf_ring_buffer)->verdict, Verdict::supported);
}

TEST(Probes, PermissionIsNeverUnsupported) {
  for (const long refusal : {-EPERM, -EACCES}) {
    FakeSystem system;
    system.become_nobody();
    const auto refuse = [&](const bpf_attr&) { return refusal; };
    system.on_map_create = system.on_prog_load = system.on_raw_tracepoint_open = refuse;
    for (const long number : {SYS_perf_event_open, SYS_socket, SYS_ioctl}) system.results[number] = refusal;
    const int error = static_cast<int>(-refusal);
    for (const char* path : {"/sys/kernel/btf/vmlinux", "/sys/bus/event_source/devices/kprobe/type",
                             "/sys/kernel/tracing/events/syscalls/sys_enter_read/id"})
      system.files[path] = {"", error};
    system.links["/proc/1/fd/0"] = {"", error};
    for (const char* path :
         {"/sys/kernel/tracing/events/sched/sched_process_exec/id", "/proc/kallsyms", "/proc/1/maps", "/proc/self/stat",
          "/proc/self/net/tcp", "/sys/kernel/tracing/events/sock/inet_sock_set_state/id",
          "/sys/bus/event_source/devices/uprobe/type"})
      system.files[path] = {"", error};
    system.on_enable_stats = refuse;
    for (const long number : {SYS_fanotify_init, SYS_mkdirat}) system.results[number] = refusal;
    for (const Answer& answer : probe_all(system).answers) {
      const std::string_view family = family_of(answer.capability);
      if (is_fact(answer.capability) || family == "privilege") continue;  // these can be read by anybody
      EXPECT_EQ(answer.verdict, Verdict::unknown) << to_string(answer.capability);
      EXPECT_FALSE(answer.reason.empty()) << to_string(answer.capability);
      // "needs btf: …", and sysctls that this machine does not show.
      if (answer.reason.starts_with("needs ") || answer.reason.starts_with("/proc/")) continue;
      EXPECT_TRUE(is_not_permitted(answer)) << to_string(answer.capability) << ": " << answer.reason;
      EXPECT_EQ(answer.fix, "sudo tracer") << to_string(answer.capability);
    }
  }
}

TEST(Probes, ARefusalInSpiteOfThePrivilegeIsBlamedOnAPolicy) {
  FakeSystem system;
  system.become_root();
  system.on_prog_load = [](const bpf_attr&) { return -EPERM; };
  const Answer answer = ask(system, Capability::raw_tp);
  EXPECT_EQ(answer.verdict, Verdict::unknown);
  EXPECT_NE(answer.reason.find("although CAP_BPF and CAP_PERFMON are held"), std::string::npos) << answer.reason;
  EXPECT_NE(answer.reason.find("kernel lockdown (securityfs does not say)"), std::string::npos) << answer.reason;
  system.files["/sys/kernel/security/lockdown"] = {"[none] integrity confidentiality\n"};
  EXPECT_EQ(ask(system, Capability::raw_tp).reason.find("lockdown"), std::string::npos);
  system.files["/sys/kernel/security/lockdown"] = {"none integrity [confidentiality]\n"};
  EXPECT_NE(ask(system, Capability::raw_tp).reason.find("lockdown in mode confidentiality"), std::string::npos);
}

TEST(Probes, AKernelWithoutBpf) {
  FakeSystem system;
  system.on_map_create = [](const bpf_attr&) { return -ENOSYS; };
  EXPECT_EQ(ask(system, Capability::bpf_syscall).verdict, Verdict::unsupported);
}

TEST(Probes, AnOldKernelHasMapsButNoRingBuffer) {
  FakeSystem system;
  system.on_map_create = [](const bpf_attr& map) {
    return map.map_type == BPF_MAP_TYPE_RINGBUF || map.map_flags != 0 ? -EINVAL : 0;
  };
  EXPECT_EQ(ask(system, Capability::bpf_syscall).verdict, Verdict::supported);
  EXPECT_EQ(ask(system, Capability::bpf_ring_buffer).verdict, Verdict::unsupported);
  EXPECT_EQ(ask(system, Capability::bpf_mmapable_array).verdict, Verdict::unsupported);
}

TEST(Probes, ReadingKernelMemoryTellsAnOldKernelFromLockdown) {
  FakeSystem old_kernel;
  old_kernel.on_prog_load = [](const bpf_attr& program) {
    return helper_called_by(program) == BPF_FUNC_probe_read_kernel ? -EINVAL : 0;
  };
  EXPECT_EQ(ask(old_kernel, Capability::bpf_probe_read_kernel).reason,
            "this kernel has only bpf_probe_read, not bpf_probe_read_kernel");

  FakeSystem locked;
  locked.files["/sys/kernel/security/lockdown"] = {"none integrity [confidentiality]\n"};
  locked.on_prog_load = [](const bpf_attr& program) { return helper_called_by(program) != 0 ? -EINVAL : 0; };
  const Answer answer = ask(locked, Capability::bpf_probe_read_kernel);
  EXPECT_EQ(answer.verdict, Verdict::unsupported);
  EXPECT_NE(answer.reason.find("lockdown"), std::string::npos) << answer.reason;
  EXPECT_FALSE(answer.fix.empty());
}

TEST(Probes, NoTypeInformationTakesTypedHooksAlong) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::btf).verdict, Verdict::unknown) << "sysfs may not be mounted";
  system.files["/sys/kernel"] = {"", EISDIR};
  EXPECT_EQ(ask(system, Capability::btf).verdict, Verdict::unsupported);
  EXPECT_EQ(ask(system, Capability::tp_btf).verdict, Verdict::unsupported);
  EXPECT_EQ(ask(system, Capability::fentry).verdict, Verdict::unsupported);
  EXPECT_EQ(ask(system, Capability::raw_tp).verdict, Verdict::supported);
}

TEST(Probes, TracefsNotMountedComesWithTheCommandThatMountsIt) {
  FakeSystem system;
  system.files["/sys/kernel/tracing"] = {"", EISDIR};
  const Answer answer = ask(system, Capability::tracefs);
  EXPECT_EQ(answer.verdict, Verdict::unknown);
  EXPECT_EQ(answer.fix, "sudo mount -t tracefs tracefs /sys/kernel/tracing");
  system.results[SYS_mkdirat] = -ENOENT;
  for (const Capability dependent : {Capability::syscall_tp, Capability::exec_tp, Capability::tracefs_instance}) {
    EXPECT_EQ(ask(system, dependent).verdict, Verdict::unknown);
    EXPECT_EQ(ask(system, dependent).reason, "needs tracefs: tracefs is not mounted");
    EXPECT_EQ(ask(system, dependent).fix, answer.fix);
  }
}

TEST(Probes, TracefsWithoutSyscallEvents) {
  FakeSystem system;
  system.files["/sys/kernel/tracing"] = {"", EISDIR};
  system.files["/sys/kernel/tracing/events/enable"] = {"0\n"};
  EXPECT_EQ(ask(system, Capability::tracefs).verdict, Verdict::unsupported);
}

TEST(Probes, TheOldMountPointOfTracefsServes) {
  FakeSystem system;
  system.files["/sys/kernel/debug/tracing/events/syscalls/sys_enter_read/id"] = {"842\n"};
  EXPECT_EQ(ask(system, Capability::tracefs).verdict, Verdict::supported);
  EXPECT_EQ(ask(system, Capability::syscall_tp).verdict, Verdict::supported);
  EXPECT_EQ(system.closed_slowly, 1);
}

TEST(Probes, PerfEventParanoidIsNamedWhereItIsWhatForbids) {
  FakeSystem system;
  system.files["/proc/self/status"] = {"Name:\tx\nUid:\t0\t0\t0\t0\nCapEff:\t000000c000000000\n"};  // no CAP_SYS_ADMIN
  system.files["/proc/sys/kernel/perf_event_paranoid"] = {"4\n"};
  system.results[SYS_perf_event_open] = -EACCES;
  const Answer answer = ask(system, Capability::perf_event_open);
  EXPECT_NE(answer.reason.find("kernel.perf_event_paranoid is 4"), std::string::npos) << answer.reason;
  EXPECT_EQ(answer.fix, "sudo sysctl kernel.perf_event_paranoid=2");
  EXPECT_TRUE(lacks_privilege(answer.reason));
  system.become_nobody();
  EXPECT_NE(ask(system, Capability::perf_event_open).reason.find("needs CAP_SYS_ADMIN where"), std::string::npos);
  EXPECT_EQ(ask(system, Capability::perf_event_open).fix, "sudo tracer") << "the sysctl alone does not help";
  system.become_root();
  const Answer admin = ask(system, Capability::perf_event_open);
  EXPECT_EQ(admin.reason.find("perf_event_paranoid"), std::string::npos) << admin.reason;
}

TEST(Probes, NoKprobes) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::kprobe).verdict, Verdict::unknown) << "sysfs may not be mounted";
  system.files["/sys/bus/event_source/devices"] = {"", EISDIR};
  EXPECT_EQ(ask(system, Capability::kprobe).verdict, Verdict::unsupported);
  system.files["/sys/bus/event_source/devices/kprobe/type"] = {"8\n"};
  EXPECT_EQ(ask(system, Capability::kprobe).verdict, Verdict::supported);
  system.results[SYS_perf_event_open] = -ENOENT;
  EXPECT_EQ(ask(system, Capability::kprobe).verdict, Verdict::unsupported);
}

TEST(Probes, SockDiagWithoutItsModule) {
  FakeSystem system;
  system.reply = error_reply(-ENOENT);
  const Answer answer = ask(system, Capability::sock_diag);
  EXPECT_EQ(answer.verdict, Verdict::unsupported);
  EXPECT_EQ(answer.fix, "sudo modprobe tcp_diag");
  system.files["/proc/sys/kernel/osrelease"] = {"7.1.13\n"};
  system.files["/proc/1/cgroup"] = {"0::/\n"};
  EXPECT_NE(ask(system, Capability::sock_diag).fix.find("whoever starts this machine"), std::string::npos)
      << "nor are the kernel's modules here";
  system.reply = error_reply(-ENOENT, NLMSG_DONE);
  EXPECT_EQ(ask(system, Capability::sock_diag).verdict, Verdict::unsupported) << "inet_diag alone is loaded";
  system.reply = error_reply(0, NLMSG_DONE);
  EXPECT_EQ(ask(system, Capability::sock_diag).verdict, Verdict::supported) << "nobody listens";
  system.reply = "short";
  EXPECT_EQ(ask(system, Capability::sock_diag).verdict, Verdict::unknown);
}

TEST(Probes, HiddenProcesses) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::proc_other_processes).reason, "/proc is not mounted");
  system.files["/proc/self"] = {"", EISDIR};
  EXPECT_TRUE(is_not_permitted(ask(system, Capability::proc_other_processes)));
  system.files["/proc/1"] = {"", EISDIR};
  EXPECT_EQ(ask(system, Capability::proc_other_processes).verdict, Verdict::supported) << "process 1 closed its input";
}

TEST(Probes, NoPacketSockets) {
  FakeSystem system;
  system.results[SYS_socket] = -EAFNOSUPPORT;
  EXPECT_EQ(ask(system, Capability::packet_socket).verdict, Verdict::unsupported);
}

}  // namespace
}  // namespace tracer
