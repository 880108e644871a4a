// The whole mechanism in one static program, for kernels on which there is no library to look into: it has functions of
// the table itself, a child of it calls them, and the tracer's part looks on. Ends with 0 if every call was told, 77
// where this kernel has no uprobes.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>

#include "backends/ebpf/breakpoints.h"
#include "backends/ebpf/uprobe.h"

extern "C" {
// Not to be copied, merged or left out: `asm` is what they do.
[[gnu::noinline, gnu::used, gnu::noclone]] void* EVP_CIPHER_fetch(void* context, const char* name, const char*) {
  asm volatile("" ::"r"(context), "r"(name) : "memory");
  static int cipher;
  return name[0] == 'A' ? &cipher : nullptr;
}
[[gnu::noinline, gnu::used, gnu::noclone]] int RAND_bytes(unsigned char* bytes, int size) {
  asm volatile("" ::"r"(bytes), "r"(size) : "memory");
  return 1;
}
[[gnu::noinline, gnu::used, gnu::noclone]] long SSL_get_verify_result(const void* session) {
  asm volatile("" ::"r"(session) : "memory");
  return 18;
}
}

namespace {

using namespace tracer;
using Clock = std::chrono::steady_clock;

constexpr std::array files{LibraryFile{"own", "uprobe_guest*"}};
constexpr std::array functions{CryptoFunction{"own", "EVP_CIPHER_fetch", 2, 0, CallResult::pointer},
                               CryptoFunction{"own", "RAND_bytes", 0, 2, CallResult::integer},
                               CryptoFunction{"own", "SSL_get_verify_result", 0, 0, CallResult::number},
                               CryptoFunction{"own", "no_such_function", 1, 0, CallResult::none}};
constexpr int many = 20'000;

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

using Key = std::tuple<std::uint32_t, std::string, std::string, std::int64_t, std::uint64_t>;

class Listener final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    const auto* call = std::get_if<CryptoCall>(&event.body);
    if (call == nullptr) return;
    const Key key{event.who.tgid, std::string(call->function), std::string(call->argument), call->result.value_or(-99),
                  call->size.value_or(0)};
    calls[key] += call->calls;
    if (call->library.find("uprobe_guest") == std::string_view::npos) ++nameless;
  }
  std::map<Key, std::uint64_t> calls;
  int nameless = 0;
};

// A child that calls when the pipe is closed, and ends.
pid_t start_caller(int wait_fd) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  char byte = 0;
  static_cast<void>(::read(wait_fd, &byte, 1));
  std::array<unsigned char, 32> bytes{};
  for (int i = 0; i < 3; ++i) EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  EVP_CIPHER_fetch(nullptr, "no-such", nullptr);
  for (int i = 0; i < many; ++i) RAND_bytes(bytes.data(), 24);
  SSL_get_verify_result(bytes.data());
  ::_exit(0);
}

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

bool check(bool one_by_one, bool settled, bool ring_buffer) {
  int gate[2];
  if (::pipe(gate) != 0) return false;
  std::array<pid_t, 2> callers{};
  for (pid_t& each : callers) {
    each = start_caller(gate[0]);
    if (each < 0) return false;
  }
  // Children hold the writing end as well: each is let go by a byte of its own.
  const auto chosen = static_cast<std::uint32_t>(callers[0]);
  const OnlyOne selection(chosen, settled);
  UprobeOptions options;
  options.table = {files, functions};
  options.processes = &selection;
  options.one_by_one = one_by_one;
  options.ring_buffer = ring_buffer;
  const auto begin = Clock::now();
  auto opened = open_uprobe(options);
  const double open_ms = ms_since(begin);
  if (!opened) {
    std::printf("open: %s\n", opened.error().context.c_str());
    return false;
  }
  for (const AttachOutcome& each : opened->outcomes)
    std::printf("  %s%s %s\n", each.what.c_str(), each.attached ? "" : ": not attached:", each.reason.c_str());
  static_cast<void>(::write(gate[1], "gg", 2));
  Listener heard;
  const std::map<Key, std::uint64_t> expected{{{chosen, "EVP_CIPHER_fetch", "AES-256-GCM", 1, 0}, 3},
                                              {{chosen, "EVP_CIPHER_fetch", "no-such", 0, 0}, 1},
                                              {{chosen, "RAND_bytes", "", 1, 24}, many},
                                              {{chosen, "SSL_get_verify_result", "", 18, 0}, 1}};
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  while (heard.calls != expected && Clock::now() < deadline) {
    pollfd waiting{opened->backend->fd(), POLLIN, 0};
    ::poll(&waiting, 1, 20);
    if (!opened->backend->drain(heard, 256)) return false;
  }
  for (const pid_t each : callers) ::waitpid(each, nullptr, 0);
  const auto closing = Clock::now();
  opened->backend.reset();
  const bool good = heard.calls == expected && heard.nameless == 0;
  std::printf("%s, %s, %s: %s; opened in %.0f ms, closed in %.0f ms\n", one_by_one ? "one by one" : "many at once",
              settled ? "one process" : "all processes", ring_buffer ? "ring" : "perf", good ? "good" : "BAD", open_ms,
              ms_since(closing));
  if (!good)
    for (const auto& [key, calls] : heard.calls)
      std::printf("  told: %u %s '%s' %lld %llu: %llu\n", std::get<0>(key), std::get<1>(key).c_str(),
                  std::get<2>(key).c_str(), static_cast<long long>(std::get<3>(key)),
                  static_cast<unsigned long long>(std::get<4>(key)), static_cast<unsigned long long>(calls));
  ::close(gate[0]);
  ::close(gate[1]);
  return good;
}

}  // namespace

int main() {
  if (const auto source = BreakpointSource::find(); !source) {
    std::printf("%s\n", source.error().context.c_str());
    return 77;
  }
  bool good = true;
  for (const bool one_by_one : {false, true})
    for (const bool settled : {true, false}) good = check(one_by_one, settled, true) && good;
  return check(true, false, false) && good ? 0 : 1;
}
