// mask NAME... -- CMD ARGS: takes something of this machine away and then becomes CMD. Nothing of it outlives CMD.
//
// System calls are refused by a filter, file systems are covered in a mount namespace of its own, privileges are given
// up: CMD meets what it would meet on a machine that never had the thing.
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr uid_t nobody_id = 65534;
constexpr int exit_usage = 2, exit_cannot = 77, exit_no_command = 127;  // 77: this machine cannot be masked so

#if defined(__x86_64__)
constexpr std::uint32_t audit_arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t audit_arch = AUDIT_ARCH_AARCH64;
#else
#error "add this architecture's AUDIT_ARCH"
#endif

void require(bool done, const std::string& what) {
  if (done) return;
  std::fprintf(stderr, "mask: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(exit_cannot);
}

// A system call that fails; where `family` is given only for that first argument, and `protocol` for that third one.
struct Refusal {
  std::string_view mask;
  long number;
  int error;
  std::optional<std::uint32_t> family, protocol;
};
constexpr std::array refusals{
    Refusal{"bpf_eperm", SYS_bpf, EPERM, {}, {}},
    Refusal{"bpf_enosys", SYS_bpf, ENOSYS, {}, {}},
    Refusal{"perf_eperm", SYS_perf_event_open, EPERM, {}, {}},
    Refusal{"fanotify_eperm", SYS_fanotify_init, EPERM, {}, {}},
    Refusal{"packet_eperm", SYS_socket, EPERM, AF_PACKET, {}},
    Refusal{"no_sock_diag", SYS_socket, EPROTONOSUPPORT, AF_NETLINK, NETLINK_SOCK_DIAG},
    Refusal{"no_proc_events", SYS_socket, EPROTONOSUPPORT, AF_NETLINK, NETLINK_CONNECTOR},
};

// All capabilities up to CAP_CHECKPOINT_RESTORE (5.9), by number.
constexpr std::array<std::string_view, 41> capability_names{"CHOWN",
                                                            "DAC_OVERRIDE",
                                                            "DAC_READ_SEARCH",
                                                            "FOWNER",
                                                            "FSETID",
                                                            "KILL",
                                                            "SETGID",
                                                            "SETUID",
                                                            "SETPCAP",
                                                            "LINUX_IMMUTABLE",
                                                            "NET_BIND_SERVICE",
                                                            "NET_BROADCAST",
                                                            "NET_ADMIN",
                                                            "NET_RAW",
                                                            "IPC_LOCK",
                                                            "IPC_OWNER",
                                                            "SYS_MODULE",
                                                            "SYS_RAWIO",
                                                            "SYS_CHROOT",
                                                            "SYS_PTRACE",
                                                            "SYS_PACCT",
                                                            "SYS_ADMIN",
                                                            "SYS_BOOT",
                                                            "SYS_NICE",
                                                            "SYS_RESOURCE",
                                                            "SYS_TIME",
                                                            "SYS_TTY_CONFIG",
                                                            "MKNOD",
                                                            "LEASE",
                                                            "AUDIT_WRITE",
                                                            "AUDIT_CONTROL",
                                                            "SETFCAP",
                                                            "MAC_OVERRIDE",
                                                            "MAC_ADMIN",
                                                            "SYSLOG",
                                                            "WAKE_ALARM",
                                                            "BLOCK_SUSPEND",
                                                            "AUDIT_READ",
                                                            "PERFMON",
                                                            "BPF",
                                                            "CHECKPOINT_RESTORE"};

// One filter for one refusal: several of them add up in the kernel.
void refuse(const Refusal& refusal) {
  std::vector<sock_filter> program;
  const auto load = [&](std::size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  };
  std::vector<std::size_t> checks;  // each jumps to the end if it does not hold
  const auto only_if = [&](std::size_t offset, std::uint32_t value) {
    load(offset);
    checks.push_back(program.size());
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0));
  };
  only_if(offsetof(seccomp_data, arch), audit_arch);
  only_if(offsetof(seccomp_data, nr), static_cast<std::uint32_t>(refusal.number));
  // Both architectures are little-endian: the low half of an argument comes first.
  if (refusal.family) only_if(offsetof(seccomp_data, args), *refusal.family);
  if (refusal.protocol) only_if(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t), *refusal.protocol);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(refusal.error)));
  for (const std::size_t check : checks) program[check].jf = static_cast<std::uint8_t>(program.size() - check - 1);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  require(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0,
          "the filter for " + std::string(refusal.mask));
}

// Covers the folder, if this machine has it.
void cover(const char* folder) {
  if (::access(folder, F_OK) == 0) require(::mount("none", folder, "tmpfs", 0, nullptr) == 0, folder);
}

void make_read_only(const char* folder) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  require(::syscall(SYS_mount_setattr, AT_FDCWD, folder, AT_RECURSIVE, &attributes, sizeof(attributes)) == 0, folder);
}

// The group whose members see everything is root's by default.
constexpr const char* hidepid_options = "hidepid=2,gid=65533";

struct MountMask {
  std::string_view mask;
  void (*apply)();
};
constexpr std::array mount_masks{
    MountMask{"no_tracefs",
              [] {
                cover("/sys/kernel/debug");
                cover("/sys/kernel/tracing");
              }},
    MountMask{"no_btf", [] { cover("/sys/kernel/btf"); }},
    MountMask{"ro_sys", [] { make_read_only("/sys"); }},
    MountMask{"hidepid2", [] { require(::mount("proc", "/proc", "proc", 0, hidepid_options) == 0, "/proc"); }},
    MountMask{"no_proc", [] { cover("/proc"); }},
};

