// Real breakpoints in real processes, all of them started here. Needs root and a kernel with uprobes and bpf(2).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "backends/ebpf/elf_functions.h"
#include "backends/ebpf/uprobe.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto patience = 10s;

std::string libcrypto() {
  for (const char* directory :
       {"/usr/lib/x86_64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/", "/usr/lib64/", "/usr/lib/"})
    if (fs::exists(std::string(directory) + "libcrypto.so.3")) return std::string(directory) + "libcrypto.so.3";
  return {};
}

// The caller of caller.cpp, under command.
class Caller {
 public:
  Caller() {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execl(UPROBE_CALLER, UPROBE_CALLER, nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    in_.reset(in[1]);
    out_.reset(out[0]);
  }
  ~Caller() { end(); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  [[nodiscard]] bool tell(const std::string& command) {
    const std::string line = command + "\n";
    if (::write(in_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return false;
    std::string answer;
    for (char byte = 0; byte != '\n' && ::read(out_.get(), &byte, 1) == 1;) answer += byte;
    return answer == "ok\n";
  }
  void end() {
    in_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  pid_t pid_ = -1;
  UniqueFd in_, out_;
};

struct Told {
  std::uint64_t calls = 0, events = 0;
  std::set<std::string> libraries;
  std::set<std::int64_t> results;
  std::set<std::uint64_t> sizes;
};
// By process, function and name.
using Key = std::tuple<std::uint32_t, std::string, std::string>;

class Listener final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    if (const auto* lost = std::get_if<Lost>(&event.body)) lost_ += lost->events;
    const auto* call = std::get_if<CryptoCall>(&event.body);
    if (call == nullptr) return;
    Told& told = told_[{event.who.tgid, std::string(call->function), std::string(call->argument)}];
    told.calls += call->calls;
    ++told.events;
    told.libraries.emplace(call->library);
    if (call->result) told.results.insert(*call->result);
    if (call->size) told.sizes.insert(*call->size);
    EXPECT_GT(event.at.ns, 0U);
    EXPECT_GT(call->calls, 0U);
  }
  [[nodiscard]] std::uint64_t calls(std::uint32_t pid, const char* function, const char* name) const {
    const auto found = told_.find({pid, function, name});
    return found != told_.end() ? found->second.calls : 0;
  }
  [[nodiscard]] const Told& of(std::uint32_t pid, const char* function, const char* name) {
    return told_[{pid, function, name}];
  }
  [[nodiscard]] std::size_t kinds(std::uint32_t pid) const {
    std::size_t count = 0;
    for (const auto& [key, told] : told_) count += std::get<0>(key) == pid ? 1 : 0;
    return count;
  }
  [[nodiscard]] const std::map<Key, Told>& all() const { return told_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  std::map<Key, Told> told_;
  std::uint64_t lost_ = 0;
};

class Chosen final : public ProcessSelection {
 public:
  bool everybody() const override { return false; }
  bool selects(const ProcessFacts& process) const override {
    return pids.contains(process.tgid) || (!name.empty() && process.comm == name);
  }
  std::uint32_t newcomer() const override { return coming; }
  bool follows_children() const override { return children; }
  bool settled() const override { return name.empty() && !children; }

  std::set<std::uint32_t> pids;
  std::string name;
  std::uint32_t coming = 0;
  bool children = false;
};

bool privileged() { return ::geteuid() == 0 && fs::exists("/sys/bus/event_source/devices/uprobe"); }

class UprobeLive : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!privileged()) GTEST_SKIP() << "needs root and uprobes";
    if (libcrypto().empty()) GTEST_SKIP() << "needs OpenSSL's libcrypto.so.3";
    // Few rows: each costs a tenth of a second at the end where breakpoints are set one by one.
    for (const CryptoFunction& each : crypto_table().functions)
      for (const char* name : {"EVP_CIPHER_fetch", "EVP_get_digestbyname", "RAND_bytes"})
        if (each.name == name) functions_.push_back(each);
    ASSERT_EQ(functions_.size(), 3U);
    options_.table.functions = functions_;
    options_.one_by_one = GetParam();
    options_.tell_ns = 50'000'000;
    options_.look_ns = 50'000'000;
  }
  void TearDown() override { opened_.backend.reset(); }

  void open() {
    auto opened = open_uprobe(options_);
    ASSERT_TRUE(opened) << opened.error().context;
    opened_ = *std::move(opened);
    EXPECT_TRUE(opened_.self_test_seen);
    EXPECT_EQ(opened_.mechanism, Mechanism::uprobe);
  }
  void drain() {
    const auto drained = opened_.backend->drain(heard_, 256);
    ASSERT_TRUE(drained) << drained.error().context;
  }
  [[nodiscard]] bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds longest = patience) {
    const auto end = Clock::now() + longest;
    while (Clock::now() < end) {
      pollfd waiting{opened_.backend->fd(), POLLIN, 0};
      ::poll(&waiting, 1, 5);
      drain();
      if (done()) return true;
    }
    return false;
  }

