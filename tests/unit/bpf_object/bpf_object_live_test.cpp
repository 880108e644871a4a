// Loading one object whose programs do not all load, on the running kernel. Skipped where BPF is not allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "backends/bpf/bpf_object.h"
#include "backends/bpf/hash_map.h"

extern "C" {
extern const unsigned char bpf_object_fixture_start[], bpf_object_fixture_end[];
}

namespace tracer {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Lt;
using testing::Optional;
using testing::StartsWith;

constexpr double load_ms_max = 60'000;  // a minute: against clocks that do not match

class BpfObjectLive : public testing::TestWithParam<bool> {
 protected:
  BpfImage image() const {
    BpfImage image;
    image.bytes = std::span(bpf_object_fixture_start, bpf_object_fixture_end);
    image.name = "fixture";
    image.leave_out = {"is_not_wanted"};
    image.keep_user_reads = GetParam();
    return image;
  }

  // Null: the test was skipped.
  std::unique_ptr<BpfObject> load(const BpfImage& of) {
    auto loaded = BpfObject::load(of, outcomes_);
    if (loaded) return *std::move(loaded);
    if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0 || loaded.error().code == Errc::not_permitted)
      skipped_ = loaded.error().context;
    else
      ADD_FAILURE() << loaded.error().context;
    return nullptr;
  }

  std::vector<AttachOutcome> outcomes_;
  std::string skipped_;
};

std::uint64_t counted(const BpfObject& object) {
  const std::uint32_t zero = 0;
  std::uint64_t value = 0;
  EXPECT_TRUE(hash_map_get(object.map_fd("counted"), &zero, &value));
  return value;
}

TEST_P(BpfObjectLive, OneProgramCostsOnlyItself) {
  const auto object = load(image());
  if (!object) GTEST_SKIP() << skipped_;
  EXPECT_THAT(
      outcomes_,
      ElementsAre(AllOf(Field(&AttachOutcome::what, "has_no_target"), Field(&AttachOutcome::attached, false),
                        Field(&AttachOutcome::reason,
                              "this kernel's type information has no no_kernel_has_a_function_of_this_name")),
                  AllOf(Field(&AttachOutcome::what, "is_refused"), Field(&AttachOutcome::attached, false),
                        Field(&AttachOutcome::reason, AllOf(StartsWith("refused by the kernel's verifier: "),
                                                            HasSubstr("invalid bpf_context access off=32760"))))));
  outcomes_.clear();
  object->attach_all(outcomes_);
  EXPECT_THAT(outcomes_,
              ElementsAre(AllOf(Field(&AttachOutcome::what, "sees_calls"), Field(&AttachOutcome::attached, true),
                                Field(&AttachOutcome::load_ms, Optional(AllOf(Gt(0), Lt(load_ms_max)))))));
  EXPECT_EQ(object->attachments(), 1U);
  const std::uint64_t before = counted(*object);
  ::getppid();
  EXPECT_GT(counted(*object), before);
}

TEST_P(BpfObjectLive, WhatIsLeftOutIsNoFailure) {
  BpfImage good = image();
  good.leave_out = {"is_not_wanted", "is_refused", "has_no_target"};
  const auto object = load(good);
  if (!object) GTEST_SKIP() << skipped_;
  EXPECT_THAT(outcomes_, IsEmpty());
}

TEST_P(BpfObjectLive, NothingThatLoadsIsAFailureWithTheReason) {
  BpfImage bad = image();
  bad.leave_out = {"is_not_wanted", "sees_calls"};
  auto loaded = BpfObject::load(bad, outcomes_);
  ASSERT_FALSE(loaded);
  if (loaded.error().code == Errc::not_permitted) GTEST_SKIP() << loaded.error().context;
  EXPECT_THAT(loaded.error().context, AllOf(StartsWith("load BPF object fixture: "), HasSubstr("is_refused: ")));
  EXPECT_EQ(outcomes_.size(), 2U);
}

TEST_P(BpfObjectLive, AMapOfAnotherObjectTakesThePlaceOfItsOwn) {
  const auto first = load(image());
  if (!first) GTEST_SKIP() << skipped_;
  BpfImage second = image();
  second.shared_maps = {{"counted", first->map_fd("counted")}};
  const auto object = load(second);
  ASSERT_NE(object, nullptr) << skipped_;
  const std::uint64_t before = counted(*first);
  std::vector<AttachOutcome> outcomes;
  object->attach_all(outcomes);
  ::getppid();
  EXPECT_GT(counted(*first), before);
  EXPECT_GE(counted(*object), before);
}

TEST_P(BpfObjectLive, ToShareAMapThatIsNotThereIsAFailure) {
  BpfImage wrong = image();
  wrong.shared_maps = {{"no_such_map", STDIN_FILENO}};
  EXPECT_FALSE(BpfObject::load(wrong, outcomes_));
  const auto object = load(image());
  if (!object) GTEST_SKIP() << skipped_;
  wrong.shared_maps = {{"counted", STDIN_FILENO}};  // no map at all
  EXPECT_FALSE(BpfObject::load(wrong, outcomes_));
}

INSTANTIATE_TEST_SUITE_P(KeepUserReads, BpfObjectLive, testing::Bool());

}  // namespace
}  // namespace tracer
