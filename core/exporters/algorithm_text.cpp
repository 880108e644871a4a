#include "core/exporters/algorithm_text.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace tracer {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// In lower case; where letters meet digits a new one begins: "aes256" are two, "3des" is one.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    const bool separates = c == '-' || c == '_' || c == ' ';
    std::string& word = words.back();
    const bool turns = is_digit(c) && !word.empty() && !is_digit(word.back()) && word != "ede" && word != "sm" &&
                       word != "rc" && word != "cast";
    if ((separates || turns) && !word.empty()) words.emplace_back();
    if (!separates) words.back().push_back(lower(c));
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

struct Family {
  std::string_view word, name;
  unsigned key_bits = 0, strength_bits = 0;  // where there is but one size
};
constexpr Family families[] = {
    {"aes", "AES"},        {"camellia", "Camellia"}, {"aria", "ARIA"},         {"sm4", "SM4", 128, 128},
    {"seed", "SEED", 128}, {"idea", "IDEA", 128},    {"des", "DES", 56, 56},   {"3des", "3DES", 168, 112},
    {"rc2", "RC2"},        {"bf", "Blowfish"},       {"blowfish", "Blowfish"}, {"cast5", "CAST5"},
};

struct Mode {
  std::string_view word, name, mode;
  bool authenticates = false;
};
constexpr Mode modes[] = {
    {"gcm", "GCM", "gcm", true},   {"ccm", "CCM", "ccm", true}, {"ocb", "OCB", "other", true},
    {"siv", "SIV", "other", true}, {"cbc", "CBC", "cbc"},       {"ecb", "ECB", "ecb"},
    {"ctr", "CTR", "ctr"},         {"cfb", "CFB", "cfb"},       {"ofb", "OFB", "ofb"},
    {"xts", "XTS", "other"},       {"wrap", "WRAP", "other"},   {"kw", "WRAP", "other"},
    {"kwp", "WRAP-PAD", "other"},
};

std::optional<unsigned> number(std::string_view word) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

}  // namespace

std::string squeeze(std::string_view name) {
  std::string squeezed;
  for (const char c : name) {
    const char small = lower(c);
    if (is_digit(c) || (small >= 'a' && small <= 'z')) squeezed.push_back(small);
  }
  return squeezed;
}

bool has_word(std::string_view text, std::string_view word) {
  while (true) {
    const std::size_t end = text.find('_');
    if (text.substr(0, end) == word) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

std::optional<CipherName> parse_cipher(std::string_view name) {
  std::vector<std::string> words = words_of(name);
  auto word = words.begin();
  if (word != words.end() && *word == "id") ++word;
  if (word == words.end()) return std::nullopt;
  const auto* family = std::ranges::find(families, *word, &Family::word);
  if (family == std::end(families)) return std::nullopt;
  ++word;
  CipherName cipher;
  cipher.key_bits = family->key_bits;
  cipher.strength_bits = family->strength_bits;
  cipher.family = family->name;
  bool export_size = false;
  if (word != words.end() && (*word == "ede" || *word == "ede3")) {
    const bool two_keys = *word == "ede" && family->word == "des";  // as OpenSSL calls it: DES-EDE is with two keys
    cipher.family = two_keys ? "3DES-2KEY" : "3DES";
    cipher.key_bits = two_keys ? 112 : 168;
    cipher.strength_bits = two_keys ? 80 : 112;
    ++word;
  } else if (word != words.end()) {
    if (const auto bits = number(*word)) {
      cipher.key_bits = cipher.strength_bits = *bits;
      export_size = family->key_bits != 0 && *bits != family->key_bits;
      ++word;
    }
  }
  cipher.name = cipher.family;
  const bool size_in_name = family->key_bits == 0 || export_size;
  if (size_in_name && cipher.key_bits != 0) cipher.name += "-" + std::to_string(cipher.key_bits);
  cipher.primitive = "block-cipher";
  if (word != words.end()) {
    const auto* mode = std::ranges::find(modes, *word, &Mode::word);
    if (mode == std::end(modes)) return std::nullopt;
    cipher.mode = mode->mode;
    cipher.name += "-" + std::string(mode->name);
    if (mode->authenticates) cipher.primitive = "ae";
    if (mode->name.starts_with("WRAP")) cipher.primitive = "other";
    ++word;
  }
  for (; word != words.end(); ++word) {
    // RC2_CBC_40: the size may stand last, too.
    if (const auto bits = number(*word); bits && cipher.key_bits == 0) cipher.key_bits = cipher.strength_bits = *bits;
    cipher.name += "-" + upper(*word);
  }
  return cipher;
}

}  // namespace tracer
