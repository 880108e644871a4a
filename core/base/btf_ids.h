// Out of the kernel's own type information (BTF): just enough to name a target to bpf(2), and to know a function's
// shape.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

inline constexpr char kernel_types_path[] = "/sys/kernel/btf/vmlinux";
// Distribution kernels have 5 to 15 MB.
inline constexpr std::size_t kernel_types_bytes_max = 256 * 1024 * 1024;

enum class BtfKind : std::uint8_t {
  structure = 4,
  type_definition = 8,
  function = 12,
  variable = 14
};  // the format's own numbers

struct BtfWanted {
  BtfKind kind{};
  std::string_view name;
  std::uint32_t id = 0;         // 0, which is `void`, until found
  std::uint32_t prototype = 0;  // of a function: the id of its parameters and result
};

// Fills in the ids of every wanted type that `image`, the content of kernel_types_path, has. Pure. Reads nothing
// outside `image` whatever it holds; Errc::malformed where it does not follow the format.
[[nodiscard]] Result<void> find_btf_ids(Bytes image, std::span<BtfWanted> wanted);

// How many parameters a function of this prototype takes: a walk through `image` up to it. Errc::malformed where the
// id is not one of a prototype.
[[nodiscard]] Result<std::uint32_t> count_btf_parameters(Bytes image, std::uint32_t prototype);

// The id of the type of a structure's member; 0 where it has no member of that name. Errc::malformed where the id is
// not one of a structure.
[[nodiscard]] Result<std::uint32_t> find_btf_member(Bytes image, std::uint32_t structure, std::string_view member);

}  // namespace tracer
