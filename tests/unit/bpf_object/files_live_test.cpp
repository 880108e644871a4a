// Files that are opened and mapped, as the programs tell them, on the running kernel. Skipped where BPF is not allowed
// or a mechanism is not there; with TRACER_MUST_OPEN in the environment that is a failure.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/ebpf/ebpf.h"
#include "backends/procfs/ownership.h"
#include "backends/tracepoint/tracepoint.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Way {
  std::string name;
  BackendKind backend{};
  Mechanism mechanism{};
  bool ring_buffer = true;
  bool kernel_reads = true;
};

struct Opened {
  std::string path;
  std::optional<std::uint32_t> flags;
  std::optional<std::int32_t> error, directory_fd;
  std::optional<std::uint32_t> uid;
};

// What one process did.
class Recorder final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    if (const auto* opened = std::get_if<FileOpened>(&event.body); opened && event.who.tgid == child)
      files.push_back({std::string(opened->path), opened->flags, opened->error, opened->directory_fd, opened->uid});
    if (std::holds_alternative<FileOpened>(event.body) && event.who.tgid == static_cast<std::uint32_t>(::getpid()))
      ++own;
    if (const auto* mapped = std::get_if<LibraryMapped>(&event.body); mapped && event.who.tgid == child) {
      libraries.emplace_back(mapped->path);
      inferred = mapped->path_inferred;
    }
    if (const auto* begun = std::get_if<ProcessStarted>(&event.body); begun && event.who.tgid == child) {
      arguments = begun->arguments;
      arguments_cut = begun->arguments_cut;
      gid = begun->gid;
    }
  }
  [[nodiscard]] const Opened* file(std::string_view path) const {
    for (const Opened& each : files)
      if (each.path == path) return &each;
    return nullptr;
  }
  std::uint32_t child = 0;
  std::vector<Opened> files;
  std::vector<std::string> libraries;
  std::string arguments;
  std::optional<std::uint32_t> gid;
  bool arguments_cut = false, inferred = false;
  int own = 0;
};

// bpf_get_current_task_btf
bool has_typed_task() {
  utsname names{};
  int major = 0, minor = 0;
  if (::uname(&names) != 0 || std::sscanf(names.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 11);
}

class FilesLive : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "tracer-files-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    opened_.backend.reset();
    std::filesystem::remove_all(folder_);
  }

  bool open(std::vector<Facet> facets, FileFilter filter = {}) {
    auto opened =
        GetParam().backend == BackendKind::ebpf ? open_by_ebpf(facets, filter) : open_by_tracepoint(facets, filter);
    if (opened) {
      opened_ = *std::move(opened);
      return true;
    }
    reason_ = opened.error().context;
    if (std::getenv("TRACER_MUST_OPEN") != nullptr) ADD_FAILURE() << reason_;
    return false;
  }
  static Result<OpenedBackend> open_by_ebpf(const std::vector<Facet>& facets, const FileFilter& filter) {
    EbpfOptions options;
    options.mechanism = GetParam().mechanism;
    options.ring_bytes = 1 << 20;
    options.ring_buffer = options.mappable_arrays = GetParam().ring_buffer;
    options.kernel_reads = GetParam().kernel_reads;
    options.first_segments_only = true;
    options.facets = facets;
    options.files = filter;
    return open_ebpf(options);
  }
  Result<OpenedBackend> open_by_tracepoint(const std::vector<Facet>& facets, const FileFilter& filter) {
    if (!ownership_) {
      auto ownership = ProcOwnership::open();
      if (!ownership) return std::unexpected(ownership.error());
      ownership_ = std::move(*ownership);
    }
    TracepointOptions options;
    options.mechanism = GetParam().mechanism;
    options.ring_bytes = 1 << 20;
    options.ring_buffer = options.mappable_arrays = GetParam().ring_buffer;
    options.kernel_reads = GetParam().kernel_reads;
    options.facets = facets;
    options.files = filter;
    options.ownership = ownership_.get();
    return open_tracepoint(options);
  }

  template <typename Work>
  void in_child(Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    recorder_.child = static_cast<std::uint32_t>(child);
    drain();
  }
  void drain() {
    for (int round = 0; round < 3; ++round) {
      ASSERT_TRUE(opened_.backend->drain(recorder_, 1 << 20).has_value());
      ::usleep(2'000);
    }
  }
  [[nodiscard]] std::string in_folder(std::string_view name) const { return folder_ + "/" + std::string(name); }
  void make_file(std::string_view name, mode_t mode = 0644) const {
    std::ofstream(in_folder(name)) << std::string(8192, 'x');
    ::chmod(in_folder(name).c_str(), mode);
  }

  std::unique_ptr<ProcOwnership> ownership_;
  OpenedBackend opened_;
  Recorder recorder_;
  std::string folder_, reason_;
};

