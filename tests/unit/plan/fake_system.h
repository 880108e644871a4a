// A machine for the probes: a kernel of files and answers. A file that is not listed is not there, a call that is not
// listed succeeds.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "probe-matrix/prober.h"

namespace tracer::test {

class FakeSystem final : public System {
 public:
  struct File {
    std::string content;
    int error = 0;
  };
  std::map<std::string, File> files;
  std::map<std::string, File> links;
  std::function<long(const bpf_attr&)> on_map_create, on_prog_load, on_raw_tracepoint_open, on_enable_stats;
  std::map<long, long> results;  // by system call number
  std::string kernel_version;    // of uname
  std::string reply;             // what recvfrom gives
  int closed_slowly = 0;
  std::uint32_t child = 4711;             // what run_child() starts
  std::vector<std::string> proc_news;     // datagrams that come once the child ran, first first
  std::vector<std::string> made_folders;  // and not removed again
  std::uint64_t probed_calls = 0;         // what a perf event has counted
  int attached = 0;
  bool locked_memory_allowed = false;
  std::uint64_t locked_memory_bytes = RLIM_INFINITY;

  Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) override {
    return look_up(files, path, limit_bytes);
  }
  Result<std::string> read_link(const std::string& path) override { return look_up(links, path, 4096); }

  long call(long number, std::array<std::uintptr_t, 6> arguments) override {
    if (number == SYS_prlimit64 && arguments[2] == 0) {
      *reinterpret_cast<rlimit*>(arguments[3]) = {locked_memory_bytes, locked_memory_bytes};
      return 0;
    }
    if (number == SYS_prlimit64) {
      locked_memory_allowed =
          arguments[1] == RLIMIT_MEMLOCK && reinterpret_cast<const rlimit*>(arguments[2])->rlim_max == RLIM_INFINITY;
      return 0;
    }
    if (number == SYS_bpf) {
      const auto& attributes = *reinterpret_cast<const bpf_attr*>(arguments[1]);
      if (arguments[0] == BPF_MAP_CREATE) return answer(on_map_create, attributes);
      if (arguments[0] == BPF_PROG_LOAD) return answer(on_prog_load, attributes);
      if (arguments[0] == BPF_RAW_TRACEPOINT_OPEN) ++attached;
      if (arguments[0] == BPF_RAW_TRACEPOINT_OPEN) return answer(on_raw_tracepoint_open, attributes);
      if (arguments[0] == BPF_ENABLE_STATS) return answer(on_enable_stats, attributes);
      ADD_FAILURE() << "a probe used bpf command " << arguments[0];
    }
    if (const auto found = results.find(number); found != results.end() && found->second < 0) return found->second;
    for (const long plain : {SYS_ioctl, SYS_sendto, SYS_bind, SYS_setsockopt, SYS_fanotify_mark})
      if (number == plain) return 0;
    if (number == SYS_uname) {
      auto& names = *reinterpret_cast<utsname*>(arguments[0]);
      kernel_version.copy(names.version, sizeof(names.version) - 1);
      return 0;
    }
    if (number == SYS_mkdirat) return made_folders.emplace_back(reinterpret_cast<const char*>(arguments[1])), 0;
    if (number == SYS_unlinkat) return std::erase(made_folders, reinterpret_cast<const char*>(arguments[1])), 0;
    if (number == SYS_read) {
      std::memcpy(reinterpret_cast<void*>(arguments[1]), &probed_calls, sizeof probed_calls);
      return sizeof probed_calls;
    }
    if (number == SYS_ppoll) return proc_news.empty() ? 0 : 1;
    if (number == SYS_recvfrom && !proc_news.empty()) {
      reply = proc_news.front();
      proc_news.erase(proc_news.begin());
    }
    if (number == SYS_recvfrom) {
      const std::size_t size = std::min(reply.size(), static_cast<std::size_t>(arguments[2]));
      std::memcpy(reinterpret_cast<void*>(arguments[1]), reply.data(), size);
      return static_cast<long>(size);
    }
    return descriptor();
  }
  void close_slowly(UniqueFd) override { ++closed_slowly; }
  Result<std::uint32_t> run_child() override { return child; }

  void become_root() { files["/proc/self/status"] = {"Name:\tx\nUid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n"}; }
  void become_nobody() { files["/proc/self/status"] = {"Name:\tx\nUid:\t1000\t1000\nCapEff:\t0000000000000000\n"}; }

 private:
  static long descriptor() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
  static long answer(const std::function<long(const bpf_attr&)>& rule, const bpf_attr& attributes) {
    const long result = rule ? rule(attributes) : 0;
    return result < 0 ? result : descriptor();
  }
  static Result<std::string> look_up(const std::map<std::string, File>& from, const std::string& path,
                                     std::size_t limit) {
    const auto found = from.find(path);
    if (found == from.end()) return std::unexpected(os_failure(ENOENT, path));
    if (found->second.error != 0) return std::unexpected(os_failure(found->second.error, path));
    return found->second.content.substr(0, limit);
  }
};

inline Answer ask(System& system, Capability capability) {
  ProbeContext context(system);
  for (const Probe& probe : probes())
    if (probe.capability == capability) return probe.run(context);
  ADD_FAILURE() << "no probe for " << to_string(capability);
  return {};
}

}  // namespace tracer::test
