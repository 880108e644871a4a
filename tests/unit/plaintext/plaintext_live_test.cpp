// Breakpoints for plaintext in real processes, all of them started here: set where they belong, and gone afterwards.
// What they tell is tested elsewhere. The library and the functions have names that another tracer on this machine does
// not know. Needs root and a kernel with uprobes and bpf(2).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "backends/ebpf/elf_functions.h"
#include "backends/ebpf/plaintext.h"
#include "backends/tracepoint/tracepoint.h"
#include "core/base/unique_fd.h"
#include "tests/unit/plaintext/fake_proc.h"

namespace tracer {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto patience = 10s;

// The program of library_holder.cpp, or another one that answers "ok" once it runs.
class Child {
 public:
  explicit Child(const char* program = LIBRARY_HOLDER) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execl(program, program, nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    in_.reset(in[1]);
    out_.reset(out[0]);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] bool tell(const std::string& command) {
    const std::string line = command + "\n";
    return ::write(in_.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) && answered();
  }
  [[nodiscard]] bool answered() {
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

// Where a function lies in a file, and what its first byte is there.
struct Place {
  std::uint64_t offset = 0;
  int byte = -1;
};
Place place_of(const std::string& path, std::string_view function) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::array names{function};
  const auto found = find_elf_functions(as_bytes(text), names);
  if (!found || !found->offsets.contains(function)) return {};
  const std::uint64_t offset = found->offsets.at(function);
  return {offset, static_cast<unsigned char>(text[offset])};
}

// The byte at a file's offset in the memory of a process that has it mapped; -1: it has not.
int byte_in(std::uint32_t pid, const std::string& mapped_as, std::uint64_t file_offset) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0, offset = 0;
    if (!line.contains(mapped_as) || std::sscanf(line.c_str(), "%lx-%lx r-xp %lx", &begin, &end, &offset) != 3)
      continue;
    if (file_offset < offset || file_offset - offset >= end - begin) continue;
    std::ifstream memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
    memory.seekg(static_cast<std::streamoff>(begin + file_offset - offset));
    return memory.get();
  }
  return -1;
}

class Chosen final : public ProcessSelection {
 public:
  explicit Chosen(std::set<std::uint32_t> pids) : pids_(std::move(pids)) {}
  bool everybody() const override { return false; }
  bool selects(const ProcessFacts& process) const override { return pids_.contains(process.tgid); }
  bool settled() const override { return true; }

 private:
  std::set<std::uint32_t> pids_;
};

class Nobody final : public EventHandler {
 public:
  void on_event(const Event&) override {}
};

bool privileged() { return ::geteuid() == 0 && fs::exists("/sys/bus/event_source/devices/uprobe"); }