TEST_P(FilesLive, OpensAreToldWithFlagsAndResult) {
  if (!open({Facet::file})) GTEST_SKIP() << reason_;
  EXPECT_TRUE(opened_.refused.empty());
  EXPECT_TRUE(opened_.self_test_seen);
  make_file("there.pem");
  make_file("secret.key", 0600);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  const bool may_change_user = ::geteuid() == 0;
  in_child([&] {
    (void)::open(in_folder("missing.key").c_str(), O_RDONLY);
    const int directory = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY);
    if (directory < 0 || ::dup2(directory, 77) != 77) ::_exit(1);
    if (::openat(77, "there.pem", O_RDONLY | O_NOFOLLOW) < 0) ::_exit(2);
    if (::open(in_folder("made.pem").c_str(), O_CREAT | O_EXCL | O_RDWR, 0600) < 0) ::_exit(3);
    if (::creat(in_folder("creat.pem").c_str(), 0600) < 0) ::_exit(4);
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC;
    (void)::syscall(SYS_openat2, AT_FDCWD, in_folder("two.pem").c_str(), &how, sizeof(how));
#ifdef SYS_open
    if (::syscall(SYS_open, in_folder("there.pem").c_str(), O_WRONLY | O_APPEND) < 0) ::_exit(5);
#endif
    if (::open(in_folder("place.pem").c_str(), O_PATH) >= 0) ::_exit(7);
    if (may_change_user && ::setresuid(65534, 65534, 65534) != 0) ::_exit(6);
    (void)::open(in_folder("secret.key").c_str(), O_RDONLY);
  });
  const Opened* missing = recorder_.file(in_folder("missing.key"));
  ASSERT_NE(missing, nullptr);
  EXPECT_EQ(missing->error, ENOENT);
  EXPECT_EQ(missing->flags.value_or(~0u) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(missing->directory_fd, std::nullopt);
  const Opened* below = recorder_.file("there.pem");
  ASSERT_NE(below, nullptr);
  EXPECT_EQ(below->error, 0);
  EXPECT_EQ(below->directory_fd, 77);
  EXPECT_NE(below->flags.value_or(0) & O_NOFOLLOW, 0u);
  const Opened* made = recorder_.file(in_folder("made.pem"));
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->error, 0);
  constexpr std::uint32_t made_flags = O_CREAT | O_EXCL | O_RDWR;
  EXPECT_EQ(made->flags.value_or(0) & made_flags, made_flags);
  const Opened* creat = recorder_.file(in_folder("creat.pem"));
  ASSERT_NE(creat, nullptr);
  EXPECT_EQ(creat->flags.value_or(0) & (O_CREAT | O_ACCMODE | O_TRUNC), std::uint32_t{O_CREAT | O_WRONLY | O_TRUNC});
  const Opened* two = recorder_.file(in_folder("two.pem"));
  if (two != nullptr) {  // kernels before 5.6 have no openat2, and no event for it
    EXPECT_EQ(two->error, ENOENT);
    EXPECT_EQ(two->flags.value_or(0) & O_CLOEXEC, std::uint32_t{O_CLOEXEC});
  } else {
    EXPECT_EQ(::syscall(SYS_openat2, -1, nullptr, nullptr, 0), -1);
    EXPECT_EQ(errno, ENOSYS);
  }
