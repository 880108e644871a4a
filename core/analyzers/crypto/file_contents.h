// What is in a file, by its bytes alone.
#pragma once

#include "core/analyzers/crypto/asset_list.h"
#include "core/analyzers/crypto/crypto_limits.h"
#include "core/analyzers/crypto/registry.h"
#include "core/base/bytes.h"

namespace tracer {

// `bytes` is the file, or its beginning. Time and memory are linear in it. Private values among the bytes are stepped
// over: see secret_bytes.h, der_contents.h.
[[nodiscard]] FileContents read_contents(Bytes bytes, const Registry& registry, const CryptoLimits& limits);

}  // namespace tracer
