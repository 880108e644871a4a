#include "backends/procfs/fanotify_marks.h"

#include <fcntl.h>
#include <linux/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "backends/procfs/mount_table.h"

namespace tracer::procfs {
namespace {

constexpr std::array<std::string_view, 28> made_by_the_kernel{
    "proc",      "sysfs",       "devpts", "devtmpfs", "debugfs",  "tracefs", "securityfs",
    "selinuxfs", "smackfs",     "cgroup", "cgroup2",  "configfs", "bpf",     "efivarfs",
    "pstore",    "binfmt_misc", "mqueue", "nsfs",     "resctrl",  "binder",  "fusectl",
    "hugetlbfs", "rpc_pipefs",  "nfsd",   "pipefs",   "sockfs",   "cpuset",  "functionfs"};
constexpr std::size_t outcomes_max = 16;
constexpr unsigned mark_filesystem = 0x00000100;  // FAN_MARK_FILESYSTEM

// 0, or an errno.
int mark(int group, unsigned how, const std::string& path) {
  const long result =
      ::syscall(SYS_fanotify_mark, group, FAN_MARK_ADD | how, std::uint64_t{FAN_OPEN}, AT_FDCWD, path.c_str());
  return result == 0 ? 0 : errno;
}

}  // namespace

bool worth_a_mark(std::string_view file_system) {
  return !may_never_answer(file_system) &&
         std::ranges::find(made_by_the_kernel, file_system) == made_by_the_kernel.end();
}

std::vector<MountLine> mounts_to_mark(const std::vector<MountLine>& mounts) {
  std::vector<MountLine> found;
  std::ranges::copy_if(mounts, std::back_inserter(found),
                       [](const MountLine& mount) { return worth_a_mark(mount.file_system); });
  // A root that was never mounted over, as while the machine starts, is not in every kernel's list.
  if (std::ranges::find(mounts, "/", &MountLine::mount_point) == mounts.end())
    found.push_back({0, 0, "/", "/", "rootfs"});
  return found;
}

Marked mark_mounts(int group, const std::vector<MountLine>& mounts, std::size_t marks_max) {
  Marked result;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> done;  // devices
  std::size_t refused = 0, left_out = 0;
  for (const MountLine& mount : mounts) {
    const std::pair device{mount.device_major, mount.device_minor};
    if (result.whole_file_systems && std::ranges::find(done, device) != done.end()) continue;
    if (result.marked >= marks_max) {
      ++left_out;
      continue;
    }
    int error = result.whole_file_systems ? mark(group, mark_filesystem, mount.mount_point) : EINVAL;
    if (error == EINVAL) {
      error = mark(group, FAN_MARK_MOUNT, mount.mount_point);
      // It is the kernel that knows no marks of file systems, and not this file system.
      if (error == 0) result.whole_file_systems = false;
    }
    if (error == 0) {
      ++result.marked;
      done.push_back(device);
    } else if (++refused <= outcomes_max) {
      result.outcomes.push_back({"opens below " + mount.mount_point, false, std::generic_category().message(error)});
    }
  }
  if (refused > outcomes_max)
    result.outcomes.push_back({"opens on " + std::to_string(refused - outcomes_max) + " more file systems", false,
                               "they refuse to be marked"});
  if (left_out > 0)
    result.outcomes.push_back(
        {"opens on " + std::to_string(left_out) + " more file systems", false, "there are too many"});
  return result;
}

}  // namespace tracer::procfs
