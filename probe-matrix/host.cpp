#include "probe-matrix/host.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "probe-matrix/fix_text.h"

namespace tracer {
namespace {

constexpr std::size_t small_file_bytes = 16 * 1024;

bool exists(System& system, const char* path) {
  const Result<std::string> content = system.read_file(path, 1);
  return content.has_value() || content.error().os_error == 21;  // EISDIR
}

// The rest of the line that begins with `key`; absent where there is none.
std::optional<std::string_view> line_after(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(key)) return line.substr(key.size());
    at = end + 1;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> bits_after(std::string_view text, std::string_view key) {
  const auto rest = line_after(text, key);
  std::uint64_t bits = 0;
  if (!rest || std::from_chars(rest->data(), rest->data() + rest->size(), bits, 16).ec != std::errc{})
    return std::nullopt;
  return bits;
}

std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  return std::string(value);
}

struct Mark {
  const char* text;
  ContainerKind kind;
};
// In the control group of process 1 or of ourselves. Kubernetes first: its groups also name the runtime.
constexpr std::array group_marks{
    Mark{"kubepods", ContainerKind::kubernetes}, Mark{"libpod", ContainerKind::podman},
    Mark{"docker", ContainerKind::docker},       Mark{"/lxc", ContainerKind::lxc},
    Mark{"containerd", ContainerKind::other},    Mark{"crio-", ContainerKind::kubernetes},
};

// The first namespaces have the same numbers on every kernel. A root file system that was unpacked from an image
// carries the image's marks without being a container.
bool in_first_namespaces(System& system) {
  constexpr std::array first{
      std::array{"/proc/self/ns/pid", "pid:[4026531836]"},
      std::array{"/proc/self/ns/uts", "uts:[4026531838]"},
      std::array{"/proc/self/ns/ipc", "ipc:[4026531839]"},
      std::array{"/proc/self/ns/cgroup", "cgroup:[4026531835]"},
  };
  return std::ranges::all_of(first, [&](const auto& pair) {
    const Result<std::string> target = system.read_link(pair[0]);
    return target && *target == pair[1];
  });
}

void find_container(System& system, Host& host) {
  const auto found = [&](ContainerKind kind, std::string evidence) {
    host.container = kind;
    host.container_evidence = std::move(evidence);
  };
  // Without /proc nothing is known of namespaces, and files in the root directory prove nothing by themselves.
  if (!exists(system, "/proc/self/status") && !exists(system, "/proc/1/cgroup")) return;
  if (!in_first_namespaces(system)) {
    if (exists(system, "/var/run/secrets/kubernetes.io")) return found(ContainerKind::kubernetes, "a Kubernetes pod");
    if (exists(system, "/run/.containerenv"))
      return found(ContainerKind::podman, "/run/.containerenv is there (podman)");
    if (exists(system, "/.dockerenv")) return found(ContainerKind::docker, "/.dockerenv is there (docker)");
  }
  if (const auto kind = system.read_file("/run/systemd/container", small_file_bytes); kind && !kind->empty()) {
    const std::string name = kind->substr(0, kind->find('\n'));
    return found(name.starts_with("lxc") ? ContainerKind::lxc : ContainerKind::nspawn, "systemd says: " + name);
  }
  const Result<std::string> group = system.read_file("/proc/1/cgroup", small_file_bytes);
  for (const Mark& mark : group_marks) {
    if (group && group->find(mark.text) != std::string::npos)
      return found(mark.kind, std::string("the control group of process 1 is of ") + mark.text);
  }
  // Only who may look into process 1 can read this; that nobody said anything there is no proof either way.
  if (const auto environment = system.read_file("/proc/1/environ", small_file_bytes)) {
    const std::size_t at = environment->find("container=");
    if (at != std::string::npos) {
      const std::string name = environment->substr(at + 10, environment->find('\0', at) - at - 10);
      return found(name == "lxc" ? ContainerKind::lxc : ContainerKind::other, "process 1 has container=" + name);
    }
  }
  if (group) found(ContainerKind::none, "no mark of a container runtime was found");
}

std::string lower_without_prefix(std::string_view name) {  // "CAP_BPF" → "BPF"
  return std::string(name.starts_with("CAP_") ? name.substr(4) : name);
}

// "CAP_BPF and CAP_PERFMON" → " --cap-add BPF --cap-add PERFMON"
std::string cap_adds(std::string_view names) {
  std::string text;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    const std::string_view word = names.substr(0, end);
    if (word.starts_with("CAP_")) text += " --cap-add " + lower_without_prefix(word);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return text;
}

}  // namespace

