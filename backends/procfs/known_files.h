// What a process was already seen to have open or mapped. Pure. Held as hashes: of two files in 2^32 or so one may be
// taken for known that is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace tracer::procfs {

class KnownFiles {
 public:
  explicit KnownFiles(std::size_t known_max) : known_max_(known_max) {}

  // A look at a process begins. True: it is another process or another program than the last that had this number, so
  // that nothing of it is known.
  bool begin(std::uint32_t pid, std::uint64_t start_ticks, std::string_view executable);
  // `fd` -1: mapped. False: known already, or there is no room to know it.
  bool note(std::uint32_t pid, int fd, std::string_view path);
  // The look is over: what was not met during it is forgotten, for it is not open any more.
  void end(std::uint32_t pid);
  // Forgets the processes that no look has begun at since the call before.
  void forget_others();
  void forget(std::uint32_t pid);

  [[nodiscard]] std::size_t size() const { return size_; }
  // Left out for want of room: what cannot be remembered would be told again at each look.
  [[nodiscard]] std::uint64_t over_limit() const { return over_limit_; }

 private:
  struct Process {
    std::uint64_t image = 0;  // start time and executable
    bool met = false;
    std::unordered_set<std::uint64_t> before, now;
  };
  std::size_t known_max_;
  std::size_t size_ = 0;
  std::uint64_t over_limit_ = 0;
  // False: it was not met before. If it was met before this look, it now was in it.
  [[nodiscard]] static bool meets(Process& process, std::uint64_t key);

  std::unordered_map<std::uint32_t, Process> processes_;
};

}  // namespace tracer::procfs
