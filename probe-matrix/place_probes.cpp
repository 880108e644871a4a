#include "probe-matrix/place_probes.h"

#include <algorithm>
#include <array>
#include <string>

#include "probe-matrix/probe_answers.h"

namespace tracer {
namespace {

struct Hypervisor {
  std::string_view mark, name;
};
// As firmware names its machine.
constexpr std::array machine_marks{
    Hypervisor{"QEMU", "QEMU"},
    Hypervisor{"KVM", "KVM"},
    Hypervisor{"VMware", "VMware"},
    Hypervisor{"VirtualBox", "VirtualBox"},
    Hypervisor{"innotek", "VirtualBox"},
    Hypervisor{"Xen", "Xen"},
    Hypervisor{"Virtual Machine", "Hyper-V"},
    Hypervisor{"Amazon EC2", "Amazon EC2"},
    Hypervisor{"Google Compute Engine", "Google Compute Engine"},
    Hypervisor{"Parallels", "Parallels"},
    Hypervisor{"OpenStack", "OpenStack"},
    Hypervisor{"DigitalOcean", "DigitalOcean"},
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return text;
}

}  // namespace

Answer probe_in_container(ProbeContext& context) {
  constexpr Capability asked = Capability::in_container;
  const Host& host = context.host();
  if (!host.container) return unknown(asked, "/proc does not say");
  if (*host.container == ContainerKind::none) return unsupported(asked, host.container_evidence);
  return supported_because(asked, host.container_evidence);
}

Answer probe_in_virtual_machine(ProbeContext& context) {
  constexpr Capability asked = Capability::in_virtual_machine;
  System& system = context.system();
  for (const char* path : {"/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"}) {
    const Result<std::string> name = read_word(system, path);
    if (!name) continue;
    for (const Hypervisor& known : machine_marks)
      if (name->find(known.mark) != std::string::npos)
        return supported_because(asked, std::string(known.name) + " (" + *name + ")");
  }
  if (const auto kind = read_word(system, "/sys/hypervisor/type"); kind && !kind->empty())
    return supported_because(asked, *kind);
  const Result<std::string> clock =
      read_word(system, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  if (clock && *clock == "kvm-clock") return supported_because(asked, "KVM (its clock is kvm-clock)");
  constexpr std::size_t cpuinfo_bytes = 16 * 1024;
  const Result<std::string> processors = system.read_file("/proc/cpuinfo", cpuinfo_bytes);
  if (!processors) return cannot_read(context, asked, processors.error());
  if (processors->find("User Mode Linux") != std::string::npos) return supported_because(asked, "user-mode Linux");
  if (processors->find(" hypervisor") != std::string::npos)
    return supported_because(asked, "a hypervisor that does not name itself (a microVM such as Firecracker, say)");
  // Only x86 has the flag.
  if (processors->find("\nflags") != std::string::npos)
    return unsupported(asked, "the processor knows of no hypervisor");
  return unknown(asked, "neither firmware nor processor say");
}

Answer probe_in_wsl(ProbeContext& context) {
  constexpr Capability asked = Capability::in_wsl;
  const Result<std::string> release = read_word(context.system(), "/proc/sys/kernel/osrelease");
  if (!release) return cannot_read(context, asked, release.error());
  if (lower(*release).find("microsoft") == std::string::npos) return unsupported(asked, "kernel release " + *release);
  const bool first = release->find("Microsoft") != std::string::npos;  // WSL 2 spells it small
  return supported_because(
      asked, first ? "WSL 1 (" + *release + "): no Linux kernel, so nothing can be traced; wsl --set-version … 2"
                   : "WSL 2 (" + *release + ")");
}

Answer probe_in_gvisor(ProbeContext& context) {
  constexpr Capability asked = Capability::in_gvisor;
  const Result<std::string> version = read_word(context.system(), "/proc/version");
  if (!version) return cannot_read(context, asked, version.error());
  // What gVisor has said since its beginning, whatever its own version.
  constexpr std::string_view date_of_gvisor = "Sun Jan 10 15:06:54 PST 2016";
  if (version->find("gVisor") == std::string::npos && version->find(date_of_gvisor) == std::string::npos)
    return unsupported(asked, "/proc/version is a Linux kernel's");
  return supported_because(asked, "gVisor is the kernel here: it has no BPF, no tracepoints and no packets");
}

}  // namespace tracer
