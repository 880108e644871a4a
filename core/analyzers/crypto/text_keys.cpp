#include "core/analyzers/crypto/text_keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/analyzers/crypto/openssh.h"
#include "core/analyzers/crypto/pem.h"
#include "core/asn1/object_identifiers.h"

namespace tracer {

namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// "Name: value"; nullopt: another line.
std::optional<std::string_view> header_value(std::string_view line, std::string_view name) {
  if (!line.starts_with(name) || !line.substr(name.size()).starts_with(": ")) return std::nullopt;
  return line.substr(name.size() + 2);
}

// ---- JSON ----

// What is remembered of the object at one depth.
struct JsonObject {
  bool object = false;  // else an array
  std::string_view kty, crv;
  bool is_private = false;
};

// Goes through JSON once, without building it. Not a validator: what is no JSON gives no key.
class JsonWalker {
 public:
  JsonWalker(std::string_view text, AssetList& assets) : text_(text), assets_(assets) {}

  bool walk() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '{' || c == '[') {
        if (depth_ == open_.size()) return any_;
        open_[depth_++] = {c == '{', {}, {}, false};
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth_ == 0 || open_[depth_ - 1].object != (c == '}')) return any_;
        close();
        ++at_;
        if (depth_ == 0) return any_;
      } else if (c == '"') {
        const auto text = string();
        if (!text) return any_;
        member(*text);
      } else {
        ++at_;
      }
    }
    return any_;
  }

 private:
  std::optional<std::string_view> string() {
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return std::nullopt;
    return text_.substr(begin, at_++ - begin);
  }

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  // `name` is a member's if a colon follows.
  void member(std::string_view name) {
    skip_blanks();
    if (depth_ == 0 || at_ >= text_.size() || text_[at_] != ':') return;
    ++at_;
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != '"') return;
    JsonObject& object = open_[depth_ - 1];
    const auto value = string();
    if (!value) return;
    if (name == "kty") object.kty = *value;
    if (name == "crv") object.crv = *value;
    if (name == "d" || name == "k") object.is_private = true;
  }

  void close() {
    const JsonObject& object = open_[--depth_];
    if (!object.object || object.kty.empty()) return;
    KeyFacts facts;
    if (object.kty == "RSA") {
      facts.type = "RSA";
    } else if (object.kty == "EC") {
      CurveName curve = curve_of_short_name(object.crv);
      facts = {"EC", curve.bits, std::move(curve.name)};
    } else if (object.kty == "OKP") {
      for (const std::string_view known : {"Ed25519", "Ed448", "X25519", "X448"})
        if (object.crv == known) facts = {std::string(known), fixed_key_bits(known), {}};
    } else if (object.kty == "oct") {
      facts.type = "symmetric";
    }
    if (facts.type.empty()) return;
    any_ = true;
    const bool is_private = object.is_private;
    assets_.add_key(is_private ? "private_key" : "public_key", facts, {"JWK", "member kty of JSON (RFC 7517)"},
                    is_private ? std::optional(false) : std::nullopt);
  }

  std::string_view text_;
  AssetList& assets_;
  std::size_t at_ = 0, depth_ = 0;
  std::array<JsonObject, 8> open_{};
  bool any_ = false;
};

}  // namespace

bool add_putty_key(std::string_view text, AssetList& assets) {
  constexpr std::string_view begin = "PuTTY-User-Key-File-";
  if (!text.starts_with(begin)) return false;
  const std::string_view first = take_line(text);
  const std::string_view version = first.substr(begin.size());
  if (version.size() < 3 || version[0] < '1' || version[0] > '3' || version.substr(1, 2) != ": ") return false;
  const auto encryption = header_value(take_line(text), "Encryption");
  if (!encryption || !header_value(take_line(text), "Comment")) return false;
  const auto lines = header_value(take_line(text), "Public-Lines");
  unsigned count = 0;
  if (!lines || std::from_chars(lines->data(), lines->data() + lines->size(), count).ec != std::errc() || count > 1024)
    return false;
  const char* const body = text.data();
  std::size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t before = text.size();
    (void)take_line(text);
    size += before - text.size();
  }
  const auto blob = decode_base64({body, size});
  auto key = blob ? read_ssh_public_key(blob->view()) : std::nullopt;
  assets.add_key("private_key", key ? key->facts : KeyFacts{},
                 {"PuTTY", "first line PuTTY-User-Key-File-" + std::string(version.substr(0, 1))},
                 *encryption != "none", key ? std::move(key->public_key_sha256) : std::string());
  return true;
}

bool add_json_web_keys(std::string_view text, AssetList& assets) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] != '{') return false;
  return JsonWalker(text.substr(begin), assets).walk();
}

}  // namespace tracer
