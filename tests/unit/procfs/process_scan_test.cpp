// One look at the processes of this machine, of which only those that a test made itself are judged.
#include "backends/procfs/process_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "backends/procfs/ownership.h"
#include "tests/unit/procfs/event_log.h"
#include "tests/unit/procfs/live_support.h"
#include "tests/unit/procfs/temporary_tree.h"

namespace tracer {
namespace {

using ::testing::Contains;
using ::testing::Not;

class Only final : public ProcessSelection {
 public:
  explicit Only(std::set<std::uint32_t> pids) : pids_(std::move(pids)) {}
  [[nodiscard]] bool everybody() const override { return false; }
  [[nodiscard]] bool selects(const ProcessFacts& process) const override { return pids_.contains(process.tgid); }

 private:
  std::set<std::uint32_t> pids_;
};

struct Scanned {
  EventLog log;
  std::vector<BlindSpot> blind;
  [[nodiscard]] std::uint64_t blind_count(std::string_view what) const {
    const auto row = std::ranges::find(blind, what, &BlindSpot::what);
    return row == blind.end() ? 0 : row->count;
  }
  template <typename Body>
  [[nodiscard]] std::vector<std::string> texts(std::uint32_t pid) const {
    std::vector<std::string> found;
    for (const auto* entry : log.all<Body>())
      if (entry->event.who.tgid == pid) found.push_back(entry->text);
    return found;
  }
  template <typename Body>
  [[nodiscard]] const EventLog::Entry* one(std::uint32_t pid, const std::string& text) const {
    for (const auto* entry : log.all<Body>())
      if (entry->event.who.tgid == pid && entry->text == text) return entry;
    return nullptr;
  }
};

Scanned scan(ProcessScanOptions options, std::size_t budget = 256) {
  Scanned result;
  auto opened = open_process_scan(std::move(options));
  EXPECT_TRUE(opened) << opened.error().context;
  if (!opened) return result;
  EXPECT_TRUE(opened->self_test_seen);
  for (std::size_t before = 0;; before = result.log.entries.size()) {
    const auto drained = opened->backend->drain(result.log, budget);
    EXPECT_TRUE(drained);
    EXPECT_LE(result.log.entries.size() - before, budget);
    if (!drained || *drained == Drained::idle) break;
  }
  EXPECT_EQ(opened->backend->counters().delivered, result.log.entries.size());
  result.blind = opened->backend->blind();
  return result;
}

// Maps a copy of a file executable, as a loader does.
std::string map_executable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "open";
  void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  ::close(fd);
  return at == MAP_FAILED ? "mmap" : "";
}

TEST(ProcessScan, TellsMappedLibrariesOnce) {
  TemporaryTree tree;
  const std::string library = tree.file("libssl.so.3", std::string(8192, 'x'));
  const std::string odd = tree.file("lib\nnew line.so", std::string(8192, 'x'));
  const std::string replaced = tree.file("libcrypto.so.3", std::string(8192, 'x'));
  const WaitingChild child([&] {
    std::string said =
        map_executable(library) + map_executable(library) + map_executable(odd) + map_executable(replaced);
    ::unlink(replaced.c_str());
    return said;
  });
  ASSERT_EQ(child.said(), "");
  const Scanned found = scan({.facets = {Facet::library}});
  const auto libraries = found.texts<LibraryMapped>(child.pid());
  EXPECT_EQ(std::ranges::count(libraries, library), 1);
  EXPECT_THAT(libraries, Contains(odd));
  const auto* whole = found.one<LibraryMapped>(child.pid(), library);
  ASSERT_NE(whole, nullptr);
  EXPECT_TRUE(std::get<LibraryMapped>(whole->event.body).preexisting);
  EXPECT_FALSE(std::get<LibraryMapped>(whole->event.body).not_at_path);
  const auto* gone = found.one<LibraryMapped>(child.pid(), replaced);
  ASSERT_NE(gone, nullptr);  // without the mark " (deleted)"
  EXPECT_TRUE(std::get<LibraryMapped>(gone->event.body).not_at_path);
  EXPECT_TRUE(found.log.all<FileOpened>().empty());
  EXPECT_TRUE(found.log.all<ProcessStarted>().empty());
}

TEST(ProcessScan, TellsOpenRegularFilesWithFlags) {
  TemporaryTree tree;
  const std::string certificate = tree.file("a.pem", "x");
  const std::string written = tree.file("b.pem", "x");
  const std::string fifo = tree / "fifo.pem";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  const WaitingChild child([&]() -> std::string {
    const bool all = ::open(certificate.c_str(), O_RDONLY | O_CLOEXEC) >= 0 &&
                     ::open(written.c_str(), O_WRONLY | O_APPEND) >= 0 && ::open(fifo.c_str(), O_RDWR) >= 0 &&
                     ::open("/dev/null", O_RDONLY) >= 0 && ::open(tree.path().c_str(), O_RDONLY) >= 0;
    return all ? "" : std::strerror(errno);
  });
  ASSERT_EQ(child.said(), "");
  const Scanned found = scan({.facets = {Facet::file}});
  const auto files = found.texts<FileOpened>(child.pid());
  EXPECT_THAT(files, Not(Contains(fifo)));
  EXPECT_THAT(files, Not(Contains("/dev/null")));
  EXPECT_THAT(files, Not(Contains(tree.path())));
  const auto* read = found.one<FileOpened>(child.pid(), certificate);
  const auto* append = found.one<FileOpened>(child.pid(), written);
  ASSERT_TRUE(read != nullptr && append != nullptr);
  const auto& event = std::get<FileOpened>(read->event.body);
  EXPECT_TRUE(event.preexisting);
  EXPECT_EQ(event.error, 0);
  EXPECT_EQ(*event.flags & ~0100000U, static_cast<unsigned>(O_RDONLY | O_CLOEXEC));  // O_LARGEFILE or not
  EXPECT_EQ(*std::get<FileOpened>(append->event.body).flags & ~0100000U, static_cast<unsigned>(O_WRONLY | O_APPEND));
}

TEST(ProcessScan, TellsProcessesWithTheirArguments) {
  const WaitingChild child([] { return ""; });
  const Only only({child.pid()});
  const Scanned found = scan({.facets = {Facet::process}, .processes = &only});
  const auto started = found.log.all<ProcessStarted>();
  ASSERT_EQ(started.size(), 1U);
  const auto& event = std::get<ProcessStarted>(started[0]->event.body);
  EXPECT_TRUE(event.preexisting);
  EXPECT_EQ(event.parent_tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(event.gid, ::getgid());
  EXPECT_EQ(started[0]->more_text, std::filesystem::read_symlink("/proc/self/exe").string());
  EXPECT_TRUE(started[0]->arguments.ends_with('\0'));
  EXPECT_NE(started[0]->arguments.find("unit_procfs_live"), std::string::npos);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ASSERT_TRUE(event.running_since);
  const double age_s = static_cast<double>(now.tv_sec) - static_cast<double>(*event.running_since) / 1e9;
  EXPECT_GT(age_s, -1.5);
  EXPECT_LT(age_s, 60);
}

TEST(ProcessScan, InAChrootPathsAreThoseOfTheProcess) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root for chroot";
  TemporaryTree tree;
  tree.file("jail/lib/libssl.so.3", std::string(8192, 'x'));
  const std::string outside = tree.file("outside.so", std::string(8192, 'x'));
  const WaitingChild child([&]() -> std::string {
    std::string said = map_executable(outside);
    if (::chroot((tree / "jail").c_str()) != 0) return "chroot";
    return said + map_executable("/lib/libssl.so.3");
  });
  ASSERT_EQ(child.said(), "");
  const Scanned found = scan({.facets = {Facet::library}});
  const auto* inside = found.one<LibraryMapped>(child.pid(), "/lib/libssl.so.3");
  ASSERT_NE(inside, nullptr);
  EXPECT_FALSE(std::get<LibraryMapped>(inside->event.body).not_at_path);
  const auto* unreachable = found.one<LibraryMapped>(child.pid(), outside);
  ASSERT_NE(unreachable, nullptr);
  EXPECT_TRUE(std::get<LibraryMapped>(unreachable->event.body).not_at_path);
}

TEST(ProcessScan, TenThousandOpenFilesInSmallSteps) {
  TemporaryTree tree;
  const std::string path = tree.file("a.pem", "x");
  constexpr unsigned many = 10'000;
  const WaitingChild child([&]() -> std::string {
    const rlimit limit{many + 100, many + 100};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return not_allowed;
    for (unsigned i = 0; i < many; ++i)
      if (::open(path.c_str(), O_RDONLY) < 0) return std::strerror(errno);
    return "";
  });
  if (child.said() == not_allowed) GTEST_SKIP() << "no more descriptors allowed";
  ASSERT_EQ(child.said(), "");
  const Only only({child.pid()});
  const auto of_path = [&](const Scanned& scanned) {
    const auto files = scanned.texts<FileOpened>(child.pid());
    return static_cast<unsigned>(std::ranges::count(files, path));
  };
  const Scanned all = scan({.facets = {Facet::file}, .processes = &only}, 7);
  EXPECT_EQ(of_path(all), many);
  EXPECT_EQ(all.blind_count("scan_descriptor_limit"), 0U);
  const Scanned some = scan({.facets = {Facet::file}, .processes = &only, .descriptors_max = 1000});
  EXPECT_LE(of_path(some), 1000U);
  EXPECT_GT(of_path(some), 900U);
  EXPECT_GE(some.blind_count("scan_descriptor_limit"), many - 1000);
}

TEST(ProcessScan, EndsInTimeAndSaysWhatIsLeft) {
  std::uint64_t now_ns = 0;  // each look at the clock is a second
  const Scanned found = scan({.facets = {Facet::library}, .time_ns_max = 5'000'000'000, .now_ns = [&now_ns] {
                                return now_ns += 1'000'000'000;
                              }});
  EXPECT_GT(found.blind_count("scan_time_limit"), 0U);
  EXPECT_LT(now_ns, 100'000'000'000U);
}

TEST(ProcessScan, ProcessesAndMappingsOverTheLimitAreCounted) {
  const Scanned few = scan({.facets = {Facet::library}, .processes_max = 1});
  EXPECT_GT(few.blind_count("scan_process_limit"), 0U);
  const WaitingChild child([] { return ""; });
  const Only only({child.pid()});
  const Scanned cut = scan({.facets = {Facet::library}, .processes = &only, .maps_bytes_max = 1000});
  EXPECT_EQ(cut.blind_count("scan_maps_limit"), 1U);
}

TEST(ProcessScan, OfOtherUsersProcessesOnlyTheirNumber) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const WaitingChild of_root([] { return ""; });
  const std::uint32_t root_pid = of_root.pid();
  EXPECT_EQ(in_child([&]() -> std::string {
              constexpr uid_t nobody = 65534;
              if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return "setuid";
              const Only only({root_pid});
              const Scanned found = scan({.facets = {Facet::process, Facet::library, Facet::file}, .processes = &only});
              if (found.blind_count("unreadable_processes") != 1) return "not counted";
              if (!found.texts<LibraryMapped>(root_pid).empty()) return "told libraries";
              if (found.log.all<ProcessStarted>().size() != 1) return "not told";
              return found.log.all<ProcessStarted>()[0]->arguments.empty() ? "no arguments" : "";
            }),
            "");
}

}  // namespace
}  // namespace tracer
