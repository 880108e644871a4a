#include "core/analyzers/crypto/registry_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace tracer {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t registry_bytes_max = 4U << 20;
constexpr std::size_t rules_max = 10'000;
constexpr std::size_t list_max = 1'000;
constexpr std::size_t text_bytes_max = 1'024;
constexpr std::size_t offset_max = 65'536;

// Accepts every document and remembers where the first syntax error is.
struct SyntaxCheck : nlohmann::json_sax<Json> {
  std::size_t error_at = 0;
  std::string token;
  std::size_t depth = 0, depth_max = 0;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override { return deeper(); }
  bool end_object() override { return --depth, true; }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override { return --depth, true; }
  bool parse_error(std::size_t position, const std::string& last_token, const Json::exception&) override {
    error_at = position;
    token = last_token;
    return false;
  }

 private:
  bool deeper() {
    depth_max = std::max(depth_max, ++depth);
    return true;
  }
};

// One object of the document, read key by key. The first thing that is wrong stays.
class RuleReader {
 public:
  RuleReader(const Json& rule, std::string where) : rule_(rule), where_(std::move(where)) {
    if (!rule.is_object()) complain("is not an object");
  }

  [[nodiscard]] const std::string& error() const { return error_; }
  void complain(const std::string& what) {
    if (error_.empty()) error_ = where_ + " " + what;
  }

  std::string text(const char* key, bool required = false) {
    const Json* value = find(key);
    if (value == nullptr) {
      if (required) complain("has no \"" + std::string(key) + "\"");
      return {};
    }
    return checked_text(*value, key);
  }

  std::vector<std::string> texts(const char* key) {
    std::vector<std::string> list;
    const Json* value = find(key);
    if (value == nullptr) return list;
    if (!value->is_array() || value->empty() || value->size() > list_max) {
      complain("\"" + std::string(key) + "\" must be a list of texts");
      return list;
    }
    for (const Json& entry : *value) list.push_back(checked_text(entry, key));
    return list;
  }

  std::optional<bool> flag(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) {
      complain("\"" + std::string(key) + "\" must be true or false");
      return std::nullopt;
    }
    return value->get<bool>();
  }

  std::size_t offset(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned() || value->get<std::size_t>() > offset_max) {
      complain("\"" + std::string(key) + "\" must be a number from 0 to " + std::to_string(offset_max));
      return 0;
    }
    return value->get<std::size_t>();
  }

  // A name of file_types, from there.
  std::string_view file_type(const char* key, bool required) {
    const std::string name = text(key, required);
    if (name.empty()) return {};
    const auto type = std::ranges::find(file_types, std::string_view(name));
    if (type != std::ranges::end(file_types)) return *type;
    std::string known;
    for (const std::string_view one : file_types) known += (known.empty() ? "" : ", ") + std::string(one);
    complain("\"" + std::string(key) + "\" is \"" + name + "\"; known: " + known);
    return {};
  }

  // After all that is known was asked for.
  void refuse_the_rest() {
    if (!rule_.is_object()) return;
    for (const auto& [key, value] : rule_.items()) {
      if (std::ranges::find(asked_, key) != asked_.end()) continue;
      std::string known;
      for (const std::string& one : asked_) known += (known.empty() ? "" : ", ") + one;
      // Of all that is wrong with it most likely the cause.
      error_ = where_ + " has an unknown \"" + key.substr(0, 64) + "\"; known: " + known;
      return;
    }
  }

 private:
  const Json* find(const char* key) {
    asked_.emplace_back(key);
    if (!rule_.is_object()) return nullptr;
    const auto at = rule_.find(key);
    return at == rule_.end() ? nullptr : &*at;
  }
  std::string checked_text(const Json& value, const char* key) {
    if (value.is_string()) {
      std::string text = value.get<std::string>();
      if (!text.empty() && text.size() <= text_bytes_max) return text;
    }
    complain("\"" + std::string(key) + "\" must hold texts of 1 to " + std::to_string(text_bytes_max) + " bytes");
    return {};
  }

  const Json& rule_;
  std::string where_, error_;
  std::vector<std::string> asked_;
};

void read_rule(RuleReader& reader, FileRule& rule) {
  rule.extensions = reader.texts("extensions");
  rule.names = reader.texts("names");
  rule.paths = reader.texts("paths");
  rule.except = reader.texts("except");
  rule.suggests = reader.file_type("suggests", false);
  for (std::string& extension : rule.extensions) {
    if (extension.find_first_of("./*?[\\") != std::string::npos)
      reader.complain("\"extensions\" holds \"" + extension + "\": an extension has no dot, no slash and no wildcard");
    std::ranges::transform(extension, extension.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  }
  for (const std::string& name : rule.names) {
    if (name.find('/') != std::string::npos)
      reader.complain("\"names\" holds \"" + name + "\": a name has no slash; see \"paths\"");
  }
  if (rule.extensions.empty() && rule.names.empty() && rule.paths.empty())
    reader.complain("needs \"extensions\", \"names\" or \"paths\"");
}

std::optional<std::vector<std::byte>> from_hex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::vector<std::byte> bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return bytes;
}

