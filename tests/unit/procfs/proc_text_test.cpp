#include "backends/procfs/proc_text.h"

#include <gtest/gtest.h>

namespace tracer::procfs {
namespace {

const std::string id_a = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string id_b = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
constexpr const char* fields_3_to_21 = " S 1 2 3 0 -1 4194560 2271 91042 12 106 3 5 82 61 20 0 1 0 ";

TEST(ParseStat, NameEndsAtTheLastParenthesis) {
  for (const std::string name : {"bash", "", ")", "(", "a) S (1", "two\nlines", "x) S 1 1 1 (y", ") ", " ("}) {
    const auto facts = parse_stat("100 (" + name + ")" + fields_3_to_21 + "4242 1 2 3\n");
    ASSERT_TRUE(facts) << name;
    EXPECT_EQ(facts->pid, 100U);
    EXPECT_EQ(facts->comm, name);
    EXPECT_EQ(facts->start_ticks, 4242U);
  }
}

TEST(ParseStat, RefusesWhatNoKernelWrites) {
  for (const std::string& text :
       {std::string(), std::string("100"), std::string("100 (bash"), std::string("100 (bash) "),
        std::string("x (bash)") + fields_3_to_21 + "4242", std::string("100 (bash) S 1 2 3\n"),
        std::string("100 (bash)") + fields_3_to_21 + "-1 ",
        std::string("100 (bash)") + fields_3_to_21 + "18446744073709551616 ",
        std::string("4294967296 (bash)") + fields_3_to_21 + "1 ", std::string(") 1 (")}) {
    EXPECT_FALSE(parse_stat(text)) << text;
  }
}

TEST(ParseStatus, TakesRealUidAndAllPidLevels) {
  const auto facts = parse_status(
      "Name:\tUid:\\n\nTgid:\t4711\nPid:\t4712\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\nNSpid:\t4711\t12\t1\n");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->tgid, 4711U);
  EXPECT_EQ(facts->uid_real, 1000U);
  EXPECT_EQ(facts->pids_by_level, (std::vector<std::uint32_t>{4711, 12, 1}));
}

TEST(ParseStatus, OldKernelsHaveNoPidLevels) {
  const auto facts = parse_status("Name:\tx\nTgid:\t1\nUid:\t0\t0\t0\t0\n");
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->pids_by_level.empty());
}

TEST(ParseStatus, RefusesMissingAndBrokenFields) {
  for (const char* text : {"", "Tgid:\t1\n", "Uid:\t0\t0\t0\t0\n", "Tgid:\tx\nUid:\t0\n", "Tgid:\t1\nUid:\t-1\n",
                           "Tgid:\t1\nUid:\t0\nNSpid:\t1\tx\n", "Tgid:\t\nUid:\t0\n"}) {
    EXPECT_FALSE(parse_status(text)) << text;
  }
}

TEST(ContainerId, KnowsHowRuntimesNameTheirGroups) {
  const std::string lines[] = {
      "5:memory:/docker/" + id_a,
      "0::/system.slice/docker-" + id_a + ".scope",
      "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podX.slice/cri-containerd-" + id_a + ".scope",
      "0::/kubepods.slice/kubepods-podX.slice/crio-" + id_a + ".scope",
      "0::/kubepods/burstable/pod8f3c1d2e-0000-4000-8000-0123456789ab/" + id_a,
      "0::/machine.slice/libpod-" + id_a + ".scope",
      "0::/machine.slice/libpod-" + id_a + ".scope/container",
      "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id_a + ".scope/init.scope",
      "0::/system.slice/kubepods-burstable-podX.slice:cri-containerd:" + id_a,
      "11:cpu,cpuacct:/ecs/0aa1/" + id_a,
      "0::/../" + id_a,
      "12:pids:/\n11:memory:/docker/" + id_a + "\n0::/\n",
  };
  for (const std::string& line : lines) EXPECT_EQ(container_id(line), id_a) << line;
}

TEST(ContainerId, InnermostOfNestedOnes) {
  EXPECT_EQ(container_id("0::/docker/" + id_b + "/kubepods/podX/" + id_a + "/app"), id_a);
}

TEST(ContainerId, NoneWhereThereIsNone) {
  const std::string lines[] = {
      "",
      "0::/",
      "0::/user.slice/user-1000.slice/session-3.scope",
      "0::/machine.slice/libpod-conmon-" + id_a + ".scope",
      "0::/crio-conmon-" + id_a + ".scope",
      "0::/docker/" + id_a.substr(1),
      "0::/docker/" + id_a + "0",
      "0::/docker/" + id_a.substr(1) + "G",
      "0::/docker/abc" + id_a,
      "memory:/docker/" + id_a,
      "/docker/" + id_a,
  };
  for (const std::string& line : lines) EXPECT_EQ(container_id(line), "") << line;
}

TEST(InodeOfLink, OnlyExactlyThatForm) {
  EXPECT_EQ(inode_of_link("socket:[123]", "socket"), 123U);
  EXPECT_EQ(inode_of_link("net:[4026531840]", "net"), 4026531840U);
  EXPECT_EQ(inode_of_link("socket:[18446744073709551615]", "socket"), 18446744073709551615U);
  for (const char* target : {"", "socket:", "socket:[", "socket:[]", "socket:[1", "socket:[1]x", "socket:[-1]",
                             "socket:[18446744073709551616]", "pipe:[1]", "/tmp/socket:[1]", "socket:[1] (deleted)"}) {
    EXPECT_FALSE(inode_of_link(target, "socket")) << target;
  }
}

TEST(WithoutDeletedMark, CutsItOnce) {
  EXPECT_EQ(without_deleted_mark("/usr/bin/x"), "/usr/bin/x");
  EXPECT_EQ(without_deleted_mark("/usr/bin/x (deleted)"), "/usr/bin/x");
  EXPECT_EQ(without_deleted_mark("/memfd:x (deleted) (deleted)"), "/memfd:x (deleted)");
  EXPECT_EQ(without_deleted_mark(""), "");
}

TEST(TcpProtocolName, WithOrWithoutItsZeroByte) {
  using namespace std::string_view_literals;
  for (const auto name : {"TCP\0"sv, "TCP"sv, "TCPv6\0"sv, "MPTCP\0"sv, "MPTCPv6"sv}) {
    EXPECT_TRUE(is_tcp_protocol_name(name)) << name;
  }
  for (const auto name : {""sv, "\0"sv, "UDP\0"sv, "UNIX-STREAM\0"sv, "NETLINK"sv, "TCPx"sv, "SCTP"sv}) {
    EXPECT_FALSE(is_tcp_protocol_name(name)) << name;
  }
}

}  // namespace
}  // namespace tracer::procfs
