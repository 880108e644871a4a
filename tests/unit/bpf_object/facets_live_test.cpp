// What is attached for which facet, signs of life and blind spots, on the running kernel. Skipped where BPF is not
// allowed or a mechanism is not there.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "backends/tracepoint/tracepoint.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

class Recorder final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    if (std::holds_alternative<FlowOpened>(event.body)) ++flows;
    if (event.who.tgid != child) return;
    if (const auto* begun = std::get_if<ProcessStarted>(&event.body)) {
      executable = begun->executable;
      parent = begun->parent_tgid;
    }
    if (const auto* ended = std::get_if<ProcessExited>(&event.body)) exited = *ended;
  }
  std::uint32_t child = 0, parent = 0;
  std::string executable;
  std::optional<ProcessExited> exited;
  int flows = 0;
};

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

// A connection over loopback to oneself; both ends.
std::pair<UniqueFd, UniqueFd> connected() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0 || ::connect(client.get(), generic, size) != 0)
    return {};
  return {std::move(client), UniqueFd(::accept(listener.get(), nullptr, nullptr))};
}

class FacetsLive : public testing::TestWithParam<Mechanism> {
 protected:
  // False: the test is skipped.
  bool open(std::vector<Facet> facets, bool measure = false) {
    TracepointOptions options;
    options.mechanism = GetParam();
    options.facets = std::move(facets);
    options.measure_time = measure;
    options.ring_bytes = 1 << 20;
    auto opened = open_tracepoint(options);
    if (opened) {
      opened_ = *std::move(opened);
      return true;
    }
    reason_ = opened.error().context;
    if (opened.error().code != Errc::not_permitted && ::access("/sys/kernel/btf/vmlinux", R_OK) == 0)
      ADD_FAILURE() << reason_;
    return false;
  }
  void drain() {
    for (int round = 0; round < 3; ++round) {
      ASSERT_TRUE(opened_.backend->drain(recorder_, 1 << 20).has_value());
      ::usleep(2'000);
    }
  }
  std::optional<std::uint64_t> blind(std::string_view what) const {
    for (const BlindSpot& spot : opened_.backend->blind())
      if (spot.what == what) return spot.count;
    return std::nullopt;
  }

  OpenedBackend opened_;
  Recorder recorder_;
  std::string reason_;
};

TEST_P(FacetsLive, ProcessesAloneNeedNoSocketPrograms) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  EXPECT_TRUE(opened_.refused.empty());
  for (const AttachOutcome& outcome : opened_.outcomes) {
    EXPECT_EQ(outcome.what.find("sys_enter"), std::string::npos) << outcome.what;
    EXPECT_EQ(outcome.what.find("state"), std::string::npos) << outcome.what;
  }
  recorder_.child = in_child([] {
    const auto ends = connected();
    ::execl("/bin/sh", "sh", "-c", "exit 3", nullptr);
  });
  drain();
  EXPECT_EQ(recorder_.executable, "/bin/sh");
  EXPECT_EQ(recorder_.flows, 0);
  ASSERT_TRUE(recorder_.exited.has_value());
  if (GetParam() == Mechanism::syscall_tp) {
    EXPECT_FALSE(recorder_.exited->exit_code.has_value());  // the tracepoint does not say
    EXPECT_EQ(recorder_.parent, 0U);
  } else {
    EXPECT_EQ(recorder_.exited->exit_code, 3);
    EXPECT_EQ(recorder_.parent, static_cast<std::uint32_t>(::getpid()));
  }
  EXPECT_TRUE(opened_.backend->blind().empty());
}

TEST_P(FacetsLive, HeartbeatsComeBackFromTheProcessPrograms) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  drain();
  for (std::uint64_t sent = 1; sent <= 3; ++sent) {
    ASSERT_TRUE(opened_.backend->send_beat().has_value());
    drain();
    EXPECT_EQ(opened_.backend->beats().seen, sent);
  }
}

TEST_P(FacetsLive, TimeOfProgramsIsMeasuredOnlyWhenAsked) {
  if (!open({Facet::process})) GTEST_SKIP() << reason_;
  EXPECT_FALSE(opened_.backend->probe_time_ns().has_value());
  opened_.backend.reset();
  ASSERT_TRUE(open({Facet::process}, true)) << reason_;
  const auto before = opened_.backend->probe_time_ns();
  if (!before) GTEST_SKIP() << "this kernel does not measure programs, or not for us";
  for (int i = 0; i < 20; ++i) in_child([] {});
  EXPECT_GT(opened_.backend->probe_time_ns(), before);
}

std::string name_of(const testing::TestParamInfo<Mechanism>& info) { return std::string(to_string(info.param)); }
INSTANTIATE_TEST_SUITE_P(By, FacetsLive, testing::Values(Mechanism::tp_btf, Mechanism::raw_tp, Mechanism::syscall_tp),
                         name_of);

class SocketsLive : public FacetsLive {};

