#include "backends/ebpf/kernel_functions.h"

#include <array>
#include <string>

#include "core/base/btf_ids.h"

namespace tracer {

std::optional<std::uint32_t> receive_flags_argument(std::uint32_t parameters) {
  switch (parameters) {
    case 6:  // sk, msg, len, nonblock, flags, addr_len
      return 4;
    case 5:  // without nonblock: ec095263a965 ("net: remove noblock parameter from recvmsg() entities"), 5.19
    case 4:  // without addr_len
      return 3;
    default:
      return std::nullopt;
  }
}

Result<KernelFunctions> find_kernel_functions(Bytes types) {
  std::array wanted{BtfWanted{BtfKind::function, "tcp_recvmsg"}, BtfWanted{BtfKind::function, "tcp_sendmsg_locked"},
                    BtfWanted{BtfKind::function, "tcp_sendpage"}, BtfWanted{BtfKind::function, "bpf_rdonly_cast"}};
  if (auto found = find_btf_ids(types, wanted); !found) return std::unexpected(found.error());
  const auto& [receive, send, sendpage, cast] = wanted;
  for (const BtfWanted& required : {receive, send})
    if (required.id == 0)
      return fail(Errc::not_supported, "this kernel's type information has no function " + std::string(required.name));
  const auto parameters = count_btf_parameters(types, receive.prototype);
  if (!parameters) return std::unexpected(parameters.error());
  const auto flags = receive_flags_argument(*parameters);
  if (!flags)
    return fail(Errc::not_supported, "tcp_recvmsg of this kernel takes " + std::to_string(*parameters) +
                                         " parameters: that shape is not known");
  return KernelFunctions{cast.id != 0, sendpage.id != 0, *flags};
}

}  // namespace tracer
