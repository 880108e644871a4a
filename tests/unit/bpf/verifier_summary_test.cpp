#include <gtest/gtest.h>

#include "backends/bpf/load_failure.h"

namespace tracer {
namespace {

TEST(VerifierSummary, KeepsTheReasonAndDropsTheStatistics) {
  const std::string log =
      "120: (bf) r1 = r6\n"
      "121: (85) call bpf_probe_read_user#112\n"
      "R2 min value is negative, either use unsigned or 'var &= const'\n"
      "processed 812 insns (limit 1000000) max_states_per_insn 4 total_states 21 peak_states 21 mark_read 7\n";
  EXPECT_EQ(verifier_summary(log, 2),
            "121: (85) call bpf_probe_read_user#112 | R2 min value is negative, either use unsigned or 'var &= const'");
}

TEST(VerifierSummary, WhatTheKernelSuggestsIsNotTheReason) {
  EXPECT_EQ(
      verifier_summary("R1 invalid mem access 'scalar'\nSuggestion: check the pointer\n  first\nprocessed 3 insns\n"),
      "R1 invalid mem access 'scalar'");
}

TEST(VerifierSummary, EmptyLogHasNoSummary) {
  EXPECT_EQ(verifier_summary(""), "");
  EXPECT_EQ(verifier_summary("\n\n"), "");
}

TEST(VerifierSummary, FewerLinesThanAskedFor) { EXPECT_EQ(verifier_summary("only this", 4), "only this"); }

}  // namespace
}  // namespace tracer
