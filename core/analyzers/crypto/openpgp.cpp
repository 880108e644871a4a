#include "core/analyzers/crypto/openpgp.h"

#include <cstdint>
#include <optional>

#include "core/analyzers/crypto/forward_reader.h"

namespace tracer {

namespace {

// A multiprecision integer: its bits, which stand before it. The value is stepped over.
std::optional<std::uint32_t> take_integer(ForwardReader& reader) {
  const auto bits = reader.number(2);
  if (!bits || !reader.take((*bits + 7) / 8)) return std::nullopt;
  return bits;
}

struct Packet {
  unsigned tag = 0;
  std::size_t body_bytes = 0;
};

std::optional<Packet> read_packet_header(ForwardReader& reader) {
  const auto first = reader.number(1);
  if (!first || (*first & 0x80) == 0) return std::nullopt;
  std::optional<std::uint32_t> size;
  if ((*first & 0x40) != 0) {
    size = reader.number(1);
    if (size && *size >= 192 && *size < 224) {
      const auto second = reader.number(1);
      size = second ? std::optional((*size - 192) * 256 + *second + 192) : std::nullopt;
    } else if (size && *size == 255) {
      size = reader.number(4);
    } else if (size && *size >= 224) {
      return std::nullopt;  // partial lengths are not for keys
    }
    return size ? std::optional(Packet{*first & 0x3f, *size}) : std::nullopt;
  }
  const unsigned length_type = *first & 3;
  if (length_type == 3) return std::nullopt;
  size = reader.number(std::size_t{1} << length_type);
  return size ? std::optional(Packet{*first >> 2 & 0x0f, *size}) : std::nullopt;
}

struct Curve {
  std::string_view oid, name;
  std::uint32_t bits;
};
constexpr Curve curves[] = {
    {std::string_view("\x2a\x86\x48\xce\x3d\x03\x01\x07", 8), "P-256", 256},
    {std::string_view("\x2b\x81\x04\x00\x22", 5), "P-384", 384},
    {std::string_view("\x2b\x81\x04\x00\x23", 5), "P-521", 521},
    {std::string_view("\x2b\x24\x03\x03\x02\x08\x01\x01\x07", 9), "brainpoolP256r1", 256},
    {std::string_view("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b", 9), "brainpoolP384r1", 384},
    {std::string_view("\x2b\x24\x03\x03\x02\x08\x01\x01\x0d", 9), "brainpoolP512r1", 512},
    {std::string_view("\x2b\x81\x04\x00\x0a", 5), "secp256k1", 256},
    {std::string_view("\x2b\x06\x01\x04\x01\xda\x47\x0f\x01", 9), "Ed25519", 255},
    {std::string_view("\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01", 10), "Curve25519", 255},
};

// The public part of a key of this algorithm (RFC 9580 section 9.1). nullopt: not known, or not whole.
std::optional<KeyFacts> read_public_part(std::uint32_t algorithm, ForwardReader& reader) {
  const auto integers = [&](unsigned count) -> std::optional<std::uint32_t> {
    std::optional<std::uint32_t> first;
    for (unsigned i = 0; i < count; ++i) {
      const auto bits = take_integer(reader);
      if (!bits) return std::nullopt;
      if (i == 0) first = bits;
    }
    return first;
  };
  const auto key = [](std::string_view type, std::optional<std::uint32_t> bits) -> std::optional<KeyFacts> {
    return bits && *bits >= 256 ? std::optional(KeyFacts{std::string(type), bits, {}}) : std::nullopt;
  };
  const auto fixed = [&](std::string_view type, std::size_t octets, std::uint32_t bits) -> std::optional<KeyFacts> {
    return reader.take(octets) ? std::optional(KeyFacts{std::string(type), bits, {}}) : std::nullopt;
  };
  switch (algorithm) {
    case 1:
    case 2:
    case 3:
      return key("RSA", integers(2));
    case 16:
      return key("ElGamal", integers(3));
    case 17:
      return key("DSA", integers(4));
    case 18:    // ECDH
    case 19:    // ECDSA
    case 22: {  // EdDSA, as it was before it had numbers of its own
      const auto size = reader.number(1);
      const auto oid = size ? reader.take(*size) : std::nullopt;
      if (!oid || !take_integer(reader)) return std::nullopt;
      if (algorithm == 18) {
        const auto parameters = reader.number(1);
        if (!parameters || !reader.take(*parameters)) return std::nullopt;
      }
      for (const Curve& curve : curves) {
        if (curve.oid != as_text(*oid)) continue;
        if (curve.name == "Ed25519") return KeyFacts{"Ed25519", curve.bits, {}};
        if (curve.name == "Curve25519") return KeyFacts{"X25519", curve.bits, {}};
        return KeyFacts{"EC", curve.bits, std::string(curve.name)};
      }
      return std::nullopt;
    }
    case 25:
      return fixed("X25519", 32, 255);
    case 26:
      return fixed("X448", 56, 448);
    case 27:
      return fixed("Ed25519", 32, 255);
    case 28:
      return fixed("Ed448", 57, 448);
    default:
      return std::nullopt;
  }
}

}  // namespace

bool add_openpgp_key(Bytes bytes, const FoundAs& found, AssetList& assets) {
  ForwardReader reader(bytes);
  const auto packet = read_packet_header(reader);
  constexpr unsigned secret_key = 5, public_key = 6;
  if (!packet || (packet->tag != secret_key && packet->tag != public_key)) return false;
  const auto version = reader.number(1);
  if (!version || (*version != 4 && *version != 6) || !reader.number(4)) return false;
  const auto algorithm = reader.number(1);
  if (*version == 6 && !reader.number(4)) return false;  // length of the public part
  const std::size_t before = reader.rest().size();
  const auto facts = algorithm ? read_public_part(*algorithm, reader) : std::nullopt;
  if (!facts || before - reader.rest().size() > packet->body_bytes) return false;
  if (packet->tag == public_key) {
    assets.add_key("public_key", *facts, found);
    return true;
  }
  // 0: what follows is in clear.
  const auto protection = reader.number(1);
  assets.add_key("private_key", *facts, found, protection ? std::optional(*protection != 0) : std::nullopt);
  return true;
}

}  // namespace tracer
