#include "cli/machine.h"

#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace tracer::cli {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "pid:[4026531836]", or "pid:[?]" where /proc does not say.
std::string name_space(const char* kind) {
  std::array<char, 64> target{};
  const std::string path = std::string("/proc/self/ns/") + kind;
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) return std::string(kind) + ":[?]";
  return {target.data(), static_cast<std::size_t>(size)};
}

}  // namespace

Machine this_machine() {
  Machine machine;
  utsname names{};
  if (::uname(&names) == 0) {
    machine.host = names.nodename;
    machine.kernel = names.release;
  }
  machine.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  // The kernel is hooked, not a namespace: every one is covered. What differs is which processes have a pid here.
  constexpr std::string_view initial_pid_namespace = "pid:[4026531836]";  // PROC_PID_INIT_INO, the same on every kernel
  const std::string pid = name_space("pid");
  machine.scope.emplace_back("all network namespaces");
  if (pid == initial_pid_namespace) {
    machine.scope.emplace_back("all processes");
  } else {
    machine.scope.push_back("all processes; those outside of " + pid + " without a pid");
  }
  return machine;
}

std::string new_run_id() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof bits)) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);  // early in boot: time and pid are different enough
    bits = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'007u + static_cast<std::uint64_t>(now.tv_nsec) +
           static_cast<std::uint64_t>(::getpid());
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(bits));
  return text.data();
}

int local_utc_offset_seconds() {
  const time_t now = ::time(nullptr);
  tm local{};
  return ::localtime_r(&now, &local) == nullptr ? 0 : static_cast<int>(local.tm_gmtoff);
}

}  // namespace tracer::cli
