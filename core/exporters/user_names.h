// Names of users out of /etc/passwd: a static program has no other way to them that needs no shared library.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tracer {

// passwd(5): name:password:uid:…; of several names of one number the first counts. Lines that do not follow the format
// are passed over.
[[nodiscard]] std::map<std::uint32_t, std::string> parse_user_names(std::string_view passwd);

}  // namespace tracer
