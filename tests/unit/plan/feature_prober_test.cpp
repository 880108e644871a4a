// The probes that no plan rests on, against machines that are not here.
#include <gtest/gtest.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "probe-matrix/report.h"
#include "tests/unit/plan/fake_system.h"

namespace tracer {
namespace {

using test::ask;
using test::FakeSystem;

constexpr Verdict yes = Verdict::supported, no = Verdict::unsupported, unclear = Verdict::unknown;

std::string proc_message(std::uint32_t what, std::uint32_t process, std::uint32_t error = 0) {
  std::string bytes(sizeof(nlmsghdr) + sizeof(cn_msg), '\0');
  proc_event event{};
  std::memcpy(&event, &what, sizeof what);
  if (what == 0) event.event_data.ack.err = error;
  if (what == 1) event.event_data.fork.child_tgid = static_cast<int>(process);
  if (what == 0x80000000) event.event_data.exit.process_tgid = static_cast<int>(process);
  bytes.append(reinterpret_cast<const char*>(&event), sizeof event);
  return bytes;
}

TEST(ProcEvents, OnlyTheOwnChildIsAProof) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::proc_events).verdict, no) << "opens, and tells nothing";
  system.proc_news = {proc_message(0, 0), proc_message(1, 99), proc_message(0x80000000, 4711)};
  EXPECT_EQ(ask(system, Capability::proc_events).verdict, yes);
  system.proc_news = {proc_message(1, 99), proc_message(0x80000000, 99)};
  EXPECT_EQ(ask(system, Capability::proc_events).verdict, no) << "somebody else's";
  system.become_nobody();
  system.proc_news = {proc_message(0, 0, EPERM)};
  EXPECT_TRUE(is_not_permitted(ask(system, Capability::proc_events)));
  system.proc_news = {"short"};
  EXPECT_EQ(ask(system, Capability::proc_events).verdict, no);
  system.results[SYS_bind] = -EPERM;
  EXPECT_TRUE(is_not_permitted(ask(system, Capability::proc_events)));
  system.results[SYS_bind] = 0;
  system.results[SYS_sendto] = -ECONNREFUSED;
  EXPECT_EQ(ask(system, Capability::proc_events).verdict, no);
}

TEST(TracefsInstance, ByPerfElseByAFolderThatIsRemovedAgain) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::tracefs_instance).verdict, yes) << "made where everything succeeds";
  EXPECT_TRUE(system.made_folders.empty());
  system.become_root();
  system.results[SYS_mkdirat] = -EPERM;
  system.files["/sys/kernel/tracing/events/sched/sched_process_exec/id"] = {"312\n"};
  EXPECT_EQ(ask(system, Capability::tracefs_instance).verdict, yes);
  EXPECT_EQ(system.closed_slowly, 1);
  system.results[SYS_perf_event_open] = -EACCES;
  EXPECT_TRUE(is_not_permitted(ask(system, Capability::tracefs_instance)));
  system.results[SYS_mkdirat] = -EROFS;
  EXPECT_NE(ask(system, Capability::tracefs_instance).reason.find("read-only"), std::string::npos);
}

TEST(Features, AHelperIsKnownByTheProgramThatCallsIt) {
  FakeSystem system;
  system.become_root();
  const auto refuse_calls = [](long error) {
    return [error](const bpf_attr& program) {
      const auto* instructions = reinterpret_cast<const bpf_insn*>(program.insns);
      for (std::uint32_t i = 0; i < program.insn_cnt; ++i)
        if (instructions[i].code == (BPF_JMP | BPF_CALL)) return error;
      return 0L;
    };
  };
  for (const Capability helper :
       {Capability::bpf_probe_read_user, Capability::bpf_get_current_cgroup_id, Capability::bpf_get_current_task_btf,
        Capability::bpf_get_ns_current_pid_tgid, Capability::bpf_loop}) {
    system.on_prog_load = {};
    EXPECT_EQ(ask(system, helper).verdict, yes) << to_string(helper);
    system.on_prog_load = refuse_calls(-EINVAL);
    EXPECT_EQ(ask(system, helper).verdict, no) << to_string(helper);
    system.on_prog_load = refuse_calls(-EPERM);
    EXPECT_EQ(ask(system, helper).verdict, unclear) << to_string(helper);
    system.on_prog_load = [](const bpf_attr&) { return -EPERM; };
    EXPECT_TRUE(is_not_permitted(ask(system, helper))) << to_string(helper);
  }
  // Its wrong arguments are refused only by who knows it.
  system.on_prog_load = refuse_calls(-EACCES);
  EXPECT_EQ(ask(system, Capability::bpf_loop).verdict, yes);
}

