// Textual encodings: blocks lie in the text, in order, and base64 is decoded within its bounds.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/analyzers/crypto/pem.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto inside = [&](std::string_view part) {
    return part.empty() || (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size());
  };
  PemReader reader(text);
  const char* last = text.data();
  std::size_t blocks = 0;
  while (const auto block = reader.next()) {
    require(inside(block->label) && inside(block->body) && inside(block->dek_info));
    require(!block->label.empty() && block->label.size() <= 64 && block->label.data() > last);
    require(block->body.find("-----") == std::string_view::npos);
    last = block->label.data();
    require(++blocks <= size / 10);
    (void)decode_base64(block->body);
  }
  const auto whole = decode_base64(text);
  if (whole) {
    require(whole->view().size() <= size / 4 * 3 + 3);
    const auto part = decode_base64(text, 5);
    require(part && part->view().size() == std::min<std::size_t>(whole->view().size(), 5));
    require(std::ranges::equal(part->view(), whole->view().first(part->view().size())));
  }
  return 0;
}