Host read_host(System& system) {
  Host host;
  if (const auto release = system.read_file("/etc/os-release", small_file_bytes)) {
    host.distribution = unquoted(line_after(*release, "ID=").value_or(""));
    host.distribution_name = unquoted(line_after(*release, "PRETTY_NAME=").value_or(""));
  }
  if (const auto status = system.read_file("/proc/self/status", small_file_bytes)) {
    host.effective = bits_after(*status, "CapEff:\t");
    host.bounding = bits_after(*status, "CapBnd:\t");
    host.root = line_after(*status, "Uid:\t0\t").has_value();
    host.seccomp = !line_after(*status, "Seccomp:\t").value_or("0").starts_with('0');
  }
  if (const auto map = system.read_file("/proc/self/uid_map", small_file_bytes)) {
    host.user_namespace = !map->empty() && map->find("4294967295") == std::string::npos;
  }
  if (const auto release = system.read_file("/proc/sys/kernel/osrelease", small_file_bytes)) {
    const std::string name = release->substr(0, release->find('\n'));
    const auto absent = [&](const std::string& path) {
      const auto kernel = system.read_file(path, 1);
      return !kernel && kernel.error().code == Errc::not_found;
    };
    host.kernel_from_outside =
        !name.empty() && absent("/boot/vmlinuz-" + name) && absent("/lib/modules/" + name + "/vmlinuz");
  }
  find_container(system, host);
  return host;
}

bool holds(const Host& host, Privilege privilege) {
  const std::uint64_t held = host.effective.value_or(0);
  // What was split off from CAP_SYS_ADMIN is still covered by it, and nothing else is.
  const bool covered = privilege.bit == cap_bpf.bit || privilege.bit == cap_perfmon.bit;
  const auto has = [&](Privilege one) { return ((held >> one.bit) & 1) != 0; };
  if (covered && has(cap_sys_admin)) return true;
  return has(privilege) && (privilege.bit != cap_bpf.bit || has(cap_perfmon));
}

std::string fix_privilege(const Host& host, Privilege privilege) {
  switch (host.container.value_or(ContainerKind::none)) {
    case ContainerKind::docker:
      return "docker run --pid=host" + cap_adds(privilege.name) + " … (or --privileged)";
    case ContainerKind::podman:
      return "sudo podman run --pid=host" + cap_adds(privilege.name) + " … (or --privileged)";
    case ContainerKind::kubernetes:
      return "in the pod: hostPID: true, securityContext: {privileged: true}";
    case ContainerKind::lxc:
    case ContainerKind::nspawn:
    case ContainerKind::other:
      return "run tracer on the host of this container: sudo tracer";
    case ContainerKind::none:
      break;
  }
  if (host.user_namespace) return "run tracer outside of this user namespace: sudo tracer";
  // Root that lacks something was started without it.
  if (host.root) {
    return "start it with " + std::string(privilege.name) +
           " (systemd: CapabilityBoundingSet= and AmbientCapabilities= of the service; capsh --print shows what is "
           "left)";
  }
  return "sudo tracer";
}

std::string fix_on_host(const Host& host, std::string_view command) {
  const bool inside = host.container.value_or(ContainerKind::none) != ContainerKind::none;
  return (inside ? "on the host of this container: " : "") + std::string(command);
}

std::string fix_seccomp(const Host& host) {
  switch (host.container.value_or(ContainerKind::none)) {
    case ContainerKind::docker:
      return "docker run --security-opt seccomp=unconfined …";
    case ContainerKind::podman:
      return "podman run --security-opt seccomp=unconfined …";
    case ContainerKind::kubernetes:
      return "in the pod: securityContext: {seccompProfile: {type: Unconfined}}";
    default:
      return "systemd: SystemCallFilter= of the service";
  }
}

std::string fix_kernel(const Host& host, std::string_view what) {
  struct Command {
    std::string_view distribution, command;
  };
  constexpr std::array commands{
      Command{"debian", "sudo apt install linux-image-$(dpkg --print-architecture)"},
      Command{"ubuntu", "sudo apt install linux-generic"},
      Command{"fedora", "sudo dnf install kernel"},
      Command{"rhel", "sudo dnf install kernel"},
      Command{"centos", "sudo dnf install kernel"},
      Command{"rocky", "sudo dnf install kernel"},
      Command{"almalinux", "sudo dnf install kernel"},
      Command{"ol", "sudo dnf install kernel"},
      Command{"alpine", "sudo apk add linux-lts"},
      Command{"arch", "sudo pacman -S linux"},
      Command{"opensuse-leap", "sudo zypper install kernel-default"},
      Command{"sles", "sudo zypper install kernel-default"},
  };
  std::string text = std::string(another_kernel_prefix) + std::string(what);
  const auto row = std::ranges::find(commands, std::string_view(host.distribution), &Command::distribution);
  if (host.kernel_from_outside && host.container == ContainerKind::none)
    return text + ": it is not installed here, so whoever starts this machine chooses it";
  // In a container the distribution is the image's.
  if (row != commands.end() && host.container == ContainerKind::none)
    text += ", as the distribution's is: " + std::string(row->command) + " && sudo reboot";
  return text;
}

}  // namespace tracer
