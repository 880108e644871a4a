// Mechanism tracefs on the running kernel, read in both ways: own children, own opens, own connections. Skipped where
// tracefs is not mounted or not for us.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "backends/tracepoint/trace_reader.h"
#include "backends/tracepoint/tracefs.h"
#include "backends/tracepoint/tracepoint.h"
#include "core/base/unique_fd.h"
#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

using testing::Contains;
using testing::Field;
using testing::IsEmpty;

// Runs `work` in a child and waits for its end.
template <typename Work>
std::uint32_t in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return static_cast<std::uint32_t>(child);
}

std::vector<std::string> own_instances() {
  std::vector<std::string> found;
  const std::string own = "tracer-" + std::to_string(::getpid());
  std::error_code ignored;
  for (const std::string& root : tracefs_roots())
    for (const auto& entry : std::filesystem::directory_iterator(root + "/instances", ignored))
      if (entry.path().filename().string().starts_with(own)) found.push_back(entry.path());
  return found;
}

class TracefsLive : public testing::TestWithParam<bool> {
 protected:
  // False: the test was skipped.
  bool open(std::vector<Facet> facets) {
    TracepointOptions options;
    options.mechanism = Mechanism::tracefs;
    options.facets = std::move(facets);
    options.by_perf = GetParam();
    options.ring_bytes = 1 << 20;
    auto opened = open_tracepoint(options);
    if (opened) {
      opened_ = *std::move(opened);
      return true;
    }
    if (opened.error().code == Errc::not_found || opened.error().code == Errc::not_permitted)
      reason_ = opened.error().context;
    else
      ADD_FAILURE() << opened.error().context;
    return false;
  }
  void drain() {
    for (int round = 0; round < 5; ++round) {
      const auto drained = opened_.backend->drain(recorder_, 1 << 20);
      ASSERT_TRUE(drained.has_value()) << drained.error().context;
      ::usleep(1'000);
    }
  }

  OpenedBackend opened_;
  EventRecorder recorder_;
  std::string reason_;
};

TEST_P(TracefsLive, AChildIsSeenFromForkToExit) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  EXPECT_TRUE(opened_.self_test_seen);
  EXPECT_THAT(opened_.refused, IsEmpty());
  const std::uint32_t child = in_child([] { ::execl("/bin/true", "true", nullptr); });
  drain();
  const SeenEvent* started = recorder_.find<ProcessStarted>(child);
  ASSERT_NE(started, nullptr);
  EXPECT_EQ(started->text, "/bin/true");
  EXPECT_EQ(std::get<ProcessStarted>(started->event.body).parent_tgid, static_cast<std::uint32_t>(::getpid()));
  const SeenEvent* exited = recorder_.find<ProcessExited>(child);
  ASSERT_NE(exited, nullptr);
  EXPECT_FALSE(std::get<ProcessExited>(exited->event.body).exit_code.has_value());
  EXPECT_GT(exited->event.at, started->event.at);
  EXPECT_EQ(recorder_.find<FileOpened>(child), nullptr);  // that facet was not asked for
  EXPECT_EQ(opened_.backend->counters().lost_ring_full, 0U);
}

