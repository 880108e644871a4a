// PKCS#12 (RFC 7292): what the file says without its password.
#pragma once

#include "core/analyzers/crypto/asset_list.h"
#include "core/base/bytes.h"

namespace tracer {

// A keystore, and the certificates and keys in it that are in clear. False: it is no PKCS#12.
[[nodiscard]] bool add_pkcs12(Bytes der, AssetList& assets);

// Some programs write it with lengths that are told at the end (BER). Then it is known by its first bytes, and nothing
// is said of what is in it.
[[nodiscard]] bool add_ber_pkcs12(Bytes bytes, AssetList& assets);

}  // namespace tracer