TEST(Features, ProgramsAndMapsOfAnOldKernel) {
  FakeSystem system;
  system.on_prog_load = [](const bpf_attr& program) {
    return program.insn_cnt > 4096 ? -E2BIG : program.prog_type == BPF_PROG_TYPE_RAW_TRACEPOINT ? 0 : -EINVAL;
  };
  system.on_map_create = [](const bpf_attr& map) { return map.map_type == BPF_MAP_TYPE_LRU_HASH ? -EINVAL : 0; };
  EXPECT_EQ(ask(system, Capability::bpf_prog_kprobe).verdict, no);
  EXPECT_EQ(ask(system, Capability::bpf_prog_raw_tracepoint).verdict, yes);
  EXPECT_EQ(ask(system, Capability::bpf_large_programs).verdict, no);
  EXPECT_EQ(ask(system, Capability::bpf_map_lru_hash).verdict, no);
  EXPECT_EQ(ask(system, Capability::bpf_map_hash).verdict, yes);
  EXPECT_EQ(ask(system, Capability::bpf_prog_tracing).verdict, unclear) << "without types nothing to aim at";
}

TEST(Privileges, EachByItsOwnName) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::cap_bpf).verdict, unclear);
  system.files["/proc/self/status"] = {
      "Uid:\t0\t0\nCapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\nSeccomp:\t0\n"};
  EXPECT_EQ(ask(system, Capability::cap_bpf).verdict, yes);
  const Answer resource = ask(system, Capability::cap_sys_resource);
  EXPECT_EQ(resource.verdict, no) << "CAP_SYS_ADMIN stands in for nothing here";
  EXPECT_NE(resource.reason.find("can never get it"), std::string::npos);
  EXPECT_NE(resource.fix.find("CAP_SYS_RESOURCE"), std::string::npos);
  EXPECT_EQ(ask(system, Capability::seccomp_free).verdict, yes);
  system.files["/proc/self/status"] = {"Uid:\t1000\nCapEff:\t0\nCapBnd:\t3fffffffff\nNoNewPrivs:\t1\nSeccomp:\t2\n"};
  system.files["/proc/sys/kernel/cap_last_cap"] = {"37\n"};
  EXPECT_NE(ask(system, Capability::cap_perfmon).reason.find("this kernel has no CAP_PERFMON"), std::string::npos);
  EXPECT_EQ(ask(system, Capability::seccomp_free).verdict, no);
}

TEST(Policies, AbsenceOfAFileIsNoAnswer) {
  FakeSystem system;
  for (const Capability fact : {Capability::lockdown_off, Capability::security_modules, Capability::perf_unrestricted,
                                Capability::bpf_unprivileged, Capability::initial_user_namespace,
                                Capability::initial_pid_namespace, Capability::seccomp_free})
    EXPECT_EQ(ask(system, fact).verdict, unclear) << to_string(fact);
  EXPECT_EQ(ask(system, Capability::lockdown_off).fix, "sudo mount -t securityfs securityfs /sys/kernel/security");
  system.files["/sys/kernel/security/lockdown"] = {"none [integrity] confidentiality\n"};
  EXPECT_EQ(ask(system, Capability::lockdown_off).verdict, yes);
  system.files["/sys/kernel/security/lockdown"] = {"none integrity [confidentiality]\n"};
  EXPECT_EQ(ask(system, Capability::lockdown_off).verdict, no);
  system.files["/sys/kernel/security/lsm"] = {"capability,yama,apparmor\n"};
  EXPECT_EQ(ask(system, Capability::security_modules).reason, "capability,yama,apparmor");
  system.links["/proc/self/ns/user"] = {"user:[4026531837]"};
  EXPECT_EQ(ask(system, Capability::initial_user_namespace).verdict, yes);
  system.links["/proc/self/ns/user"] = {"user:[4026532000]"};
  EXPECT_EQ(ask(system, Capability::initial_user_namespace).verdict, no);
  system.locked_memory_bytes = 65536;
  EXPECT_NE(ask(system, Capability::memlock_unlimited).reason.find("64 KiB"), std::string::npos);
}

