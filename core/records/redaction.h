// Hides secrets in captured text. Pure functions; docs/records.md lists for users what is hidden.
//
// Every redact_* function appends the safe form of its input to `out` and returns true, or, where there is nothing to
// hide, leaves `out` alone and returns false: then the input itself is safe. Where a rule is unsure it hides too much.
// What was hidden reads REDACTED, home directories read /home/USER and /home/ROOT.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/records/fields.h"

namespace tracer {

inline constexpr std::string_view redacted_text = "REDACTED";

// A request-target, an URL reference or an authority: user info, and the values of parameters with a secret name, in
// query, fragment or path, separated by & or ;, also percent-encoded (any number of times) and in URLs inside the URL.
[[nodiscard]] bool redact_url(std::string_view url, std::string& out);

// Foreign text that may hold URLs or name=value pairs: the same, and a value ends at white space or its closing quote.
[[nodiscard]] bool redact_text(std::string_view text, std::string& out);

// The tracer's own words, which may quote anything: the same, and `name: value` up to the end of the line, and home
// directories.
[[nodiscard]] bool redact_message(std::string_view message, std::string& out);

// A file name: /home/NAME anywhere in it, /root at its start.
[[nodiscard]] bool redact_path(std::string_view path, std::string& out);

// One argument of a command line; `previous` is the one before it, empty for the first. `--password=x`, `--token x`,
// `-p x`, `-px`, `-u user:x`, `NAME=x` with a secret name, `Header: x`, URLs, home directories.
[[nodiscard]] bool redact_argument(std::string_view previous, std::string_view argument, std::string& out);

// Is this the name of a parameter, variable or option that holds a secret?
[[nodiscard]] bool is_secret_name(std::string_view name);

enum class HeaderClass : std::uint8_t {
  plain,          // redact_text
  url,            // redact_url
  secret,         // nothing of it is shown
  authorization,  // the name of a known scheme is shown
  cookie,         // names are shown
  set_cookie,     // the name and the known attributes are shown
};
[[nodiscard]] HeaderClass classify_header(std::string_view name);
[[nodiscard]] bool redact_header(HeaderClass header, std::string_view value, std::string& out);

// Remembers the class of recently seen names: they repeat from record to record.
class HeaderClassMemo {
 public:
  [[nodiscard]] HeaderClass classify(std::string_view name);

 private:
  static constexpr std::size_t slot_count = 256;
  static constexpr std::size_t name_bytes_max = 30;  // longer names are classified each time
  struct Slot {
    std::array<char, name_bytes_max> name{};
    std::uint8_t size = 0;
    HeaderClass header{};
  };
  std::array<Slot, slot_count> slots_{};
};

}  // namespace tracer