TEST_P(TracefsLive, AThreadThatEndsDoesNotEndItsProcess) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  UniqueFd ends[2];
  int raw[2];
  ASSERT_EQ(::pipe2(raw, O_CLOEXEC), 0);
  ends[0].reset(raw[0]);
  ends[1].reset(raw[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ends[1].reset();
    pthread_t thread{};
    ::pthread_create(&thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
    ::pthread_join(thread, nullptr);
    char byte = 0;
    (void)!::read(ends[0].get(), &byte, 1);
    ::_exit(0);
  }
  ends[0].reset();
  ::usleep(50'000);
  drain();
  EXPECT_EQ(recorder_.find<ProcessExited>(static_cast<std::uint32_t>(child)), nullptr);
  ends[1].reset();
  int status = 0;
  ::waitpid(child, &status, 0);
  drain();
  EXPECT_NE(recorder_.find<ProcessExited>(static_cast<std::uint32_t>(child)), nullptr);
}

TEST_P(TracefsLive, OpensComeWithTheirResults) {
  if (!open({Facet::file})) GTEST_SKIP() << reason_;
  const std::string file = "/tmp/tracer-opened-" + std::to_string(::getpid());
  std::ofstream(file) << "x";
  // The descriptor must stay until it was looked up, or its path is not known.
  int raw[2];
  ASSERT_EQ(::pipe2(raw, O_CLOEXEC), 0);
  UniqueFd read_end(raw[0]), write_end(raw[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    write_end.reset();
    (void)!::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    (void)!::open("/nonexistent/of-tracer", O_WRONLY);
    char byte = 0;
    (void)!::read(read_end.get(), &byte, 1);
    ::_exit(0);
  }
  read_end.reset();
  ::usleep(50'000);
  drain();
  write_end.reset();
  int status = 0;
  ::waitpid(child, &status, 0);
  drain();
  bool opened = false, failed = false;
  for (const SeenEvent& each : recorder_.all) {
    const auto* open = std::get_if<FileOpened>(&each.event.body);
    if (open == nullptr || each.event.who.tgid != static_cast<std::uint32_t>(child)) continue;
    if (open->error == 0 && each.text == file) {
      opened = true;
      ASSERT_TRUE(open->flags.has_value());
      EXPECT_EQ(*open->flags & static_cast<std::uint32_t>(O_ACCMODE | O_CLOEXEC),
                static_cast<std::uint32_t>(O_RDONLY | O_CLOEXEC));
    }
    if (open->error == ENOENT) {
      failed = true;
      EXPECT_TRUE(each.text.empty() || each.text == "/nonexistent/of-tracer") << each.text;
      EXPECT_EQ(*open->flags & static_cast<std::uint32_t>(O_ACCMODE), static_cast<std::uint32_t>(O_WRONLY));
    }
  }
  EXPECT_TRUE(opened);
  EXPECT_TRUE(failed);
  EXPECT_EQ(recorder_.find<FileOpened>(static_cast<std::uint32_t>(::getpid())), nullptr);  // the tracer's own
  EXPECT_GT(opened_.backend->counters().self_events, 0U);
  ::unlink(file.c_str());
}

// One connection over loopback between this process and a child.
struct Connected {
  std::uint32_t client = 0;
  std::uint16_t port = 0, client_port = 0;
};
std::optional<Connected> connect_once(int family) {
  const UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = static_cast<sa_family_t>(family);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (family == AF_INET)
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else
    address.sin6_addr = in6addr_loopback;
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0) return std::nullopt;
  ::getsockname(listener.get(), generic, &size);
  Connected out;
  out.port = ntohs(address.sin6_port);  // at the same place in both
  const pid_t child = ::fork();
  if (child == 0) {
    const UniqueFd client(::socket(family, SOCK_STREAM, 0));
    (void)::connect(client.get(), generic, size);
    char byte = 0;
    (void)!::read(client.get(), &byte, 1);  // until the other end closes
    ::_exit(0);
  }
  out.client = static_cast<std::uint32_t>(child);
  {
    sockaddr_in6 peer{};
    socklen_t peer_size = sizeof(peer);
    const UniqueFd accepted(::accept(listener.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size));
    out.client_port = ntohs(peer.sin6_port);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return out;
}

class TracefsLiveConnection : public TracefsLive {
 protected:
  void expect_both_ends(int family, std::uint8_t last_byte) {
    if (!open({Facet::connection})) GTEST_SKIP() << reason_;
    const auto made = connect_once(family);
    if (!made) GTEST_SKIP() << "loopback is not up for this family";
    ::usleep(20'000);
    drain();
    const FlowOpened *client = nullptr, *server = nullptr;
    std::uint32_t owner = 0;
    std::size_t closed = 0;
    for (const SeenEvent& each : recorder_.all) {
      if (const auto* opened = std::get_if<FlowOpened>(&each.event.body)) {
        if (opened->remote->port == made->port) client = opened, owner = each.event.who.tgid;
        if (opened->local->port == made->port) server = opened;
      }
      if (const auto* gone = std::get_if<FlowClosed>(&each.event.body))
        if ((client != nullptr && gone->flow == client->flow) || (server != nullptr && gone->flow == server->flow))
          ++closed;
    }
    ASSERT_NE(client, nullptr);
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(client->role, Role::client);
    EXPECT_EQ(server->role, Role::server);
    EXPECT_EQ(owner, made->client);
    EXPECT_EQ(client->local->port, made->client_port);
    EXPECT_EQ(server->remote->port, made->client_port);
    EXPECT_EQ(client->local->address, server->remote->address);
    EXPECT_EQ(client->local->address.back(), last_byte);
    EXPECT_EQ(client->local->address[10], family == AF_INET ? 0xff : 0);
    EXPECT_FALSE(client->preexisting);
    EXPECT_EQ(closed, 2U);
  }
};

TEST_P(TracefsLiveConnection, BothEndsOfAnIpv4Connection) { expect_both_ends(AF_INET, 1); }
TEST_P(TracefsLiveConnection, BothEndsOfAnIpv6Connection) { expect_both_ends(AF_INET6, 1); }

TEST_P(TracefsLive, HeartbeatsComeBack) {
  if (!open({Facet::process, Facet::file, Facet::connection})) GTEST_SKIP() << reason_;
  for (std::uint64_t sent = 1; sent <= 3; ++sent) {
    ASSERT_TRUE(opened_.backend->send_beat().has_value());
    drain();
    EXPECT_EQ(opened_.backend->beats().sent, sent);
    EXPECT_EQ(opened_.backend->beats().seen, sent);
  }
  for (const SeenEvent& each : recorder_.all)
    EXPECT_FALSE(std::holds_alternative<FlowOpened>(each.event.body) &&
                 each.event.who.tgid == static_cast<std::uint32_t>(::getpid()));
}

TEST_P(TracefsLive, WhatTheRingHadNoRoomForIsCounted) {
  TracepointOptions options;
  options.mechanism = Mechanism::tracefs;
  options.facets = {Facet::file};
  options.by_perf = GetParam();
  options.ring_bytes = 64 << 10;
  auto opened = open_tracepoint(options);
  if (!opened) GTEST_SKIP() << opened.error().context;
  (void)opened->backend->drain(recorder_, 1 << 20);
  const std::uint64_t before = opened->backend->counters().delivered;
  constexpr std::uint64_t opens = 20'000;
  const std::uint32_t child = in_child([] {
    for (std::uint64_t i = 0; i < opens; ++i) (void)!::open("/nonexistent/of-tracer", O_RDONLY);
  });
  // The kernel tells of a loss on a processor when there is room again and something happens there.
  for (int processor = 0; processor < static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF)); ++processor) {
    ASSERT_TRUE(opened->backend->drain(recorder_, 1 << 20).has_value());
    (void)in_child([&] {
      cpu_set_t only;
      CPU_ZERO(&only);
      CPU_SET(processor, &only);
      ::sched_setaffinity(0, sizeof(only), &only);
      (void)!::open("/nonexistent/of-tracer", O_RDONLY);
    });
    ASSERT_TRUE(opened->backend->drain(recorder_, 1 << 20).has_value());
  }
  // What is told waits for opens whose path is not certain yet.
  const auto told_lost = [&] {
    std::uint64_t told = 0;
    for (const SeenEvent& each : recorder_.all)
      if (const auto* lost = std::get_if<Lost>(&each.event.body)) told += lost->events;
    return told;
  };
  for (int i = 0; i < 100 && told_lost() != opened->backend->counters().lost_ring_full; ++i) {
    ::usleep(10'000);
    ASSERT_TRUE(opened->backend->drain(recorder_, 1 << 20).has_value());
  }
  const BackendCounters counters = opened->backend->counters();
  EXPECT_GT(counters.lost_ring_full, 0U);
  EXPECT_EQ(counters.produced, counters.delivered + counters.lost_ring_full + counters.lost_user + counters.unread);
  // Each open is two records; other processes may open files meanwhile.
  EXPECT_GE(counters.delivered - before + counters.lost_ring_full, 2 * opens);
  EXPECT_EQ(told_lost(), counters.lost_ring_full);
  EXPECT_NE(recorder_.find<FileOpened>(child), nullptr);
}

// A BPF program on a perf event decides whether others see the event.
TEST_P(TracefsLive, TheFloorOnTheSameTracepointsDoesNotSilenceIt) {
  TracepointOptions floor;
  floor.mechanism = Mechanism::syscall_tp;
  floor.facets = {Facet::process};
  const auto other = open_tracepoint(floor);
  if (!other) GTEST_SKIP() << other.error().context;
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  const std::uint32_t child = in_child([] { ::execl("/bin/true", "true", nullptr); });
  drain();
  EXPECT_NE(recorder_.find<ProcessStarted>(child), nullptr);
}

TEST_P(TracefsLive, NothingIsLeftBehind) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  EXPECT_EQ(own_instances().size(), GetParam() ? 0U : 1U);
  opened_.backend.reset();
  EXPECT_THAT(own_instances(), IsEmpty());
}

TEST_P(TracefsLive, FacetsThatItCannotServeAreRefused) {
  if (!open({Facet::http, Facet::process})) GTEST_SKIP() << reason_;
  EXPECT_THAT(opened_.refused, Contains(Field(&RefusedFacet::facet, Facet::http)));
  TracepointOptions options;
  options.mechanism = Mechanism::tracefs;
  options.facets = {Facet::http};
  EXPECT_FALSE(open_tracepoint(options).has_value());
}

std::string way(const testing::TestParamInfo<bool>& info) { return info.param ? "Perf" : "Instance"; }
INSTANTIATE_TEST_SUITE_P(By, TracefsLive, testing::Bool(), way);
INSTANTIATE_TEST_SUITE_P(By, TracefsLiveConnection, testing::Bool(), way);

TEST(TracefsLeftovers, OfAKilledTracerAreRemovedByTheNext) {
  // A child that makes an instance and is killed.
  const pid_t child = ::fork();
  if (child == 0) {
    TracepointOptions options;
    options.mechanism = Mechanism::tracefs;
    options.facets = {Facet::process};
    options.by_perf = false;
    const auto opened = open_tracepoint(options);
    ::kill(::getpid(), opened ? SIGKILL : SIGTERM);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  if (WTERMSIG(status) != SIGKILL) GTEST_SKIP() << "no tracing instance can be made here";
  std::string left, root_of_it;
  for (const std::string& root : tracefs_roots()) {
    const std::string path = root + "/instances/tracer-" + std::to_string(child) + "-0";
    if (::access(path.c_str(), F_OK) == 0) left = path, root_of_it = root;
  }
  ASSERT_FALSE(left.empty()) << "the kernel removed it by itself: this test tests nothing";
  EXPECT_GE(remove_dead_instances(root_of_it), 1U);
  EXPECT_NE(::access(left.c_str(), F_OK), 0);
}

TEST(TracefsLeftovers, OthersAndTheLivingAreLeftAlone) {
  const auto root = std::filesystem::temp_directory_path() / ("tracer-instances-" + std::to_string(::getpid()));
  for (const std::string& name : {std::string("somebody"), "tracer-" + std::to_string(::getppid()) + "-0",
                                  std::string("tracer-x"), std::string("tracer-0"), std::string("tracer-1x")})
    std::filesystem::create_directories(root / "instances" / name);
  const pid_t gone = static_cast<pid_t>(in_child([] {}));
  // Names that are not made here: somebody else's.
  std::filesystem::create_directories(root / "instances" / ("tracer-" + std::to_string(gone)));
  std::filesystem::create_directories(root / "instances" / ("tracer-" + std::to_string(gone) + "-7-old"));
  std::filesystem::create_directories(root / "instances" / ("tracer-" + std::to_string(gone) + "-7"));
  // Left by another that had this process's number: the next instance of this process would have the same name.
  std::filesystem::create_directories(root / "instances" / ("tracer-" + std::to_string(::getpid()) + "-0"));
  EXPECT_EQ(remove_dead_instances(root), 2U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root / "instances"), {}), 7);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace tracer
