#include "backends/procfs/path_walk.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "backends/procfs/mount_table.h"

namespace tracer::procfs {
namespace {

constexpr int links_max = 40;        // as the kernel has it
constexpr int components_max = 512;  // looked up for one path, those of links and of second looks included

WalkRefusal refusal_of_walk(int os_error) {
  switch (os_error) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
      return WalkRefusal::gone;
    case EACCES:
      return WalkRefusal::denied;
    case ELOOP:
    case ENAMETOOLONG:
      return WalkRefusal::too_long;
    default:
      return WalkRefusal::failed;
  }
}

UniqueFd open_component(int directory, const char* name) {
  return UniqueFd(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

class Walk {
 public:
  Walk(int root, const std::vector<std::string>& unsafe) : root_(root), unsafe_(unsafe) {}

  std::expected<Walked, WalkRefusal> run(std::string_view path) {
    rest_ = path;
    current_ = open_component(root_, ".");
    if (!current_) return std::unexpected(refusal_of_walk(errno));
    for (std::string name = next_name(); !name.empty(); name = next_name()) {
      if (name == ".") continue;
      const auto step = name == ".." ? go_up() : go_down(name);
      if (!step) return std::unexpected(step.error());
    }
    return Walked{std::move(current_), joined()};
  }

 private:
  using Step = std::expected<void, WalkRefusal>;

  std::string next_name() {
    const std::size_t begin = rest_.find_first_not_of('/');
    if (begin == std::string::npos) return {};
    const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
    std::string name = rest_.substr(begin, end - begin);
    rest_.erase(0, end);
    return name;
  }
  [[nodiscard]] std::string joined() const {
    std::string path;
    for (const std::string& name : names_) path += "/" + name;
    return path.empty() ? "/" : path;
  }
  // Opens `names_` again from the root: none of them is a link.
  Step go_up() {
    if (names_.empty()) return {};  // ".." of a root is the root
    names_.pop_back();
    UniqueFd directory = open_component(root_, ".");
    for (const std::string& name : names_) {
      if (++components_ > components_max) return std::unexpected(WalkRefusal::too_long);
      directory = open_component(directory.get(), name.c_str());
      if (!directory) return std::unexpected(refusal_of_walk(errno));
    }
    current_ = std::move(directory);
    return {};
  }
  Step go_down(const std::string& name) {
    if (++components_ > components_max) return std::unexpected(WalkRefusal::too_long);
    names_.push_back(name);
    if (lies_below(joined(), unsafe_)) return std::unexpected(WalkRefusal::unsafe);
    UniqueFd next = open_component(current_.get(), name.c_str());
    struct stat facts{};
    if (!next || ::fstat(next.get(), &facts) != 0) return std::unexpected(refusal_of_walk(errno));
    if (S_ISLNK(facts.st_mode)) return follow(next.get());
    current_ = std::move(next);
    return {};
  }
  Step follow(int link) {
    struct statfs where{};
    if (::fstatfs(link, &where) == 0 && where.f_type == PROC_SUPER_MAGIC)
      return std::unexpected(WalkRefusal::magic_link);
    std::array<char, PATH_MAX> target;
    const ssize_t length = ::readlinkat(link, "", target.data(), target.size());
    if (length < 0) return std::unexpected(refusal_of_walk(errno));
    const std::string_view to(target.data(), static_cast<std::size_t>(length));
    if (++links_ > links_max || to.size() + rest_.size() > PATH_MAX) return std::unexpected(WalkRefusal::too_long);
    names_.pop_back();  // the link itself
    rest_.insert(0, "/").insert(0, to);
    if (to.starts_with('/')) {
      names_.clear();
      current_ = open_component(root_, ".");
      if (!current_) return std::unexpected(refusal_of_walk(errno));
    }
    return {};
  }

  int root_;
  const std::vector<std::string>& unsafe_;
  UniqueFd current_;
  std::vector<std::string> names_;
  std::string rest_;
  int links_ = 0;
  int components_ = 0;
};

}  // namespace

std::expected<Walked, WalkRefusal> walk_in_kernel(int root, std::string_view path) {
  const std::string copy(path);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const long file = ::syscall(SYS_openat2, root, copy.c_str(), &how, sizeof how);
  if (file >= 0) return Walked{UniqueFd(static_cast<int>(file)), {}};
  // A link of /proc or a circle: only the other walk can tell which.
  return std::unexpected(errno == ELOOP ? WalkRefusal::failed : refusal_of_walk(errno));
}

std::expected<Walked, WalkRefusal> walk_by_hand(int root, std::string_view path,
                                                const std::vector<std::string>& unsafe_mount_points) {
  if (path.size() > PATH_MAX) return std::unexpected(WalkRefusal::too_long);
  return Walk(root, unsafe_mount_points).run(path);
}

}  // namespace tracer::procfs
