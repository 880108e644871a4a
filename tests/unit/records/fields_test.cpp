// Field tables, schema and documentation name the same fields.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/records/fields_record.h"

namespace tracer {
namespace {

using nlohmann::json;
using Names = std::set<std::string>;

template <typename T>
struct ItemOf {
  using type = T;
};
template <typename T>
struct ItemOf<std::span<const T>> {
  using type = T;
};

template <HasFields T>
void collect(const std::string& prefix, Names& names) {
  std::apply(
      [&]<typename... Each>(const Each&...) {
        (
            [&] {
              const std::string name = prefix + std::string(Each::name.view());
              EXPECT_TRUE(names.insert(name).second) << "twice: " << name;
              using Value = typename ItemOf<FieldValue<Each, T>>::type;
              if constexpr (HasFields<Value>) collect<Value>(name + ".", names);
              if constexpr (std::same_as<Value, HeaderList>) names.insert(name + "_base64");
            }(),
            ...);
      },
      FieldTable<T>::fields);
}

template <typename Body>
void collect_event(std::map<std::string, Names>& events) {
  Names& names = events[std::string(FieldTable<Body>::event_type)];
  collect<Heading>("", names);
  if constexpr (HasFlow<Body> || HasProcess<Body>) collect<Owner>("", names);
  collect<Source>("", names);
  collect<Body>("", names);
  names.insert({"missing", "inferred"});
}

std::map<std::string, Names> table_names() {
  std::map<std::string, Names> events;
  // Every alternative of the record's body: a new record type is in this test from its first day.
  [&]<typename... Bodies>(const std::variant<Bodies...>*) {
    (collect_event<Bodies>(events), ...);
  }(static_cast<const decltype(Record::body)*>(nullptr));
  return events;
}

std::map<std::string, Names> schema_names() {
  std::ifstream file(TRACER_SOURCE_DIR "/docs/schema/records.schema.json");
  const json schema = json::parse(file);
  const auto definition = [&](const json& reference) -> const json& {
    return schema.at(json::json_pointer(reference.at("$ref").get<std::string>().substr(1)));
  };
  // Shapes that the tables hold as one value.
  const std::set<std::string> opaque = {"#/$defs/plan", "#/$defs/gaps"};
  const auto walk = [&](const auto& self, const json& object, const std::string& prefix, Names& names) -> void {
    EXPECT_EQ(object.at("additionalProperties"), false) << prefix;
    for (const auto& [name, property] : object.at("properties").items()) {
      names.insert(prefix + name);
      const json& inner = property.value("type", "") == "array" ? property.at("items") : property;
      if (!inner.contains("$ref") || opaque.contains(inner["$ref"])) continue;
      const json& target = definition(inner);
      if (target.contains("properties")) self(self, target, prefix + name + ".", names);
    }
  };
  std::map<std::string, Names> events;
  for (const json& reference : schema.at("oneOf")) {
    const json& object = definition(reference);
    walk(walk, object, "", events[object.at("properties").at("event_type").at("const").get<std::string>()]);
  }
  return events;
}

// Rows "| `name` | ..." under "## `event_type`", plus those of the sections that several event types share.
std::map<std::string, Names> documented_names(const std::map<std::string, Names>& expected) {
  std::ifstream file(TRACER_SOURCE_DIR "/docs/records.md");
  std::map<std::string, Names> sections;
  std::string section;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) section = line.substr(3);
    if (line.starts_with("### ")) section = line.substr(4);
    if (line.starts_with("| `")) sections[section].insert(line.substr(3, line.find('`', 3) - 3));
  }
  std::map<std::string, Names> events;
  for (const auto& [event, names] : expected) {
    events[event] = sections['`' + event + '`'];
    events[event].merge(Names(sections["Common fields"]));
    if (names.contains("connection_id")) events[event].merge(Names(sections["Flow fields"]));
    if (names.contains("pid")) events[event].merge(Names(sections["Process fields"]));
    // Shapes that several records hold have a section of their own.
    for (const std::string& name : names) {
      const std::string last = name.substr(name.rfind('.') + 1);
      const bool certificate = last == "certificate" || last == "certificates" || last == "client_certificates";
      if (!certificate && last != "evidence") continue;
      for (const std::string& row : sections[certificate ? "Certificates" : "Evidence"])
        events[event].insert(name + '.' + row);
    }
  }
  return events;
}

void expect_same(const std::map<std::string, Names>& wanted, const std::map<std::string, Names>& got) {
  for (const auto& [event, names] : wanted) {
    ASSERT_TRUE(got.contains(event)) << event;
    for (const std::string& name : names) EXPECT_TRUE(got.at(event).contains(name)) << event << " lacks " << name;
    for (const std::string& name : got.at(event)) EXPECT_TRUE(names.contains(name)) << event << " has no " << name;
  }
  EXPECT_EQ(wanted.size(), got.size());
}

TEST(Fields, SchemaNamesTheSame) { expect_same(table_names(), schema_names()); }

TEST(Fields, DocumentationNamesTheSame) {
  const auto wanted = table_names();
  EXPECT_GT(wanted.at("http_transaction").size(), 50u);
  expect_same(wanted, documented_names(wanted));
}

TEST(Fields, EveryGapCauseIsDocumented) {
  std::ifstream file(TRACER_SOURCE_DIR "/docs/records.md");
  const std::string document((std::istreambuf_iterator<char>(file)), {});
  for (std::size_t i = 1; i < gap_cause_count; ++i) {
    const std::string row = "| `" + std::string(to_string(static_cast<GapCause>(i))) + "` |";
    EXPECT_NE(document.find(row), std::string::npos) << row;
  }
}

TEST(Fields, OwnerIsTheServerIfLocal) {
  FlowIdentity flow;
  EXPECT_EQ(owner_of(flow).process, nullptr);
  flow.client.process = std::make_shared<ProcessFacts>();
  EXPECT_EQ(owner_of(flow).process, flow.client.process.get());
  flow.server.process = std::make_shared<ProcessFacts>();
  EXPECT_EQ(owner_of(flow).process, flow.server.process.get());
}

TEST(Fields, FlagsAndResultsOfAnOpenHaveNames) {
  using List = std::vector<std::string>;
  EXPECT_EQ(open_flag_names(0), List{"O_RDONLY"});
  EXPECT_EQ(open_flag_names(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC),
            (List{"O_WRONLY", "O_CREAT", "O_TRUNC", "O_CLOEXEC"}));
  EXPECT_EQ(open_flag_names(O_RDWR | O_TMPFILE), (List{"O_RDWR", "O_TMPFILE"}));  // holds the bit of O_DIRECTORY
  EXPECT_EQ(open_flag_names(O_SYNC), (List{"O_RDONLY", "O_SYNC"}));               // and this that of O_DSYNC
  EXPECT_EQ(open_flag_names(O_ACCMODE | 1U << 29U), (List{"O_ACCMODE", "0x20000000"}));
  EXPECT_EQ(result_name(0), "success");
  EXPECT_EQ(result_name(EACCES), "EACCES");
  EXPECT_EQ(result_name(9999), "error 9999");
}

TEST(Fields, ABlindSpotHasOneRow) {
  TraceEnd end;
  end.blind_row("TLS").flows = 1;
  end.blind_row("io_uring").count = 2;
  end.blind_row("TLS").bytes = 3;
  ASSERT_EQ(end.blind.size(), 2U);
  EXPECT_EQ(end.blind[0].flows, 1U);
  EXPECT_EQ(end.blind[0].bytes, 3U);
  EXPECT_EQ(end.blind[1].what, "io_uring");
}

}  // namespace
}  // namespace tracer
