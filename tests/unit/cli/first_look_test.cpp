#include "cli/first_look.h"

#include <gtest/gtest.h>

namespace tracer::cli {
namespace {

std::shared_ptr<const ProcessFacts> process(std::uint32_t tgid) {
  auto facts = std::make_shared<ProcessFacts>();
  facts->tgid = tgid;
  return facts;
}

Record library(std::uint32_t tgid, std::string path, bool preexisting) {
  LibLoad load;
  load.process = process(tgid);
  load.library = std::move(path);
  load.preexisting = preexisting;
  Record record;
  record.body = std::move(load);
  return record;
}

Record file(std::uint32_t tgid, std::string given, std::string resolved, bool preexisting, std::int32_t error = 0) {
  FileOpen open;
  open.process = process(tgid);
  open.file = std::move(given);
  open.finding.path = std::move(resolved);
  open.error = error;
  open.preexisting = preexisting;
  Record record;
  record.body = std::move(open);
  return record;
}

TEST(FirstLook, WhatWasSeenToHappenIsNotFoundAgain) {
  FirstLook look;
  EXPECT_TRUE(look.is_news(library(1, "/lib/libssl.so.3", false)));
  EXPECT_FALSE(look.is_news(library(1, "/lib/libssl.so.3", true)));
  EXPECT_TRUE(look.is_news(library(2, "/lib/libssl.so.3", true))) << "another process";
  EXPECT_TRUE(look.is_news(library(1, "/lib/libcrypto.so.3", true))) << "another library";
}

TEST(FirstLook, AFileIsKnownByItsResolvedPath) {
  FirstLook look;
  EXPECT_TRUE(look.is_news(file(1, "a.pem", "/etc/a.pem", false)));
  EXPECT_FALSE(look.is_news(file(1, "/etc/a.pem", "/etc/a.pem", true)));
  EXPECT_TRUE(look.is_news(file(1, "a.pem", "/etc/a.pem", false))) << "opened again is opened again";
}

TEST(FirstLook, ALibraryIsKnownByItsResolvedPath) {
  FirstLook look;
  Record opened = library(1, "/lib/libssl.so.3", false), found = library(1, "/usr/lib/libssl.so.3", true);
  std::get<LibLoad>(opened.body).resolved = std::get<LibLoad>(found.body).resolved = "/usr/lib/libssl.so.3";
  EXPECT_TRUE(look.is_news(opened));
  EXPECT_FALSE(look.is_news(found)) << "/lib is a link to /usr/lib";
}

TEST(FirstLook, AnOpenThatFailedIsNoOpenFile) {
  FirstLook look;
  EXPECT_TRUE(look.is_news(file(1, "/etc/a.pem", "", false, 13)));
  EXPECT_TRUE(look.is_news(file(1, "/etc/a.pem", "", true)));
}

TEST(FirstLook, AProcessThatWasSeenToStartIsNotFoundRunning) {
  FirstLook look;
  ProcessExec exec;
  exec.process = process(5);
  Record record;
  record.body = exec;
  EXPECT_TRUE(look.is_news(record));
  exec.preexisting = true;
  record.body = exec;
  EXPECT_FALSE(look.is_news(record));
  exec.process = process(6);
  record.body = exec;
  EXPECT_TRUE(look.is_news(record));
}

}  // namespace
}  // namespace tracer::cli