TEST(Policies, PerfParanoiaConcernsWhoLacksThePrivilege) {
  FakeSystem system;
  system.files["/proc/sys/kernel/perf_event_paranoid"] = {"4\n"};
  system.become_nobody();
  EXPECT_EQ(ask(system, Capability::perf_unrestricted).fix, "sudo sysctl kernel.perf_event_paranoid=2");
  system.become_root();
  EXPECT_EQ(ask(system, Capability::perf_unrestricted).verdict, yes);
}

TEST(Place, ContainersAreToldFromUnpackedImages) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::in_container).verdict, unclear);
  system.files["/proc/1/cgroup"] = {"0::/\n"};
  EXPECT_EQ(ask(system, Capability::in_container).verdict, no);
  system.files["/.dockerenv"] = {""};
  EXPECT_EQ(ask(system, Capability::in_container).verdict, yes);
  for (const auto& [kind, number] :
       {std::pair{"pid", "4026531836"}, {"uts", "4026531838"}, {"ipc", "4026531839"}, {"cgroup", "4026531835"}})
    system.links[std::string("/proc/self/ns/") + kind] = {std::string(kind) + ":[" + number + "]"};
  EXPECT_EQ(ask(system, Capability::in_container).verdict, no) << "the machine's own root, made from an image";
  system.files["/proc/1/cgroup"] = {"0::/kubepods.slice/pod1\n"};
  EXPECT_EQ(ask(system, Capability::in_container).verdict, yes);
}

TEST(Place, FixesAreThoseOfTheHost) {
  FakeSystem system;
  system.become_nobody();
  system.results[SYS_socket] = -EPERM;
  EXPECT_EQ(ask(system, Capability::packet_socket).fix, "sudo tracer");
  system.files["/.dockerenv"] = {""};
  EXPECT_EQ(ask(system, Capability::packet_socket).fix, "docker run --pid=host --cap-add NET_RAW … (or --privileged)");
  system.files["/run/.containerenv"] = {""};
  EXPECT_NE(ask(system, Capability::packet_socket).fix.find("podman"), std::string::npos);
  system.files.erase("/.dockerenv");
  system.files.erase("/run/.containerenv");
  system.files["/proc/1/cgroup"] = {"0::/\n"};
  system.files["/etc/os-release"] = {"ID=\"rocky\"\nPRETTY_NAME='Rocky 9'\n"};
  system.files["/sys/bus/event_source/devices"] = {"", EISDIR};
  EXPECT_NE(ask(system, Capability::kprobe).fix.find("sudo dnf install kernel"), std::string::npos);
  // Where the running kernel is not among the installed ones, installing another changes nothing.
  system.files["/proc/sys/kernel/osrelease"] = {"6.18.44-microvm\n"};
  EXPECT_EQ(ask(system, Capability::kprobe).fix.find("dnf"), std::string::npos);
  EXPECT_NE(ask(system, Capability::kprobe).fix.find("whoever starts this machine"), std::string::npos);
  system.files["/boot/vmlinuz-6.18.44-microvm"] = {"", EACCES};  // only root may read it
  EXPECT_NE(ask(system, Capability::kprobe).fix.find("sudo dnf install kernel"), std::string::npos);
  system.files["/etc/os-release"] = {"ID=debian\n"};
  EXPECT_NE(ask(system, Capability::kprobe).fix.find("linux-image-$(dpkg --print-architecture)"), std::string::npos);
}