  std::vector<CryptoFunction> functions_;
  UprobeOptions options_;
  OpenedBackend opened_;
  Listener heard_;
};

TEST_P(UprobeLive, NamesAndResultsOfCallsIntoALibraryThatWasMappedBefore) {
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + libcrypto()));
  open();
  ASSERT_TRUE(caller.tell("cipher AES-256-GCM 3"));
  ASSERT_TRUE(caller.tell("cipher no-such-cipher 1"));
  ASSERT_TRUE(caller.tell("digest SHA256 2"));
  ASSERT_TRUE(caller.tell("random 24 5"));
  const auto pid = caller.pid();
  EXPECT_TRUE(wait_until([&] {
    return heard_.calls(pid, "EVP_CIPHER_fetch", "AES-256-GCM") == 3 &&
           heard_.calls(pid, "EVP_CIPHER_fetch", "no-such-cipher") == 1 &&
           heard_.calls(pid, "EVP_get_digestbyname", "SHA256") == 2 && heard_.calls(pid, "RAND_bytes", "") >= 5;
  }));
  const Told& fetched = heard_.of(pid, "EVP_CIPHER_fetch", "AES-256-GCM");
  EXPECT_EQ(fetched.libraries, std::set<std::string>{fs::canonical(libcrypto()).string()});
  EXPECT_EQ(fetched.results, std::set<std::int64_t>{1});
  EXPECT_EQ(heard_.of(pid, "EVP_CIPHER_fetch", "no-such-cipher").results, std::set<std::int64_t>{0});
  EXPECT_TRUE(heard_.of(pid, "RAND_bytes", "").sizes.contains(24));
  EXPECT_EQ(heard_.of(pid, "RAND_bytes", "").results, std::set<std::int64_t>{1});
}

TEST_P(UprobeLive, CountsExactly) {
  constexpr std::uint64_t calls = 200'000;
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + libcrypto()));
  Chosen chosen;
  chosen.pids = {caller.pid()};
  options_.processes = &chosen;
  open();
  ASSERT_TRUE(caller.tell("digest SHA256 " + std::to_string(calls / 2)));
  ASSERT_TRUE(caller.tell("threads 4 " + std::to_string(calls / 8)));
  const auto pid = caller.pid();
  EXPECT_TRUE(wait_until([&] { return heard_.calls(pid, "EVP_get_digestbyname", "SHA256") >= calls; }));
  opened_.backend->hold_nothing_back();
  drain();
  EXPECT_EQ(heard_.calls(pid, "EVP_get_digestbyname", "SHA256"), calls);
  EXPECT_LT(heard_.of(pid, "EVP_get_digestbyname", "SHA256").events, 2'000U)
      << "calls are counted, not told one by one";
  EXPECT_EQ(heard_.lost(), 0U);
  const BackendCounters counters = opened_.backend->counters();
  EXPECT_EQ(counters.produced, counters.delivered + counters.self_events + counters.lost_ring_full);
  EXPECT_GE(counters.delivered, calls);
}

TEST_P(UprobeLive, TheLastCallsOfAProcessThatEndsAreTold) {
  options_.tell_ns = 3'600'000'000'000;
  open();
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + libcrypto()));
  const auto pid = caller.pid();
  ASSERT_TRUE(caller.tell("digest SHA512 1"));
  ASSERT_TRUE(wait_until([&] { return heard_.calls(pid, "EVP_get_digestbyname", "SHA512") == 1; }));
  ASSERT_TRUE(caller.tell("digest SHA512 41"));
  caller.end();
  EXPECT_TRUE(wait_until([&] { return heard_.calls(pid, "EVP_get_digestbyname", "SHA512") == 42; }));
}

