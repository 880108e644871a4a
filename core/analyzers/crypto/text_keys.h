// Keys in formats of lines and of JSON: PuTTY's, and JSON Web Keys (RFC 7517).
#pragma once

#include <string_view>

#include "core/analyzers/crypto/asset_list.h"

namespace tracer {

// PuTTY-User-Key-File, versions 1 to 3: the header and the public lines. False: it is none.
[[nodiscard]] bool add_putty_key(std::string_view text, AssetList& assets);

// A key or a set of keys; of each object with "kty": that, "crv", and whether it has a private member. Values of other
// members are stepped over. False: there is none.
[[nodiscard]] bool add_json_web_keys(std::string_view text, AssetList& assets);

}  // namespace tracer
