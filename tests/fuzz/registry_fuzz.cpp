// Rules of users: whatever they are, they are refused with words or can be asked, and the filter misses no candidate.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/analyzers/crypto/registry.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Result<Registry> built_in = Registry::built_in();
  require(built_in.has_value());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Registry registry = *built_in;
  const auto added = registry.add(text, "rules.json");
  if (!added) {
    require(added.error().context.starts_with("rules.json"));
    require(registry.file_rules().size() == built_in->file_rules().size());
  }
  // The text is a path, too, and its first line a pattern.
  const std::string path(text.substr(0, 64));
  const FileFilter filter = registry.file_filter({}, true, true);
  const auto passes = [&](const FileFilter& one) {
    return one.all || std::ranges::any_of(one.suffixes, [&](const auto& end) { return path.ends_with(end); }) ||
           std::ranges::any_of(one.prefixes, [&](const auto& begin) { return path.starts_with(begin); });
  };
  if (registry.file_rule(path) != nullptr) require(passes(filter));
  (void)registry.library_rule(path);
  (void)registry.content_rule(as_bytes(text));
  const std::vector<std::string> patterns{std::string(text.substr(0, text.find('\n')))};
  for (const std::string& one : registry.file_filter(patterns, true, false).prefixes)
    require(one.size() <= file_prefix_bytes_max);
  return 0;
}
