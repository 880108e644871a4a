#include "backends/procfs/proc_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tracer::procfs {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

ProcReader fixture(const char* name) {
  auto proc = ProcReader::open(std::string(TRACER_FIXTURES) + "/" + name);
  EXPECT_TRUE(proc) << proc.error().context;
  return *std::move(proc);
}

TEST(ProcReader, NoSuchTree) {
  const auto proc = ProcReader::open("/nowhere/at/all");
  ASSERT_FALSE(proc);
  EXPECT_EQ(proc.error().code, Errc::not_found);
  EXPECT_THAT(proc.error().context, ::testing::HasSubstr("/nowhere/at/all"));
}

TEST(ProcReader, PidsAreTheNumbersAmongTheNames) {
  const ProcReader proc = fixture("proc-host");
  std::vector<std::uint32_t> pids;
  const auto left = proc.pids(pids, 100);
  ASSERT_TRUE(left);
  EXPECT_EQ(*left, 0U);
  EXPECT_THAT(pids, UnorderedElementsAre(1, 100, 101, 102, 103, 104, 105));
  // The same reader lists again from the start.
  pids.clear();
  ASSERT_TRUE(proc.pids(pids, 100));
  EXPECT_EQ(pids.size(), 7U);
}

TEST(ProcReader, PidsOverTheLimitAreCounted) {
  const ProcReader proc = fixture("proc-host");
  std::vector<std::uint32_t> pids;
  EXPECT_EQ(proc.pids(pids, 3), 4U);
  EXPECT_EQ(pids.size(), 3U);
}

TEST(ProcReader, OddNameAndExecutableWithSpaces) {
  const auto process = fixture("proc-host").process(100);
  ASSERT_TRUE(process);
  const auto stat = process->stat();
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) S (1\n2 b");
  EXPECT_EQ(stat->start_ticks, 4242U);
  EXPECT_EQ(process->executable(), "/opt/a b/server");
  EXPECT_EQ(process->net_namespace(), 4026531840U);
  EXPECT_EQ(process->container(), "");
}

TEST(ProcReader, UnlinkedExecutableInADockerContainer) {
  const auto process = fixture("proc-host").process(101);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->executable(), "/usr/sbin/nginx");
  EXPECT_EQ(process->container(), "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
  const auto status = process->status();
  ASSERT_TRUE(status);
  EXPECT_THAT(status->pids_by_level, ElementsAre(101, 5));
}

TEST(ProcReader, WhatIsHiddenIsGoneNotEmpty) {
  const ProcReader proc = fixture("proc-host");
  const auto process = proc.process(103);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->stat().error(), Refusal::gone);
  EXPECT_EQ(process->status().error(), Refusal::gone);
  EXPECT_EQ(process->executable().error(), Refusal::gone);
  EXPECT_EQ(process->container().error(), Refusal::gone);
  EXPECT_EQ(process->net_namespace().error(), Refusal::gone);
  std::vector<SocketDescriptor> sockets;
  EXPECT_EQ(process->sockets(sockets, 10).error(), Refusal::gone);
  EXPECT_EQ(proc.process(9999).error(), Refusal::gone);
  EXPECT_EQ(proc.self_pid().error(), Refusal::gone);
}

TEST(ProcReader, DescriptorsThatAreSockets) {
  const ProcReader proc = fixture("proc-host");
  const auto process = proc.process(100);
  ASSERT_TRUE(process);
  std::vector<SocketDescriptor> sockets;
  EXPECT_EQ(process->sockets(sockets, 100), 0U);
  std::vector<std::pair<int, std::uint64_t>> found;
  for (const auto& socket : sockets) found.emplace_back(socket.fd, socket.inode);
  EXPECT_THAT(found, UnorderedElementsAre(std::pair(3, 1001), std::pair(4, 1002), std::pair(5, 1003),
                                          std::pair(7, 9999), std::pair(10, 1000)));
  sockets.clear();
  EXPECT_EQ(process->sockets(sockets, 2), 7U);  // of nine
  EXPECT_LE(sockets.size(), 2U);
}

TEST(ProcReader, OneDescriptor) {
  const ProcReader proc = fixture("proc-host");
  EXPECT_EQ(proc.socket_inode(100, 3), 1001U);
  EXPECT_EQ(proc.socket_inode(100, 6), not_a_socket);
  EXPECT_EQ(proc.socket_inode(100, 9), not_a_socket);  // a file whose path ends like a socket
  EXPECT_EQ(proc.socket_inode(100, 55).error(), Refusal::gone);
  EXPECT_EQ(proc.socket_inode(100, -1).error(), Refusal::gone);
  EXPECT_EQ(proc.socket_inode(4'000'000'000, 3).error(), Refusal::gone);
  EXPECT_EQ(proc.protocol(100, 3), Protocol::unsaid);  // only a kernel can say it
}

}  // namespace
}  // namespace tracer::procfs
