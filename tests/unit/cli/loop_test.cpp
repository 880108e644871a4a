#include "cli/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "core/base/unique_fd.h"

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Client final : LoopClient {
  explicit Client(std::function<Next(Wake)> handler) : on_step(std::move(handler)) {}
  Next step(Wake wake, steady_clock::time_point) override {
    wakes.push_back(wake);
    if (wakes.size() > 1000) return Next{.stop = true};  // no test needs more: it would hang
    return on_step(wake);
  }
  std::function<Next(Wake)> on_step;
  std::vector<Wake> wakes;
};

TEST(Loop, StepsFirstAndThenOnTime) {
  const auto began = steady_clock::now();
  Client client([](Wake wake) { return Next{.stop = wake == Wake::timer, .timer = milliseconds(30)}; });
  ASSERT_TRUE(run_loop(client, {}));
  EXPECT_EQ(client.wakes, (std::vector{Wake::start, Wake::timer}));
  EXPECT_GE(steady_clock::now() - began, milliseconds(30));
}

TEST(Loop, AgainComesBeforeTheTimer) {
  int rounds = 0;
  Client client([&](Wake) { return Next{.stop = ++rounds == 5, .again = true, .timer = milliseconds(60'000)}; });
  ASSERT_TRUE(run_loop(client, {}));
  EXPECT_EQ(client.wakes.size(), 5u);
}

TEST(Loop, WakesForABackendAndLeavesItsDescriptorOpen) {
  const UniqueFd event(eventfd(0, EFD_NONBLOCK));
  int seen = 0;
  Client client([&](Wake wake) {
    std::uint64_t value = 1;
    if (wake == Wake::backend) {
      EXPECT_EQ(read(event.get(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
      if (++seen == 3) return Next{.stop = true};
    }
    value = 1;
    EXPECT_EQ(write(event.get(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
    return Next{.timer = milliseconds(60'000)};
  });
  ASSERT_TRUE(run_loop(client, {.backends = {event.get()}}));
  EXPECT_EQ(seen, 3);
  std::uint64_t value = 1;
  EXPECT_EQ(write(event.get(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
}

// A backend's descriptor may be an epoll instance itself, as libbpf's are.
TEST(Loop, WakesForANestedEpoll) {
  const UniqueFd event(eventfd(1, EFD_NONBLOCK));
  const UniqueFd inner(epoll_create1(0));
  epoll_event interest{};
  interest.events = EPOLLIN;
  ASSERT_EQ(epoll_ctl(inner.get(), EPOLL_CTL_ADD, event.get(), &interest), 0);
  Client client([](Wake wake) { return Next{.stop = wake == Wake::backend, .timer = milliseconds(60'000)}; });
  ASSERT_TRUE(run_loop(client, {.backends = {inner.get()}}));
  EXPECT_EQ(client.wakes.back(), Wake::backend);
}

TEST(Loop, WakesWhenTheOutputTakesMore) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]), writer(ends[1]);
  std::string filler(1 << 20, 'x');
  ASSERT_GT(write(writer.get(), filler.data(), filler.size()), 0);
  bool drained = false;
  Client client([&](Wake wake) {
    if (wake == Wake::timer && !drained) {
      drained = true;
      EXPECT_GT(read(reader.get(), filler.data(), filler.size()), 0);
    }
    EXPECT_TRUE(wake != Wake::output || drained);
    return Next{.stop = wake == Wake::output, .until_writable = true, .timer = milliseconds(5)};
  });
  ASSERT_TRUE(run_loop(client, {.output = writer.get()}));
  EXPECT_EQ(client.wakes.back(), Wake::output);
}

TEST(Loop, AnOutputThatCannotBeWaitedForIsNoError) {
  const UniqueFd null(open("/dev/null", O_WRONLY));
  Client client(
      [](Wake wake) { return Next{.stop = wake == Wake::timer, .until_writable = true, .timer = milliseconds(1)}; });
  EXPECT_TRUE(run_loop(client, {.output = null.get()}));
}

TEST(Loop, SignalsAreHandledEvenIfInheritedIgnoredOrBlocked) {
  for (const auto& [signal, expected] : {std::pair(SIGINT, Wake::interrupt), std::pair(SIGTERM, Wake::terminate)}) {
    std::signal(signal, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    Client client([&, number = signal, wanted = expected](Wake wake) {
      if (wake == Wake::start) kill(getpid(), number);
      return Next{.stop = wake == wanted, .timer = milliseconds(60'000)};
    });
    ASSERT_TRUE(run_loop(client, {}));
    EXPECT_EQ(client.wakes.back(), expected);
    std::signal(signal, SIG_DFL);
  }
}

TEST(Loop, AClosedDescriptorIsAnError) {
  constexpr int never_open = 1'000'000;
  Client client([](Wake) { return Next{.stop = true}; });
  const auto ran = run_loop(client, {.backends = {never_open}});
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().os_error, EBADF);
}

}  // namespace
}  // namespace tracer::cli
