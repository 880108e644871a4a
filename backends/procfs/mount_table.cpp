#include "backends/procfs/mount_table.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tracer::procfs {
namespace {

constexpr std::array<std::string_view, 22> remote_file_systems{
    "9p",   "acfs", "afs",    "autofs", "beegfs", "ceph", "cifs",  "coda",     "davfs", "fuse",  "fuseblk",
    "gfs2", "gpfs", "lustre", "ncpfs",  "nfs",    "nfs4", "ocfs2", "orangefs", "smb3",  "smbfs", "vboxsf"};

}  // namespace

bool may_never_answer(std::string_view file_system) {
  return file_system.starts_with("fuse.") ||
         std::ranges::find(remote_file_systems, file_system) != remote_file_systems.end();
}

Found<std::vector<MountLine>> list_mounts(const ProcessDirectory& process, std::size_t bytes_max) {
  const auto file = process.open("mountinfo");
  if (!file) return std::unexpected(file.error());
  std::string text;
  std::array<char, std::size_t{16} * 1024> piece;
  for (;;) {
    const ssize_t count = ::read(file->get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(refusal_of(errno));
    if (count == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > bytes_max) return std::unexpected(Refusal::malformed);
  }
  std::vector<MountLine> mounts;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    auto mount = parse_mountinfo_line(rest.substr(0, end));
    if (!mount) return std::unexpected(Refusal::malformed);
    mounts.push_back(*std::move(mount));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return mounts;
}

std::vector<std::string> unsafe_mount_points(const std::vector<MountLine>& mounts) {
  std::vector<std::string> found;
  for (const MountLine& mount : mounts)
    if (may_never_answer(mount.file_system) && mount.mount_point != "/") found.push_back(mount.mount_point);
  return found;
}

bool lies_below(std::string_view path, const std::vector<std::string>& mount_points) {
  return std::ranges::any_of(mount_points, [&](const std::string& point) {
    return path.starts_with(point) && (path.size() == point.size() || path[point.size()] == '/');
  });
}

}  // namespace tracer::procfs
