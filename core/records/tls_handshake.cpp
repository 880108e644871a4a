#include "core/records/tls_handshake.h"

#include <algorithm>

namespace tracer {

void judge_validity(TlsHandshake& handshake, WallTime at) {
  const auto add = [&](std::string_view finding) {
    if (std::ranges::find(handshake.findings, finding) == handshake.findings.end())
      handshake.findings.push_back(finding);
  };
  for (const auto* certificates : {&handshake.certificates, &handshake.client_certificates}) {
    for (const CertificateFacts& each : *certificates) {
      if (each.not_after && *each.not_after < at) add("expired");
      if (each.not_before && at < *each.not_before) add("not_yet_valid");
    }
  }
}

}  // namespace tracer
