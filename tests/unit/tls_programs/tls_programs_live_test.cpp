// The programs at a TLS library's functions beside every carrier that the running kernel allows, at functions of this
// program that look like those of a library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <setjmp.h>

#include <algorithm>

#include "tests/unit/tls_programs/carried_programs.h"

namespace tracer {
namespace {

using testing::ElementsAre;

TEST_P(TlsProgramsLive, EachCallIsToldOnceWithItsConnection) {
  if (!open()) GTEST_SKIP() << reason_;
  std::uint32_t port = 0;
  trace(
      [](const TracedChild::Parent& parent) {
        const Connection wire = connect_to_self();
        parent.tell(wire.client_port);
        FakeSession session;
        fake_set_fd(&session, wire.client.get());
        session.inside = [&] { send_some(wire.client, 200); };
        fake_do_handshake(&session);
        write_text(session, "GET /a");
        session.inside = [&] { receive_some(wire.client, 20); };
        send_some(wire.server, 40);
        read_text(session, "HTTP/1.1 200");
        if (read_text(session, "") != -1) ::_exit(9);
        session.inside = nullptr;
        read_text(session, "body");  // what the library had read before
        session.inside = [&] { send_some(wire.client, 30); };
        std::size_t written = 0;
        if (fake_write_ex(&session, "nested", 6, &written) != 1 || written != 6) ::_exit(10);
        fake_record_send(&session, "jumped", 6);
        fake_sendfile(&session, 99, 4000);
        session.result = -1;
        write_text(session, "not sent");
        fake_free(&session);
      },
      &port);
  ASSERT_EQ(heard_.opened.size(), 1U);
  const PlaintextOpened& opened = heard_.opened.front();
  EXPECT_TRUE(opened.from_start);
  EXPECT_TRUE(opened.fd.has_value());
  EXPECT_EQ(heard_.port_of(opened.session.value), port);
  EXPECT_THAT(heard_.texts(), ElementsAre("GET /a", "HTTP/1.1 200", "body", "nested", "jumped", ""));
  std::uint64_t ends[2] = {0, 0};
  for (const Told& each : heard_.told) {
    EXPECT_EQ(each.session, opened.session.value);
    const bool tx = each.direction == Direction::tx;
    EXPECT_EQ(each.offset, ends[tx]) << each;
    ends[tx] += each.moved;
  }
  EXPECT_EQ(ends[true], 3 * 6 + 4000U);
  EXPECT_EQ(ends[false], 16U);
  ASSERT_FALSE(heard_.told.empty());
  EXPECT_EQ(heard_.told.back().rest, GapCause::zero_copy);
  EXPECT_THAT(heard_.ended, ElementsAre(opened.session.value));
  EXPECT_TRUE(std::ranges::is_sorted(heard_.times));
  EXPECT_EQ(companion_->losses().nested, 0U);
  EXPECT_EQ(companion_->losses().unpaired, 0U);
}

// Where flows are known by their ports: of another port's no byte leaves the kernel, encrypted or not.
TEST_P(TlsProgramsLive, WhatNobodyAskedForStaysInTheKernel) {
  ports_ = {1};
  if (!open()) GTEST_SKIP() << reason_;
  const bool follows_descriptors = GetParam().backend == BackendKind::tracepoint &&
                                   (GetParam().mechanism == Mechanism::syscall_tp || !GetParam().kernel_reads);
  trace([](const TracedChild::Parent&) {
    const Connection wire = connect_to_self();
    FakeSession session;
    session.inside = [&] { send_some(wire.client, 200); };
    fake_do_handshake(&session);
    write_text(session, "GET /secret");
    session.inside = [&] { receive_some(wire.client, 20); };
    send_some(wire.server, 40);
    read_text(session, "HTTP/1.1 200");
    fake_free(&session);
  });
  ASSERT_EQ(heard_.told.size(), 2U);
  EXPECT_EQ(heard_.told[0].moved, 11U);
  EXPECT_EQ(heard_.told[1].moved, 12U);
  if (follows_descriptors) {
    EXPECT_THAT(heard_.texts(), ElementsAre("GET /secret", "HTTP/1.1 200"));
  } else {
    EXPECT_THAT(heard_.texts(), ElementsAre("", ""));
    for (const Told& each : heard_.told) EXPECT_EQ(each.rest, GapCause::filter);
  }
}

TEST_P(TlsProgramsLive, AnotherConnectionIsAnotherSession) {
  if (!open()) GTEST_SKIP() << reason_;
  std::uint32_t port = 0;
  trace(
      [](const TracedChild::Parent& parent) {
        const Connection first = connect_to_self(), second = connect_to_self();
        parent.tell(second.client_port);
        FakeSession session;
        session.inside = [&] { send_some(first.client, 10); };
        write_text(session, "one");
        session.inside = [&] {
          send_some(first.client, 10);
          send_some(second.client, 10);
        };
        write_text(session, "two");  // whatever else: the connection is known
        session.inside = [&] { send_some(second.client, 10); };
        write_text(session, "three");
        fake_clear(&session);
        write_text(session, "four");
      },
      &port);
  ASSERT_THAT(heard_.texts(), ElementsAre("one", "two", "three", "four"));
  ASSERT_EQ(heard_.opened.size(), 3U);
  EXPECT_EQ(heard_.told[1].session, heard_.told[0].session);
  EXPECT_EQ(heard_.told[1].offset, 3U);
  EXPECT_NE(heard_.told[2].session, heard_.told[0].session);
  EXPECT_EQ(heard_.told[2].offset, 0U);
  EXPECT_EQ(heard_.told[3].offset, 0U);
  EXPECT_EQ(heard_.port_of(heard_.told[2].session), port);
  EXPECT_EQ(heard_.port_of(heard_.told[3].session), port);
  EXPECT_NE(heard_.port_of(heard_.told[0].session), port);
  EXPECT_NE(heard_.port_of(heard_.told[0].session), 0);
  EXPECT_THAT(heard_.ended, ElementsAre(heard_.told[0].session, heard_.told[2].session));
}

// What does not depend on who sees the sockets.
class TlsCallsLive : public TlsProgramsLive {};

TEST_P(TlsCallsLive, ACallThatTouchesNoSocketHasNoConnection) {
  if (!open()) GTEST_SKIP() << reason_;
  constexpr std::size_t large = 100'000;
  trace([](const TracedChild::Parent&) {
    FakeSession session, found_late, with_address;
    session.result = -1;
    fake_do_handshake(&session);
    session.result = 1;
    fake_do_handshake(&session);
    session.result = std::nullopt;
    std::string text(large, ' ');
    for (std::size_t i = 0; i < large; ++i) text[i] = static_cast<char>('a' + i % 23);
    write_text(session, text);
    write_text(found_late, "late");
    fake_set_ptr(&with_address, &with_address);
    write_text(with_address, "no descriptor");
  });
  ASSERT_EQ(heard_.opened.size(), 3U);
  for (const PlaintextOpened& each : heard_.opened) {
    EXPECT_EQ(each.flow.value, 0U);
    EXPECT_EQ(each.fd, std::nullopt);
  }
  EXPECT_TRUE(heard_.opened[0].from_start);
  EXPECT_FALSE(heard_.opened[1].from_start);
  std::string text;
  std::uint64_t end = 0;
  for (const Told& each : heard_.told) {
    if (each.session != heard_.opened[0].session.value) continue;
    EXPECT_EQ(each.offset, end);
    end += each.moved;
    text += each.bytes;
    if (each.rest != GapCause::none) {
      EXPECT_EQ(each.rest, GapCause::snap_length);
    }
  }
  EXPECT_EQ(end, large);
  EXPECT_EQ(text.size(), GetParam().ring_buffer ? large : 65536U);
  for (std::size_t i = 0; i < text.size(); ++i) ASSERT_EQ(text[i], static_cast<char>('a' + i % 23)) << i;
}

TEST_P(TlsCallsLive, OneSessionInsideOfAnotherIsCountedAndNotTold) {
  if (!open()) GTEST_SKIP() << reason_;
  trace([](const TracedChild::Parent&) {
    FakeSession outer, inner;
    outer.inside = [&] { write_text(inner, "ciphertext of the outer"); };
    write_text(outer, "outer");
    write_text(inner, "later");
  });
  EXPECT_THAT(heard_.texts(), ElementsAre("outer", "later"));
  EXPECT_EQ(companion_->losses().nested, 1U);
}

jmp_buf back;
[[gnu::noinline]] int deeper(FakeSession& session, std::string_view text) {
  volatile char filled[4000];  // where the frame was that was left
  for (volatile char& each : filled) each = 'x';
  return write_text(session, text);
}

TEST_P(TlsCallsLive, ACallThatNeverReturnsDisturbsNoOther) {
  if (!open()) GTEST_SKIP() << reason_;
  trace([](const TracedChild::Parent&) {
    FakeSession left, same, other;
    left.inside = same.inside = [] { ::longjmp(back, 1); };
    if (::setjmp(back) == 0) write_text(same, "never sent");
    same.inside = nullptr;
    write_text(same, "as deep");
    if (::setjmp(back) == 0) write_text(left, "never sent");
    deeper(other, "deeper");
    write_text(other, "again");
  });
  EXPECT_THAT(heard_.texts(), ElementsAre("as deep", "deeper", "again"));
}

TEST_P(TlsCallsLive, VerdictsDecideWhatIsCopied) {
  if (!open()) GTEST_SKIP() << reason_;
  TracedChild child([](const TracedChild::Parent& parent) {
    FakeSession session;
    for (const char* each : {"first", "sizes", "quiet", "skipped", "cut in two", "all of it"}) {
      write_text(session, each);
      set_mark();
      parent.tell(1);
      parent.wait();
    }
  });
  heard_.children.insert(child.pid());
  ASSERT_EQ(child.hear(), 1U);
  drain();
  ASSERT_EQ(heard_.told.size(), 1U);
  const FlowId session{heard_.told[0].session};
  using Mode = StreamVerdict::Mode;
  for (const StreamVerdict verdict :
       {StreamVerdict{Mode::sizes, 0}, StreamVerdict{Mode::quiet, 0}, StreamVerdict{Mode::normal, 26},
        StreamVerdict{Mode::normal, 26}, StreamVerdict{Mode::whole, 26}}) {
    opened_.backend->set_verdict(session, Direction::tx, verdict);
    child.let_go();
    ASSERT_EQ(child.hear(), 1U);
    drain();
  }
  child.let_go();
  EXPECT_TRUE(child.ends_well());
  ASSERT_THAT(heard_.texts(), ElementsAre("first", "", "", "in two", "all of it"));
  EXPECT_EQ(heard_.told[1].offset, 5U);
  EXPECT_EQ(heard_.told[1].moved, 5U);
  EXPECT_EQ(heard_.told[1].rest, GapCause::verdict_skip);
  EXPECT_EQ(heard_.told[3].offset, 26U);
}

TEST_P(TlsCallsLive, OwnCallsAndProcessesThatAreLeftOutAreNotTold) {
  if (!open()) GTEST_SKIP() << reason_;
  FakeSession session;
  write_text(session, "own");
  TracedChild child([](const TracedChild::Parent& parent) {
    FakeSession unwanted;
    parent.wait();
    write_text(unwanted, "unwanted");
  });
  companion_->leave_out(child.pid());
  child.let_go();
  heard_.children.insert(child.pid());
  EXPECT_TRUE(child.ends_well());
  trace([](const TracedChild::Parent&) {
    FakeSession wanted;
    write_text(wanted, "wanted");
  });
  EXPECT_THAT(heard_.texts(), ElementsAre("wanted"));
  EXPECT_EQ(heard_.own, 0);
}

TEST_P(TlsCallsLive, BytesThatCannotBeReadAreAGap) {
  if (!open()) GTEST_SKIP() << reason_;
  trace([](const TracedChild::Parent&) {
    FakeSession session;
    session.result = 300;
    fake_write(&session, nullptr, 0);  // the library kept what it had been given before
    fake_write(&session, reinterpret_cast<const void*>(0x1000), 300);
    session.result = std::nullopt;
    write_text(session, "then");
  });
  ASSERT_THAT(heard_.texts(), ElementsAre("", "", "then"));
  EXPECT_EQ(heard_.told[0].rest, GapCause::fault);
  EXPECT_EQ(heard_.told[1].rest, GapCause::fault);
  EXPECT_EQ(heard_.told[2].offset, 600U);
}

std::string name_of(const testing::TestParamInfo<Way>& info) { return info.param.name; }
const Way by_types{"tp_btf", BackendKind::tracepoint, Mechanism::tp_btf};
const Way one_by_one{"one_by_one", BackendKind::tracepoint, Mechanism::tp_btf, true, true};
const Way floor_with_perf_buffers{"syscall_tp_perf", BackendKind::tracepoint, Mechanism::syscall_tp, false};
INSTANTIATE_TEST_SUITE_P(By, TlsProgramsLive,
                         testing::Values(by_types, one_by_one, floor_with_perf_buffers,
                                         Way{"raw_tp", BackendKind::tracepoint, Mechanism::raw_tp},
                                         Way{"syscall_tp", BackendKind::tracepoint, Mechanism::syscall_tp},
                                         Way{"tp_btf_sealed", BackendKind::tracepoint, Mechanism::tp_btf, true, false,
                                             false},
                                         Way{"fentry", BackendKind::ebpf, Mechanism::fentry},
                                         Way{"fentry_sealed", BackendKind::ebpf, Mechanism::fentry, true, false, false},
                                         Way{"kprobe", BackendKind::ebpf, Mechanism::kprobe},
                                         Way{"kprobe_perf", BackendKind::ebpf, Mechanism::kprobe, false}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(By, TlsCallsLive, testing::Values(by_types, one_by_one, floor_with_perf_buffers), name_of);

}  // namespace
}  // namespace tracer
