#include "core/exporters/algorithms.h"

#include <algorithm>
#include <array>

#include "core/exporters/algorithm_text.h"

namespace tracer {
namespace {

using Functions = std::vector<std::string_view>;

// Whole names, squeezed: see squeeze(). Levels of -1: not said by a standard.
struct Row {
  std::string_view squeezed, name, primitive;
  std::string_view parameter_set{}, curve{};
  int classical_bits = -1, quantum_level = -1;
};

// clang-format off
constexpr Row rows[] = {
    {"md2", "MD2", "hash"}, {"md4", "MD4", "hash"}, {"md5", "MD5", "hash"}, {"md5sha1", "MD5-SHA-1", "hash"},
    {"sha", "SHA-1", "hash"}, {"sha1", "SHA-1", "hash"},
    {"sha224", "SHA-224", "hash", "224", {}, 112}, {"sha2224", "SHA-224", "hash", "224", {}, 112},
    {"sha256", "SHA-256", "hash", "256", {}, 128, 2}, {"sha2256", "SHA-256", "hash", "256", {}, 128, 2},
    {"sha384", "SHA-384", "hash", "384", {}, 192, 4}, {"sha2384", "SHA-384", "hash", "384", {}, 192, 4},
    {"sha512", "SHA-512", "hash", "512", {}, 256}, {"sha2512", "SHA-512", "hash", "512", {}, 256},
    {"sha512224", "SHA-512/224", "hash", "512/224", {}, 112}, {"sha2512224", "SHA-512/224", "hash", "512/224", {}, 112},
    {"sha512256", "SHA-512/256", "hash", "512/256", {}, 128}, {"sha2512256", "SHA-512/256", "hash", "512/256", {}, 128},
    {"sha3224", "SHA3-224", "hash", "224", {}, 112}, {"sha3256", "SHA3-256", "hash", "256", {}, 128, 2},
    {"sha3384", "SHA3-384", "hash", "384", {}, 192, 4}, {"sha3512", "SHA3-512", "hash", "512", {}, 256},
    {"shake128", "SHAKE128", "xof", "128", {}, 128}, {"shake256", "SHAKE256", "xof", "256", {}, 256},
    {"sm3", "SM3", "hash"}, {"ripemd160", "RIPEMD-160", "hash"}, {"ripemd", "RIPEMD-160", "hash"},
    {"rmd160", "RIPEMD-160", "hash"}, {"whirlpool", "Whirlpool", "hash"},
    {"blake2b512", "BLAKE2b-512", "hash", "512"}, {"blake2s256", "BLAKE2s-256", "hash", "256"},
    {"keccakkmac128", "KECCAK-KMAC-128", "xof"}, {"keccakkmac256", "KECCAK-KMAC-256", "xof"},

    {"chacha20poly1305", "ChaCha20-Poly1305", "ae", "256", {}, 256}, {"chacha20", "ChaCha20", "stream-cipher", "256", {}, 256},
    {"rc4", "RC4", "stream-cipher"}, {"rc4128", "RC4-128", "stream-cipher", "128"}, {"rc440", "RC4-40", "stream-cipher", "40", {}, 40},
    {"rc456", "RC4-56", "stream-cipher", "56", {}, 56},

    {"hmac", "HMAC", "mac"}, {"cmac", "CMAC", "mac"}, {"gmac", "GMAC", "mac"}, {"kmac128", "KMAC128", "mac"},
    {"kmac256", "KMAC256", "mac"}, {"poly1305", "Poly1305", "mac"}, {"siphash", "SipHash", "mac"},
    {"blake2bmac", "BLAKE2b-MAC", "mac"}, {"blake2smac", "BLAKE2s-MAC", "mac"},

    {"hkdf", "HKDF", "kdf"}, {"tls13kdf", "TLS13-KDF", "kdf"}, {"tls1prf", "TLS1-PRF", "kdf"}, {"pbkdf2", "PBKDF2", "kdf"},
    {"scrypt", "scrypt", "kdf"}, {"idscrypt", "scrypt", "kdf"}, {"sskdf", "SSKDF", "kdf"}, {"sshkdf", "SSHKDF", "kdf"},
    {"x963kdf", "X963KDF", "kdf"}, {"x942kdfasn1", "X942KDF-ASN1", "kdf"}, {"x942kdfconcat", "X942KDF-CONCAT", "kdf"},
    {"kbkdf", "KBKDF", "kdf"}, {"krb5kdf", "KRB5KDF", "kdf"}, {"pkcs12kdf", "PKCS12KDF", "kdf"}, {"pbkdf1", "PBKDF1", "kdf"},
    {"argon2id", "Argon2id", "kdf"}, {"argon2i", "Argon2i", "kdf"}, {"argon2d", "Argon2d", "kdf"},

    {"ctrdrbg", "CTR-DRBG", "drbg"}, {"hashdrbg", "HASH-DRBG", "drbg"}, {"hmacdrbg", "HMAC-DRBG", "drbg"},

    {"rsa", "RSA", "pke", {}, {}, -1, 0}, {"rsaencryption", "RSA", "pke", {}, {}, -1, 0},
    {"rsapss", "RSASSA-PSS", "signature", {}, {}, -1, 0}, {"rsassapss", "RSASSA-PSS", "signature", {}, {}, -1, 0},
    {"dsa", "DSA", "signature", {}, {}, -1, 0}, {"ecdsa", "ECDSA", "signature", {}, {}, -1, 0},
    {"dh", "DH", "key-agree", {}, {}, -1, 0}, {"dhx", "DH", "key-agree", {}, {}, -1, 0},
    {"ecdh", "ECDH", "key-agree", {}, {}, -1, 0}, {"sm2", "SM2", "unknown", {}, {}, -1, 0},
    // A key on a curve signs or agrees on keys: which of the two is not in its name.
    {"ec", "EC", "unknown", {}, {}, -1, 0}, {"idecpublickey", "EC", "unknown", {}, {}, -1, 0},
    {"x25519", "X25519", "key-agree", {}, "other/Curve25519", 128, 0}, {"x448", "X448", "key-agree", {}, "other/Curve448", 224, 0},
    {"ed25519", "Ed25519", "signature", {}, "other/Ed25519", 128, 0}, {"ed448", "Ed448", "signature", {}, "other/Ed448", 224, 0},
    {"mlkem512", "ML-KEM-512", "kem", "ML-KEM-512", {}, 128, 1}, {"mlkem768", "ML-KEM-768", "kem", "ML-KEM-768", {}, 192, 3},
    {"mlkem1024", "ML-KEM-1024", "kem", "ML-KEM-1024", {}, 256, 5},
    {"mldsa44", "ML-DSA-44", "signature", "ML-DSA-44", {}, 128, 2}, {"mldsa65", "ML-DSA-65", "signature", "ML-DSA-65", {}, 192, 3},
    {"mldsa87", "ML-DSA-87", "signature", "ML-DSA-87", {}, 256, 5},
    {"kyber768draft00", "Kyber768Draft00", "kem"},
};

struct Curve {
  std::string_view squeezed, name, standard;
  int classical_bits = -1;
};
constexpr Curve curves[] = {
    {"p224", "P-224", "nist/P-224", 112}, {"secp224r1", "P-224", "nist/P-224", 112},
    {"p256", "P-256", "nist/P-256", 128}, {"secp256r1", "P-256", "nist/P-256", 128}, {"prime256v1", "P-256", "nist/P-256", 128},
    {"nistp256", "P-256", "nist/P-256", 128}, {"p384", "P-384", "nist/P-384", 192}, {"secp384r1", "P-384", "nist/P-384", 192},
    {"nistp384", "P-384", "nist/P-384", 192}, {"p521", "P-521", "nist/P-521", 256}, {"secp521r1", "P-521", "nist/P-521", 256},
    {"nistp521", "P-521", "nist/P-521", 256}, {"secp256k1", "secp256k1", "secg/secp256k1", 128},
    {"brainpoolp256r1", "brainpoolP256r1", "brainpool/brainpoolP256r1", 128},
    {"brainpoolp384r1", "brainpoolP384r1", "brainpool/brainpoolP384r1", 192},
    {"brainpoolp512r1", "brainpoolP512r1", "brainpool/brainpoolP512r1", 256},
};
// clang-format on

std::optional<unsigned> level(int value) {
  return value < 0 ? std::nullopt : std::optional(static_cast<unsigned>(value));
}

Functions functions_of(std::string_view primitive) {
  if (primitive == "hash" || primitive == "xof") return {"digest"};
  if (primitive == "ae" || primitive == "block-cipher" || primitive == "stream-cipher" || primitive == "pke")
    return {"encrypt", "decrypt"};
  if (primitive == "mac") return {"tag"};
  if (primitive == "signature") return {"sign", "verify"};
  if (primitive == "key-agree" || primitive == "kdf") return {"keyderive"};
  if (primitive == "kem") return {"encapsulate", "decapsulate"};
  if (primitive == "drbg") return {"generate"};
  return {};
}

AlgorithmFacts made(std::string name, std::string_view primitive) {
  AlgorithmFacts facts;
  facts.name = std::move(name);
  facts.primitive = primitive;
  facts.functions = functions_of(primitive);
  return facts;
}

std::optional<AlgorithmFacts> find_row(std::string_view squeezed) {
  const auto* const row = std::ranges::find(rows, squeezed, &Row::squeezed);
  if (row == std::end(rows)) return std::nullopt;
  AlgorithmFacts facts = made(std::string(row->name), row->primitive);
  facts.parameter_set = row->parameter_set;
  facts.curve = row->curve;
  facts.classical_bits = level(row->classical_bits);
  facts.quantum_level = level(row->quantum_level);
  return facts;
}

// "tls13" is how TLS marks brainpool curves that are used with version 1.3 (RFC 8734).
const Curve* find_curve(std::string_view name) {
  std::string squeezed = squeeze(name);
  if (squeezed.ends_with("tls13")) squeezed.resize(squeezed.size() - 5);
  const auto* const curve = std::ranges::find(curves, squeezed, &Curve::squeezed);
  return curve == std::end(curves) ? nullptr : curve;
}

AlgorithmFacts on_curve(std::string_view family, std::string_view primitive, std::string_view name) {
  const Curve* const curve = find_curve(name);
  AlgorithmFacts facts =
      made(std::string(family) + "-" + std::string(curve != nullptr ? curve->name : name), primitive);
  facts.curve = curve != nullptr ? curve->standard : name;
  if (curve != nullptr) facts.parameter_set = curve->name;
  if (curve != nullptr) facts.classical_bits = level(curve->classical_bits);
  facts.quantum_level = 0;
  return facts;
}

// SP 800-57 part 1, table 2: sizes that it names.
std::optional<unsigned> factoring_bits(std::uint32_t size) {
  switch (size) {
    case 1024:
      return 80;
    case 2048:
      return 112;
    case 3072:
      return 128;
    case 7680:
      return 192;
    case 15360:
      return 256;
    default:
      return std::nullopt;
  }
}

AlgorithmFacts sized(AlgorithmFacts facts, std::uint32_t bits) {
  facts.name += "-" + std::to_string(bits);
  facts.parameter_set = std::to_string(bits);
  facts.classical_bits = factoring_bits(bits);
  return facts;
}

// A hybrid group: two key exchanges, of which either suffices.
std::optional<AlgorithmFacts> hybrid(std::string_view name) {
  const std::string squeezed = squeeze(name);
  for (const std::string_view first : {"x25519", "secp256r1", "secp384r1", "curvesm2"}) {
    if (!squeezed.starts_with(first) || squeezed.size() == first.size()) continue;
    const auto second = find_row(std::string_view(squeezed).substr(first.size()));
    if (!second || second->primitive != "kem") return std::nullopt;
    AlgorithmFacts facts = made(std::string(name), "combiner");
    facts.functions = {"keyderive"};
    facts.quantum_level = second->quantum_level;
    facts.parts = {algorithm_of_group(first), *second};
    return facts;
  }
  return std::nullopt;
}

AlgorithmFacts signature_with(std::string_view name, std::string_view hash, std::string_view padding = {}) {
  AlgorithmFacts part = algorithm_of_name(hash);
  AlgorithmFacts facts = made(std::string(name) + "-" + part.name, "signature");
  facts.padding = padding;
  facts.quantum_level = 0;
  facts.parts.push_back(std::move(part));
  return facts;
}

}  // namespace

AlgorithmFacts algorithm_of_name(std::string_view name) {
  const std::string squeezed = squeeze(name);
  if (auto facts = find_row(squeezed)) return *facts;
  if (const auto cipher = parse_cipher(name)) {
    AlgorithmFacts facts = made(cipher->name, cipher->primitive);
    facts.mode = cipher->mode;
    if (cipher->key_bits != 0) facts.parameter_set = std::to_string(cipher->key_bits);
    if (cipher->strength_bits != 0) facts.classical_bits = cipher->strength_bits;
    if (cipher->family == "AES" && cipher->key_bits == 128) facts.quantum_level = 1;
    if (cipher->family == "AES" && cipher->key_bits == 192) facts.quantum_level = 3;
    if (cipher->family == "AES" && cipher->key_bits == 256) facts.quantum_level = 5;
    return facts;
  }
  for (const std::string_view prefix : {"hmacwith", "hmac"}) {
    if (!squeezed.starts_with(prefix)) continue;
    if (auto hash = find_row(std::string_view(squeezed).substr(prefix.size())); hash && hash->primitive == "hash") {
      AlgorithmFacts facts = made("HMAC-" + hash->name, "mac");
      facts.parts.push_back(std::move(*hash));
      return facts;
    }
  }
  if (squeezed.starts_with("slhdsa") || squeezed.starts_with("idslhdsa")) {
    AlgorithmFacts facts = made(std::string(name), "signature");
    facts.parameter_set = name;
    if (squeezed.find("128") != std::string::npos) facts.quantum_level = 1;
    if (squeezed.find("192") != std::string::npos) facts.quantum_level = 3;
    if (squeezed.find("256s") != std::string::npos || squeezed.find("256f") != std::string::npos)
      facts.quantum_level = 5;
    return facts;
  }
  if (auto facts = hybrid(name)) return *facts;
  if (find_curve(name) != nullptr) return on_curve("EC", "unknown", name);
  return made(std::string(name), "unknown");
}

AlgorithmFacts algorithm_of_group(std::string_view group) {
  if (find_curve(group) != nullptr) return on_curve("ECDH", "key-agree", group);
  if (const std::string squeezed = squeeze(group); squeezed.starts_with("ffdhe")) {
    AlgorithmFacts facts = made("FFDH-" + squeezed.substr(5), "key-agree");
    facts.parameter_set = squeezed;
    if (squeezed == "ffdhe2048") facts.classical_bits = 112;
    if (squeezed == "ffdhe3072") facts.classical_bits = 128;
    facts.quantum_level = 0;
    return facts;
  }
  if (auto facts = hybrid(group)) return *facts;
  AlgorithmFacts facts = algorithm_of_name(group);
  if (facts.primitive == "unknown") facts = made(std::string(group), "key-agree");
  return facts;
}

AlgorithmFacts algorithm_of_signature(std::string_view signature) {
  const std::string squeezed = squeeze(signature);
  const std::string_view text = squeezed;
  const auto hash_after = [&](std::string_view mark) -> std::string_view {
    const std::size_t at = text.rfind(mark);
    std::string_view rest = at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
    if (rest.ends_with("legacy")) rest.remove_suffix(6);
    return find_row(rest) ? rest : std::string_view();
  };
  for (const std::string_view mark : {"rsapssrsae", "rsapsspss", "rsassapss"})
    if (const auto hash = hash_after(mark); !hash.empty() && text.starts_with(mark))
      return signature_with("RSASSA-PSS", hash, "other");
  if (const auto hash = hash_after("rsapkcs1"); !hash.empty())
    return signature_with("RSASSA-PKCS1-v1_5", hash, "pkcs1v15");
  // X.509: the hash stands first.
  if (const std::size_t at = text.find("withrsa"); at != std::string_view::npos && find_row(text.substr(0, at)))
    return signature_with("RSASSA-PKCS1-v1_5", text.substr(0, at), "pkcs1v15");
  if (text.starts_with("ecdsa") || text.starts_with("dsa")) {
    const std::string_view name = text.starts_with("ecdsa") ? "ECDSA" : "DSA";
    const std::size_t at = std::max(text.rfind("sha") + 1, text.rfind("md5") + 1);
    if (at != 0 && find_row(text.substr(at - 1))) return signature_with(name, text.substr(at - 1));
  }
  AlgorithmFacts facts = algorithm_of_name(signature);
  if (facts.primitive == "unknown") facts = made(std::string(signature), "signature");
  return facts;
}

AlgorithmFacts algorithm_of_key(std::string_view type, std::optional<std::uint32_t> bits, std::string_view curve) {
  AlgorithmFacts facts = algorithm_of_name(type);
  if ((facts.name == "EC" || facts.name == "ECDSA") && !curve.empty())
    return on_curve(facts.name, facts.primitive, curve);
  const bool by_size = facts.name == "RSA" || facts.name == "DSA" || facts.name == "DH" || facts.name == "RSASSA-PSS";
  if (by_size && bits) return sized(std::move(facts), *bits);
  return facts;
}

namespace {

// The part before _WITH_: ECDHE_RSA, DH_anon, RSA_PSK, …
void add_exchange(std::string_view exchange, const SuiteQuestion& question, std::vector<AlgorithmFacts>& found) {
  const auto has = [&](std::string_view word) { return has_word(exchange, word); };
  const bool ephemeral = has("ECDHE") || has("DHE");
  if (!question.group_known) {
    if (has("ECDHE") || has("ECDH")) found.push_back(algorithm_of_name("ECDH"));
    if (has("DHE") || has("DH")) found.push_back(algorithm_of_name("DH"));
  }
  const bool agreed = ephemeral || has("ECDH") || has("DH");
  if (has("RSA") && !agreed) found.push_back(algorithm_of_name("RSA"));  // it carries the secret
  if (question.signature_known || !agreed) return;
  if (has("RSA")) found.push_back(algorithm_of_name("RSA"));
  if (has("ECDSA")) found.push_back(algorithm_of_name("ECDSA"));
  if (has("DSS")) found.push_back(algorithm_of_name("DSA"));
}

}  // namespace

std::vector<AlgorithmFacts> algorithms_of_suite(const SuiteQuestion& question) {
  std::vector<AlgorithmFacts> found;
  std::string_view rest = question.suite;
  if (!rest.starts_with("TLS_") || rest.ends_with("_SCSV")) return found;
  rest.remove_prefix(4);
  constexpr std::string_view with = "_WITH_";
  if (const std::size_t at = rest.find(with); at != std::string_view::npos) {
    add_exchange(rest.substr(0, at), question, found);
    rest.remove_prefix(at + with.size());
  }
  const std::size_t last = rest.rfind('_');
  const std::string_view hash_name = last == std::string_view::npos ? rest : rest.substr(last + 1);
  const auto hash = find_row(squeeze(hash_name));
  const bool has_hash = hash && hash->primitive == "hash";
  const std::string_view cipher_name = has_hash ? rest.substr(0, std::min(last, rest.size())) : rest;
  AlgorithmFacts cipher = algorithm_of_name(cipher_name);
  const bool authenticates = cipher.primitive == "ae";
  if (cipher.primitive != "unknown" && cipher.primitive != "hash") found.push_back(std::move(cipher));
  if (has_hash) found.push_back(authenticates ? *hash : algorithm_of_name("HMAC-" + std::string(hash_name)));
  return found;
}

}  // namespace tracer
