// Own traffic to prove that what is attached also captures: "loaded" is not "attached", "attached" is not "captured".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tracer {

inline constexpr std::string_view self_test_text = "tracer self-test\n";

// One TCP connection over loopback, inside this process: connect, accept, send self_test_text, receive it, close.
// Answers with the listening port. Fails where loopback is not up (a fresh network namespace).
[[nodiscard]] Result<std::uint16_t> loopback_exchange();

// Opens a file that does not exist and answers with its path.
[[nodiscard]] std::string failing_open(std::uint32_t nonce);

// Device and inode of the tracer's pid namespace; zeros where it is the initial one.
struct PidNamespace {
  std::uint64_t device = 0, inode = 0;
};
[[nodiscard]] PidNamespace foreign_pid_namespace();

}  // namespace tracer
