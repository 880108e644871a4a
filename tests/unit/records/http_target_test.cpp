#include <gtest/gtest.h>

#include "core/records/fields_http.h"

namespace tracer {
namespace {

void expect_parts(std::string_view method, std::string_view target, std::optional<std::string_view> authority,
                  std::optional<std::string_view> path) {
  const TargetParts parts = split_target(method, target);
  EXPECT_EQ(parts.authority, authority) << target;
  EXPECT_EQ(parts.path, path) << target;
}

TEST(HttpTarget, FourForms) {
  expect_parts("GET", "/a/b?c=d#e", {}, "/a/b");
  expect_parts("GET", "/", {}, "/");
  expect_parts("GET", "http://h:80/a?b", "h:80", "/a");
  expect_parts("GET", "http://h", "h", "/");
  expect_parts("GET", "http://h?x", "h", "/");
  expect_parts("GET", "http://[::1]:80/a", "[::1]:80", "/a");
  expect_parts("CONNECT", "h:443", "h:443", {});
  expect_parts("OPTIONS", "*", {}, "*");
}

TEST(HttpTarget, WhatHasNoFormHasNoParts) {
  expect_parts("GET", "", {}, {});
  expect_parts("GET", "nonsense", {}, {});
  expect_parts("GET", "a/b?u=http://h/", {}, {});
}

// A raw delimiter in a password must not move half of it into `path`.
TEST(HttpTarget, UserInfoStaysInTheAuthority) {
  expect_parts("GET", "http://u:p@h/a", "u:p@h", "/a");
  expect_parts("GET", "http://u:p/q@h/a", "u:p/q@h", "/a");
  expect_parts("GET", "http://u:p?q#r@h/a", "u:p?q#r@h", "/a");
  expect_parts("GET", "http://h:80/a@b", "h:80", "/a@b");
  expect_parts("GET", "http://h/a:b@c", "h", "/a:b@c");
}

}  // namespace
}  // namespace tracer
