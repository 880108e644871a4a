// Which of two tellings of one transaction is the second.
#include <gtest/gtest.h>

#include "core/transaction_twins.h"

namespace tracer::test {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr TransactionTwins::End server_side{200, false, true};

HttpTransaction exchange(std::string_view request, std::string_view response, std::uint64_t offset) {
  HttpTransaction it;
  it.request.present = true;
  it.request.text = request;
  it.request.first_offset = offset;
  it.response.present = !response.empty();
  it.response.text = response;
  it.response.first_offset = offset * 2;
  return it;
}

TEST(TransactionTwins, TheSecondTellingIsFoundWhicheverComesFirst) {
  const HttpTransaction it = exchange("GET /", "200", 0);
  TransactionTwins twins;
  EXPECT_FALSE(twins.told_by_session(server_side, it, {1}));
  EXPECT_TRUE(twins.told_by_connection(server_side, it, {2}));
  EXPECT_EQ(twins.size(), 0U);
  EXPECT_FALSE(twins.told_by_connection(server_side, it, {3}));
  EXPECT_TRUE(twins.told_by_session(server_side, it, {4}));
  EXPECT_EQ(twins.size(), 0U);
}

TEST(TransactionTwins, TwoOfOneKindAreTwo) {
  const HttpTransaction it = exchange("GET /", "200", 0);
  TransactionTwins twins;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(twins.told_by_session(server_side, it, {1}));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(twins.told_by_connection(server_side, it, {2}));
  EXPECT_FALSE(twins.told_by_connection(server_side, it, {3}));
}

TEST(TransactionTwins, WhatDiffersIsAnother) {
  const HttpTransaction it = exchange("GET /", "200", 100);
  const auto differs = [&](TransactionTwins::End end, const HttpTransaction& other) {
    TransactionTwins twins;
    (void)twins.told_by_session(server_side, it, {1});
    return !twins.told_by_connection(end, other, {2});
  };
  EXPECT_FALSE(differs(server_side, it));
  EXPECT_TRUE(differs({201, false, true}, it)) << "process";
  EXPECT_TRUE(differs({200, true, true}, it)) << "role";
  EXPECT_TRUE(differs(server_side, exchange("GET /2", "200", 100))) << "request";
  EXPECT_TRUE(differs(server_side, exchange("GET /", "404", 100))) << "response";
  EXPECT_TRUE(differs(server_side, exchange("GET /", "200", 101))) << "offset";
  EXPECT_FALSE(differs(server_side, exchange("GET /", "", 100))) << "half of it";
  EXPECT_FALSE(differs({200, false, false}, exchange("GET /", "200", 7))) << "not counted from the start";
}

TEST(TransactionTwins, IsForgottenAfterAWhile) {
  const HttpTransaction it = exchange("GET /", "200", 0);
  TransactionTwins twins({.transactions_max = 16, .keep_ns = 10 * second});
  (void)twins.told_by_session(server_side, it, {second});
  EXPECT_FALSE(twins.told_by_connection(server_side, it, {12 * second}));
}

TEST(TransactionTwins, ManyOfOneKindCostLittle) {
  TransactionTwins twins;
  constexpr std::uint64_t many = 200'000;  // of which one more costs as much as the first
  for (std::uint64_t i = 0; i < many; ++i)
    (void)twins.told_by_connection(server_side, exchange("GET /health", "200", i), {second + i});
  EXPECT_LE(twins.size(), TwinLimits{}.transactions_max + 1);
}

TEST(TransactionTwins, IsBounded) {
  TransactionTwins twins({.transactions_max = 16, .keep_ns = 10 * second});
  for (std::uint64_t i = 0; i < 1'000; ++i)
    (void)twins.told_by_session(server_side, exchange("GET /", "200", i), {second});
  EXPECT_LE(twins.size(), 17U);
  EXPECT_TRUE(twins.told_by_connection(server_side, exchange("GET /", "200", 999), {second}));
  EXPECT_FALSE(twins.told_by_connection(server_side, exchange("GET /", "200", 0), {second}));
}

}  // namespace
}  // namespace tracer::test
