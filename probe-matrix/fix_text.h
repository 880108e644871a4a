// What the writers and the readers of fixes agree on.
#pragma once

#include <string_view>

namespace tracer {

// How every fix begins that is another kernel: the last thing to propose.
inline constexpr std::string_view another_kernel_prefix = "boot a kernel ";

}  // namespace tracer