#ifdef SYS_open
  const Opened* appended = recorder_.file(in_folder("there.pem"));
  ASSERT_NE(appended, nullptr);
  EXPECT_EQ(appended->error, 0);
  EXPECT_EQ(appended->flags.value_or(0) & (O_ACCMODE | O_APPEND), std::uint32_t{O_WRONLY | O_APPEND});
#endif
  EXPECT_EQ(recorder_.file(in_folder("place.pem")), nullptr) << "O_PATH opens nothing that can be read";
  const Opened* secret = recorder_.file(in_folder("secret.key"));
  ASSERT_NE(secret, nullptr);
  if (may_change_user) {
    EXPECT_EQ(secret->error, EACCES);
    EXPECT_EQ(secret->uid, 65534u);
    EXPECT_EQ(missing->uid, 0u);
  }
  EXPECT_EQ(recorder_.own, 0);
}

TEST_P(FilesLive, ALongPathIsCutAndAnUnreadableOneIsEmpty) {
  if (!open({Facet::file})) GTEST_SKIP() << reason_;
  std::string whole = in_folder(""), longer;
  whole.append(255 - whole.size(), 'a');
  longer = whole + "b.pem";
  in_child([&] {
    (void)::open(whole.c_str(), O_RDONLY);
    (void)::open(longer.c_str(), O_RDONLY);
    (void)::syscall(SYS_openat, AT_FDCWD, 8, O_RDONLY);
  });
  std::vector<std::string> paths;
  for (const Opened& each : recorder_.files) paths.push_back(each.path);
  ASSERT_THAT(paths, ElementsAre(whole, whole, ""));
  EXPECT_EQ(recorder_.files[0].error, ENOENT);
  EXPECT_EQ(recorder_.files[2].error, EFAULT);
}

TEST_P(FilesLive, OnlyWhatPassesTheFilterLeavesTheKernel) {
  FileFilter filter;
  filter.all = false;
  filter.suffixes = {".pem", ".keystor", "y"};
  filter.prefixes = {folder_ + "/ssl/", "/" + std::string(file_prefix_bytes_max - 1, 'p')};
  filter.shared_objects = true;
  if (!open({Facet::file}, filter)) GTEST_SKIP() << reason_;
  drain();
  const std::uint64_t before = opened_.backend->counters().files_filtered;
  const std::vector<std::string> told{"a.pem",   ".pem",      "server.key",       "/x.keystor",
                                      "libx.so", "libx.so.3", "libx.so.1.1",      "libx.so.123.456.78",
                                      "y",       "ssl/y.pem", in_folder("ssl/c"), "/" + std::string(64, 'p')};
  const std::vector<std::string> kept{"pem",
                                      "a.pemx",
                                      "a.PEM",
                                      "keystor",
                                      "libx.so.",
                                      "libx.sob",
                                      "x.so.d/very-long-name",
                                      "z",
                                      in_folder("ssl"),
                                      "/" + std::string(62, 'p'),
                                      "x/" + in_folder("ssl/c")};
  in_child([&] {
    for (const std::string& path : told) (void)::open(path.c_str(), O_RDONLY);
    for (const std::string& path : kept) (void)::open(path.c_str(), O_RDONLY);
  });
  std::vector<std::string> paths;
  for (const Opened& each : recorder_.files) paths.push_back(each.path);
  EXPECT_EQ(paths, told);
  EXPECT_GE(opened_.backend->counters().files_filtered - before, kept.size());
  const BackendCounters counters = opened_.backend->counters();
  EXPECT_EQ(counters.lost_ring_full, 0u);
}

TEST_P(FilesLive, MappingsCarryThePathOfTheirOpen) {
  if (!open({Facet::library})) GTEST_SKIP() << reason_;
  EXPECT_TRUE(opened_.refused.empty());
  EXPECT_TRUE(opened_.self_test_seen);
  make_file("libssl.so.3");
  make_file("decoy.so");
  in_child([&] {
    const int library = ::open(in_folder("libssl.so.3").c_str(), O_RDONLY | O_CLOEXEC);
    if (::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, library, 0) == MAP_FAILED) ::_exit(1);
    if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, library, 0) == MAP_FAILED) ::_exit(2);
    if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) ::_exit(3);
    if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 1234, 0) != MAP_FAILED) ::_exit(4);
  });
  EXPECT_THAT(recorder_.libraries, ElementsAre(in_folder("libssl.so.3")));
  EXPECT_FALSE(recorder_.inferred);
  EXPECT_THAT(recorder_.files, IsEmpty()) << "the facet was not asked for";
}

