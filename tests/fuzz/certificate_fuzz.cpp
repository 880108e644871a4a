// DER and X.509: never outside, never more than the limits, and the same bytes always read the same.
#include <cstdint>
#include <cstdlib>

#include "core/asn1/asn1_time.h"
#include "core/asn1/der.h"
#include "core/asn1/distinguished_name.h"
#include "core/asn1/public_key.h"
#include "core/asn1/x509.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// Every element lies in what it was read from, and is its header and its content.
void check_elements(Bytes input, unsigned depth) {
  DerReader reader(input);
  std::size_t read = 0;
  while (const auto element = reader.next()) {
    require(element->whole.data() == input.data() + read && element->whole.size() >= 2);
    read += element->whole.size();
    require(read <= input.size());
    require(element->content.data() + element->content.size() == element->whole.data() + element->whole.size());
    const auto header = read_der_header(element->whole);
    require(header && header->header_bytes + header->content_bytes == element->whole.size());
    (void)parse_asn1_time(*element);
    (void)string_value(*element);
    (void)dotted_oid(element->content);
    if ((element->identifier & 0x20) != 0 && depth < 16) check_elements(element->content, depth + 1);
  }
  require(reader.failed() != reader.at_end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  check_elements(input, 0);
  constexpr std::size_t text_max = 64;
  if (const auto name = format_name(input, text_max)) require(name->size() <= text_max + 3);
  (void)read_public_key(input);
  (void)read_key_algorithm(input);
  const X509Limits limits{4, text_max};
  const auto facts = parse_certificate(input, limits);
  if (!facts) {
    require(facts.error().code == Errc::malformed && !facts.error().context.empty());
    return 0;
  }
  require(facts->sha256.size() == 64 && facts->public_key_sha256.size() == 64);
  require(facts->names.size() <= limits.names_max &&
          (facts->names_left_out == 0 || facts->names.size() == limits.names_max));
  for (const std::string& name : facts->names) require(!name.empty() && name.size() <= text_max + 3);
  require(facts->subject.size() <= text_max + 3 && facts->issuer.size() <= text_max + 3);
  require(!parse_certificate(input.first(size - 1), limits));
  return 0;
}
