#include "core/base/btf_ids.h"

#include <cstring>
#include <optional>
#include <string>

namespace tracer {
namespace {

constexpr std::uint16_t btf_magic = 0xeB9F;
constexpr std::uint32_t kind_function_prototype = 13;

// The format's structures, in the byte order of the kernel that made them, which is ours.
struct BtfHeader {
  std::uint16_t magic;
  std::uint8_t version;
  std::uint8_t flags;
  std::uint32_t header_bytes;
  std::uint32_t type_offset;  // this and the next three count from the end of the header
  std::uint32_t type_bytes;
  std::uint32_t string_offset;
  std::uint32_t string_bytes;
};
struct BtfType {
  std::uint32_t name_offset;
  std::uint32_t info;  // bits 0-15: number of members; bits 24-28: kind
  std::uint32_t size_or_type;
};

template <typename T>
bool read_at(Bytes bytes, std::size_t offset, T& out) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return true;
}

// How many bytes follow a type's fixed part, or -1 for a kind that is newer than this list.
std::int64_t tail_bytes(std::uint32_t kind, std::uint32_t members) {
  const std::int64_t count = members;
  switch (kind) {
    case 1:
      return 4;  // INT
    case 3:
      return 12;  // ARRAY
    case 4:
    case 5:
      return count * 12;  // STRUCT, UNION
    case 6:
      return count * 8;  // ENUM
    case kind_function_prototype:
      return count * 8;
    case 14:
    case 17:
      return 4;  // VAR, DECL_TAG
    case 15:
    case 19:
      return count * 12;  // DATASEC, ENUM64
    case 2:
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 16:
    case 18:
      return 0;
    default:
      return -1;
  }
}

// Whether the NUL-terminated string at `offset` is `name`.
bool name_is(Bytes strings, std::uint32_t offset, std::string_view name) {
  if (offset >= strings.size() || strings.size() - offset <= name.size()) return false;
  const std::string_view text = as_text(strings.subspan(offset, name.size() + 1));
  return text.substr(0, name.size()) == name && text.back() == '\0';
}

std::unexpected<Error> malformed(std::string what) {
  return fail(Errc::malformed, "type information: " + std::move(what));
}

struct Sections {
  Bytes types, strings;
};

Result<Sections> sections_of(Bytes image) {
  BtfHeader header{};
  if (!read_at(image, 0, header)) return malformed("shorter than its header");
  if (header.magic != btf_magic) return malformed("does not begin with the number 0xeB9F");
  const std::uint64_t types_begin = std::uint64_t{header.header_bytes} + header.type_offset;
  const std::uint64_t strings_begin = std::uint64_t{header.header_bytes} + header.string_offset;
  if (header.header_bytes < sizeof header || types_begin + header.type_bytes > image.size() ||
      strings_begin + header.string_bytes > image.size())
    return malformed("a section lies outside the file");
  return Sections{image.subspan(types_begin, header.type_bytes), image.subspan(strings_begin, header.string_bytes)};
}

std::uint32_t kind_of(const BtfType& type) { return (type.info >> 24) & 0x1f; }
std::uint32_t members_of(const BtfType& type) { return type.info & 0xffff; }

struct BtfMember {
  std::uint32_t name_offset;
  std::uint32_t type;
  std::uint32_t offset;
};

// Calls visit(id, type, tail) for one type after the other until it answers false. `tail` is what follows its fixed
// part.
template <typename Visit>
Result<void> walk(Bytes types, Visit visit) {
  std::size_t offset = 0;
  for (std::uint32_t id = 1; offset < types.size(); ++id) {
    BtfType type{};
    if (!read_at(types, offset, type)) return malformed("type " + std::to_string(id) + " is cut off");
    const std::int64_t tail = tail_bytes(kind_of(type), members_of(type));
    if (tail < 0)
      return malformed("type " + std::to_string(id) + " is of the unknown kind " + std::to_string(kind_of(type)));
    offset += sizeof type;
    if (types.size() - offset < static_cast<std::size_t>(tail))
      return malformed("type " + std::to_string(id) + " is cut off");
    const Bytes behind = types.subspan(offset, static_cast<std::size_t>(tail));
    offset += behind.size();
    if (!visit(id, type, behind)) return {};
  }
  return {};
}

}  // namespace

Result<void> find_btf_ids(Bytes image, std::span<BtfWanted> wanted) {
  const auto sections = sections_of(image);
  if (!sections) return std::unexpected(sections.error());
  std::size_t left = wanted.size();
  return walk(sections->types, [&](std::uint32_t id, const BtfType& type, Bytes) {
    for (BtfWanted& want : wanted) {
      if (want.id != 0 || static_cast<std::uint32_t>(want.kind) != kind_of(type)) continue;
      if (!name_is(sections->strings, type.name_offset, want.name)) continue;
      want.id = id;
      if (want.kind == BtfKind::function) want.prototype = type.size_or_type;
      --left;
    }
    return left > 0;
  });
}

Result<std::uint32_t> count_btf_parameters(Bytes image, std::uint32_t prototype) {
  const auto sections = sections_of(image);
  if (!sections) return std::unexpected(sections.error());
  std::optional<std::uint32_t> count;
  const auto walked = walk(sections->types, [&](std::uint32_t id, const BtfType& type, Bytes) {
    if (id != prototype) return true;
    if (kind_of(type) == kind_function_prototype) count = members_of(type);
    return false;
  });
  if (!walked) return std::unexpected(walked.error());
  if (!count) return malformed("type " + std::to_string(prototype) + " is no function prototype");
  return *count;
}

Result<std::uint32_t> find_btf_member(Bytes image, std::uint32_t structure, std::string_view member) {
  const auto sections = sections_of(image);
  if (!sections) return std::unexpected(sections.error());
  std::optional<std::uint32_t> found;
  const auto walked = walk(sections->types, [&](std::uint32_t id, const BtfType& type, Bytes tail) {
    if (id != structure) return true;
    if (kind_of(type) != static_cast<std::uint32_t>(BtfKind::structure)) return false;
    found = 0;
    BtfMember each{};
    for (std::size_t at = 0; read_at(tail, at, each); at += sizeof each)
      if (name_is(sections->strings, each.name_offset, member)) found = each.type;
    return false;
  });
  if (!walked) return std::unexpected(walked.error());
  if (!found) return malformed("type " + std::to_string(structure) + " is no structure");
  return *found;
}

}  // namespace tracer
