// ProcOwnership over trees of files: no kernel is asked for anything but files. The tables are of a little-endian one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "backends/procfs/ownership.h"

namespace tracer {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class OwnershipFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    if constexpr (std::endian::native != std::endian::little) GTEST_SKIP() << "tables of a little-endian kernel";
  }

  std::unique_ptr<ProcOwnership> open(const std::string& tree, OwnershipOptions options = {}) {
    options.proc_root = std::string(TRACER_FIXTURES) + "/" + tree;
    options.now_ns = [this] { return now_ns_; };
    auto opened = ProcOwnership::open(std::move(options));
    EXPECT_TRUE(opened) << opened.error().context;
    return *std::move(opened);
  }

  std::uint64_t now_ns_ = 1'000'000'000;
};

TEST_F(OwnershipFixture, NoProcIsAnError) {
  const auto opened = ProcOwnership::open({.proc_root = "/nowhere"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::not_found);
}

TEST_F(OwnershipFixture, ProcessFacts) {
  const auto ownership = open("proc-host");
  EXPECT_FALSE(ownership->translates());
  const auto facts = ownership->process(100);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->tgid, 100U);
  EXPECT_EQ(facts->local_pid, std::nullopt);  // the tracer is not in this tree
  EXPECT_EQ(facts->comm, "a) S (1\n2 b");
  EXPECT_EQ(facts->executable, "/opt/a b/server");
  EXPECT_EQ(facts->uid, 1000U);
  EXPECT_EQ(facts->start_ticks, 4242U);
  EXPECT_EQ(facts->container_id, "");
  EXPECT_EQ(ownership->process(102)->container_id, "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210");
  EXPECT_EQ(ownership->process(105)->executable, "");  // a kernel thread
}

TEST_F(OwnershipFixture, HiddenGoneAndThreadsHaveNoAnswer) {
  const auto ownership = open("proc-host");
  EXPECT_FALSE(ownership->process(103));
  EXPECT_FALSE(ownership->process(104));
  EXPECT_FALSE(ownership->process(9999));
}

TEST_F(OwnershipFixture, AllProcesses) {
  std::vector<std::uint32_t> tgids;
  for (const ProcessFacts& facts : open("proc-host")->all_processes()) tgids.push_back(facts.tgid);
  EXPECT_THAT(tgids, UnorderedElementsAre(1, 100, 101, 102, 105));
}

TEST_F(OwnershipFixture, ProcessesOverTheLimitAreCounted) {
  const auto ownership = open("proc-host", {.processes_max = 2});
  EXPECT_LE(ownership->all_processes().size(), 2U);
  EXPECT_EQ(ownership->counters().processes_over_limit, 5U);
}

TEST_F(OwnershipFixture, DescriptorsByTable) {
  const auto ownership = open("proc-host");
  const FdAnswer ipv4 = ownership->descriptor(100, 3);
  ASSERT_EQ(ipv4.kind, FdKind::tcp);
  EXPECT_EQ(ipv4.socket.inode, 1001U);
  EXPECT_EQ(ipv4.socket.network_namespace, 4026531840U);
  EXPECT_EQ(ipv4.socket.local->port, 8080);
  EXPECT_EQ(ipv4.socket.remote->port, 50000);
  EXPECT_EQ(ipv4.socket.state, TcpState::established);
  EXPECT_EQ(ownership->descriptor(100, 4).socket.remote->port, 54321);
  EXPECT_EQ(ownership->descriptor(100, 5).socket.state, TcpState::close_wait);
  EXPECT_EQ(ownership->descriptor(100, 10).socket.state, TcpState::listen);
  EXPECT_EQ(ownership->descriptor(100, 0).kind, FdKind::not_tcp);
  EXPECT_EQ(ownership->descriptor(100, 6).kind, FdKind::not_tcp);
  EXPECT_EQ(ownership->descriptor(100, 9).kind, FdKind::not_tcp);
  EXPECT_EQ(ownership->descriptor(100, 99).kind, FdKind::gone);
  EXPECT_EQ(ownership->descriptor(9999, 3).kind, FdKind::gone);
  const OwnershipCounters counters = ownership->counters();
  EXPECT_EQ(counters.lists.proc_tables_read, 1U);  // one list served them all
  EXPECT_EQ(counters.lists.lines_malformed, 1U);   // the line of rubbish, not the headings
  EXPECT_EQ(counters.descriptor_questions, 9U);
}

TEST_F(OwnershipFixture, AnotherNetworkNamespaceHasItsOwnTable) {
  const auto ownership = open("proc-host");
  const FdAnswer answer = ownership->descriptor(102, 20);
  ASSERT_EQ(answer.kind, FdKind::tcp);
  EXPECT_EQ(answer.socket.network_namespace, 4026532000U);
  EXPECT_EQ(answer.socket.remote->port, 0x1234);
}

