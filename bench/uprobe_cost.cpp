// What a breakpoint costs the process that runs into it, per call: a child of this program calls functions of its own
// that do nothing, in turn without a breakpoint, with one at the entry, at the return, and at both. Needs root.
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "backends/ebpf/uprobe.h"

extern "C" {
#define NOTHING(name)                                                               \
  [[gnu::noinline, gnu::used, gnu::noclone]] int name(const char* text, int size) { \
    asm volatile("" ::"r"(text), "r"(size) : "memory");                             \
    return size;                                                                    \
  }
NOTHING(cost_none)
NOTHING(cost_entry)
NOTHING(cost_return)
NOTHING(cost_size)
NOTHING(cost_name)
}

namespace {

using namespace tracer;
using Clock = std::chrono::steady_clock;
using Function = int(const char*, int);

struct Case {
  std::string_view what;
  Function* function;
};
constexpr std::array cases{Case{"no breakpoint", cost_none}, Case{"entry, a name", cost_entry},
                           Case{"return, its result", cost_return}, Case{"both, a size", cost_size},
                           Case{"both, a name", cost_name}};
constexpr std::array files{LibraryFile{"own", "uprobe_cost*"}};
constexpr std::array functions{CryptoFunction{"own", "cost_entry", 1, 0, CallResult::none},
                               CryptoFunction{"own", "cost_return", 0, 0, CallResult::integer},
                               CryptoFunction{"own", "cost_size", 0, 2, CallResult::integer},
                               CryptoFunction{"own", "cost_name", 1, 0, CallResult::integer}};
constexpr int rounds = 9;
constexpr int calls = 20'000;

class OnlyOne final : public ProcessSelection {
 public:
  OnlyOne(std::uint32_t pid, bool settled) : pid_(pid), settled_(settled) {}
  bool everybody() const override { return false; }
  bool selects(const ProcessFacts& process) const override { return process.tgid == pid_; }
  bool settled() const override { return settled_; }

 private:
  std::uint32_t pid_;
  bool settled_;
};

// Time on a processor: the machine may be busy with other things.
double processor_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Results {
  std::array<std::array<double, rounds>, cases.size()> ns;
};

class Nobody final : public EventHandler {
 public:
  void on_event(const Event&) override {}
};

// Fastest and middle round of each case; the rounds of all cases are interleaved.
void measure(bool one_by_one, bool chosen) {
  void* shared = ::mmap(nullptr, sizeof(Results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int gate[2];
  if (shared == MAP_FAILED || ::pipe(gate) != 0) std::abort();
  auto* results = static_cast<Results*>(shared);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    static_cast<void>(::read(gate[0], &byte, 1));
    for (int round = 0; round < rounds; ++round)
      for (std::size_t i = 0; i < cases.size(); ++i) {
        const double begin = processor_ns();
        for (int call = 0; call < calls; ++call) cases[i].function("AES-256-GCM", 16);
        results->ns[i][static_cast<std::size_t>(round)] = (processor_ns() - begin) / calls;
      }
    ::_exit(0);
  }
  // A stranger shares the file with a process that is chosen: this one.
  const OnlyOne selection(static_cast<std::uint32_t>(chosen ? child : ::getpid()), chosen);
  UprobeOptions options;
  options.table = {files, functions};
  options.processes = &selection;
  options.one_by_one = one_by_one;
  const auto opening = Clock::now();
  auto opened = open_uprobe(options);
  if (!opened) {
    std::printf("%s\n", opened.error().context.c_str());
    std::exit(1);
  }
  std::printf("%s, %s: opened in %.0f ms\n", one_by_one ? "one by one" : "many at once",
              chosen ? "a chosen process" : "a stranger that maps the same file",
              std::chrono::duration<double, std::milli>(Clock::now() - opening).count());
  static_cast<void>(::write(gate[1], "g", 1));
  Nobody nobody;
  while (::waitpid(child, nullptr, WNOHANG) == 0) {
    ::usleep(10'000);
    static_cast<void>(opened->backend->drain(nobody, 256));
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto& ns = results->ns[i];
    std::ranges::sort(ns);
    std::printf("  %-20s %8.0f ns fastest, %8.0f ns middle\n", cases[i].what.data(), ns[0], ns[rounds / 2]);
  }
  ::munmap(shared, sizeof(Results));
  ::close(gate[0]);
  ::close(gate[1]);
}

}  // namespace

int main() {
  for (const bool one_by_one : {false, true})
    for (const bool chosen : {true, false}) measure(one_by_one, chosen);
}
