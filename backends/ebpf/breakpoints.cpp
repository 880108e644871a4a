#include "backends/ebpf/breakpoints.h"

#include <link.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace tracer {

Result<BreakpointSource> BreakpointSource::find() {
  const std::string source = "/sys/bus/event_source/devices/uprobe";
  std::uint32_t type = 0;
  if (std::ifstream file(source + "/type"); !(file >> type))
    return fail(Errc::not_supported, "this kernel has no uprobe events (" + source + ")");
  std::uint32_t bit = 0;  // "config:0"
  std::string format;
  if (std::ifstream file(source + "/format/retprobe"); file >> format)
    if (const std::size_t colon = format.find(':'); colon != std::string::npos)
      for (const char digit : format.substr(colon + 1))
        if (digit >= '0' && digit <= '9') bit = bit * 10 + static_cast<std::uint32_t>(digit - '0');
  return BreakpointSource(type, std::uint64_t{1} << (bit & 63));
}

Result<UniqueFd> BreakpointSource::set(const Breakpoint& where, int program) const {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = type_;
  attributes.config = where.at_return ? return_flag_ : 0;
  attributes.uprobe_path = reinterpret_cast<std::uint64_t>(where.file.c_str());
  attributes.probe_offset = where.offset;
  // An event for all processes wants a processor, and hits on any.
  UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, where.process, where.process < 0 ? 0 : -1,
                                            -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) return std::unexpected(os_failure(errno, "set a breakpoint in " + where.file));
  if (::ioctl(event.get(), PERF_EVENT_IOC_SET_BPF, program) != 0)
    return std::unexpected(os_failure(errno, "run a program at a breakpoint"));
  if (::ioctl(event.get(), PERF_EVENT_IOC_ENABLE, 0) != 0)
    return std::unexpected(os_failure(errno, "enable a breakpoint"));
  return event;
}

Result<UniqueFd> set_breakpoints(const Breakpoints& where, int program) {
  // The part of union bpf_attr that BPF_LINK_CREATE reads for this type; headers of older kernels do not have it.
  struct {
    std::uint32_t program, target, attach_type, flags;
    std::uint64_t path, offsets, reference_counters, cookies;
    std::uint32_t count, link_flags, process, pad;
  } attributes{};
  constexpr std::uint32_t trace_uprobe_multi = 48, at_return = 1;
  attributes.program = static_cast<std::uint32_t>(program);
  attributes.attach_type = trace_uprobe_multi;
  attributes.path = reinterpret_cast<std::uint64_t>(where.file.c_str());
  attributes.offsets = reinterpret_cast<std::uint64_t>(where.offsets.data());
  attributes.cookies = reinterpret_cast<std::uint64_t>(where.numbers.data());
  attributes.count = static_cast<std::uint32_t>(where.offsets.size());
  attributes.link_flags = where.at_return ? at_return : 0;
  attributes.process = where.process < 0 ? 0 : static_cast<std::uint32_t>(where.process);
  const long link = ::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
  if (link < 0) return std::unexpected(os_failure(errno, "set breakpoints in " + where.file));
  return UniqueFd(static_cast<int>(link));
}

std::uint64_t own_file_offset(std::uintptr_t address) {
  struct Search {
    std::uintptr_t address;
    std::uint64_t offset = 0;
  } search{address};
  // The first object that is told is the program itself.
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* context) {
        auto& wanted = *static_cast<Search*>(context);
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
          if (segment.p_type == PT_LOAD && wanted.address >= begin && wanted.address - begin < segment.p_filesz)
            wanted.offset = wanted.address - begin + segment.p_offset;
        }
        return 1;
      },
      &search);
  return search.offset;
}

}  // namespace tracer
