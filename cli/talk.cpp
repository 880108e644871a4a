#include "cli/talk.h"

#include <unistd.h>

#include <string>

namespace tracer::cli {
namespace {

// Reasons may quote what the kernel or another process said.
std::string printable(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    safe += (byte < 0x20 && c != '\n') || byte == 0x7f ? '?' : c;
  }
  return safe;
}

}  // namespace

void Talk::say(std::string_view line) const {
  const std::string text = printable(line) + "\n";
  // Nobody can be told that standard error is gone.
  [[maybe_unused]] const ssize_t written = ::write(fd_, text.data(), text.size());
}

void Talk::error(const Error& error) const {
  say("tracer: " + error.context);
  if (!error.suggestion.empty()) say("  try: " + error.suggestion);
}

}  // namespace tracer::cli