TEST(Place, MachinesAndKernels) {
  FakeSystem system;
  for (const Capability fact : {Capability::in_virtual_machine, Capability::in_wsl, Capability::in_gvisor})
    EXPECT_EQ(ask(system, fact).verdict, unclear) << to_string(fact);
  system.files["/proc/cpuinfo"] = {"model name\t: x\nflags\t\t: fpu\n"};
  EXPECT_EQ(ask(system, Capability::in_virtual_machine).verdict, no);
  system.files["/proc/cpuinfo"] = {"model name\t: x\nflags\t\t: fpu hypervisor\n"};
  EXPECT_EQ(ask(system, Capability::in_virtual_machine).verdict, yes);
  system.files["/proc/cpuinfo"] = {"vendor_id\t: User Mode Linux\nmode\t\t: skas\nhost\t\t: Linux\n"};
  EXPECT_EQ(ask(system, Capability::in_virtual_machine).reason, "user-mode Linux");
  system.files["/sys/class/dmi/id/sys_vendor"] = {"QEMU\n"};
  EXPECT_EQ(ask(system, Capability::in_virtual_machine).reason, "QEMU (QEMU)");
  system.files["/proc/sys/kernel/osrelease"] = {"6.1.0-13-amd64\n"};
  EXPECT_EQ(ask(system, Capability::in_wsl).verdict, no);
  system.files["/proc/sys/kernel/osrelease"] = {"5.15.90.1-microsoft-standard-WSL2\n"};
  EXPECT_EQ(ask(system, Capability::in_wsl).verdict, yes);
  system.files["/proc/version"] = {"Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n"};
  EXPECT_EQ(ask(system, Capability::in_gvisor).verdict, yes);
}

TEST(Files, HiddenProcesses) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::proc_complete).verdict, unclear);
  system.files["/proc/mounts"] = {"proc /proc proc rw,relatime,hidepid=invisible 0 0\n"};
  EXPECT_EQ(ask(system, Capability::proc_complete).verdict, no);
  system.files["/proc/1"] = {"", EISDIR};
  EXPECT_EQ(ask(system, Capability::proc_complete).verdict, yes);
  system.files["/proc/mounts"] = {"proc /proc proc rw,relatime 0 0\n"};
  EXPECT_TRUE(ask(system, Capability::proc_complete).reason.empty());
  system.files.erase("/proc/1");
  system.files["/proc/mounts"] = {"proc /proc proc rw 0 0\nproc /proc proc rw,hidepid=2 0 0\n"};
  EXPECT_EQ(ask(system, Capability::proc_complete).verdict, no) << "one mount covers another";
}

TEST(Files, FanotifyIsMarkedAndNotOnlyOpened) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::fanotify).verdict, yes);
  system.results[SYS_fanotify_mark] = -EINVAL;
  EXPECT_EQ(ask(system, Capability::fanotify_exec).verdict, no);
  system.results[SYS_fanotify_init] = -ENOSYS;
  EXPECT_EQ(ask(system, Capability::fanotify).verdict, no);
  system.become_nobody();
  system.results[SYS_fanotify_init] = -EPERM;
  EXPECT_TRUE(is_not_permitted(ask(system, Capability::fanotify)));
}

TEST(Kernel, SymbolsThatAllReadZeroAreHidden) {
  FakeSystem system;
  system.become_nobody();
  system.files["/proc/kallsyms"] = {"0000000000000000 T _text\n0000000000000000 T x\n"};
  EXPECT_TRUE(is_not_permitted(ask(system, Capability::kernel_symbols)));
  system.files["/proc/kallsyms"] = {"0000000000000000 A cpu\nffffffff81000000 T _text\n"};
  EXPECT_EQ(ask(system, Capability::kernel_symbols).verdict, yes);
  system.files["/proc/sys/kernel/ftrace_enabled"] = {"0\n"};
  EXPECT_EQ(ask(system, Capability::function_tracing).fix, "sudo sysctl kernel.ftrace_enabled=1");
}

TEST(Packets, OptionsOfASocket) {
  FakeSystem system;
  EXPECT_EQ(ask(system, Capability::packet_ring_v3).verdict, yes);
  system.results[SYS_setsockopt] = -ENOPROTOOPT;
  EXPECT_EQ(ask(system, Capability::packet_ignore_outgoing).verdict, no);
  system.results[SYS_socket] = -EAFNOSUPPORT;
  EXPECT_EQ(ask(system, Capability::packet_ring_v3).verdict, no);
}

TEST(Families, FactsAreThoseThatAlwaysGiveTheirReason) {
  std::size_t facts = 0;
  for (const Probe& probe : probes()) {
    EXPECT_EQ(is_fact(probe.capability), probe.family == Family::policy || probe.family == Family::place);
    facts += is_fact(probe.capability) ? 1 : 0;
  }
  EXPECT_EQ(facts, 12U);
  EXPECT_GE(probes().size(), 40U);
}

}  // namespace
}  // namespace tracer
