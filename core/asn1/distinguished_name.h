// Names of subjects and issuers as text (RFC 4514).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/asn1/der.h"

namespace tracer {

// "CN=example.org,O=Example", the last part first. Text longer than `bytes_max` is cut and ends in "…". nullopt: the
// content of `name` is no RDNSequence.
[[nodiscard]] std::optional<std::string> format_name(Bytes name, std::size_t bytes_max);

// A string in UTF-8: as it stands for the 8-bit types, converted from BMPString, UniversalString and T61String (taken
// for Latin-1). nullopt: not a string type, or not a whole number of characters.
[[nodiscard]] std::optional<std::string> string_value(const DerElement& element);

// Cuts at a whole character and appends "…" where `text` is longer than that.
void cut_text(std::string& text, std::size_t bytes_max);

}  // namespace tracer
