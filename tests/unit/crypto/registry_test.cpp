// Rules from JSON: what is taken, and what the errors say.
#include "core/analyzers/crypto/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/unit/crypto/fake_files.h"

namespace tracer {
namespace {

std::string error_of(std::string_view json) {
  auto registry = Registry::built_in();
  const std::size_t rules = registry->file_rules().size();
  const auto added = registry->add(json, "rules.json");
  EXPECT_EQ(registry->file_rules().size() == rules, !added) << "all or nothing";
  return added ? "" : added.error().context;
}

TEST(Registry, TheBuiltInRulesAreGood) {
  const auto registry = Registry::built_in();
  ASSERT_TRUE(registry) << registry.error().context;
  EXPECT_GE(registry->file_rules().size(), 20U);
  EXPECT_GE(registry->library_rules().size(), 40U);
  std::set<std::string> ids;
  for (const FileRule& rule : registry->file_rules()) EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
  // No rule is in the shadow of another.
  for (const LibraryRule& rule : registry->library_rules()) {
    for (std::string name : rule.names) {
      for (std::size_t star = 0; (star = name.find('*')) != std::string::npos;) name.replace(star, 1, "9");
      if (name.find('[') != std::string::npos) continue;
      const LibraryRule* found = registry->library_rule(name);
      ASSERT_NE(found, nullptr) << name;
      EXPECT_EQ(found->id, rule.id) << name;
    }
  }
}

TEST(Registry, TakesRulesOfUsers) {
  auto registry = Registry::built_in();
  ASSERT_TRUE(registry->add(R"({
    "files": [{"id": "vault", "extensions": ["VLT"], "names": ["vault-?.bin"], "paths": ["/srv/vault/*"], "except": ["*.md"],
               "suggests": "keystore"}],
    "contents": [{"id": "vault-bytes", "bytes": "564C5431", "at": 2, "contains": "sealed", "type": "keystore", "format": "Vault",
                  "encrypted": true},
                 {"id": "age", "pem_label": "AGE ENCRYPTED FILE", "type": "keystore", "format": "age"}],
    "libraries": [{"id": "ours", "names": ["libours.so*"], "family": "Ours", "version_texts": ["ours v"], "note": "n"}]})",
                            "rules.json"));
  for (const char* path : {"/a/b.vlt", "x.VLT", "/tmp/vault-1.bin", "/srv/vault/a/b"}) {
    ASSERT_NE(registry->file_rule(path), nullptr) << path;
    EXPECT_EQ(registry->file_rule(path)->id, "vault") << path;
    EXPECT_EQ(registry->file_rule(path)->suggests, "keystore");
  }
  EXPECT_EQ(registry->file_rule("/srv/vault/README.md"), nullptr);
  EXPECT_EQ(registry->file_rule("/tmp/vault-12.bin"), nullptr);
  const std::string bytes = "xxVLT1 is sealed";
  ASSERT_NE(registry->content_rule(as_bytes(bytes)), nullptr);
  EXPECT_EQ(registry->content_rule(as_bytes(bytes))->id, "vault-bytes");
  EXPECT_EQ(registry->content_rule(as_bytes("xxVLT1 is open")), nullptr);
  EXPECT_EQ(registry->content_rule(as_bytes("VLT1 is sealed")), nullptr);
  EXPECT_EQ(registry->pem_rule("AGE ENCRYPTED FILE")->format, "age");
  EXPECT_EQ(registry->library_rule("/opt/libours.so.2")->family, "Ours");
  EXPECT_EQ(registry->library_rule("/lib/libssl.so.3")->family, "OpenSSL") << "the built-in ones stay";
  EXPECT_FALSE(registry->add(R"({"libraries": [{"id": "ours", "names": ["x.so"], "family": "F"}]})", "again"));
}

