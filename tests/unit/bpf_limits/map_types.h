// The maps that a BPF object file asks for, by their types.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace tracer {

// By name. Empty: no object, or one that says nothing of maps. For objects of our own build: it trusts their lengths.
[[nodiscard]] std::map<std::string, std::uint32_t> map_types(std::span<const unsigned char> image);

}  // namespace tracer