TEST_P(UprobeLive, OtherProcessesAreNotTold) {
  Caller chosen_one, other;
  ASSERT_TRUE(chosen_one.tell("load " + libcrypto()) && other.tell("load " + libcrypto()));
  for (const bool settled : {true, false}) {
    Chosen chosen;
    chosen.pids = {chosen_one.pid()};
    if (!settled) chosen.name = "nobody-is-called-so";  // then breakpoints hit in everybody
    options_.processes = &chosen;
    open();
    heard_ = {};
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(other.tell("digest SHA1 100"));
      ASSERT_TRUE(chosen_one.tell("digest SHA1 7"));
      EXPECT_TRUE(wait_until([&] {
        return heard_.calls(chosen_one.pid(), "EVP_get_digestbyname", "SHA1") == 7U * (static_cast<unsigned>(i) + 1);
      })) << settled;
    }
    EXPECT_EQ(heard_.kinds(other.pid()), 0U);
    for (const auto& [key, told] : heard_.all()) EXPECT_EQ(std::get<0>(key), chosen_one.pid());
    opened_.backend.reset();
  }
}

TEST_P(UprobeLive, AProcessIsKnownByItsNameAlsoWhenItCameLater) {
  Chosen chosen;
  chosen.name = "uprobe_caller";
  options_.processes = &chosen;
  open();
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + libcrypto()));
  ASSERT_TRUE(caller.tell("digest SHA384 4"));
  const auto pid = caller.pid();
  caller.end();  // before anybody could look at it
  EXPECT_TRUE(wait_until([&] { return heard_.calls(pid, "EVP_get_digestbyname", "SHA384") == 4; }));
}

TEST_P(UprobeLive, ChildrenAreFollowedFromTheirFirstCall) {
  for (const bool follow : {true, false}) {
    Caller caller;
    ASSERT_TRUE(caller.tell("load " + libcrypto()));
    Chosen chosen;
    chosen.pids = {caller.pid()};
    chosen.children = follow;
    if (!follow) chosen.name = "nobody-is-called-so";
    options_.processes = &chosen;
    open();
    heard_ = {};
    ASSERT_TRUE(caller.tell("fork 5"));
    ASSERT_TRUE(caller.tell("digest SHA1 1"));
    EXPECT_TRUE(wait_until([&] { return heard_.calls(caller.pid(), "EVP_get_digestbyname", "SHA1") == 1; }));
    opened_.backend->hold_nothing_back();
    drain();
    std::uint64_t of_child = 0;
    for (const auto& [key, told] : heard_.all())
      if (std::get<2>(key) == "MD5") of_child += told.calls;
    EXPECT_EQ(of_child, follow ? 5U : 0U);
    opened_.backend.reset();
  }
}

TEST_P(UprobeLive, ALibraryElsewhereIsFoundWhenItIsMappedLate) {
  std::string directory = (fs::temp_directory_path() / "uprobe-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string copy = directory + "/libcrypto.so.3";
  fs::copy_file(libcrypto(), copy);
  Caller caller;
  open();
  ASSERT_TRUE(caller.tell("load " + copy));
  const auto pid = caller.pid();
  std::uint64_t made = 0;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_TRUE(caller.tell("digest SHA224 1"));
    ++made;
    return heard_.calls(pid, "EVP_get_digestbyname", "SHA224") >= 3;
  }));
  EXPECT_LE(heard_.calls(pid, "EVP_get_digestbyname", "SHA224"), made);
  EXPECT_EQ(heard_.of(pid, "EVP_get_digestbyname", "SHA224").libraries, std::set<std::string>{copy});
  fs::remove_all(directory);
}

