#include "tests/unit/bpf_limits/map_types.h"

#include <elf.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "backends/bpf/packed_image.h"

namespace tracer {
namespace {

// The kinds of BTF types that lead from a map's name to its type, which is the length of an array that nobody has.
enum Kind : std::uint32_t {
  integer = 1,
  pointer,
  array,
  structure,
  union_,
  enumeration,
  prototype = 13,
  variable,
  section,
  tag = 17,
  enumeration64 = 19
};

template <typename T>
T read_at(std::span<const unsigned char> bytes, std::size_t at) {
  T value{};
  if (at <= bytes.size() && bytes.size() - at >= sizeof(value)) std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

std::span<const unsigned char> section_of(std::span<const unsigned char> image, std::string_view wanted) {
  const auto file = read_at<Elf64_Ehdr>(image, 0);
  if (std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0) return {};
  const auto header = [&](std::size_t i) { return read_at<Elf64_Shdr>(image, file.e_shoff + i * sizeof(Elf64_Shdr)); };
  const std::size_t names = header(file.e_shstrndx).sh_offset;
  for (std::size_t i = 0; i < file.e_shnum; ++i) {
    const Elf64_Shdr each = header(i);
    if (wanted == reinterpret_cast<const char*>(image.data() + names + each.sh_name))
      return image.subspan(each.sh_offset, each.sh_size);
  }
  return {};
}

struct Type {
  std::uint32_t name = 0, kind = 0, count = 0, other = 0;
  std::size_t tail = 0;  // where what follows it begins
};

std::size_t tail_bytes(const Type& type) {
  switch (type.kind) {
    case integer:
    case variable:
    case tag:
      return 4;
    case array:
      return 12;
    case structure:
    case union_:
    case section:
    case enumeration64:
      return std::size_t{12} * type.count;
    case enumeration:
    case prototype:
      return std::size_t{8} * type.count;
    default:
      return 0;
  }
}

}  // namespace

std::map<std::string, std::uint32_t> map_types(std::span<const unsigned char> packed) {
  const auto unpacked = unpack_image(packed);
  if (!unpacked) return {};
  const std::span<const unsigned char> image = *unpacked;
  const std::span<const unsigned char> btf = section_of(image, ".BTF");
  const auto word = [&](std::size_t at) { return read_at<std::uint32_t>(btf, at); };
  const std::size_t head = word(4), begin = head + word(8), end = begin + word(12), strings = head + word(16);
  const auto text = [&](std::uint32_t at) { return reinterpret_cast<const char*>(btf.data() + strings + at); };
  std::vector<Type> types(1);  // 0 is void
  for (std::size_t at = begin; at < end;) {
    const std::uint32_t info = word(at + 4);
    types.push_back({word(at), info >> 24U & 0x1f, info & 0xffff, word(at + 8), at + 12});
    at = types.back().tail + tail_bytes(types.back());
  }
  std::map<std::string, std::uint32_t> found;
  for (const Type& maps : types) {
    if (maps.kind != section || std::string_view(".maps") != text(maps.name)) continue;
    for (std::uint32_t i = 0; i < maps.count; ++i) {
      const Type& map = types.at(word(maps.tail + std::size_t{12} * i));
      const Type& fields = types.at(map.other);
      for (std::uint32_t field = 0; field < fields.count; ++field) {
        const std::size_t member = fields.tail + std::size_t{12} * field;
        if (std::string_view("type") == text(word(member)))
          found[text(map.name)] = word(types.at(types.at(word(member + 4)).other).tail + 8);
      }
    }
  }
  return found;
}

}  // namespace tracer
