#include "backends/bpf/packed_image.h"

#include <zlib.h>

#include <cstdint>

namespace tracer {
namespace {

constexpr std::size_t head_bytes = 10, tail_bytes = 8;  // RFC 1952 §2.3
constexpr std::size_t unpacked_bytes_max = 16u << 20;   // no object comes near it
constexpr int gzip_window = 16 + MAX_WBITS;

bool is_packed(std::span<const unsigned char> image) {
  return image.size() > head_bytes + tail_bytes && image[0] == 0x1f && image[1] == 0x8b;
}

// ISIZE, the last four bytes.
std::size_t size_said(std::span<const unsigned char> image) {
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) size |= std::uint32_t{image[image.size() - 4 + i]} << (8 * i);
  return size;
}

}  // namespace

Result<std::vector<unsigned char>> unpack_image(std::span<const unsigned char> image) {
  if (!is_packed(image)) return std::vector<unsigned char>(image.begin(), image.end());
  const std::size_t size = size_said(image);
  if (size > unpacked_bytes_max) return fail(Errc::exhausted, "a BPF object file says that it is too large");
  std::vector<unsigned char> out(size);
  z_stream stream{};
  if (::inflateInit2(&stream, gzip_window) != Z_OK) return fail(Errc::exhausted, "no memory to inflate a BPF object");
  stream.next_in = const_cast<unsigned char*>(image.data());  // only read
  stream.avail_in = static_cast<uInt>(image.size());
  unsigned char nothing = 0;
  stream.next_out = out.empty() ? &nothing : out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = ::inflate(&stream, Z_FINISH);
  const bool whole = ended == Z_STREAM_END && stream.total_out == size;
  ::inflateEnd(&stream);
  if (!whole) return fail(Errc::malformed, "a BPF object file does not inflate");
  return out;
}

}  // namespace tracer
