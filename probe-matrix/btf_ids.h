// Type ids out of the kernel's own type information (BTF): just enough to name a target to bpf(2).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

enum class BtfKind : std::uint8_t { type_definition = 8, function = 12 };  // the format's own numbers

struct BtfWanted {
  BtfKind kind{};
  std::string_view name;
  std::uint32_t id = 0;  // 0, which is `void`, until found
};

// Fills in the id of every wanted type that `image`, the content of /sys/kernel/btf/vmlinux, has. Pure. Reads nothing
// outside `image` whatever it holds; Errc::malformed where it does not follow the format.
[[nodiscard]] Result<void> find_btf_ids(Bytes image, std::span<BtfWanted> wanted);

}  // namespace tracer
