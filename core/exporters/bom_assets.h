// Certificates, keys and handshakes as components of a CycloneDX document.
#pragma once

#include <string>
#include <string_view>

#include "core/exporters/bom.h"
#include "core/inventory/items.h"

namespace tracer {

// Each returns the key of the component that it added or found.

// nullopt: a certificate of which not even a fingerprint is known.
[[nodiscard]] std::optional<std::string> add_certificate(Bom& bom, const CertificateFacts& facts);

// What lies at place `number`, from 0, in a file. `item`: in which it was found.
[[nodiscard]] std::string add_asset(Bom& bom, const FileItem& item, const FileAsset& asset, std::size_t number);

// The version of the protocol, with the suite and what else was negotiated. nullopt: no server answered.
// `location`: whose handshake it was.
[[nodiscard]] std::optional<std::string> add_protocol(Bom& bom, const HandshakeItem& item, const std::string& location);

// The algorithm that the call names; nullopt: it names none, or was refused.
[[nodiscard]] std::optional<std::string> add_called(Bom& bom, const CallItem& item);

}  // namespace tracer
