#include "backends/procfs/file_source.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <expected>
#include <optional>
#include <unordered_map>
#include <utility>

#include "backends/procfs/file_system_kind.h"
#include "backends/procfs/known_roots.h"
#include "backends/procfs/mount_table.h"
#include "backends/procfs/ownership.h"
#include "backends/procfs/path_walk.h"
#include "backends/procfs/proc_reader.h"

namespace tracer {
namespace {

using procfs::ProcessDirectory;
using procfs::ProcReader;
using procfs::Refusal;
using procfs::Root;
using procfs::Walked;
using procfs::WalkRefusal;

constexpr std::size_t piece_bytes = std::size_t{256} * 1024;

FileIdentity identity_of(const struct stat& facts) {
  return {facts.st_dev, facts.st_ino, static_cast<std::uint64_t>(facts.st_size),
          std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

FileStat not_there(FileKind kind, std::string reason) {
  FileStat answer;
  answer.kind = kind;
  answer.reason = std::move(reason);
  return answer;
}

FileStat refused(WalkRefusal refusal) {
  switch (refusal) {
    case WalkRefusal::gone:
      return not_there(FileKind::gone, "no such file (any more)");
    case WalkRefusal::denied:
      return not_there(FileKind::unreadable, "no permission for a directory on the way");
    case WalkRefusal::unsafe:
      return not_there(FileKind::unreadable, "on a file system whose server may never answer");
    case WalkRefusal::magic_link:
      return not_there(FileKind::unreadable, "through a link of /proc, which leads each reader elsewhere");
    case WalkRefusal::too_long:
      return not_there(FileKind::unreadable, "too many links or directories on the way");
    case WalkRefusal::failed:
      break;
  }
  return not_there(FileKind::unreadable, "the path cannot be looked up");
}

std::string_view kind_name(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "no regular file";
}

class FileSourceOfProc final : public ProcFileSource {
 public:
  FileSourceOfProc(FileSourceOptions options, ProcReader proc)
      : options_(std::move(options)),
        proc_(std::move(proc)),
        roots_({options_.processes_remembered_max, options_.remembered_ns_max}),
        own_(root_of_self()) {}

  [[nodiscard]] FileStat stat(const FileQuestion& question) override {
    auto found = find(question);
    return found ? std::move(found->answer) : std::move(found.error());
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> read(const FileQuestion& question, const FileIdentity& identity,
                                                           std::uint64_t offset, std::size_t bytes_max) override;
  void look_at(std::uint32_t pid) override {
    if (const auto process = proc_.process(pid)) (void)root_of(pid, *process);
  }
  void adopt(std::uint32_t parent, std::uint32_t child) override {
    if (!roots_.find(parent, options_.now_ns())) look_at(parent);
    roots_.adopt(parent, child, options_.now_ns());
  }

 private:
  struct Found {
    UniqueFd file;  // O_PATH
    FileStat answer;
  };
  template <typename T>
  using Answer = std::expected<T, FileStat>;
  // Where to look: which directory is "/", and the path from there.
  struct Place {
    UniqueFd root;
    std::string root_path;  // as the tracer sees it
    std::string path;
    std::vector<std::string> unsafe;
  };

  [[nodiscard]] std::optional<Root> root_of_self() const {
    const auto self = proc_.self();
    return self ? read_root(*self) : std::nullopt;
  }
  [[nodiscard]] static std::optional<Root> read_root(const ProcessDirectory& process) {
    auto path = process.link("root");
    auto mounts = process.link("ns/mnt");
    if (!path || !mounts) return std::nullopt;
    return Root{*std::move(mounts), *std::move(path)};
  }
  std::optional<Root> root_of(std::uint32_t pid, const ProcessDirectory& process) {
    auto root = read_root(process);
    if (root) roots_.note(pid, *root, options_.now_ns());
    return root;
  }

  [[nodiscard]] Answer<Place> place_of(const FileQuestion& question);
  [[nodiscard]] Answer<Place> place_of_living(const FileQuestion& question, const ProcessDirectory& process,
                                              const Root& root);
  [[nodiscard]] Answer<Place> own_place(const FileQuestion& question);
  [[nodiscard]] Answer<std::vector<std::string>> unsafe_in(const ProcessDirectory& process, const Root& root);
  [[nodiscard]] std::expected<Walked, WalkRefusal> walk(const Place& place) const;
  [[nodiscard]] std::string name_of(int file) const;
  [[nodiscard]] Answer<Found> find(const FileQuestion& question);
  [[nodiscard]] UniqueFd open_for_reading(int file) const;

  struct Mounts {
    std::uint64_t read_ns = 0;
    std::vector<std::string> unsafe;
  };
  FileSourceOptions options_;
  ProcReader proc_;
  procfs::KnownRoots roots_;
  std::optional<Root> own_;
  std::unordered_map<std::string, Mounts> mounts_;  // by mount namespace and root
};

// Mounts change seldom and are many: the list is kept for a second.
FileSourceOfProc::Answer<std::vector<std::string>> FileSourceOfProc::unsafe_in(const ProcessDirectory& process,
                                                                               const Root& root) {
  constexpr std::size_t lists_max = 1024;
  const std::string key = root.mount_namespace + root.path;
  const std::uint64_t now_ns = options_.now_ns();
  const auto known = mounts_.find(key);
  if (known != mounts_.end() && now_ns - known->second.read_ns < options_.mounts_ns_max) return known->second.unsafe;
  const auto mounts = procfs::list_mounts(process);
  if (!mounts) {
    return std::unexpected(mounts.error() == Refusal::gone
                               ? not_there(FileKind::gone, "the process has ended")
                               : not_there(FileKind::unreadable, "what is mounted there cannot be read"));
  }
  auto unsafe = procfs::unsafe_mount_points(*mounts);
  if (mounts_.size() >= lists_max) mounts_.clear();
  mounts_.insert_or_assign(key, Mounts{now_ns, unsafe});
  return unsafe;
}

FileSourceOfProc::Answer<FileSourceOfProc::Place> FileSourceOfProc::own_place(const FileQuestion& question) {
  if (!question.path.starts_with('/'))
    return std::unexpected(not_there(FileKind::gone, "a relative path of a process that is not known or has ended"));
  const auto self = proc_.self();
  if (!self || !own_) return std::unexpected(not_there(FileKind::unreadable, "/proc does not show the tracer itself"));
  auto unsafe = unsafe_in(*self, *own_);
  if (!unsafe) return std::unexpected(std::move(unsafe.error()));
  UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return std::unexpected(not_there(FileKind::unreadable, "the root directory cannot be opened"));
  return Place{std::move(root), own_->path, std::string(question.path), *std::move(unsafe)};
}

FileSourceOfProc::Answer<FileSourceOfProc::Place> FileSourceOfProc::place_of_living(const FileQuestion& question,
                                                                                    const ProcessDirectory& process,
                                                                                    const Root& root) {
  auto root_directory = process.enter("root");
  if (!root_directory) return std::unexpected(not_there(FileKind::gone, "the process has ended"));
  std::string path(question.path);
  if (!path.starts_with('/')) {
    const bool below_descriptor = question.directory_fd && *question.directory_fd >= 0;
    const std::string link = below_descriptor ? "fd/" + std::to_string(*question.directory_fd) : "cwd";
    const auto base = process.link(link.c_str());
    const auto inside = base ? procfs::path_within(*base, root.path) : std::nullopt;
    if (!inside)
      return std::unexpected(not_there(FileKind::gone, "the directory that the path begins in cannot be told"));
    path = std::string(*inside) + "/" + path;
  }
  auto unsafe = unsafe_in(process, root);
  if (!unsafe) return std::unexpected(std::move(unsafe.error()));
  return Place{*std::move(root_directory), root.path, std::move(path), *std::move(unsafe)};
}

FileSourceOfProc::Answer<FileSourceOfProc::Place> FileSourceOfProc::place_of(const FileQuestion& question) {
  if (question.pid == 0)
    return std::unexpected(not_there(FileKind::gone, "it is not known which process that was, and so which root"));
  const auto process = proc_.process(question.pid);
  if (process) {
    if (const auto root = root_of(question.pid, *process)) return place_of_living(question, *process, *root);
    if (const auto link = process->link("root"); !link && link.error() == Refusal::denied)
      return std::unexpected(
          not_there(FileKind::unreadable, "the root of another user's process may not be looked at"));
  }
  const auto before = roots_.find(question.pid, options_.now_ns());
  if (!before) return std::unexpected(not_there(FileKind::gone, "the process has ended, and its root was not known"));
  if (!own_ || *before != *own_)
    return std::unexpected(not_there(FileKind::gone, "the process has ended, and its root was another one"));
  return own_place(question);
}

std::expected<Walked, WalkRefusal> FileSourceOfProc::walk(const Place& place) const {
  if (place.path.size() >= PATH_MAX || place.path.find('\0') != std::string::npos)
    return std::unexpected(WalkRefusal::too_long);
  if (options_.use_openat2 && place.unsafe.empty()) {
    auto walked = procfs::walk_in_kernel(place.root.get(), place.path);
    if (walked) {
      const std::string name = name_of(walked->file.get());
      walked->path = procfs::path_within(name, place.root_path).value_or("");
      return walked;
    }
    if (walked.error() != WalkRefusal::failed) return walked;
  }
  return procfs::walk_by_hand(place.root.get(), place.path, place.unsafe);
}

std::string FileSourceOfProc::name_of(int file) const {
  const auto self = proc_.self();
  return self ? self->link(("fd/" + std::to_string(file)).c_str()).value_or(std::string{}) : std::string{};
}

FileSourceOfProc::Answer<FileSourceOfProc::Found> FileSourceOfProc::find(const FileQuestion& question) {
  if (question.not_at_path)
    return std::unexpected(not_there(FileKind::gone, "unlinked, or outside of the process's root"));
  if (question.path.empty()) return std::unexpected(not_there(FileKind::gone, "no path"));
  if (question.path_cut)
    return std::unexpected(not_there(FileKind::gone, "only the beginning of the path is known: it was too long"));
  const auto place = place_of(question);
  if (!place) return std::unexpected(place.error());
  auto walked = walk(*place);
  if (!walked) return std::unexpected(refused(walked.error()));
  struct stat facts{};
  if (::fstat(walked->file.get(), &facts) != 0) return std::unexpected(refused(WalkRefusal::failed));
  Found found{std::move(walked->file), {}};
  found.answer.path = std::move(walked->path);
  found.answer.identity = identity_of(facts);
  if (!S_ISREG(facts.st_mode)) {
    found.answer.kind = FileKind::other;
    found.answer.reason = kind_name(facts.st_mode);
  } else if (const std::string_view why_not = procfs::why_not_to_be_read(found.file.get()); !why_not.empty()) {
    found.answer.kind = FileKind::unreadable;
    found.answer.reason = why_not;
  } else {
    found.answer.kind = FileKind::regular;
  }
  return found;
}

// Through the descriptor: what is opened is what was looked at. O_NONBLOCK: a lease on the file would be waited for.
UniqueFd FileSourceOfProc::open_for_reading(int file) const {
  const std::string path = options_.proc_root + "/self/fd/" + std::to_string(file);
  constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd opened(::open(path.c_str(), flags | O_NOATIME));
  if (!opened && errno == EPERM) opened.reset(::open(path.c_str(), flags));  // only the owner may ask for O_NOATIME
  return opened;
}

std::optional<std::vector<std::byte>> FileSourceOfProc::read(const FileQuestion& question, const FileIdentity& identity,
                                                             std::uint64_t offset, std::size_t bytes_max) {
  const auto found = find(question);
  if (!found || found->answer.kind != FileKind::regular || found->answer.identity != identity) return std::nullopt;
  const UniqueFd file = open_for_reading(found->file.get());
  struct stat facts{};
  if (!file || ::fstat(file.get(), &facts) != 0 || identity_of(facts) != identity) return std::nullopt;
  std::vector<std::byte> bytes;
  const std::uint64_t there = offset < identity.size ? identity.size - offset : 0;
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>({bytes_max, options_.read_bytes_max, there}));
  bytes.resize(wanted);
  std::size_t size = 0;
  while (size < wanted) {
    const ssize_t count = ::pread(file.get(), bytes.data() + size, std::min(wanted - size, piece_bytes),
                                  static_cast<off_t>(offset + size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size != wanted || ::fstat(file.get(), &facts) != 0 || identity_of(facts) != identity) return std::nullopt;
  return bytes;
}

}  // namespace

Result<std::unique_ptr<ProcFileSource>> open_file_source(FileSourceOptions options) {
  if (!options.now_ns) options.now_ns = procfs::monotonic_now_ns;
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  return std::make_unique<FileSourceOfProc>(std::move(options), *std::move(proc));
}

}  // namespace tracer
