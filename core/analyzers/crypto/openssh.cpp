#include "core/analyzers/crypto/openssh.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/analyzers/crypto/pem.h"
#include "core/asn1/der.h"
#include "core/asn1/digest.h"
#include "core/asn1/object_identifiers.h"

namespace tracer {

namespace {

constexpr std::size_t words_max = 16;             // of a line: options, type, key, comment
constexpr std::size_t blob_bytes_max = 64 << 10;  // of a public key

// Strings with a length of 32 bits before them (RFC 4251 section 5).
class SshReader {
 public:
  explicit SshReader(Bytes bytes) : rest_(bytes) {}
  std::optional<std::uint32_t> number() {
    if (rest_.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(rest_[i]);
    rest_ = rest_.subspan(4);
    return value;
  }
  std::optional<Bytes> string() {
    const Bytes before = rest_;
    const auto size = number();
    if (!size || *size > rest_.size()) {
      rest_ = before;
      return std::nullopt;
    }
    const Bytes value = rest_.first(*size);
    rest_ = rest_.subspan(*size);
    return value;
  }

 private:
  Bytes rest_;
};

std::string edwards_hash(Bytes point) {
  constexpr std::array<std::uint8_t, 7> ed25519{0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
  return point.size() == 32 ? sha256_hex(public_key_info(std::as_bytes(std::span(ed25519)), point)) : std::string();
}

std::string curve_hash(std::string_view curve, Bytes point) {
  constexpr std::string_view ec_public_key("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", 9);
  std::string_view oid;
  if (curve == "nistp256") oid = std::string_view("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10);
  if (curve == "nistp384") oid = std::string_view("\x06\x05\x2b\x81\x04\x00\x22", 7);
  if (curve == "nistp521") oid = std::string_view("\x06\x05\x2b\x81\x04\x00\x23", 7);
  if (oid.empty()) return {};
  return sha256_hex(public_key_info(der_encode(der::sequence, {as_bytes(ec_public_key), as_bytes(oid)}), point));
}

// A line in words; quoted text of options may hold blanks.
std::array<std::string_view, words_max> split_line(std::string_view line) {
  std::array<std::string_view, words_max> words{};
  std::size_t count = 0, at = 0;
  while (count < words_max) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
    if (at == line.size()) break;
    const std::size_t begin = at;
    bool quoted = false;
    for (; at < line.size() && (quoted || (line[at] != ' ' && line[at] != '\t')); ++at) {
      if (line[at] == '"' && (at == 0 || line[at - 1] != '\\')) quoted = !quoted;
    }
    words[count++] = line.substr(begin, at - begin);
  }
  return words;
}

bool is_key_type(std::string_view word) {
  return word == "ssh-rsa" || word == "ssh-dss" || word == "ssh-ed25519" || word == "ssh-ed448" ||
         word.starts_with("ecdsa-sha2-") || word.starts_with("sk-") || word.ends_with("-cert-v01@openssh.com");
}

// The key of the first word that is a type and is followed by a blob of just that type.
bool add_ssh_line(std::string_view line, AssetList& assets) {
  const auto words = split_line(line);
  for (std::size_t i = 0; i + 1 < words.size() && !words[i + 1].empty(); ++i) {
    if (!is_key_type(words[i]) || words[i + 1].size() > blob_bytes_max) continue;
    const auto blob = decode_base64(words[i + 1]);
    auto key = blob ? read_ssh_public_key(blob->view()) : std::nullopt;
    if (!key || key->name != words[i]) continue;
    assets.add_key("public_key", key->facts, {"OpenSSH", "line with a key of type " + key->name}, {},
                   std::move(key->public_key_sha256));
    return true;
  }
  return false;
}

}  // namespace

std::optional<SshPublicKey> read_ssh_public_key(Bytes blob) {
  SshReader reader(blob);
  const auto name = reader.string();
  if (!name || name->size() > 64) return std::nullopt;
  SshPublicKey key;
  key.name = as_text(*name);
  constexpr std::string_view certificate_end = "-cert-v01@openssh.com";
  std::string_view type = key.name;
  const bool certificate = type.ends_with(certificate_end);
  if (certificate) {
    type.remove_suffix(certificate_end.size());
    if (!reader.string()) return std::nullopt;  // nonce
  }
  if (type.ends_with("@openssh.com")) type.remove_suffix(12);
  const bool token = type.starts_with("sk-");
  if (token) type.remove_prefix(3);

  if (type == "ssh-rsa") {
    const auto exponent = reader.string(), modulus = reader.string();
    if (!exponent || !modulus || !integer_bits(*modulus)) return std::nullopt;
    key.facts = {"RSA", integer_bits(*modulus), {}};
    key.public_key_sha256 = sha256_hex(rsa_public_key_info(*modulus, *exponent));
  } else if (type == "ssh-dss") {
    const auto prime = reader.string();
    if (!prime || !integer_bits(*prime)) return std::nullopt;
    key.facts = {"DSA", integer_bits(*prime), {}};
  } else if (type == "ssh-ed25519") {
    const auto point = reader.string();
    if (!point || point->size() != 32) return std::nullopt;
    key.facts = {"Ed25519", fixed_key_bits("Ed25519"), {}};
    key.public_key_sha256 = edwards_hash(*point);
  } else if (type.starts_with("ecdsa-sha2-")) {
    const auto curve = reader.string(), point = reader.string();
    if (!curve || !point || type.substr(11) != as_text(*curve)) return std::nullopt;
    CurveName known = curve_of_short_name(as_text(*curve));
    if (known.name.empty()) return std::nullopt;
    key.facts = {"EC", known.bits, std::move(known.name)};
    key.public_key_sha256 = curve_hash(as_text(*curve), *point);
  } else {
    return std::nullopt;
  }
  if (certificate) key.public_key_sha256.clear();
  return key;
}

bool add_openssh_private_key(Bytes body, const FoundAs& found, AssetList& assets) {
  constexpr std::string_view magic("openssh-key-v1\0", 15);
  if (!as_text(body).starts_with(magic)) return false;
  SshReader reader(body.subspan(magic.size()));
  const auto cipher = reader.string(), derivation = reader.string(), options = reader.string();
  const auto keys = reader.number();
  const auto blob = reader.string();
  if (!cipher || !derivation || !options || !keys || !blob) return false;
  const auto key = read_ssh_public_key(*blob);
  assets.add_key("private_key", key ? key->facts : KeyFacts{}, found, as_text(*cipher) != "none",
                 key ? key->public_key_sha256 : std::string());
  return true;
}

void add_ssh_lines(std::string_view text, AssetList& assets) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty() && line.front() != '#') (void)add_ssh_line(line, assets);
  }
}

}  // namespace tracer
