#include "backends/procfs/file_system_kind.h"

#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace tracer::procfs {
namespace {

// linux/magic.h, and those that only the kernel's sources name.
constexpr std::array<std::uint32_t, 20> made_by_the_kernel{
    0x00009fa0,  // proc
    0x62656572,  // sysfs
    0x64626720,  // debugfs
    0x74726163,  // tracefs: reading trace_pipe takes away what others wait for
    0x73636673,  // securityfs
    0xf97cff8c,  // selinuxfs
    0x43415d53,  // smackfs
    0x5a3c69f0,  // apparmorfs
    0x0027e0eb,  // cgroup
    0x63677270,  // cgroup2
    0x62656570,  // configfs
    0xcafe4a11,  // bpf
    0xde5e81e4,  // efivarfs: the firmware is asked, and slows down who asks often
    0x6165676c,  // pstore
    0x42494e4d,  // binfmt_misc
    0x19800202,  // mqueue
    0x6e736673,  // nsfs
    0x07655821,  // resctrl
    0x6c6f6f70,  // binderfs
    0x65735543,  // fusectl
};
constexpr std::uint32_t fuse = 0x65735546;

}  // namespace

std::string_view why_not_to_be_read(int file) {
  struct statfs where{};
  if (::fstatfs(file, &where) != 0) return "its file system does not say what it is";
  const auto kind = static_cast<std::uint32_t>(where.f_type);
  if (kind == fuse) return "on a file system whose server may never answer";
  if (std::ranges::find(made_by_the_kernel, kind) != made_by_the_kernel.end())
    return "made by the kernel when it is read";
  return {};
}

}  // namespace tracer::procfs
