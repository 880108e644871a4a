// A program that is not there costs its facet, and nothing else.
#include "backends/bpf/facet_programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tracer {
namespace {

using testing::IsEmpty;

constexpr std::string_view calls[] = {"enter", "exit"};
constexpr FacetNeed needs[] = {{Facet::http, calls}, {Facet::process, needed_process_programs}};

std::vector<AttachOutcome> outcomes(bool calls_there, bool process_there) {
  std::vector<AttachOutcome> all(4);
  all[0].what = "enter", all[1].what = "exit", all[2].what = "tracer_exec", all[3].what = "tracer_exit";
  for (AttachOutcome& each : all) each.attached = true;
  if (!calls_there) all[1].attached = false, all[1].reason = "no such event";
  if (!process_there) all[3].attached = false, all[3].reason = "refused by the kernel's verifier";
  return all;
}

TEST(FacetPrograms, NothingIsRefusedWhereAllAreAttached) {
  const auto refused = settle_facets(needs, {}, outcomes(true, true));
  ASSERT_TRUE(refused.has_value());
  EXPECT_THAT(*refused, IsEmpty());
}

TEST(FacetPrograms, OneProgramCostsOneFacet) {
  const Facet asked[] = {Facet::http, Facet::process};
  const auto refused = settle_facets(needs, asked, outcomes(true, false));
  ASSERT_TRUE(refused.has_value());
  ASSERT_EQ(refused->size(), 1U);
  EXPECT_EQ(refused->front().facet, Facet::process);
  EXPECT_EQ(refused->front().reason, "tracer_exit: refused by the kernel's verifier");
  const Facet http[] = {Facet::http};
  EXPECT_THAT(settle_facets(needs, http, outcomes(true, false)).value(), IsEmpty());
}

TEST(FacetPrograms, WhereNothingIsLeftItIsAFailure) {
  const Facet asked[] = {Facet::process};
  const auto refused = settle_facets(needs, asked, outcomes(true, false));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().context, "tracer_exit: refused by the kernel's verifier");
  EXPECT_FALSE(settle_facets(needs, {}, {}).has_value());
}

TEST(FacetPrograms, WhatNoProgramBringsIsRefused) {
  const Facet asked[] = {Facet::file, Facet::http};
  const auto refused = settle_facets(needs, asked, outcomes(true, true));
  ASSERT_TRUE(refused.has_value());
  ASSERT_EQ(refused->size(), 1U);
  EXPECT_EQ(refused->front().facet, Facet::file);
}

TEST(FacetPrograms, BytesAndConnectionsNeedSockets) {
  const Facet none[] = {Facet::process, Facet::file, Facet::library};
  EXPECT_FALSE(wants_sockets(none));
  for (const Facet facet : {Facet::http, Facet::tls, Facet::https, Facet::connection}) {
    const Facet both[] = {Facet::process, facet};
    EXPECT_TRUE(wants_sockets(both)) << to_string(facet);
  }
  EXPECT_TRUE(wants_sockets({}));
}

// Named, and not kept out.
std::vector<std::string_view> chosen(std::vector<Facet> facets, std::vector<std::string_view> programs) {
  BpfImage image;
  choose_programs(image, facets);
  std::erase_if(programs, [&](std::string_view program) {
    const bool named = image.only.empty() || std::ranges::find(image.only, program) != image.only.end();
    return !named || std::ranges::find(image.without, program) != image.without.end();
  });
  return programs;
}

TEST(FacetPrograms, OnlyThoseThatAFacetNeedsAreLoaded) {
  const std::vector<std::string_view> all{"tracer_sys_enter", "tracer_exec", "tracer_file_enter", "tracer_file_exit"};
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(chosen({}, all), all);
  EXPECT_EQ(chosen({Facet::http}, all), (Names{"tracer_sys_enter", "tracer_exec"}));
  EXPECT_EQ(chosen({Facet::tls, Facet::library}, all), all);
  EXPECT_EQ(chosen({Facet::process}, all), (Names{"tracer_exec"}));
  EXPECT_EQ(chosen({Facet::file}, all), (Names{"tracer_exec", "tracer_file_enter", "tracer_file_exit"}));
  EXPECT_EQ(chosen({Facet::library, Facet::process}, all), chosen({Facet::file}, all));
}

// What was asked for, one list for each attempt, and how each ended.
struct Attempts {
  std::vector<Result<OpenedBackend>> ends;
  std::vector<std::vector<Facet>> asked{};
  Result<OpenedBackend> operator()(const std::vector<Facet>& facets) {
    asked.push_back(facets);
    return std::move(ends.at(asked.size() - 1));
  }
};

const std::vector<Facet> all{Facet::http, Facet::process, Facet::connection};

template <typename... Ends>
Attempts attempts(Ends... ends) {
  Attempts made{};
  (made.ends.emplace_back(std::move(ends)), ...);
  return made;
}

TEST(OpenWhatAttaches, NothingIsTriedTwiceThatOpened) {
  Attempts made = attempts(OpenedBackend{});
  const auto opened = open_what_attaches(all, std::ref(made));
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->refused.empty());
  EXPECT_EQ(made.asked, (std::vector<std::vector<Facet>>{all}));
}

TEST(OpenWhatAttaches, ProcessesNeedNoSockets) {
  Attempts made = attempts(fail(Errc::not_supported, "tracer_sys_exit: refused"), OpenedBackend{});
  const auto opened = open_what_attaches(all, std::ref(made));
  ASSERT_TRUE(opened);
  EXPECT_EQ(made.asked, (std::vector<std::vector<Facet>>{all, {Facet::process}}));
  ASSERT_EQ(opened->refused.size(), 2U);
  EXPECT_EQ(opened->refused[0].facet, Facet::http);
  EXPECT_EQ(opened->refused[1].facet, Facet::connection);
  for (const RefusedFacet& refused : opened->refused) EXPECT_EQ(refused.reason, "tracer_sys_exit: refused");
}

TEST(OpenWhatAttaches, NeitherDoFilesAndLibraries) {
  const std::vector<Facet> asked{Facet::file, Facet::tls, Facet::library};
  Attempts made = attempts(fail(Errc::not_supported, "no"), OpenedBackend{});
  const auto opened = open_what_attaches(asked, std::ref(made));
  ASSERT_TRUE(opened);
  EXPECT_EQ(made.asked, (std::vector<std::vector<Facet>>{asked, {Facet::file, Facet::library}}));
  ASSERT_EQ(opened->refused.size(), 1U);
  EXPECT_EQ(opened->refused[0].facet, Facet::tls);
}

TEST(OpenWhatAttaches, TheFirstReasonIsTold) {
  Attempts made = attempts(fail(Errc::not_supported, "first"), fail(Errc::not_supported, "second"));
  const auto opened = open_what_attaches(all, std::ref(made));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().context, "first");
}

TEST(OpenWhatAttaches, WhereItCannotHelpItIsNotTriedAgain) {
  const std::vector<Facet> without{Facet::http, Facet::connection}, alone{Facet::process, Facet::file};
  for (const std::vector<Facet>& facets : {without, alone, std::vector<Facet>{}}) {
    Attempts made = attempts(fail(Errc::not_supported, "no"));
    EXPECT_FALSE(open_what_attaches(facets, std::ref(made)));
    EXPECT_EQ(made.asked.size(), 1U);
  }
  Attempts forbidden = attempts(fail(Errc::not_permitted, "needs root"));
  EXPECT_FALSE(open_what_attaches(all, std::ref(forbidden)));
  EXPECT_EQ(forbidden.asked.size(), 1U);
}

}  // namespace
}  // namespace tracer
