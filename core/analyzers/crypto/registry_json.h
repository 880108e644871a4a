// Reads rules from JSON. Apart from the registry, because only this file knows the JSON library.
#pragma once

#include <string_view>
#include <vector>

#include "core/analyzers/crypto/registry.h"

namespace tracer {

struct RegistryRules {
  std::vector<FileRule> files;
  std::vector<ContentRule> contents;
  std::vector<LibraryRule> libraries;
};

// Strict: what is not known is an error, so that a slip of the pen is not a rule that never matches. Errors begin with
// `name` and the line, or with `name` and the rule.
[[nodiscard]] Result<RegistryRules> parse_registry(std::string_view json, std::string_view name);

}  // namespace tracer
