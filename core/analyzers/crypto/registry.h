// The rules by which files and libraries are known: those that are built in (registry.json) and those of users. See
// docs/registry.md for their form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/file_filter.h"

namespace tracer {

// A file that is worth a look because of its name, and what the name lets one expect in it.
struct FileRule {
  std::string id;
  std::vector<std::string> extensions;  // without the dot, lower case
  std::vector<std::string> names;       // globs over the last part of the path
  std::vector<std::string> paths;       // globs over the path as it was given
  std::vector<std::string> except;      // globs over the last part: what `paths` does not mean
  std::string_view suggests;            // a name of file_types; empty: nothing
};

// What a file is whose bytes need no parser.
struct ContentRule {
  std::string id;
  std::vector<std::byte> bytes;  // at `at`; empty: see pem_label
  std::size_t at = 0;
  std::string contains;   // and this anywhere in what is read; empty: nothing more
  std::string pem_label;  // a PEM block of this label; empty: see bytes
  std::string_view type;  // a name of file_types
  std::string format;
  std::optional<bool> encrypted;
};

struct LibraryRule {
  std::string id;
  std::vector<std::string> names;  // globs over the last part of the path: "libssl.so.3"
  std::string family;
  bool version_in_name = false;            // what follows ".so." is a version of the library, not only of its interface
  std::vector<std::string> version_texts;  // texts in the file that its version follows: "OpenSSL "
  std::string note;
};

// Files and what is in them; a closed list with static storage, because records borrow from it.
inline constexpr std::string_view file_types[] = {"certificate", "certificate_request", "crl",
                                                  "trust_store", "private_key",         "public_key",
                                                  "keystore",    "parameters",          "device"};

class Registry {
 public:
  // The rules of registry.json, which is part of the program.
  [[nodiscard]] static Result<Registry> built_in();

  // Adds the rules of one file; `name` is what errors call it. All of them or none.
  [[nodiscard]] Result<void> add(std::string_view json, std::string_view name);

  // The first rule for this name: by whole names, then extensions, then globs. Null: none. `path` is as it was given to
  // the system call, so a relative one is judged by what there is of it.
  [[nodiscard]] const FileRule* file_rule(std::string_view path) const;
  // By the last part of the path alone.
  [[nodiscard]] const LibraryRule* library_rule(std::string_view path) const;
  [[nodiscard]] const ContentRule* content_rule(Bytes contents) const;
  [[nodiscard]] const ContentRule* pem_rule(std::string_view label) const;

  // What the kernel has to let pass: if `files`, opens that `patterns` name or, where there are none, that a file rule
  // names; if `libraries`, shared objects as well. Never less than that, but for relative paths to what only a folder
  // names ("/etc/ssl/*").
  [[nodiscard]] FileFilter file_filter(std::span<const std::string> patterns, bool files, bool libraries) const;

  [[nodiscard]] std::span<const FileRule> file_rules() const { return files_; }
  [[nodiscard]] std::span<const ContentRule> content_rules() const { return contents_; }
  [[nodiscard]] std::span<const LibraryRule> library_rules() const { return libraries_; }

 private:
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using RuleOfText = std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>;

  Registry() = default;
  void index();

  std::vector<FileRule> files_;
  std::vector<ContentRule> contents_;
  std::vector<LibraryRule> libraries_;
  // Indices into files_: is_candidate() is asked of every open.
  RuleOfText by_extension_, by_name_;
  // With the plain text that every match begins and ends with, which decides nearly all.
  struct IndexedGlob {
    std::string glob, begin, end;
    std::size_t rule;
  };
  [[nodiscard]] static IndexedGlob indexed(const std::string& glob, std::size_t rule);
  [[nodiscard]] static bool matches(const IndexedGlob& glob, std::string_view text);
  std::vector<IndexedGlob> name_globs_, path_globs_;
};

}  // namespace tracer
