// Answers what a file or a library is, by the rules of a registry and the bytes of the file.
#pragma once

#include <memory>

#include "core/analyzers/crypto/crypto_limits.h"
#include "core/analyzers/crypto/registry.h"
#include "core/crypto_lookup.h"
#include "core/file_source.h"

namespace tracer {

// What was found in a file is remembered by the file's identity, so a server that opens its certificate again and again
// costs one stat each time; and nothing at all from the fifth time on within one tick(). `registry` and `files` must
// outlive it.
[[nodiscard]] std::unique_ptr<CryptoLookup> make_crypto_lookup(const Registry& registry, FileSource& files,
                                                               const CryptoLimits& limits = {});

}  // namespace tracer