TEST_F(OwnershipFixture, NetworkNamespaceOfAProcess) {
  const auto ownership = open("proc-host");
  EXPECT_EQ(ownership->network_namespace(100), 4026531840U);
  EXPECT_EQ(ownership->network_namespace(102), 4026532000U);
  EXPECT_EQ(ownership->network_namespace(103), 0U);
  EXPECT_EQ(ownership->network_namespace(9999), 0U);
  EXPECT_EQ(open("proc-container")->network_namespace(12), 0U);
}

TEST_F(OwnershipFixture, NotInAFreshListIsNotTcpAndATooEarlyQuestionHasNoAnswer) {
  const auto ownership = open("proc-host");
  EXPECT_EQ(ownership->descriptor(100, 7).kind, FdKind::not_tcp);
  // A tree of files does not say the protocol of a socket, and the list may not be made again yet.
  EXPECT_EQ(ownership->descriptor(100, 7).kind, FdKind::unreadable);
  EXPECT_EQ(ownership->counters().unanswered_too_soon, 1U);
  now_ns_ += 20'000'000;
  EXPECT_EQ(ownership->descriptor(100, 7).kind, FdKind::not_tcp);
  EXPECT_EQ(ownership->counters().lists.proc_tables_read, 2U);
}

TEST_F(OwnershipFixture, AllTcpDescriptorsAndListeners) {
  const auto ownership = open("proc-host");
  EXPECT_THAT(ownership->listeners(), IsEmpty());
  std::vector<std::tuple<std::uint32_t, int, std::uint64_t>> found;
  for (const auto& owned : ownership->all_tcp_descriptors()) {
    found.emplace_back(owned.tgid, owned.fd, owned.socket.inode);
  }
  EXPECT_THAT(found,
              UnorderedElementsAre(std::tuple(100, 3, 1001), std::tuple(100, 4, 1002), std::tuple(100, 5, 1003),
                                   std::tuple(100, 10, 1000), std::tuple(101, 3, 1001), std::tuple(102, 20, 2001)));
  EXPECT_EQ(ownership->counters().lists.proc_tables_read, 2U);  // two namespaces, three processes
  std::vector<std::uint16_t> ports;
  for (const Endpoint& endpoint : ownership->listeners(4026531840U)) ports.push_back(endpoint.port);
  EXPECT_THAT(ports, UnorderedElementsAre(80, 8080));
}

TEST_F(OwnershipFixture, SocketsAndDescriptorsOverTheLimitAreCounted) {
  const auto ownership = open("proc-host", {.sockets_per_namespace_max = 2, .descriptors_per_process_max = 4});
  (void)ownership->all_tcp_descriptors();
  EXPECT_EQ(ownership->counters().lists.sockets_over_limit, 3U);
  EXPECT_EQ(ownership->counters().descriptors_over_limit, 5U);
}

TEST_F(OwnershipFixture, InAContainerNumbersAreNotGuessed) {
  const auto ownership = open("proc-container");
  EXPECT_TRUE(ownership->translates());
  EXPECT_FALSE(ownership->process(12));
  EXPECT_EQ(ownership->descriptor(12, 5).kind, FdKind::unreadable);
  EXPECT_THAT(ownership->all_processes(), IsEmpty());
  EXPECT_THAT(ownership->all_tcp_descriptors(), IsEmpty());
  EXPECT_EQ(ownership->counters().processes_not_numbered, 2U);
}

TEST_F(OwnershipFixture, InAContainerWhatWasLearnedIsAnswered) {
  const auto ownership = open("proc-container");
  ownership->learn(51234, 12);
  const auto facts = ownership->process(51234);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->tgid, 51234U);
  EXPECT_EQ(facts->local_pid, 12U);
  EXPECT_EQ(facts->comm, "server");
  const FdAnswer answer = ownership->descriptor(51234, 5);
  ASSERT_EQ(answer.kind, FdKind::tcp);
  EXPECT_EQ(answer.socket.local->port, 8080);
  EXPECT_FALSE(ownership->process(12));
  ASSERT_EQ(ownership->all_tcp_descriptors().size(), 1U);
  EXPECT_EQ(ownership->all_tcp_descriptors()[0].tgid, 51234U);
  ownership->learn(60000, 4321);  // no such process: nothing is learned
  EXPECT_FALSE(ownership->process(60000));
  ownership->forget(51234);
  EXPECT_FALSE(ownership->process(51234));
}

}  // namespace
}  // namespace tracer
