// The filter for the kernel lets pass whatever user space wants, and not everything.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <regex>

#include "core/analyzers/crypto/registry.h"
#include "core/base/glob.h"
#include "tests/unit/crypto/fake_files.h"

namespace tracer {
namespace {

using Patterns = std::vector<std::string>;

// What core/file_filter.h says of the lists.
bool passes(const FileFilter& filter, std::string_view path) {
  static const std::regex shared_object("\\.so(\\.[0-9]+)*$");
  return filter.all || std::ranges::any_of(filter.suffixes, [&](const auto& one) { return path.ends_with(one); }) ||
         std::ranges::any_of(filter.prefixes, [&](const auto& one) { return path.starts_with(one); }) ||
         (filter.shared_objects && std::regex_search(path.begin(), path.end(), shared_object));
}

void expect_limits(const FileFilter& filter) {
  for (const std::string& one : filter.suffixes)
    EXPECT_TRUE(!one.empty() && one.size() <= file_suffix_bytes_max) << one;
  for (const std::string& one : filter.prefixes)
    EXPECT_TRUE(!one.empty() && one.size() <= file_prefix_bytes_max) << one;
  if (filter.all) {
    EXPECT_TRUE(filter.suffixes.empty() && filter.prefixes.empty());
  }
}

TEST(FileFilterOfPatterns, IsASuffixOrAPrefix) {
  const Registry& registry = built_in_registry();
  const auto one = [&](const std::string& pattern) {
    const FileFilter filter = registry.file_filter(Patterns{pattern}, true, false);
    expect_limits(filter);
    EXPECT_FALSE(filter.shared_objects);
    if (filter.all) return std::string("all");
    return filter.suffixes.empty() ? filter.prefixes.at(0) + "…" : "…" + filter.suffixes.at(0);
  };
  EXPECT_EQ(one("*.pem"), "….pem");
  EXPECT_EQ(one("/etc/ssl/*"), "/etc/ssl/…");
  EXPECT_EQ(one("*/ssl/*.pem"), "….pem");
  EXPECT_EQ(one("/etc/*.pem"), "….pem") << "so that it is seen from inside /etc too";
  EXPECT_EQ(one("*certificate.pem"), "…cate.pem");
  EXPECT_EQ(one("/etc/nginx/key.pem"), "…key.pem");
  EXPECT_EQ(one("/etc/nginx/"), "/etc/nginx/…");
  EXPECT_EQ(one("/etc/*/"), "/etc/…");
  EXPECT_EQ(one("*"), "all");
  EXPECT_EQ(one("*ssl*"), "all");
  EXPECT_EQ(one("?"), "all");
  EXPECT_EQ(one("[ab]*"), "all");
  EXPECT_EQ(one("a\\*b"), "…b");
  EXPECT_EQ(one(std::string(200, 'x') + "*"), std::string(64, 'x') + "…");
  EXPECT_EQ(registry.file_filter(Patterns{"*.pem", "*"}, true, false).all, true);
  EXPECT_EQ(registry.file_filter(Patterns{"*.pem", "*.pem", "/a/*"}, true, false).suffixes.size(), 1U);
}

TEST(FileFilterOfPatterns, NeverLetsLessPassThanAPatternMatches) {
  const Registry& registry = built_in_registry();
  std::mt19937 random(6);
  const std::string letters = "ab/.*?[]\\!-";
  const auto text = [&](std::size_t size, std::size_t kinds) {
    std::string out;
    for (std::size_t i = 0; i < size; ++i) out += letters[random() % kinds];
    return out;
  };
  std::size_t matches = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string pattern = text(1 + random() % 7, letters.size());
    const FileFilter filter = registry.file_filter(Patterns{pattern}, true, false);
    for (int k = 0; k < 30; ++k) {
      const std::string path = text(random() % 6, k % 2 == 0 ? 4 : letters.size());
      if (!glob_match(pattern, path)) continue;
      ++matches;
      ASSERT_TRUE(passes(filter, path)) << pattern << " matches " << path;
      const std::string name = path.substr(path.rfind('/') + 1);
      if (filter.prefixes.empty() && !name.empty()) {
        ASSERT_TRUE(passes(filter, name)) << pattern << " matches " << path << ", which was opened from beside it";
      }
    }
  }
  EXPECT_GT(matches, 5'000U);
}

TEST(FileFilterOfRules, LetsCandidatesPassAndLittleElse) {
  const Registry& registry = built_in_registry();
  const FileFilter filter = registry.file_filter({}, true, false);
  expect_limits(filter);
  ASSERT_FALSE(filter.all);
  EXPECT_LE(filter.suffixes.size(), 256U);
  EXPECT_LE(filter.prefixes.size(), 64U);
  EXPECT_TRUE(std::ranges::find(filter.prefixes, "/etc/ssl/certs/") == filter.prefixes.end()) << "/etc/ssl/ says it";
  std::size_t candidates = 0;
  const auto check = [&](const std::string& path) {
    if (registry.file_rule(path) == nullptr) return;
    ++candidates;
    EXPECT_TRUE(passes(filter, path)) << path;
  };
  for (const FileRule& rule : registry.file_rules()) {
    for (const char* folder : {"/srv/x/", "", "./", "/home/u/.ssh/"}) {
      for (std::string extension : rule.extensions) {
        check(folder + ("a." + extension));
        std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::toupper(c); });
        check(folder + ("A." + extension));
      }
      for (std::string name : rule.names) {
        if (const std::size_t star = name.find('*'); star != std::string::npos) name.replace(star, 1, "anything");
        EXPECT_EQ(registry.file_rule(folder + name)->id, rule.id);
        check(folder + name);
      }
    }
    for (std::string path : rule.paths) {
      for (std::size_t star = 0; (star = path.find('*')) != std::string::npos;) path.replace(star, 1, "deep/er");
      EXPECT_NE(registry.file_rule(path), nullptr) << path;
      check(path);
    }
  }
  EXPECT_GT(candidates, 100U);
  for (const char* path : {"/usr/lib/libc.so.6", "/proc/1/status", "/usr/share/zoneinfo/UTC", "/var/lib/dpkg/status",
                           "main.cpp", "/sys/devices/system/cpu/online", "/tmp/x", "/etc/passwd"})
    EXPECT_FALSE(passes(filter, path)) << path;
}

