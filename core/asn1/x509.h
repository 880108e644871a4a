// X.509 certificates (RFC 5280): what one says, without judging whether it is valid or whom it is trusted by.
#pragma once

#include <cstddef>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/records/certificate_facts.h"

namespace tracer {

struct X509Limits {
  std::size_t names_max = 100;             // of subjectAltName; the rest is counted
  std::size_t name_text_bytes_max = 1024;  // of one of them, and of subject and issuer: longer ones end in "…"
};

// One DER certificate and nothing behind it. Errc::malformed, with the part that is wrong, unless the frame of
// RFC 5280 section 4.1 is there from the version to the signature; what is unreadable inside one field leaves that
// field empty. Time and memory are linear in the size of the certificate.
[[nodiscard]] Result<CertificateFacts> parse_certificate(Bytes der, const X509Limits& limits = {});

}  // namespace tracer
