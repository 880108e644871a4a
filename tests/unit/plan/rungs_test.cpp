// The table of alternatives itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "probe-matrix/planner.h"
#include "tests/unit/plan/reports.h"

namespace tracer {
namespace {

using test::everything_supported;
using test::reason_for;
using test::with;

std::string table_of(Facet facet) {
  std::string table;
  for (const Rung& rung : rungs(facet)) {
    table += std::string(to_string(rung.entry.backend)) + "/" + std::string(to_string(rung.entry.mechanism)) + " needs";
    for (const Capability need : rung.entry.needs) table += " " + std::string(to_string(need));
    if (!rung.entry.missing.empty()) table += " missing";
    for (const std::string_view field : rung.entry.missing) table += " " + std::string(field);
    table += rung.never.empty() ? "\n" : " [" + std::string(rung.never) + "]\n";
  }
  return table;
}

// Reviewed tables: a change here is a change of what users are promised.
TEST(Rungs, GoldenTableOfHttp) {
  EXPECT_EQ(table_of(Facet::http),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp\n"
            "pcap/af_packet needs packet_socket\n"
            "procfs/sock_diag needs sock_diag [the socket table carries no payload]\n");
}

TEST(Rungs, GoldenTableOfConnection) {
  EXPECT_EQ(table_of(Facet::connection),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer missing rtt_ms tcp_state retransmits\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel missing rtt_ms "
            "tcp_state retransmits\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer missing rtt_ms tcp_state retransmits\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer missing rtt_ms "
            "tcp_state retransmits\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp missing rtt_ms tcp_state "
            "retransmits client_to_server.witnessed server_to_client.witnessed\n"
            "pcap/af_packet needs packet_socket missing rtt_ms tcp_state retransmits\n"
            "procfs/sock_diag needs sock_diag missing protocol transactions\n"
            "procfs/proc_net needs proc_net_tcp missing client_to_server server_to_client rtt_ms retransmits protocol "
            "transactions\n"
            "tracepoint/tracefs needs tracefs_instance missing client_to_server server_to_client rtt_ms retransmits "
            "protocol transactions [only with --mechanism tracefs: each end would be a record of its own, without "
            "sizes]\n");
}

TEST(Rungs, GoldenTableOfProcessAndFile) {
  EXPECT_EQ(table_of(Facet::process),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp missing ppid exit_code "
            "signal\n"
            "tracepoint/tracefs needs tracefs_instance missing exit_code signal\n"
            "procfs/proc_events needs proc_events\n"
            "procfs/poll needs proc_mounted missing exit_code signal\n");
  EXPECT_EQ(table_of(Facet::file),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp\n"
            "tracepoint/tracefs needs tracefs_instance\n"
            "procfs/fanotify needs fanotify proc_mounted missing errno flags\n"
            "procfs/poll needs proc_mounted missing errno\n");
}

TEST(Rungs, GoldenTableOfCryptography) {
  EXPECT_EQ(table_of(Facet::tls),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp\n"
            "pcap/af_packet needs packet_socket\n"
            "procfs/sock_diag needs sock_diag [the socket table carries no payload]\n");
  EXPECT_EQ(table_of(Facet::library),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp\n"
            "procfs/poll needs proc_mounted\n");
  EXPECT_EQ(table_of(Facet::crypto_api), "ebpf/uprobe needs bpf_syscall perf_event_open uprobe\n");
  EXPECT_EQ(table_of(Facet::https),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer perf_event_open uprobe\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel uprobe\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer perf_event_open uprobe\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer perf_event_open "
            "uprobe\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp uprobe\n");
}

// Each capability that a mechanism needs, taken away alone, moves every facet that rests on it to its next rung.
TEST(Rungs, FlippingACapabilityThatIsNeededMovesToTheNextRung) {
  std::size_t moved = 0;
  for (std::size_t index = 0; index < facet_count; ++index) {
    const auto facet = static_cast<Facet>(index);
    std::vector<const Rung*> usable;
    for (const Rung& rung : rungs(facet))
      if (rung.never.empty()) usable.push_back(&rung);
    for (std::size_t at = 0; at < usable.size(); ++at) {
      for (const Capability need : usable[at]->entry.needs) {
        for (const Verdict verdict : {Verdict::unsupported, Verdict::unknown}) {
          // The rungs above are out of the way by a failure, so that this one is chosen.
          PlanRequest request{
              .facets = {facet}, .backends = {}, .mechanism = {}, .strict = false, .require = {}, .failed = {}};
          for (std::size_t above = 0; above < at; ++above)
            request.failed.push_back({facet, usable[above]->entry.backend, usable[above]->entry.mechanism, "left out"});
          const FacetPlan before = make_plan(everything_supported(), request).facets[index];
          ASSERT_EQ(before.mechanism, usable[at]->entry.mechanism);
          const CapabilityReport flipped = with(everything_supported(), {need, verdict, "flipped", {}});
          const FacetPlan after = make_plan(flipped, request).facets[index];
          std::size_t next = at + 1;
          while (next < usable.size() &&
                 std::ranges::find(usable[next]->entry.needs, need) != usable[next]->entry.needs.end())
            ++next;
          if (next < usable.size()) {
            EXPECT_EQ(after.mechanism, usable[next]->entry.mechanism)
                << to_string(facet) << " without " << to_string(need);
          } else {
            EXPECT_FALSE(after.backend) << to_string(facet) << " without " << to_string(need);
          }
          EXPECT_EQ(reason_for(after, usable[at]->entry.mechanism), "flipped");
          ++moved;
        }
      }
    }
  }
  EXPECT_GT(moved, 80U);
}

TEST(Rungs, OnlyWhatIsNeededIsProbedForATrace) {
  const std::vector<Facet> shown{Facet::http, Facet::tls, Facet::https};
  const std::vector<Capability> few = capabilities_for(shown);
  for (const Capability slow : {Capability::proc_events, Capability::tracefs_instance, Capability::in_container})
    EXPECT_EQ(std::ranges::find(few, slow), few.end()) << to_string(slow);
  CapabilityReport report;
  for (const Capability needed : few) report.answers.push_back({needed, Verdict::supported, {}, {}});
  for (const Rung& rung : rungs(Facet::http))
    for (const Capability need : rung.entry.needs)
      EXPECT_TRUE(!rung.never.empty() || report.find(need) != nullptr) << to_string(need);
  EXPECT_GT(capabilities_for({}).size(), few.size());
}

TEST(Rungs, EveryFacetHasAtLeastOneAndNoneTwice) {
  for (std::size_t index = 0; index < facet_count; ++index) {
    const std::span<const Rung> list = rungs(static_cast<Facet>(index));
    EXPECT_FALSE(list.empty());
    for (std::size_t a = 0; a < list.size(); ++a)
      for (std::size_t b = a + 1; b < list.size(); ++b)
        EXPECT_FALSE(list[a].entry.backend == list[b].entry.backend &&
                     list[a].entry.mechanism == list[b].entry.mechanism);
  }
}

}  // namespace
}  // namespace tracer