class PlaintextLive : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!privileged()) GTEST_SKIP() << "needs root and uprobes";
    system_ = system_library("libssl.so.3");
    if (system_.empty()) GTEST_SKIP() << "needs OpenSSL's libssl.so.3";
    place_ = place_of(system_, "SSL_read");
    ASSERT_GE(place_.byte, 0);
    std::string name = (fs::temp_directory_path() / "plaintext-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    library_ = directory_ + "/usr/lib/libwatched.so.3";
    copy_ = directory_ + "/libwatched.so.3";
    fs::create_directories(directory_ + "/usr/lib");
    fs::copy_file(system_, library_);
    for (const TlsFunction& each : tls_table().functions) {
      const std::string_view held = each.name == "SSL_read"    ? "held_read"
                                    : each.name == "SSL_write" ? "held_write"
                                                               : "";
      if (!held.empty()) functions_.insert(functions_.begin(), {"held", held, each.slot});
      if (each.family == "openssl") functions_.push_back({"watched", each.name, each.slot, each.unless});
    }
    options_.table = {files_, functions_};
    options_.system_root = directory_;
    options_.one_by_one = GetParam();
    options_.look_ns = 50'000'000;
  }
  void TearDown() override {
    opened_.backend.reset();
    if (!directory_.empty()) fs::remove_all(directory_);
  }
  void open() {
    TracepointOptions carrier;
    carrier.facets = {Facet::https};
    carrier.plaintext = [this](BpfObject& object) { return open_plaintext(options_, object); };
    auto opened = open_tracepoint(carrier);
    ASSERT_TRUE(opened) << opened.error().context;
    ASSERT_TRUE(opened->refused.empty()) << opened->refused.front().reason;
    EXPECT_EQ(opened->slow_to_detach, options_.one_by_one);
    opened_ = *std::move(opened);
  }
  [[nodiscard]] bool wait_until(const std::function<bool()>& done) {
    const auto end = Clock::now() + patience;
    while (Clock::now() < end) {
      pollfd waiting{opened_.backend->fd(), POLLIN, 0};
      ::poll(&waiting, 1, 5);
      EXPECT_TRUE(opened_.backend->drain(nobody_, 4096));
      if (done()) return true;
    }
    return false;
  }
  [[nodiscard]] int byte(const Child& child, const std::string& mapped_as = "libwatched.so.3") const {
    return byte_in(child.pid(), mapped_as, place_.offset);
  }
  [[nodiscard]] bool is_set(const Child& child, const std::string& mapped_as = "libwatched.so.3") const {
    const int now = byte(child, mapped_as);
    return now >= 0 && now != place_.byte;
  }
  // The tracer keeps a file open as long as there are breakpoints in it.
  [[nodiscard]] static bool holds(const std::string& path) {
    return std::ranges::any_of(fs::directory_iterator("/proc/self/fd"), [&](const fs::directory_entry& each) {
      std::error_code gone;
      return fs::read_symlink(each.path(), gone).string().starts_with(path);
    });
  }

  static constexpr std::array files_{LibraryFile{"watched", "libwatched.so*"}};
  std::vector<TlsFunction> functions_;
  PlaintextOptions options_;
  OpenedBackend opened_;
  Nobody nobody_;
  std::string system_;   // the machine's own
  std::string library_;  // a copy, where the loader would find it
  std::string directory_, copy_;
  Place place_;
};

TEST_P(PlaintextLive, OnlyInTheChosenProcessAndNothingIsLeftBehind) {
  Child chosen, other;
  ASSERT_TRUE(chosen.tell("load " + library_) && other.tell("load " + library_));
  ASSERT_EQ(byte(chosen), place_.byte);
  const Chosen selection({chosen.pid()});
  options_.processes = &selection;
  open();
  EXPECT_TRUE(is_set(chosen));
  EXPECT_EQ(byte(other), place_.byte);
  const auto line = std::ranges::find_if(
      opened_.outcomes, [](const AttachOutcome& each) { return each.what.starts_with("libwatched.so.3: "); });
  ASSERT_TRUE(line != opened_.outcomes.end());
  EXPECT_TRUE(line->attached) << line->reason;
  EXPECT_EQ(line->what, "libwatched.so.3: 13 of 14 functions") << "SSL_write_ex2 is of a later version";
  opened_.backend.reset();
  EXPECT_EQ(byte(chosen), place_.byte);
}

TEST_P(PlaintextLive, EverybodyWhoHasTheLibraryNowOrLater) {
  Child before;
  ASSERT_TRUE(before.tell("load " + library_));
  open();
  EXPECT_TRUE(is_set(before));
  Child after;
  ASSERT_TRUE(after.tell("load " + library_));
  EXPECT_TRUE(is_set(after)) << "before its first call";
  opened_.backend.reset();
  EXPECT_EQ(byte(before), place_.byte);
  EXPECT_EQ(byte(after), place_.byte);
}

TEST_P(PlaintextLive, ALibraryThatWasDeletedOrReplaced) {
  fs::copy_file(system_, copy_);
  Child child;
  ASSERT_TRUE(child.tell("load " + copy_));
  fs::remove(copy_);
  std::ofstream(copy_) << "another one";
  const Chosen selection({child.pid()});
  options_.processes = &selection;
  open();
  EXPECT_TRUE(is_set(child, copy_));
}

TEST_P(PlaintextLive, ALibraryThatIsMappedLateIsLetGoOfWithItsLastUser) {
  fs::copy_file(system_, copy_);
  Child child;
  open();
  ASSERT_TRUE(child.tell("load " + copy_));
  EXPECT_TRUE(wait_until([&] { return is_set(child, copy_); }));
  EXPECT_TRUE(holds(copy_));
  child.end();
  EXPECT_TRUE(wait_until([&] { return !holds(copy_); }));
}

