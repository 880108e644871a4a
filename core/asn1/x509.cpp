#include "core/asn1/x509.h"

#include <algorithm>
#include <array>

#include "core/asn1/asn1_time.h"
#include "core/asn1/der.h"
#include "core/asn1/digest.h"
#include "core/asn1/distinguished_name.h"
#include "core/asn1/object_identifiers.h"
#include "core/asn1/public_key.h"
#include "core/records/address_text.h"

namespace tracer {

namespace {

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Errc::malformed, "certificate: " + std::string(what));
}

std::string address_text(Bytes bytes) {
  std::array<std::uint8_t, 16> address{};
  if (bytes.size() == 4) address[10] = address[11] = 0xff;
  if (bytes.size() != 4 && bytes.size() != 16) return '#' + to_hex(bytes);
  std::ranges::transform(bytes, address.end() - static_cast<std::ptrdiff_t>(bytes.size()),
                         [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  std::array<char, address_text_max> text{};
  return {text.data(), format_address(address, text.data())};
}

// One GeneralName (RFC 5280 section 4.2.1.6). Empty: of a kind that has no name here.
std::string general_name(const DerElement& name, std::size_t bytes_max) {
  const auto text = [&] { return std::string(as_text(name.content)); };
  switch (name.identifier) {
    case der::context(1):
      return "email:" + text();
    case der::context(2):
      return "DNS:" + text();
    case der::context(6):
      return "URI:" + text();
    case der::context(7):
      return "IP:" + address_text(name.content.first(std::min<std::size_t>(name.content.size(), 32)));
    case der::context(8):
      return "RID:" + dotted_oid(name.content);
    case der::context_constructed(4): {
      const auto directory = der_only(name.content, der::sequence);
      const auto formatted = directory ? format_name(directory->content, bytes_max) : std::nullopt;
      return formatted ? "DirName:" + *formatted : std::string();
    }
    case der::context_constructed(0): {
      DerReader inside(name.content);
      const auto type = inside.next(der::oid);
      return type ? "othername:" + dotted_oid(type->content) : std::string();
    }
    default:
      return {};
  }
}

void read_alternative_names(Bytes value, const X509Limits& limits, CertificateFacts& facts) {
  const auto names = der_only(value, der::sequence);
  if (!names) return;
  DerReader reader(names->content);
  while (const auto name = reader.next()) {
    if (facts.names.size() >= limits.names_max) {
      ++facts.names_left_out;
      continue;
    }
    std::string text = general_name(*name, limits.name_text_bytes_max);
    if (text.empty()) continue;
    cut_text(text, limits.name_text_bytes_max);
    facts.names.push_back(std::move(text));
  }
}

void read_basic_constraints(Bytes value, CertificateFacts& facts) {
  const auto constraints = der_only(value, der::sequence);
  if (!constraints) return;
  DerReader reader(constraints->content);
  const auto flag = reader.next(der::boolean);
  facts.is_ca = flag && flag->content.size() == 1 && flag->content[0] != std::byte{0};
}

void read_extensions(Bytes content, const X509Limits& limits, CertificateFacts& facts) {
  const auto list = der_only(content, der::sequence);
  if (!list) return;
  DerReader reader(list->content);
  while (const auto extension = reader.next(der::sequence)) {
    DerReader inside(extension->content);
    const auto type = inside.next(der::oid);
    (void)inside.next(der::boolean);  // critical
    const auto value = inside.next(der::octet_string);
    if (!type || !value) continue;
    const std::string_view oid = as_text(type->content);
    if (oid == "\x55\x1d\x11") read_alternative_names(value->content, limits, facts);
    if (oid == "\x55\x1d\x13") read_basic_constraints(value->content, facts);
  }
}

// The leading zero that DER wants before a set bit is not of the number.
std::string serial_text(Bytes content) {
  constexpr std::size_t serial_bytes_max = 64;  // RFC 5280 allows 20
  if (content.size() > 1 && content[0] == std::byte{0}) content = content.subspan(1);
  return content.size() <= serial_bytes_max ? to_hex(content) : std::string();
}

}  // namespace

Result<CertificateFacts> parse_certificate(Bytes der_bytes, const X509Limits& limits) {
  const auto certificate = der_only(der_bytes, der::sequence);
  if (!certificate) return malformed("no DER sequence, or something behind it");
  DerReader parts(certificate->content);
  const auto signed_part = parts.next(der::sequence);
  const auto algorithm = parts.next(der::sequence);
  const auto signature = parts.next(der::bit_string);
  if (!signed_part || !algorithm || !signature || !parts.at_end()) return malformed("not signed");

  DerReader fields(signed_part->content);
  if (const auto version = fields.next(der::context_constructed(0));
      version && !der_only(version->content, der::integer))
    return malformed("version");
  const auto serial = fields.next(der::integer);
  if (!serial || serial->content.empty()) return malformed("serial number");
  if (!fields.next(der::sequence)) return malformed("signature algorithm");
  const auto issuer = fields.next(der::sequence);
  if (!issuer) return malformed("issuer");
  const auto validity = fields.next(der::sequence);
  if (!validity) return malformed("validity");
  const auto subject = fields.next(der::sequence);
  if (!subject) return malformed("subject");
  const auto key = fields.next(der::sequence);
  if (!key) return malformed("public key");

  CertificateFacts facts;
  facts.subject = format_name(subject->content, limits.name_text_bytes_max).value_or("");
  facts.issuer = format_name(issuer->content, limits.name_text_bytes_max).value_or("");
  facts.self_issued = !subject->content.empty() && std::ranges::equal(subject->content, issuer->content);
  facts.serial = serial_text(serial->content);
  DerReader times(validity->content);
  const auto not_before = times.next(), not_after = times.next();
  if (!not_before || !not_after) return malformed("validity");
  facts.not_before = parse_asn1_time(*not_before);
  facts.not_after = parse_asn1_time(*not_after);
  DerReader algorithm_fields(algorithm->content);
  if (const auto oid = algorithm_fields.next(der::oid))
    facts.signature_algorithm = signature_algorithm_name(oid->content);
  if (auto key_facts = read_public_key(key->whole)) {
    facts.key_type = std::move(key_facts->type);
    facts.key_bits = key_facts->bits;
    facts.curve = std::move(key_facts->curve);
  }
  while (const auto optional_part = fields.next()) {  // unique identifiers, extensions
    if (optional_part->identifier == der::context_constructed(3))
      read_extensions(optional_part->content, limits, facts);
  }
  if (fields.failed()) return malformed("extensions");
  facts.sha256 = sha256_hex(certificate->whole);
  facts.public_key_sha256 = sha256_hex(key->whole);
  return facts;
}

}  // namespace tracer
