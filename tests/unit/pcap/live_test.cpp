// Live capture on the kernel of this machine, on a loopback of its own where namespaces can be made.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "backends/pcap/pcap_backend.h"
#include "backends/pcap/privileges.h"
#include "core/base/unique_fd.h"
#include "tests/unit/pcap/recorder.h"

namespace tracer {
namespace {

using std::chrono::steady_clock;

void set_loopback(bool up) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(static_cast<char*>(request.ifr_name), "lo", 3);
  ASSERT_EQ(::ioctl(socket.get(), SIOCGIFFLAGS, &request), 0);
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  ASSERT_EQ(::ioctl(socket.get(), SIOCSIFFLAGS, &request), 0);
}

// A namespace has nobody else's traffic; the thread stays in it.
class LiveCapture : public ::testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd packets(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!packets) GTEST_SKIP() << "no packet socket: " << std::strerror(errno);
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace: " << std::strerror(errno);
    set_loopback(true);
  }

  OpenedBackend open(const std::string& interface, SocketOwners* owners = nullptr,
                     std::vector<std::uint16_t> ports = {}) {
    PcapOptions options;
    options.interface = interface;
    options.buffer_bytes = 4U << 20U;
    options.owners = owners;
    options.ports = std::move(ports);
    Result<OpenedBackend> opened = open_pcap(options);
    if (!opened) {
      ADD_FAILURE() << opened.error().context;
      std::abort();
    }
    return std::move(*opened);
  }
  // Until `done`, for two seconds at most.
  bool drain(Backend& backend, const std::function<bool()>& done) {
    const auto until = steady_clock::now() + std::chrono::seconds(2);
    while (!done() && steady_clock::now() < until) {
      pollfd wait{backend.fd(), POLLIN, 0};
      ::poll(&wait, 1, 50);
      const Result<Drained> drained = backend.drain(recorder_, 4096);
      if (!drained) {
        ADD_FAILURE() << drained.error().context;
        return false;
      }
    }
    return done();
  }
  // Both sides say `size` bytes and close. Returns the server's port.
  std::uint16_t exchange(int family, std::size_t size) {
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    socklen_t address_size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (family == AF_INET) {
      reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
      reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
    }
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener.get(), generic, address_size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), generic, &address_size), 0);
    UniqueFd client(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), generic, address_size), 0);
    UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    say(client.get(), server.get(), std::string(size, 'q'));
    say(server.get(), client.get(), std::string(size, 'a'));
    client = UniqueFd();
    server = UniqueFd();
    const auto& port = family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                         : reinterpret_cast<sockaddr_in6&>(address).sin6_port;
    return ntohs(port);
  }
  static void say(int from, int to, const std::string& text) {
    std::size_t sent = 0, received = 0;
    std::string buffer(65'536, '\0');
    while (received < text.size()) {
      if (sent < text.size()) {
        const ssize_t now = ::send(from, text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (now > 0) sent += static_cast<std::size_t>(now);
      }
      const ssize_t now = ::recv(to, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (now > 0) received += static_cast<std::size_t>(now);
    }
  }

  test::Recorder recorder_;
};

TEST_F(LiveCapture, SeesEachByteOnLoopbackOnce) {
  for (const std::string interface : {"", "lo"}) {
    for (const int family : {AF_INET, AF_INET6}) {
      SCOPED_TRACE(interface + (family == AF_INET ? " 4" : " 6"));
      recorder_ = {};
      OpenedBackend opened = open(interface);
      EXPECT_EQ(opened.clock, ClockDomain::realtime);
      EXPECT_EQ(opened.mechanism, Mechanism::af_packet);
      EXPECT_TRUE(opened.self_test_seen);
      const std::size_t size = 300'000;  // segments as large as they get
      const std::uint16_t port = exchange(family, size);
      ASSERT_TRUE(drain(*opened.backend, [&] { return !recorder_.flows.empty() && recorder_.flows[0].closed; }));
      ASSERT_EQ(recorder_.flows.size(), 1U);
      const test::ToldFlow& flow = recorder_.flows[0];
      EXPECT_EQ(flow.opened.remote->port, port);
      EXPECT_EQ(flow.opened.role, Role::client);
      EXPECT_EQ(flow.sent[0].text(), std::string(size, 'q'));
      EXPECT_EQ(flow.sent[1].text(), std::string(size, 'a'));
      // Both copies of loopback would be seen again as known bytes, and counted twice.
      EXPECT_EQ(opened.backend->counters().lost_ring_full, 0U);
      EXPECT_EQ(opened.backend->counters().self_events, 1U);
    }
  }
}

TEST_F(LiveCapture, HasAHeartbeat) {
  OpenedBackend opened = open("");
  const Beats before = opened.backend->beats();
  EXPECT_EQ(before.sent, before.seen);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(opened.backend->send_beat());
  EXPECT_TRUE(drain(*opened.backend, [&] { return opened.backend->beats().seen == before.seen + 3; }));
  EXPECT_EQ(opened.backend->beats().sent, before.sent + 3);
  EXPECT_EQ(recorder_.events, 0U) << "told to nobody";
  set_loopback(false);
  EXPECT_FALSE(opened.backend->send_beat());
  EXPECT_EQ(opened.backend->beats().sent, before.sent + 3) << "not sent, so not missed";
}

TEST_F(LiveCapture, OpensWithoutLoopback) {
  set_loopback(false);
  OpenedBackend opened = open("");
  EXPECT_FALSE(opened.self_test_seen);
}

TEST_F(LiveCapture, OtherPortsStayInTheKernel) {
  OpenedBackend opened = open("", nullptr, {1});
  exchange(AF_INET, 100);
  ASSERT_TRUE(opened.backend->send_beat());
  ASSERT_TRUE(drain(*opened.backend, [&] { return opened.backend->beats().seen == 2; }));
  EXPECT_EQ(opened.backend->counters().delivered, 0U);
  EXPECT_TRUE(recorder_.flows.empty());
}

TEST_F(LiveCapture, AsksForOwnersAtTheHandshake) {
  class Owners final : public SocketOwners {
   public:
    SocketOwner owner(const Endpoint& local, const Endpoint&) override {
      ports.push_back(local.port);
      return {SocketOwner::Answer::found, 4'000'000U + local.port, "test", 0, false};
    }
    std::vector<std::uint16_t> ports;
  } owners;
  OpenedBackend opened = open("", &owners);
  ASSERT_EQ(opened.outcomes.size(), 2U);
  EXPECT_TRUE(opened.outcomes[1].attached) << opened.outcomes[1].reason;
  const std::uint16_t port = exchange(AF_INET6, 100);
  ASSERT_TRUE(drain(*opened.backend, [&] { return !recorder_.flows.empty() && recorder_.flows[0].closed; }));
  const std::uint16_t client = recorder_.flows[0].opened.local->port;
  EXPECT_EQ(recorder_.flows[0].owners, (std::vector<std::uint32_t>{4'000'000U + client, 4'000'000U + port}));
  EXPECT_EQ(owners.ports.size(), 2U) << "asked once for each end";
}

TEST_F(LiveCapture, ErrorsSayWhatAndWhy) {
  PcapOptions options;
  options.interface = "nope0";
  const Result<OpenedBackend> opened = open_pcap(options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::not_found);
  EXPECT_NE(opened.error().context.find("nope0"), std::string::npos);
  EXPECT_FALSE(opened.error().suggestion.empty());
}

TEST_F(LiveCapture, SaysWhenItsInterfaceIsGone) {
  if (std::system("ip link add tv0 type veth peer name tv1 2>/dev/null && ip link set tv0 up && ip link set tv1 up") !=
      0) {
    GTEST_SKIP() << "no veth devices";
  }
  OpenedBackend opened = open("tv0");
  EXPECT_FALSE(opened.self_test_seen);
  const Result<void> beat = opened.backend->send_beat();
  ASSERT_FALSE(beat);
  EXPECT_EQ(beat.error().code, Errc::not_supported);
  ASSERT_EQ(std::system("ip link del tv0"), 0);
  const auto begun = steady_clock::now();
  Result<Drained> drained = Drained::idle;
  while (drained && steady_clock::now() - begun < std::chrono::milliseconds(500)) {
    pollfd wait{opened.backend->fd(), POLLIN, 0};
    ::poll(&wait, 1, 50);
    drained = opened.backend->drain(recorder_, 4096);
  }
  ASSERT_FALSE(drained) << "within half a second";
  EXPECT_EQ(drained.error().code, Errc::os);
  EXPECT_NE(drained.error().context.find("tv0"), std::string::npos);
}

TEST_F(LiveCapture, AFullRingIsALossAndItsHolesSaySo) {
  PcapOptions options;
  options.buffer_bytes = 1;  // as small as it gets
  Result<OpenedBackend> opened = open_pcap(options);
  ASSERT_TRUE(opened) << opened.error().context;
  exchange(AF_INET, 8U << 20U);
  ASSERT_TRUE(opened->backend->send_beat());
  drain(*opened->backend, [&] { return !recorder_.flows.empty() && recorder_.flows[0].closed; });
  EXPECT_GT(opened->backend->counters().lost_ring_full, 0U);
  ASSERT_FALSE(recorder_.flows.empty());
  for (const test::ToldStream& stream : recorder_.flows[0].sent) {
    EXPECT_EQ(stream.gaps_of(GapCause::ring_full), stream.gaps.size());
  }
}

// In a child: what is given up is gone for good.
TEST(Privileges, AreKeptAsTold) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto sets_now = [] {
      __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
      std::array<__user_cap_data_struct, 2> sets{};
      ::syscall(SYS_capget, &header, sets.data());
      return sets;
    };
    const auto before = sets_now();
    const std::uint32_t wanted = (1U << CAP_DAC_READ_SEARCH) | (1U << CAP_NET_ADMIN) | (1U << CAP_SYS_PTRACE);
    if (!keep_only(owner_lookup_capabilities())) ::_exit(1);
    const auto after = sets_now();
    if (after[0].permitted != (before[0].permitted & wanted) || after[1].permitted != 0) ::_exit(2);
    if (after[0].effective != (before[0].effective & wanted) || after[0].inheritable != 0) ::_exit(3);
    if (::socket(AF_PACKET, SOCK_RAW, 0) >= 0) ::_exit(4);
    if (!keep_only({}) || sets_now()[0].permitted != 0) ::_exit(5);
    if (keep_only(owner_lookup_capabilities()) && sets_now()[0].permitted != 0) ::_exit(6);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tracer
