// The shape, on this kernel, of the functions that the programs attach to: told by its type information.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

struct KernelFunctions {
  bool rdonly_cast = false;                  // bpf_rdonly_cast, which programs may call: 6.2
  bool sendpage = false;                     // tcp_sendpage, with which sendfile(2) and splice(2) sent until 6.4
  std::uint32_t receive_flags_argument = 0;  // which argument of tcp_recvmsg holds its flags, from 0
};

// Pure; `types` is the content of /sys/kernel/btf/vmlinux. Fails where the functions that everything hangs on are not
// there, or tcp_recvmsg has a shape that is not known here.
[[nodiscard]] Result<KernelFunctions> find_kernel_functions(Bytes types);

// Of tcp_recvmsg with so many parameters; nullopt: no kernel that is known.
[[nodiscard]] std::optional<std::uint32_t> receive_flags_argument(std::uint32_t parameters);

}  // namespace tracer
