// Certificates, keys and their relatives as DER says them: PKCS#1, #7, #8, #10, SEC 1, SubjectPublicKeyInfo.
//
// Of private keys nothing is read but the headers of their elements and the public values that stand in clear beside
// the private ones; a private value is stepped over by its length.
#pragma once

#include "core/analyzers/crypto/asset_list.h"
#include "core/base/bytes.h"

namespace tracer {

// Each takes the whole of one object and adds what it is. False: it is not that, and nothing was added.
[[nodiscard]] bool add_certificate_request(Bytes der, const FoundAs& found, AssetList& assets);
[[nodiscard]] bool add_crl(Bytes der, const FoundAs& found, AssetList& assets);
// The certificates and revocation lists of signed data (RFC 5652 section 5).
[[nodiscard]] bool add_pkcs7(Bytes der, const FoundAs& found, AssetList& assets);
[[nodiscard]] bool add_private_key_info(Bytes der, const FoundAs& found, AssetList& assets);            // RFC 5958
[[nodiscard]] bool add_encrypted_private_key_info(Bytes der, const FoundAs& found, AssetList& assets);  // the same
[[nodiscard]] bool add_rsa_private_key(Bytes der, const FoundAs& found, AssetList& assets);             // RFC 8017
[[nodiscard]] bool add_ec_private_key(Bytes der, const FoundAs& found, AssetList& assets);              // RFC 5915
[[nodiscard]] bool add_dsa_private_key(Bytes der, const FoundAs& found, AssetList& assets);
[[nodiscard]] bool add_public_key_info(Bytes der, const FoundAs& found, AssetList& assets);
[[nodiscard]] bool add_rsa_public_key(Bytes der, const FoundAs& found, AssetList& assets);
[[nodiscard]] bool add_parameters(Bytes der, std::string_view algorithm, const FoundAs& found, AssetList& assets);

// The same of bytes that no label names: the first of the above that fits, as far as its form alone is proof enough.
[[nodiscard]] bool add_any_der(Bytes der, AssetList& assets);

}  // namespace tracer
