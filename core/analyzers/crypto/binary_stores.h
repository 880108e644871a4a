// Java's own keystores (JKS, JCEKS) and Kerberos keytabs.
#pragma once

#include "core/analyzers/crypto/asset_list.h"
#include "core/base/bytes.h"

namespace tracer {

// The store, and the certificates in it, which are in clear; its private keys are always encrypted. False: it is none.
[[nodiscard]] bool add_java_keystore(Bytes bytes, AssetList& assets);

// A keytab of version 2 with the number of its entries; their keys are in clear and are stepped over.
[[nodiscard]] bool add_keytab(Bytes bytes, AssetList& assets);

}  // namespace tracer
