// Errors are values: a code to decide on, the errno that caused it, and words for a person.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tracer {

// What a caller can decide on. Everything finer is in Error::context.
enum class Errc : std::uint8_t {
  invalid_argument,  // the request itself is wrong
  not_supported,     // this kernel cannot do it
  not_permitted,     // this process may not do it (EPERM, EACCES): never the same as not_supported
  not_found,         // the thing named is not there
  malformed,         // bytes that do not follow their format
  exhausted,         // a limit was reached
  os,                // any other failed system call
};

struct Error {
  Errc code = Errc::os;
  int os_error = 0;        // errno, or 0 where no system call failed
  std::string context;     // what was tried and why it failed: "attach sys_enter_connect: Permission denied"
  std::string suggestion;  // one thing to try, as it would be typed; may be empty
};

template <typename T>
using Result = std::expected<T, Error>;

// The one place where an errno becomes an Errc.
[[nodiscard]] inline Errc errc_of(int os_error) {
  switch (os_error) {
    case 1:   // EPERM
    case 13:  // EACCES
      return Errc::not_permitted;
    case 2:  // ENOENT
    case 3:  // ESRCH
      return Errc::not_found;
    case 38:  // ENOSYS
    case 95:  // EOPNOTSUPP
    case 93:  // EPROTONOSUPPORT
    case 97:  // EAFNOSUPPORT
      return Errc::not_supported;
    case 12:  // ENOMEM
    case 24:  // EMFILE
    case 28:  // ENOSPC
      return Errc::exhausted;
    default:
      return Errc::os;
  }
}

// "context: strerror(os_error)", with the code that os_error stands for.
[[nodiscard]] inline Error os_failure(int os_error, std::string_view context) {
  return Error{
      errc_of(os_error), os_error, std::string(context) + ": " + std::generic_category().message(os_error), {}};
}

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string context, std::string suggestion = {}) {
  return std::unexpected(Error{code, 0, std::move(context), std::move(suggestion)});
}

}  // namespace tracer
