// OpenPGP keys (RFC 9580, RFC 4880): the first packet of a key, up to where its public part ends.
#pragma once

#include "core/analyzers/crypto/asset_list.h"
#include "core/base/bytes.h"

namespace tracer {

// What begins with a packet of a public or secret key. False: it does not.
[[nodiscard]] bool add_openpgp_key(Bytes bytes, const FoundAs& found, AssetList& assets);

// The bytes of a packet that this may look at: enough for the public part of any key in use.
inline constexpr std::size_t openpgp_bytes_max = 8192;

}  // namespace tracer
