// Sockets and processes of other namespaces, made here.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "backends/procfs/ownership.h"
#include "backends/procfs/process_scan.h"
#include "tests/unit/procfs/event_log.h"
#include "tests/unit/procfs/live_support.h"

namespace tracer {
namespace {

TEST(NamespaceLive, ASocketInAnotherNetworkNamespaceIsFoundWithoutEnteringIt) {
  std::uint64_t now_ns = 0;
  auto opened = ProcOwnership::open({.now_ns = [&now_ns] { return now_ns; }});
  ASSERT_TRUE(opened);
  ProcOwnership& ownership = **opened;
  if (ownership.translates()) GTEST_SKIP() << "not in the initial pid namespace";

  Connection connection;  // lives in the child
  const WaitingChild child([&]() -> std::string {
    if (const std::string why = enter_new_network_namespace(); !why.empty()) return why;
    connection = connect_over(Loopback::ipv4);
    return std::to_string(connection.client.get()) + " " + std::to_string(connection.client_end.port) + " " +
           std::to_string(connection.server_end.port) + " " + std::to_string(own_namespace_inode("net"));
  });
  if (child.said() == not_allowed) GTEST_SKIP() << "no new network namespace: " << child.said();
  int fd = -1;
  unsigned client_port = 0, server_port = 0;
  unsigned long network_namespace = 0;
  ASSERT_EQ(std::sscanf(child.said().c_str(), "%d %u %u %lu", &fd, &client_port, &server_port, &network_namespace), 4)
      << child.said();
  ASSERT_NE(network_namespace, own_namespace_inode("net"));

  const auto lists_before = ownership.counters().lists;
  const FdAnswer answer = ownership.descriptor(child.pid(), fd);
  ASSERT_EQ(answer.kind, FdKind::tcp);
  ASSERT_TRUE(answer.socket.local && answer.socket.remote);
  EXPECT_EQ(answer.socket.local->port, client_port);
  EXPECT_EQ(answer.socket.remote->port, server_port);
  EXPECT_EQ(answer.socket.network_namespace, network_namespace);
  EXPECT_EQ(ownership.counters().lists.proc_tables_read, lists_before.proc_tables_read + 1);
  EXPECT_EQ(ownership.counters().lists.sock_diag_dumps, lists_before.sock_diag_dumps);

  unsigned found = 0;
  for (const auto& owned : ownership.all_tcp_descriptors()) {
    if (owned.tgid != child.pid()) continue;
    EXPECT_EQ(owned.socket.network_namespace, network_namespace);
    ++found;
  }
  EXPECT_EQ(found, 3U);  // listener, client, server
  const auto listeners = ownership.listeners(network_namespace);
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_EQ(listeners[0].port, server_port);
}

// What the tests below run as process 1 of a new pid namespace; `with_own_proc`: a /proc of that namespace over /proc.
std::string as_first_process(bool with_own_proc, const std::function<std::string()>& body) {
  return in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWPID | (with_own_proc ? CLONE_NEWNS : 0)) != 0) {
      return errno == EPERM ? not_allowed : std::strerror(errno);
    }
    return in_child([&]() -> std::string {
      if (with_own_proc) {
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return not_allowed;
        if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) return not_allowed;
      }
      return body();
    });
  });
}

TEST(NamespaceLive, InAContainerAScanNamesProcessesByNumbersThatAreNobodys) {
  const std::string said = as_first_process(true, []() -> std::string {
    const WaitingChild child([] { return ""; });
    ProcessScanOptions options;
    options.facets = {Facet::process, Facet::library};
    options.known = std::make_shared<procfs::ProcessCache>();
    auto ownership = ProcOwnership::open({.processes = options.known});
    auto opened = open_process_scan(options);
    if (!ownership || !opened) return "cannot be opened";
    EventLog log;
    if (!drain_until(*opened->backend, log, [] { return true; })) return "does not end";
    for (const auto* entry : log.all<ProcessStarted>()) {
      const std::uint32_t tgid = entry->event.who.tgid;
      if (tgid == child.pid()) return "told by a number of the wrong namespace";
      const auto facts = (*ownership)->process(tgid);
      if (!facts || facts->local_pid != child.pid()) continue;
      return (*ownership)->local_pid(tgid) == child.pid() ? "" : "no local number";
    }
    return "the child is not told";
  });
  if (said == not_allowed) GTEST_SKIP() << "no pid namespaces here";
  EXPECT_EQ(said, "");
}

TEST(NamespaceLive, WithTheProcOfAContainerNumbersAreTranslatedOnlyWhenLearned) {
  const std::string said = as_first_process(true, []() -> std::string {
    auto opened = ProcOwnership::open({.now_ns = [] { return std::uint64_t{0}; }});
    if (!opened) return opened.error().context;
    ProcOwnership& ownership = **opened;
    if (!ownership.translates()) return "took a container's /proc for the initial one";
    if (ownership.process(1)) return "answered for a number of the wrong namespace";
    constexpr std::uint32_t tgid_outside = 4'000'123;
    ownership.learn(tgid_outside, 1);
    const auto facts = ownership.process(tgid_outside);
    if (!facts) return "did not find the process that was learned";
    if (facts->tgid != tgid_outside || facts->local_pid != 1U) return "numbers mixed up";

    // A local number that is given to another process is not that process.
    std::uint32_t local = 0;
    {
      const WaitingChild child([] { return std::string(); });
      local = child.pid();
      ownership.learn(tgid_outside + 1, local);
      if (!ownership.process(tgid_outside + 1)) return "did not find the learned child";
    }
    if (ownership.process(tgid_outside + 1)) return "a process that has exited was found";
    if (ownership.descriptor(tgid_outside + 1, 0).kind != FdKind::gone) return "a descriptor of a process that exited";
    return "";
  });
  if (said == not_allowed) GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
}

TEST(NamespaceLive, WithTheProcOfTheHostNumbersAreTheHosts) {
  auto outside = ProcOwnership::open();
  ASSERT_TRUE(outside);
  if ((*outside)->translates()) GTEST_SKIP() << "not in the initial pid namespace";
  const std::uint32_t tester = static_cast<std::uint32_t>(::getpid());
  const std::string said = as_first_process(false, [tester]() -> std::string {
    if (::getpid() != 1) return "not the first process";
    auto opened = ProcOwnership::open();
    if (!opened) return opened.error().context;
    if ((*opened)->translates()) return "the host's /proc was not recognised";
    const auto facts = (*opened)->process(tester);
    if (!facts) return "did not find a process by its number outside";
    if (facts->local_pid) return "a process that has no number in this namespace was given one";
    return "";
  });
  if (said == not_allowed) GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
}

}  // namespace
}  // namespace tracer
