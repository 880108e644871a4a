// What an inventory makes of records: each thing once, nothing invented, nothing without bound.
#include "core/inventory/inventory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/exporters/crypto_samples.h"

namespace tracer {
namespace {

using samples::nginx;
using samples::traced;

Inventory inventory_of(const std::vector<Record>& records, InventoryLimits limits = {}) {
  Inventory inventory(limits);
  for (const Record& record : records) inventory.add(record);
  return inventory;
}

TEST(Inventory, CountsEachThingOnce) {
  const Inventory inventory = inventory_of(samples::profile_run());
  EXPECT_EQ(inventory.processes().size(), 2U);
  EXPECT_EQ(inventory.libraries().size(), 2U);
  EXPECT_EQ(inventory.files().size(), 4U);
  EXPECT_EQ(inventory.calls().size(), 5U);
  EXPECT_EQ(inventory.certificates().size(), 3U);
  EXPECT_EQ(inventory.handshakes_seen(), 3U);
  EXPECT_EQ(inventory.handshakes().size(), 4U) << "two kinds, each told of both ends";
  const FileItem& file = inventory.files().at({"/etc/nginx/tls/server.pem", ""});
  EXPECT_EQ(file.opened, 1U);
  EXPECT_EQ(file.found_open, 1U);
  EXPECT_EQ(file.assets.size(), 1U);
  EXPECT_FALSE(inventory.left_out().any());
}

TEST(Inventory, OrderOfRecordsDoesNotMatter) {
  std::vector<Record> records = samples::profile_run();
  const Inventory forwards = inventory_of(records);
  std::ranges::reverse(records);
  const Inventory backwards = inventory_of(records);
  ASSERT_EQ(forwards.files().size(), backwards.files().size());
  for (const auto& [key, item] : forwards.files()) {
    const FileItem& other = backwards.files().at(key);
    EXPECT_EQ(item.seen.count, other.seen.count);
    EXPECT_EQ(item.seen.first, other.seen.first);
    EXPECT_EQ(item.seen.last, other.seen.last);
    EXPECT_EQ(item.failures, other.failures);
    EXPECT_EQ(item.type, other.type);
  }
  for (const auto& [kind, item] : forwards.handshakes())
    EXPECT_EQ(item.seen.count, backwards.handshakes().at(kind).seen.count);
}

TEST(Inventory, AReusedNumberIsAnotherProcess) {
  auto old = samples::crypto_process(7, "old", "/bin/old");
  auto fresh = samples::crypto_process(7, "new", "/bin/new");
  fresh->start_ticks = old->start_ticks + 1;
  ProcessExit exit;
  exit.process = old;
  exit.exit_code = 3;
  const Inventory inventory =
      inventory_of({samples::exec(old, {"old"}, true), traced(exit, 1), samples::exec(fresh, {"new"}, false, 2),
                    traced(samples::library(old, "/lib/late.so", "1"), 3)});
  ASSERT_EQ(inventory.processes().size(), 2U);
  EXPECT_EQ(inventory.processes()[0].exit_code, 3);
  EXPECT_EQ(inventory.processes()[1].facts.comm, "new");
  EXPECT_FALSE(inventory.processes()[1].exited);
  // A late record of the first one stays with it.
  EXPECT_EQ(inventory.libraries().at({"/lib/late.so", ""}).seen.users[0].process, 0U);
}

TEST(Inventory, WithoutStartTimesAnEndSeparatesProcesses) {
  const auto gone = [](std::string comm) {
    auto facts = samples::crypto_process(8, std::move(comm), "");
    facts->start_ticks = 0;
    return facts;
  };
  ProcessExit exit;
  exit.process = gone("one");
  ApiCall late;
  late.process = gone("one");
  late.function_name = "SSL_new";
  const Inventory inventory = inventory_of({samples::exec(gone("one"), {"one"}, false, 1), traced(exit, 2),
                                            traced(late, 3), samples::exec(gone("two"), {"two"}, false, 4)});
  ASSERT_EQ(inventory.processes().size(), 2U);
  EXPECT_EQ(inventory.calls().begin()->second.seen.users[0].process, 0U) << "counts are told after the end, too";
}

TEST(Inventory, AnExecMakesAnotherProgramOfTheSameProcess) {
  auto shell = samples::crypto_process(9, "sh", "/bin/sh");
  auto program = samples::crypto_process(9, "curl", "/usr/bin/curl");
  const Inventory inventory = inventory_of(
      {samples::exec(shell, {"sh", "-c", "exec curl"}, false, 1), samples::exec(program, {"curl"}, false, 2)});
  ASSERT_EQ(inventory.processes().size(), 1U);
  EXPECT_EQ(inventory.processes()[0].facts.executable, "/usr/bin/curl");
  EXPECT_EQ(inventory.processes()[0].arguments, std::vector<std::string>{"curl"});
}

TEST(Inventory, TheSamePathInAContainerIsAnotherFile) {
  auto inside = samples::crypto_process(10, "nginx", "/usr/sbin/nginx");
  inside->container_id = "0123456789ab";
  const Inventory inventory =
      inventory_of({traced(samples::key_file(nginx()), 1), traced(samples::key_file(inside), 2)});
  EXPECT_EQ(inventory.files().size(), 2U);
}

TEST(Inventory, AFileThatChangedKeepsWhatWasFoundBefore) {
  FileOpen renewed = samples::certificate_file(nginx());
  renewed.finding.assets[0].certificate = samples::certificate("CN=renewed", std::string(64, 'd'));
  const Inventory inventory = inventory_of({traced(samples::certificate_file(nginx()), 1), traced(renewed, 2)});
  EXPECT_EQ(inventory.files().begin()->second.assets.size(), 2U);
}

TEST(Inventory, ARefusalDoesNotUnknowAFile) {
  FileOpen refused = samples::key_file(nginx());
  refused.result = "EACCES";
  refused.error = 13;
  refused.finding.file_type = "unknown";
  refused.finding.contents_seen = false;
  refused.finding.assets.clear();
  const Inventory inventory = inventory_of({traced(samples::key_file(nginx()), 1), traced(refused, 2)});
  const FileItem& file = inventory.files().begin()->second;
  EXPECT_EQ(file.type, "private_key");
  EXPECT_TRUE(file.contents_seen);
  EXPECT_EQ(file.failures.at("EACCES"), 1U);
  EXPECT_EQ(file.opened, 1U);
}

TEST(Inventory, LimitsHoldAndAreCounted) {
  const InventoryLimits limits{.processes_max = 3,
                               .libraries_max = 2,
                               .files_max = 2,
                               .handshakes_max = 2,
                               .calls_max = 2,
                               .users_max = 1,
                               .assets_max = 1,
                               .certificates_max = 1,
                               .arguments_max = 2,
                               .text_bytes_max = 64};
  Inventory inventory(limits);
  for (std::uint32_t i = 0; i < 5; ++i) {
    const auto process = samples::crypto_process(100 + i, "p", "/bin/p" + std::string(100, 'x'));
    const std::string name = "/n" + std::to_string(i);
    inventory.add(samples::exec(process, {"a", "b", "c"}, true));
    inventory.add(traced(samples::library(process, name, "1"), i));
    inventory.add(traced(samples::library(nginx(), "/n0", "1"), i));
    FileOpen file = samples::certificate_file(process);
    file.file = name;
    file.finding.assets[0].certificate->sha256[0] = static_cast<char>('0' + i);
    inventory.add(traced(std::move(file), i));
    TlsHandshake handshake = samples::handshake12();
    handshake.sni = name;
    inventory.add(traced(std::move(handshake), i));
    inventory.add(samples::call("EVP_MD_fetch", name, 1, 1, i));
  }
  EXPECT_EQ(inventory.processes().size(), 3U);
  EXPECT_EQ(inventory.libraries().size(), 2U);
  EXPECT_EQ(inventory.files().size(), 2U);
  EXPECT_EQ(inventory.handshakes().size(), 2U);
  EXPECT_EQ(inventory.calls().size(), 2U);
  EXPECT_EQ(inventory.certificates().size(), 1U);
  const InventoryLosses& left_out = inventory.left_out();
  EXPECT_GT(left_out.processes, 0U);
  EXPECT_EQ(left_out.libraries, 3U);
  EXPECT_EQ(left_out.files, 3U);
  EXPECT_GT(left_out.handshakes, 0U);
  EXPECT_EQ(left_out.calls, 3U);
  EXPECT_EQ(left_out.assets, 1U);
  EXPECT_GT(left_out.certificates, 0U);
  EXPECT_GT(left_out.texts, 0U);
  EXPECT_EQ(inventory.processes()[0].arguments->size(), 2U);
  EXPECT_TRUE(inventory.processes()[0].arguments_cut);
  EXPECT_LE(inventory.processes()[0].facts.executable.size(), limits.text_bytes_max);
}

TEST(Inventory, ValuesWithoutRoomAreCounted) {
  Record record = traced(samples::open_of(nginx(), "/f"), 1);
  auto& file = std::get<FileOpen>(record.body);
  Inventory inventory({});
  for (int i = 0; i < 20; ++i) {
    file.flags = {"O_RDONLY", "FLAG_" + std::to_string(i)};
    inventory.add(record);
  }
  EXPECT_EQ(inventory.files().begin()->second.flags.size(), 16U);
  EXPECT_EQ(inventory.left_out().values, 5U) << "21 different ones";
  EXPECT_TRUE(inventory.left_out().any());
}

TEST(Inventory, AFloodOfFilesIsBounded) {
  Inventory inventory({});
  Record record = traced(samples::open_of(nginx(), "/f"), 1);
  auto& file = std::get<FileOpen>(record.body);
  for (int i = 0; i < 100'000; ++i) {
    file.file = file.finding.path = "/tmp/key-" + std::to_string(i) + ".pem";
    inventory.add(record);
  }
  EXPECT_EQ(inventory.files().size(), InventoryLimits{}.files_max);
  EXPECT_EQ(inventory.left_out().files, 100'000U - InventoryLimits{}.files_max);
  EXPECT_EQ(inventory.records(), 100'000U);
}

TEST(Inventory, LossesAreThoseOfTheLastAccountOrAsTold) {
  Record loss;
  loss.body = Loss{{"ring_full", 2, 10}, "kernel"};
  Inventory inventory({});
  inventory.add(loss);
  inventory.add(loss);
  EXPECT_EQ(inventory.losses().at("ring_full").events, 4U);
  Record end = samples::trace_end();
  std::get<TraceEnd>(end.body).lost = {{"ring_full", 9, 90}};
  inventory.add(end);
  EXPECT_EQ(inventory.losses().at("ring_full").events, 9U);
}

TEST(Inventory, AHandshakeWithoutAKnownProcessHasAnObserver) {
  TlsHandshake handshake = samples::handshake13();
  handshake.flow.client.process = handshake.flow.server.process = nullptr;
  const Inventory inventory = inventory_of({traced(std::move(handshake), 1)});
  ASSERT_EQ(inventory.handshakes().size(), 1U);
  const HandshakeItem& item = inventory.handshakes().begin()->second;
  EXPECT_EQ(item.kind.role, HandshakeRole::observer);
  EXPECT_TRUE(item.seen.users.empty());
  EXPECT_EQ(item.kind.peer->port, 443);
}

}  // namespace
}  // namespace tracer
