// Whatever the image holds: no read outside it, an end, and no id of a type that could not be in it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/btf_ids.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of the exact size, so that the sanitizer sees the first byte past it.
  std::vector<std::byte> image(size);
  for (std::size_t i = 0; i < size; ++i) image[i] = std::byte{data[i]};
  // A valid beginning, most of the time: otherwise the fuzzer spends its time guessing the magic number.
  if (size >= 8 && (data[size - 1] & 1) != 0) {
    image[0] = std::byte{0x9f};
    image[1] = std::byte{0xeb};
    image[4] = std::byte{24};
    image[5] = image[6] = image[7] = std::byte{0};
  }
  std::array wanted{tracer::BtfWanted{tracer::BtfKind::type_definition, "a"},
                    tracer::BtfWanted{tracer::BtfKind::function, "bc"}};
  (void)tracer::find_btf_ids(image, wanted);
  constexpr std::size_t smallest_type_bytes = 12;
  for (const tracer::BtfWanted& want : wanted) {
    if (want.id > size / smallest_type_bytes) std::abort();
    const auto parameters = tracer::count_btf_parameters(image, want.prototype);
    constexpr std::size_t parameter_bytes = 8;
    if (parameters && *parameters > size / parameter_bytes) std::abort();
    (void)tracer::find_btf_member(image, want.id, "a");
  }
  return 0;
}