TEST_P(PlaintextLive, InAChroot) {
  fs::copy_file(system_, copy_);
  Child child;
  ASSERT_TRUE(child.tell("load " + system_));  // and with it what the copy needs
  ASSERT_TRUE(child.tell("chroot " + directory_));
  ASSERT_TRUE(child.tell("load /libwatched.so.3"));
  const Chosen selection({child.pid()});
  options_.processes = &selection;
  open();
  EXPECT_TRUE(is_set(child, copy_));
}

TEST_P(PlaintextLive, InAnotherMountNamespace) {
  open();
  Child child;
  ASSERT_TRUE(child.tell("hide " + system_ + " " + copy_));
  ASSERT_FALSE(fs::exists(copy_)) << "not to be seen from here";
  EXPECT_TRUE(wait_until([&] { return is_set(child, copy_); }));
}

TEST_P(PlaintextLive, AProgramThatHoldsTheFunctionsItself) {
  const Place held = place_of(TLS_HOLDER, "held_read");
  ASSERT_GE(held.byte, 0);
  const auto set_in = [&](const Child& child) {
    const int now = byte_in(child.pid(), TLS_HOLDER, held.offset);
    return now >= 0 && now != held.byte;
  };
  Child before(TLS_HOLDER);
  ASSERT_TRUE(before.answered());
  open();
  EXPECT_TRUE(wait_until([&] { return set_in(before); }));
  before.end();
  EXPECT_TRUE(wait_until([&] { return !holds(TLS_HOLDER); }));
  Child after;
  ASSERT_TRUE(after.tell(std::string("exec ") + TLS_HOLDER));
  EXPECT_TRUE(wait_until([&] { return set_in(after); }));
  opened_.backend.reset();
  EXPECT_EQ(byte_in(after.pid(), TLS_HOLDER, held.offset), held.byte);
}

TEST_P(PlaintextLive, IsGivenUpWhileTheCaptureGoesOn) {
  Child child;
  ASSERT_TRUE(child.tell("load " + library_));
  const Chosen selection({child.pid()});
  options_.processes = &selection;
  open();
  ASSERT_TRUE(is_set(child));
  const auto before = opened_.backend->blind();
  EXPECT_EQ(opened_.backend->shed(), std::vector<Facet>{Facet::https});
  EXPECT_TRUE(opened_.backend->shed().empty());
  EXPECT_TRUE(wait_until([&] { return byte(child) == place_.byte; }));
  EXPECT_EQ(opened_.backend->blind().size(), before.size()) << "what was counted is still told";
  ASSERT_TRUE(opened_.backend->send_beat());
  EXPECT_TRUE(wait_until([&] { return opened_.backend->beats().seen == 1; }));
}

INSTANTIATE_TEST_SUITE_P(BothKinds, PlaintextLive, testing::Values(false, true),
                         [](const auto& kind) { return kind.param ? "OneByOne" : "ManyAtOnce"; });

TEST(PlaintextCarrier, WithoutSomebodyWhoReadsItTheFacetIsRefused) {
  if (!privileged()) GTEST_SKIP() << "needs root";
  TracepointOptions options;
  options.facets = {Facet::http, Facet::https};
  const auto opened = open_tracepoint(options);
  ASSERT_TRUE(opened) << opened.error().context;
  ASSERT_EQ(opened->refused.size(), 1U);
  EXPECT_EQ(opened->refused[0].facet, Facet::https);
  EXPECT_FALSE(opened->refused[0].reason.empty());
  options.plaintext = [](BpfObject&) -> Result<std::unique_ptr<Companion>> {
    return fail(Errc::not_permitted, "no breakpoints here");
  };
  const auto failed = open_tracepoint(options);
  ASSERT_TRUE(failed) << failed.error().context;
  ASSERT_EQ(failed->refused.size(), 1U);
  EXPECT_EQ(failed->refused[0].reason, "no breakpoints here");
  options.facets = {Facet::https};
  const auto nothing = open_tracepoint(options);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().context, "no breakpoints here");
}

}  // namespace
}  // namespace tracer
