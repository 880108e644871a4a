// Command lines and globs of any bytes: an answer, never a crash; what is refused comes with words and a suggestion.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cli/filters.h"
#include "cli/options.h"
#include "core/base/glob.h"

// One argument a line; the first line is also a glob for the second.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 512) return 0;
  std::vector<std::string> args(1);
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      args.emplace_back();
    } else {
      args.back() += static_cast<char>(data[i]);
    }
  }
  const auto options = tracer::cli::parse_options(args);
  if (!options && (options.error().context.empty() || options.error().suggestion.empty())) std::abort();
  if (args.size() > 1) (void)tracer::glob_match(args[0], args[1]);
  // Whatever the text is, `*` and the text itself with every byte escaped match it.
  std::string escaped;
  for (const char c : args[0]) escaped += std::string("\\") + c;
  if (!tracer::glob_match("*", args[0]) || !tracer::glob_match(escaped, args[0])) std::abort();
  return 0;
}