void drop_capabilities(std::span<const unsigned> numbers) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  require(::syscall(SYS_capget, &header, sets.data()) == 0, "capget");
  for (const unsigned number : numbers) {  // while CAP_SETPCAP is still there
    require(::prctl(PR_CAPBSET_DROP, number) == 0, "the bounding set");
    const std::uint32_t keep = ~(1U << (number % 32U));
    auto& set = sets[number / 32U];
    set.effective &= keep;
    set.permitted &= keep;
    set.inheritable &= keep;
  }
  require(::syscall(SYS_capset, &header, sets.data()) == 0, "capset");
}

void become_nobody() {
  require(::setgroups(0, nullptr) == 0 && ::setresgid(nobody_id, nobody_id, nobody_id) == 0 &&
              ::setresuid(nobody_id, nobody_id, nobody_id) == 0,
          "another user");
  ::prctl(PR_SET_DUMPABLE, 1);  // or its own /proc/self would belong to root
}

void write_to(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  require(fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), path);
  ::close(fd);
}

// A new network namespace has it down.
void raise_loopback() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  require(fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0, "the loopback interface");
  ::close(fd);
}

void enter_user_namespace(bool with_network) {
  become_nobody();
  require(::unshare(CLONE_NEWUSER | (with_network ? CLONE_NEWNET : 0)) == 0, "a user namespace");
  write_to("/proc/self/setgroups", "deny");
  write_to("/proc/self/uid_map", "0 " + std::to_string(nobody_id) + " 1");
  write_to("/proc/self/gid_map", "0 " + std::to_string(nobody_id) + " 1");
  if (with_network) raise_loopback();
}

struct Request {
  std::vector<Refusal> refused;
  std::vector<MountMask> mounts;
  std::vector<unsigned> dropped;
  bool memlock0 = false, nobody = false, userns = false, userns_net = false;
};

// False: there is no such mask.
bool add(Request& request, std::string_view name) {
  constexpr std::string_view drop = "drop_cap=";
  if (name.starts_with(drop)) {
    const auto found = std::ranges::find(capability_names, name.substr(drop.size()));
    if (found == capability_names.end()) return false;
    request.dropped.push_back(static_cast<unsigned>(found - capability_names.begin()));
    return true;
  }
  for (const auto& refusal : refusals) {
    if (refusal.mask == name) return request.refused.push_back(refusal), true;
  }
  for (const auto& mount : mount_masks) {
    if (mount.mask != name) continue;
    request.mounts.push_back(mount);
    // Who may trace every process sees it in spite of hidepid.
    if (name == "hidepid2") static_cast<void>(add(request, "drop_cap=SYS_PTRACE"));
    return true;
  }
  for (const auto& [flag, called] :
       {std::pair{&request.memlock0, "memlock0"}, std::pair{&request.nobody, "nobody"},
        std::pair{&request.userns, "userns"}, std::pair{&request.userns_net, "userns_net"}}) {
    if (name == called) return *flag = true;
  }
  return false;
}

// In the order in which nothing takes away what the next step needs.
void apply(const Request& request) {
  if (!request.mounts.empty()) {
    require(::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
            "a mount namespace");
    for (const auto& mount : request.mounts) mount.apply();
  }
  if (request.memlock0) {
    const rlimit none{0, 0};
    require(::setrlimit(RLIMIT_MEMLOCK, &none) == 0, "RLIMIT_MEMLOCK");
  }
  for (const auto& refusal : request.refused) refuse(refusal);
  drop_capabilities(request.dropped);
  if (request.nobody) become_nobody();
  if (request.userns || request.userns_net) enter_user_namespace(request.userns_net);
}

[[noreturn]] void list() {
  for (const auto& refusal : refusals) std::printf("%s\n", std::string(refusal.mask).c_str());
  for (const auto& mount : mount_masks) std::printf("%s\n", std::string(mount.mask).c_str());
  for (const char* name : {"memlock0", "nobody", "userns", "userns_net"}) std::printf("%s\n", name);
  for (const auto name : capability_names) std::printf("drop_cap=%s\n", std::string(name).c_str());
  std::exit(0);
}

[[noreturn]] void refuse_usage(const std::string& why) {
  std::fprintf(stderr, "mask: %s\nusage: mask NAME... -- CMD ARGS\n       mask list\n", why.c_str());
  std::exit(exit_usage);
}

}  // namespace

int main(int argc, char** argv) {
  const std::span words(argv, static_cast<std::size_t>(argc));
  if (argc == 2 && std::string_view(words[1]) == "list") list();
  Request request;
  std::size_t at = 1;
  for (; at < words.size() && std::string_view(words[at]) != "--"; ++at) {
    if (!add(request, words[at])) refuse_usage("there is no mask '" + std::string(words[at]) + "'");
  }
  if (at + 1 >= words.size()) refuse_usage("there is no command");
  apply(request);
  ::execvp(words[at + 1], &words[at + 1]);
  std::fprintf(stderr, "mask: %s: %s\n", words[at + 1], std::strerror(errno));
  return exit_no_command;
}