TEST_P(UprobeLive, ALibraryThatWasDeletedIsFound) {
  std::string directory = (fs::temp_directory_path() / "uprobe-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string copy = directory + "/libcrypto.so.3";
  fs::copy_file(libcrypto(), copy);
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + copy));
  fs::remove_all(directory);
  Chosen chosen;
  chosen.pids = {caller.pid()};
  options_.processes = &chosen;
  open();
  ASSERT_TRUE(caller.tell("digest SHA224 6"));
  EXPECT_TRUE(wait_until([&] { return heard_.calls(caller.pid(), "EVP_get_digestbyname", "SHA224") == 6; }));
  EXPECT_EQ(heard_.of(caller.pid(), "EVP_get_digestbyname", "SHA224").libraries, std::set<std::string>{copy});
}

TEST_P(UprobeLive, HeartbeatsComeBackAndAreNobodysCalls) {
  open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(opened_.backend->send_beat());
  EXPECT_TRUE(wait_until([&] { return opened_.backend->beats().seen == 3; }));
  EXPECT_EQ(opened_.backend->beats().sent, 3U);
  EXPECT_EQ(heard_.kinds(static_cast<std::uint32_t>(::getpid())), 0U);
}

TEST_P(UprobeLive, AFullTableLosesNothingUncounted) {
  options_.counters_max = 16;
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + libcrypto()));
  Chosen chosen;
  chosen.pids = {caller.pid()};
  options_.processes = &chosen;
  open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(caller.tell("digest name-" + std::to_string(i) + " 10"));
  std::uint64_t told = 0;
  EXPECT_TRUE(wait_until([&] {
    told = 0;
    for (const auto& [key, each] : heard_.all()) told += each.calls;
    return told + heard_.lost() >= 1000;
  }));
  EXPECT_EQ(told + heard_.lost(), 1000U);
  EXPECT_GT(heard_.lost(), 0U);
  EXPECT_EQ(opened_.backend->counters().lost_ring_full, heard_.lost());
}

// The first byte of a function in a process: int3 where there is a breakpoint.
int first_byte(std::uint32_t pid, std::uint64_t file_offset, const std::string& library) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0, offset = 0;
    if (!line.ends_with(library) || std::sscanf(line.c_str(), "%lx-%lx r-xp %lx", &begin, &end, &offset) != 3) continue;
    if (file_offset < offset || file_offset - offset >= end - begin) continue;
    std::ifstream memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
    memory.seekg(static_cast<std::streamoff>(begin + file_offset - offset));
    return memory.get();
  }
  return -1;
}

TEST_P(UprobeLive, NothingIsLeftBehindAlsoNotByATracerThatIsKilled) {
  const std::string library = fs::canonical(libcrypto()).string();
  std::ifstream file(library, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  Caller caller;
  ASSERT_TRUE(caller.tell("load " + libcrypto()));
  ASSERT_TRUE(caller.tell("digest SHA256 1"));
  Chosen chosen;
  chosen.pids = {caller.pid()};
  options_.processes = &chosen;
  constexpr std::array<std::string_view, 1> wanted{"EVP_get_digestbyname"};
  const auto places = find_elf_functions(as_bytes(text), wanted);
  ASSERT_TRUE(places && places->offsets.size() == 1);
  const auto byte = [&] { return first_byte(caller.pid(), places->offsets.at(wanted[0]), library); };
  const int before = byte();
  ASSERT_GE(before, 0);
  open();
  EXPECT_NE(byte(), before);
  opened_.backend.reset();
  EXPECT_EQ(byte(), before);

  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t tracer = ::fork();
  if (tracer == 0) {
    const auto opened = open_uprobe(options_);
    const char answer = opened ? 'y' : 'n';
    static_cast<void>(::write(ready[1], &answer, 1));
    ::pause();
    ::_exit(0);
  }
  ::close(ready[1]);
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_NE(byte(), before);
  ::kill(tracer, SIGKILL);
  ::waitpid(tracer, nullptr, 0);
  EXPECT_EQ(byte(), before);
  EXPECT_TRUE(caller.tell("digest SHA256 1"));
  ::close(ready[0]);
}

INSTANTIATE_TEST_SUITE_P(BothKinds, UprobeLive, testing::Values(false, true),
                         [](const auto& kind) { return kind.param ? "OneByOne" : "ManyAtOnce"; });

}  // namespace
}  // namespace tracer