TEST(FileFilterOfRules, TellsSharedObjectsOnlyWhereLibrariesAreWanted) {
  const Registry& registry = built_in_registry();
  const FileFilter both = registry.file_filter({}, true, true);
  EXPECT_TRUE(both.shared_objects);
  EXPECT_FALSE(both.all);
  const FileFilter libraries = registry.file_filter(Patterns{"*.pem"}, false, true);
  EXPECT_TRUE(libraries.shared_objects);
  EXPECT_TRUE(libraries.suffixes.empty() && libraries.prefixes.empty());
  EXPECT_FALSE(libraries.all);
  for (const LibraryRule& rule : registry.library_rules()) {
    for (std::string name : rule.names) {
      for (std::size_t star = 0; (star = name.find('*')) != std::string::npos;) name.replace(star, 1, "1");
      if (name.find('[') != std::string::npos) continue;
      EXPECT_TRUE(passes(libraries, "/usr/lib/" + name)) << name;
    }
  }
}

TEST(FileFilterOfRules, RulesThatTheKernelCannotDecideLetEverythingPass) {
  auto registry = Registry::built_in();
  ASSERT_TRUE(registry);
  ASSERT_TRUE(registry->add(R"({"files": [{"id": "mine", "names": ["secret*"]}]})", "mine.json"));
  EXPECT_TRUE(registry->file_filter({}, true, false).all);
  EXPECT_FALSE(registry->file_filter(Patterns{"*.pem"}, true, false).all) << "patterns take the place of rules";
  EXPECT_FALSE(registry->file_filter({}, false, true).all);
  auto other = Registry::built_in();
  ASSERT_TRUE(
      other->add(R"({"libraries": [{"id": "jar", "names": ["bcprov*.jar"], "family": "Bouncy Castle"}]})", "x"));
  EXPECT_TRUE(other->file_filter({}, false, true).all);
  EXPECT_FALSE(other->file_filter({}, true, false).all);
}

}  // namespace
}  // namespace tracer