// A descriptor that was given to another file is not taken for what it was before.
TEST_P(FilesLive, AReusedDescriptorIsLookedUp) {
  if (!open({Facet::library})) GTEST_SKIP() << reason_;
  make_file("libssl.so.3");
  make_file("other.bin");
  const auto reuse = [&](auto close_it) {
    recorder_.libraries.clear();
    int go[2], done[2];
    ASSERT_EQ(::pipe(go) | ::pipe(done), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const int library = ::open(in_folder("libssl.so.3").c_str(), O_RDONLY | O_CLOEXEC);
      close_it(library);
      if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, library, 0) == MAP_FAILED) ::_exit(2);
      char byte = 0;
      (void)!::write(done[1], "x", 1);
      (void)!::read(go[0], &byte, 1);
      ::_exit(0);
    }
    char byte = 0;
    ASSERT_EQ(::read(done[0], &byte, 1), 1);
    recorder_.child = static_cast<std::uint32_t>(child);
    drain();
    ASSERT_EQ(::write(go[1], "x", 1), 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    for (const int fd : {go[0], go[1], done[0], done[1]}) ::close(fd);
    EXPECT_THAT(recorder_.libraries, ElementsAre(in_folder("other.bin")));
    EXPECT_TRUE(recorder_.inferred);
  };
  const std::string other = in_folder("other.bin");
  reuse([&](int library) {
    ::close(library);
    if (::open(other.c_str(), O_RDONLY) != library) ::_exit(1);
  });
  reuse([&](int library) {
    const int fd = ::open(other.c_str(), O_RDONLY);
    if (::dup2(fd, library) != library) ::_exit(1);
  });
  reuse([&](int library) {
    const int fd = ::open(other.c_str(), O_RDONLY);
    if (::dup3(fd, library, O_CLOEXEC) != library) ::_exit(1);
  });
}

TEST_P(FilesLive, ExecTellsItsArguments) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  const std::string many(980, 'm');
  in_child([&] { ::execl("/bin/sh", "sh", "-c", "exit 0", "--password=geheim", "", "x y", nullptr); });
  const bool floor = GetParam().mechanism == Mechanism::syscall_tp;
  if (floor) {
    EXPECT_THAT(recorder_.arguments, IsEmpty());
  } else {
    using namespace std::string_literals;
    EXPECT_EQ(recorder_.arguments, "sh\0-c\0exit 0\0--password=geheim\0\0x y\0"s);
    EXPECT_FALSE(recorder_.arguments_cut);
  }
  EXPECT_EQ(recorder_.gid, ::getgid());
  if (floor) return;
  in_child([&] { ::execl("/bin/sh", "sh", "-c", "exit 0", many.c_str(), "behind it", nullptr); });
  using namespace std::string_literals;
  EXPECT_EQ(recorder_.arguments, "sh\0-c\0exit 0\0"s + many + "\0behind"s);
  EXPECT_TRUE(recorder_.arguments_cut);
}

