#include "core/analyzers/crypto/registry.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "core/analyzers/crypto/registry_json.h"
#include "core/base/glob.h"

extern "C" {
extern const char crypto_registry_start[];
extern const char crypto_registry_end[];
}

namespace tracer {

namespace {

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The three spellings that there are in practice; a name like ".PeM" is not known.
std::vector<std::string> spellings(const std::string& extension) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  std::string capitals = extension, capitalised = extension;
  std::ranges::transform(capitals, capitals.begin(), upper);
  capitalised[0] = upper(capitalised[0]);
  std::vector<std::string> all{extension};
  for (std::string& one : {std::ref(capitals), std::ref(capitalised)}) {
    if (std::ranges::find(all, one) == all.end()) all.push_back(one);
  }
  return all;
}

bool has_wildcard(std::string_view pattern) { return pattern.find_first_of("*?[\\") != std::string_view::npos; }

// Part of a filter. The last, or the first, bytes that every text has that the glob matches.
std::string_view literal_end(std::string_view glob) { return glob.substr(glob.find_last_of("*?[]\\") + 1); }
std::string_view literal_begin(std::string_view glob) {
  return glob.substr(0, std::min(glob.find_first_of("*?[]\\"), glob.size()));
}

void add_suffix(FileFilter& filter, std::string_view text) {
  filter.suffixes.emplace_back(text.substr(text.size() - std::min(text.size(), file_suffix_bytes_max)));
}

// Lets pass every path that matches the glob. Rather by its end: that of a relative path is the same, as far as it is
// part of a name.
void let_pass(FileFilter& filter, std::string_view glob) {
  std::string_view end = literal_end(glob);
  end.remove_prefix(end.rfind('/') + 1);
  const std::string_view begin = literal_begin(glob);
  if (!end.empty()) {
    add_suffix(filter, end);
  } else if (!begin.empty()) {
    filter.prefixes.emplace_back(begin.substr(0, file_prefix_bytes_max));
  } else {
    filter.all = true;
  }
}

// The kernel lets pass what ends in ".so", or in ".so" and numbers: is that all that this can mean?
bool within_shared_objects(std::string_view glob) {
  const std::size_t at = glob.rfind(".so");
  if (at == std::string_view::npos) return false;
  const std::string_view behind = glob.substr(at + 3);
  return behind.empty() || behind.front() == '.';
}

// Leaves out what another one of them lets pass already. `covers(a, b)`: all that b means, a means too.
template <typename Covers>
void leave_out_covered(std::vector<std::string>& texts, Covers covers) {
  std::ranges::sort(texts, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  std::vector<std::string> left;
  for (std::string& text : texts) {
    if (!std::ranges::any_of(left, [&](const std::string& other) { return covers(other, text); }))
      left.push_back(std::move(text));
  }
  texts = std::move(left);
}

template <typename Rule>
Result<void> check_ids(const std::vector<Rule>& known, const std::vector<Rule>& added, std::string_view name) {
  std::set<std::string_view> ids;
  for (const Rule& rule : known) ids.insert(rule.id);
  for (const Rule& rule : added) {
    if (!ids.insert(rule.id).second)
      return fail(Errc::invalid_argument, std::string(name) + ": there is a rule \"" + rule.id + "\" already");
  }
  return {};
}

template <typename Rule>
void append(std::vector<Rule>& rules, std::vector<Rule>& added) {
  rules.insert(rules.end(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
}

}  // namespace

Result<Registry> Registry::built_in() {
  Registry registry;
  const std::string_view json(crypto_registry_start,
                              static_cast<std::size_t>(crypto_registry_end - crypto_registry_start));
  if (auto added = registry.add(json, "registry.json"); !added) return std::unexpected(added.error());
  return registry;
}

Result<void> Registry::add(std::string_view json, std::string_view name) {
  auto rules = parse_registry(json, name);
  if (!rules) return std::unexpected(rules.error());
  if (auto checked = check_ids(files_, rules->files, name); !checked) return checked;
  if (auto checked = check_ids(contents_, rules->contents, name); !checked) return checked;
  if (auto checked = check_ids(libraries_, rules->libraries, name); !checked) return checked;
  append(files_, rules->files);
  append(contents_, rules->contents);
  append(libraries_, rules->libraries);
  index();
  return {};
}

void Registry::index() {
  by_extension_.clear();
  by_name_.clear();
  name_globs_.clear();
  path_globs_.clear();
  for (std::size_t i = 0; i < files_.size(); ++i) {
    for (const std::string& extension : files_[i].extensions)
      for (const std::string& one : spellings(extension)) by_extension_.try_emplace(one, i);
    for (const std::string& name : files_[i].names) {
      if (has_wildcard(name)) {
        name_globs_.push_back(indexed(name, i));
      } else {
        by_name_.try_emplace(name, i);
      }
    }
    for (const std::string& path : files_[i].paths) path_globs_.push_back(indexed(path, i));
  }
}

Registry::IndexedGlob Registry::indexed(const std::string& glob, std::size_t rule) {
  return {glob, std::string(literal_begin(glob)), std::string(literal_end(glob)), rule};
}

bool Registry::matches(const IndexedGlob& glob, std::string_view text) {
  return text.starts_with(glob.begin) && text.ends_with(glob.end) && glob_match(glob.glob, text);
}

const FileRule* Registry::file_rule(std::string_view path) const {
  const std::string_view name = last_part(path);
  if (const auto at = by_name_.find(name); at != by_name_.end()) return &files_[at->second];
  if (const std::size_t dot = name.rfind('.'); dot != std::string_view::npos) {
    if (const auto at = by_extension_.find(name.substr(dot + 1)); at != by_extension_.end()) return &files_[at->second];
  }
  for (const IndexedGlob& glob : name_globs_)
    if (matches(glob, name)) return &files_[glob.rule];
  for (const IndexedGlob& glob : path_globs_) {
    if (!matches(glob, path)) continue;
    const auto excepted = [&](const std::string& except) { return glob_match(except, name); };
    if (!std::ranges::any_of(files_[glob.rule].except, excepted)) return &files_[glob.rule];
  }
  return nullptr;
}

const LibraryRule* Registry::library_rule(std::string_view path) const {
  const std::string_view name = last_part(path);
  for (const LibraryRule& rule : libraries_)
    if (std::ranges::any_of(rule.names, [&](const std::string& glob) { return glob_match(glob, name); })) return &rule;
  return nullptr;
}

const ContentRule* Registry::content_rule(Bytes contents) const {
  for (const ContentRule& rule : contents_) {
    if (rule.bytes.empty() || contents.size() < rule.at || contents.size() - rule.at < rule.bytes.size()) continue;
    if (!std::ranges::equal(contents.subspan(rule.at, rule.bytes.size()), rule.bytes)) continue;
    if (rule.contains.empty() || as_text(contents).find(rule.contains) != std::string_view::npos) return &rule;
  }
  return nullptr;
}

const ContentRule* Registry::pem_rule(std::string_view label) const {
  const auto rule = std::ranges::find_if(
      contents_, [&](const ContentRule& one) { return !one.pem_label.empty() && one.pem_label == label; });
  return rule == contents_.end() ? nullptr : &*rule;
}

FileFilter Registry::file_filter(std::span<const std::string> patterns, bool files, bool libraries) const {
  FileFilter filter;
  filter.all = false;
  filter.shared_objects = libraries;
  if (files) {
    for (const std::string& pattern : patterns) let_pass(filter, pattern);
    if (patterns.empty()) {
      for (const FileRule& rule : files_) {
        for (const std::string& extension : rule.extensions)
          for (const std::string& one : spellings(extension)) add_suffix(filter, '.' + one);
        // A name stands at the end of the path, whatever is before it.
        for (const std::string& name : rule.names) {
          const std::string_view end = literal_end(name);
          if (end.empty()) {
            filter.all = true;
          } else {
            add_suffix(filter, end);
          }
        }
        for (const std::string& path : rule.paths) let_pass(filter, path);
      }
    }
  }
  if (libraries) {
    for (const LibraryRule& rule : libraries_)
      for (const std::string& name : rule.names) filter.all = filter.all || !within_shared_objects(name);
  }
  if (filter.all) {
    filter.suffixes.clear();
    filter.prefixes.clear();
  }
  leave_out_covered(filter.suffixes, [](const auto& a, const auto& b) { return b.ends_with(a); });
  leave_out_covered(filter.prefixes, [](const auto& a, const auto& b) { return b.starts_with(a); });
  return filter;
}

}  // namespace tracer