TEST(Registry, TheDocumentedExampleIsGood) {
  std::ifstream file(TRACER_SOURCE_DIR "/docs/registry.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = document.find("```\n{") + 4;
  const std::string example = document.substr(begin, document.find("```", begin) - begin);
  auto registry = Registry::built_in();
  const auto added = registry->add(example, "docs/registry.md");
  ASSERT_TRUE(added) << added.error().context;
  EXPECT_EQ(registry->file_rule("/srv/vault/x")->id, "vault");
  EXPECT_EQ(registry->library_rule("/lib/libours.so.1")->note, "FIPS 140-3 certificate 1234");
  for (const std::string_view type : file_types)
    EXPECT_NE(document.find('`' + std::string(type) + '`'), std::string::npos);
}

TEST(Registry, ErrorsNameTheLineOrTheRule) {
  EXPECT_EQ(error_of("{\n\"files\": [\n{\"id\": }\n]}"), "rules.json:3: no JSON at \"\"id\": }\"");
  EXPECT_EQ(error_of(""), "rules.json:1: no JSON at \"\"");
  EXPECT_EQ(error_of("[]"), "rules.json: not an object");
  EXPECT_EQ(error_of(R"({"file": []})"), "rules.json: unknown \"file\"; known: files, contents, libraries");
  EXPECT_EQ(error_of(R"({"files": [{"id": "a", "extensions": ["a"]}, {"extensions": ["x"]}]})"),
            "rules.json: rule 2 of \"files\" has no \"id\"");
  EXPECT_EQ(error_of(R"({"files": [{"id": "a", "except": ["x"]}]})"),
            "rules.json: rule 1 of \"files\" (a) needs \"extensions\", \"names\" or \"paths\"");
  EXPECT_EQ(error_of(R"({"files": [{"id": "a", "extension": ["x"]}]})"),
            "rules.json: rule 1 of \"files\" (a) has an unknown \"extension\"; known: id, extensions, names, paths, "
            "except, suggests");
  EXPECT_EQ(error_of(R"({"files": [{"id": "a", "extensions": ["x"], "suggest": "crl"}]})"),
            "rules.json: rule 1 of \"files\" (a) has an unknown \"suggest\"; known: id, extensions, names, paths, "
            "except, suggests");
  EXPECT_EQ(error_of(R"({"files": [{"id": "pem-extension", "extensions": ["x"]}]})"),
            "rules.json: there is a rule \"pem-extension\" already");
  EXPECT_EQ(error_of(R"({"files": [{"id": "a", "extensions": ["x"]}, {"id": "a", "extensions": ["y"]}]})"),
            "rules.json: there is a rule \"a\" already");
}

TEST(Registry, RefusesRulesThatCannotBeMeant) {
  for (const char* json : {
           R"({"files": {}})",
           R"({"files": [1]})",
           R"({"files": [{"id": "", "extensions": ["x"]}]})",
           R"({"files": [{"id": "a", "extensions": [".x"]}]})",
           R"({"files": [{"id": "a", "extensions": ["*"]}]})",
           R"({"files": [{"id": "a", "extensions": [""]}]})",
           R"({"files": [{"id": "a", "extensions": []}]})",
           R"({"files": [{"id": "a", "extensions": "pem"}]})",
           R"({"files": [{"id": "a", "names": ["/etc/x"]}]})",
           R"({"files": [{"id": "a", "names": ["x"], "suggests": "secret"}]})",
           R"({"contents": [{"id": "a", "bytes": "00", "type": "keystore"}]})",
           R"({"contents": [{"id": "a", "bytes": "0011223", "type": "keystore"}]})",
           R"({"contents": [{"id": "a", "bytes": "zz112233", "type": "keystore"}]})",
           R"({"contents": [{"id": "a", "bytes": "00112233"}]})",
           R"({"contents": [{"id": "a", "type": "keystore"}]})",
           R"({"contents": [{"id": "a", "bytes": "00112233", "at": -1, "type": "keystore"}]})",
           R"({"contents": [{"id": "a", "bytes": "00112233", "at": 1e9, "type": "keystore"}]})",
           R"({"contents": [{"id": "a", "bytes": "00112233", "encrypted": "yes", "type": "keystore"}]})",
           R"({"libraries": [{"id": "a", "names": ["x.so"]}]})",
           R"({"libraries": [{"id": "a", "family": "F"}]})",
           R"({"libraries": [{"id": "a", "family": "F", "names": ["/lib/x.so"]}]})",
       })
    EXPECT_NE(error_of(json), "") << json;
  const std::string deep = "{\"files\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_NE(error_of(deep), "");
  EXPECT_NE(error_of("{\"files\": \"" + std::string(5 << 20, 'x') + "\"}"), "") << "5 MiB";
  EXPECT_NE(error_of("{\"files\": [{\"id\": \"\xff\"}]}"), "") << "no UTF-8";
}

}  // namespace
}  // namespace tracer