#ifdef __x86_64__
TEST_P(FilesLive, OpensOf32BitProgramsAreCounted) {
  if (GetParam().mechanism == Mechanism::syscall_tp) GTEST_SKIP() << "these events tell nothing of them";
  if (!open({Facet::file})) GTEST_SKIP() << reason_;
  const auto counted = [&] {
    for (const BlindSpot& spot : opened_.backend->blind())
      if (spot.what == "opens_32bit") return spot.count;
    return ~std::uint64_t{0};
  };
  const std::uint64_t before = counted();
  const pid_t child = ::fork();
  if (child == 0) {
    for (const long number : {5l, 295l, 437l, 20l}) {  // open, openat, openat2, getpid
      long result = number;
      asm volatile("int $0x80" : "+a"(result) : "b"(0l), "c"(0l), "d"(0l), "S"(0l) : "memory");
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) GTEST_SKIP() << "this kernel runs no 32-bit programs";
  recorder_.child = static_cast<std::uint32_t>(child);
  drain();
  if (!GetParam().kernel_reads && !has_typed_task())
    GTEST_SKIP() << "before 5.11 a 64-bit program that uses the 32-bit entry is not noticed under lockdown";
  EXPECT_EQ(counted() - before, 3u);
  EXPECT_THAT(recorder_.files, IsEmpty());
}
#endif

TEST_P(FilesLive, EveryCombinationOfFacets) {
  const std::vector<Facet> choices{Facet::http, Facet::process, Facet::file, Facet::library};
  if (!open({})) GTEST_SKIP() << reason_;
  // The kernel waits for all processors with each perf event that the last one lets go of: so these are never the last.
  const std::unique_ptr<Backend> held =
      GetParam().mechanism == Mechanism::syscall_tp ? std::move(opened_.backend) : nullptr;
  for (unsigned mask = 1; mask < 1u << choices.size(); ++mask) {
    std::vector<Facet> facets;
    std::string names;
    for (std::size_t i = 0; i < choices.size(); ++i)
      if ((mask >> i & 1) != 0) {
        facets.push_back(choices[i]);
        names += " " + std::string(to_string(choices[i]));
      }
    SCOPED_TRACE(names);
    const auto wants = [&](Facet facet) { return std::ranges::find(facets, facet) != facets.end(); };
    opened_.backend.reset();
    ASSERT_TRUE(open(facets)) << reason_;
    EXPECT_TRUE(opened_.refused.empty());
    EXPECT_EQ(opened_.self_test_seen, wants(Facet::http) || wants(Facet::file) || wants(Facet::library));
    bool file_programs = false, socket_programs = false;
    for (const AttachOutcome& outcome : opened_.outcomes) {
      file_programs |= outcome.attached && outcome.what.ends_with("file_enter");
      socket_programs |= outcome.attached && (outcome.what.ends_with("_state") || outcome.what == "tracer_set_state");
    }
    EXPECT_EQ(file_programs, wants(Facet::file) || wants(Facet::library));
    EXPECT_EQ(socket_programs, wants(Facet::http));
    recorder_ = {};
    drain();
    for (std::uint64_t sent = 1; sent <= 2; ++sent) {
      ASSERT_TRUE(opened_.backend->send_beat().has_value());
      drain();
      EXPECT_EQ(opened_.backend->beats().seen, sent);
    }
    in_child([] { (void)::open("/no/such/file.pem", O_RDONLY); });
    EXPECT_EQ(recorder_.file("/no/such/file.pem") != nullptr, wants(Facet::file));
  }
}

const Way tracepoint_ways[] = {
    {"tp_btf", BackendKind::tracepoint, Mechanism::tp_btf},
    {"raw_tp", BackendKind::tracepoint, Mechanism::raw_tp},
    {"syscall_tp", BackendKind::tracepoint, Mechanism::syscall_tp},
    {"syscall_tp_perf", BackendKind::tracepoint, Mechanism::syscall_tp, false},
    {"tp_btf_sealed", BackendKind::tracepoint, Mechanism::tp_btf, true, false},
};
const Way ebpf_ways[] = {
    {"fentry", BackendKind::ebpf, Mechanism::fentry},
    {"fentry_sealed", BackendKind::ebpf, Mechanism::fentry, true, false},
    {"kprobe", BackendKind::ebpf, Mechanism::kprobe},
    {"kprobe_perf", BackendKind::ebpf, Mechanism::kprobe, false},
};
std::string name_of(const testing::TestParamInfo<Way>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Tracepoint, FilesLive, testing::ValuesIn(tracepoint_ways), name_of);
INSTANTIATE_TEST_SUITE_P(Ebpf, FilesLive, testing::ValuesIn(ebpf_ways), name_of);

}  // namespace
}  // namespace tracer
