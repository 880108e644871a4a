#include "cli/own_processes.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "core/base/unique_fd.h"

namespace tracer::cli {
namespace {

// Numbers every process 100000 higher outside, as in a pid namespace.
class Listed final : public Ownership {
 public:
  explicit Listed(std::vector<std::uint32_t> pids) : pids_(std::move(pids)) {}
  std::optional<ProcessFacts> process(std::uint32_t) override { return std::nullopt; }
  std::vector<ProcessFacts> all_processes() override {
    std::vector<ProcessFacts> all;
    for (const std::uint32_t pid : pids_) {
      ProcessFacts facts;
      facts.tgid = pid + 100'000;
      facts.local_pid = pid;
      all.push_back(facts);
    }
    return all;
  }
  FdAnswer descriptor(std::uint32_t, int) override { return {}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }

 private:
  std::vector<std::uint32_t> pids_;
};

// A process whose standard input is `input`, until it is destroyed.
class Child {
 public:
  explicit Child(int input) : pid_(fork()) {
    if (pid_ == 0) {
      dup2(input, 0);
      const char ready = 'r';
      [[maybe_unused]] const ssize_t told = write(ready_[1], &ready, 1);
      pause();
      _exit(0);
    }
    char ready = 0;
    EXPECT_EQ(read(ready_[0], &ready, 1), 1);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(ready_[0]);
    close(ready_[1]);
  }
  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  static std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    return ends;
  }
  std::array<int, 2> ready_ = make_pipe();
  pid_t pid_;
};

TEST(OwnProcesses, AreTheTracerAndWhoReadsItsPipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]), writer(ends[1]);
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Child reads(reader.get());
  const Child other(null.get());
  const auto self = static_cast<std::uint32_t>(getpid());
  Listed listed({1, self, reads.pid(), other.pid()});
  EXPECT_THAT(own_processes(listed, writer.get()), ::testing::ElementsAre(self + 100'000, reads.pid() + 100'000));
}

}  // namespace
}  // namespace tracer::cli