TEST_P(SocketsLive, HeartbeatsComeBackFromTheSocketPrograms) {
  if (!open({Facet::http})) GTEST_SKIP() << reason_;
  drain();
  for (std::uint64_t sent = 1; sent <= 3; ++sent) {
    ASSERT_TRUE(opened_.backend->send_beat().has_value());
    drain();
    EXPECT_EQ(opened_.backend->beats().sent, sent);
    EXPECT_EQ(opened_.backend->beats().seen, sent);
  }
}

TEST_P(SocketsLive, CallsOnUnixSocketsAndQuicAreCounted) {
  if (!open({Facet::http})) GTEST_SKIP() << reason_;
  const auto unix_before = blind("unix_sockets"), quic_before = blind("quic");
  ASSERT_TRUE(unix_before && quic_before);
  constexpr std::uint64_t calls = 10;
  in_child([] {
    int ends[2];
    (void)::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    const UniqueFd quic(::socket(AF_INET, SOCK_DGRAM, 0)), dns(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(443);
    (void)::connect(quic.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    address.sin_port = htons(53);
    (void)::connect(dns.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    for (std::uint64_t i = 0; i < calls; ++i) {
      (void)!::write(ends[0], "x", 1);
      (void)::send(quic.get(), "x", 1, MSG_NOSIGNAL);
      (void)::send(dns.get(), "x", 1, MSG_NOSIGNAL);
    }
  });
  EXPECT_GE(*blind("unix_sockets") - *unix_before, calls);
  EXPECT_GE(*blind("quic") - *quic_before, calls);
  EXPECT_LT(*blind("quic") - *quic_before, 2 * calls) << "port 53 was counted too";
}

// One operation through a ring of its own. False: no io_uring here.
bool submit(std::uint8_t opcode, int fd, const void* buffer, std::uint32_t size) {
  io_uring_params wanted{};
  const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 2, &wanted)));
  if (!ring) return false;
  const std::size_t ring_bytes = wanted.sq_off.array + wanted.sq_entries * sizeof(unsigned);
  auto* queue = static_cast<std::byte*>(
      ::mmap(nullptr, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.get(), IORING_OFF_SQ_RING));
  auto* entries = static_cast<io_uring_sqe*>(::mmap(nullptr, wanted.sq_entries * sizeof(io_uring_sqe),
                                                    PROT_READ | PROT_WRITE, MAP_SHARED, ring.get(), IORING_OFF_SQES));
  if (queue == MAP_FAILED || entries == MAP_FAILED) return false;
  entries[0] = io_uring_sqe{};
  entries[0].opcode = opcode;
  entries[0].fd = fd;
  entries[0].addr = reinterpret_cast<std::uint64_t>(buffer);
  entries[0].len = size;
  reinterpret_cast<unsigned*>(queue + wanted.sq_off.array)[0] = 0;
  std::atomic_ref(*reinterpret_cast<unsigned*>(queue + wanted.sq_off.tail)).store(1, std::memory_order_release);
  return ::syscall(SYS_io_uring_enter, ring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) == 1;
}

TEST_P(SocketsLive, SubmissionsOfIoUringOnTcpSocketsAreCounted) {
  if (!open({Facet::http})) GTEST_SKIP() << reason_;
  const auto before = blind("io_uring");
  if (!before) GTEST_SKIP() << "this kernel does not tell of submissions";
  if (!submit(IORING_OP_NOP, -1, nullptr, 0)) GTEST_SKIP() << "no io_uring for us";
  const auto [client, server] = connected();
  ASSERT_TRUE(client && server);
  ASSERT_TRUE(submit(IORING_OP_SEND, client.get(), "abc", 3));
  ASSERT_TRUE(submit(IORING_OP_WRITE, client.get(), "abc", 3));
  const UniqueFd file(::memfd_create("no-socket", MFD_CLOEXEC));
  ASSERT_TRUE(submit(IORING_OP_WRITE, file.get(), "abc", 3));
  EXPECT_EQ(*blind("io_uring") - *before, 2U);
}

TEST_P(SocketsLive, OpensThatAreSubmittedToIoUringAreCounted) {
  if (!open({Facet::file})) GTEST_SKIP() << reason_;
  const auto before = blind("io_uring_opens");
  if (!before) GTEST_SKIP() << "this kernel does not tell of submissions";
  EXPECT_FALSE(blind("io_uring").has_value()) << "nobody asked for sockets";
  if (!submit(IORING_OP_NOP, -1, nullptr, 0)) GTEST_SKIP() << "no io_uring for us";
  ASSERT_TRUE(submit(IORING_OP_OPENAT, -1, "/no/such/file.pem", 0));
  EXPECT_EQ(*blind("io_uring_opens") - *before, 1U);
}

INSTANTIATE_TEST_SUITE_P(By, SocketsLive, testing::Values(Mechanism::tp_btf, Mechanism::raw_tp), name_of);

}  // namespace
}  // namespace tracer