void read_rule(RuleReader& reader, ContentRule& rule) {
  const std::string hex = reader.text("bytes");
  rule.at = reader.offset("at");
  rule.contains = reader.text("contains");
  rule.pem_label = reader.text("pem_label");
  rule.type = reader.file_type("type", true);
  rule.format = reader.text("format");
  rule.encrypted = reader.flag("encrypted");
  const auto bytes = from_hex(hex);
  if (!bytes) {
    reader.complain("\"bytes\" must be pairs of hexadecimal digits");
  } else {
    rule.bytes = *bytes;
  }
  if (hex.empty() == rule.pem_label.empty()) reader.complain("needs either \"bytes\" or \"pem_label\"");
  // A claim that rests on three bytes is a guess.
  if (rule.pem_label.empty() && rule.bytes.size() < 4) reader.complain("needs at least 4 \"bytes\"");
}

void read_rule(RuleReader& reader, LibraryRule& rule) {
  rule.names = reader.texts("names");
  rule.family = reader.text("family", true);
  rule.version_in_name = reader.flag("version_in_name").value_or(false);
  rule.version_texts = reader.texts("version_texts");
  rule.note = reader.text("note");
  if (rule.names.empty()) reader.complain("needs \"names\"");
  for (const std::string& name : rule.names) {
    if (name.find('/') != std::string::npos)
      reader.complain("\"names\" holds \"" + name + "\": libraries are known by their last part alone");
  }
}

template <typename Rule>
Result<void> read_rules(const Json& document, const char* key, std::string_view name, std::vector<Rule>& rules) {
  const auto list = document.find(key);
  if (list == document.end()) return {};
  if (!list->is_array() || list->size() > rules_max)
    return fail(Errc::invalid_argument, std::string(name) + ": \"" + key + "\" must be a list of at most " +
                                            std::to_string(rules_max) + " rules");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& one = (*list)[i];
    Rule rule;
    std::string where = std::string(name) + ": rule " + std::to_string(i + 1) + " of \"" + key + "\"";
    if (one.is_object() && one.contains("id") && one["id"].is_string())
      where += " (" + one["id"].template get<std::string>().substr(0, 64) + ")";
    RuleReader reader(one, std::move(where));
    rule.id = reader.text("id", true);
    read_rule(reader, rule);
    reader.refuse_the_rest();
    if (!reader.error().empty()) return fail(Errc::invalid_argument, reader.error());
    rules.push_back(std::move(rule));
  }
  return {};
}

}  // namespace

Result<RegistryRules> parse_registry(std::string_view json, std::string_view name) {
  const std::string file(name);
  if (json.size() > registry_bytes_max)
    return fail(Errc::exhausted, file + ": larger than " + std::to_string(registry_bytes_max >> 20) + " MiB");
  SyntaxCheck check;
  if (!Json::sax_parse(json, &check)) {
    const std::size_t at = std::min(check.error_at, json.size());
    const auto line = 1 + std::ranges::count(json.substr(0, at > 0 ? at - 1 : 0), '\n');
    return fail(Errc::invalid_argument,
                file + ":" + std::to_string(line) + ": no JSON at \"" + check.token.substr(0, 32) + "\"");
  }
  if (check.depth_max > 8) return fail(Errc::invalid_argument, file + ": nested too deeply for rules");
  constexpr bool throws = false;
  const Json document = Json::parse(json, nullptr, throws);
  if (!document.is_object()) return fail(Errc::invalid_argument, file + ": not an object");
  for (const auto& [key, value] : document.items()) {
    if (key != "files" && key != "contents" && key != "libraries")
      return fail(Errc::invalid_argument,
                  file + ": unknown \"" + key.substr(0, 64) + "\"; known: files, contents, libraries");
  }
  RegistryRules rules;
  if (auto read = read_rules(document, "files", name, rules.files); !read) return std::unexpected(read.error());
  if (auto read = read_rules(document, "contents", name, rules.contents); !read) return std::unexpected(read.error());
  if (auto read = read_rules(document, "libraries", name, rules.libraries); !read) return std::unexpected(read.error());
  return rules;
}

}  // namespace tracer
