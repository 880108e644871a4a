// Packets as bytes, made from their parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace tracer::test {

inline std::string u8(unsigned value) { return {static_cast<char>(value)}; }
inline std::string u16(unsigned value) { return u8(value >> 8U) + u8(value & 0xffU); }
inline std::string u32(std::uint32_t value) { return u16(value >> 16U) + u16(value & 0xffffU); }

struct TcpParts {
  unsigned source = 40'000, destination = 80;
  std::uint32_t seq = 0x0102'0304, ack = 0x0506'0708;
  unsigned flags = 0x10;
  std::string options = {};  // a multiple of four bytes
};
inline std::string tcp(std::string_view payload, const TcpParts& it = {}) {
  return u16(it.source) + u16(it.destination) + u32(it.seq) + u32(it.ack) +
         u8((5U + static_cast<unsigned>(it.options.size()) / 4U) << 4U) + u8(it.flags) + u16(512) + u16(0) + u16(0) +
         it.options + std::string(payload);
}
inline std::string udp(std::string_view payload, unsigned source, unsigned destination) {
  return u16(source) + u16(destination) + u16(8 + static_cast<unsigned>(payload.size())) + u16(0) +
         std::string(payload);
}

struct Ip4Parts {
  unsigned protocol = 6;
  unsigned id = 7;
  unsigned fragment = 0;  // flags and offset
  std::string options = {};
  int total = -1;  // -1: right
};
inline std::string ip4(std::string_view payload, const Ip4Parts& it = {}) {
  const unsigned header = 20 + static_cast<unsigned>(it.options.size());
  const unsigned total =
      it.total < 0 ? header + static_cast<unsigned>(payload.size()) : static_cast<unsigned>(it.total);
  return u8(0x40U | header / 4U) + u8(0) + u16(total & 0xffffU) + u16(it.id) + u16(it.fragment) + u8(64) +
         u8(it.protocol) + u16(0) + u32(0x0a00'0001) + u32(0x0a00'0002) + it.options + std::string(payload);
}
inline std::string ip6(std::string_view payload, unsigned next = 6, int length = -1) {
  std::string text = u32(0x6000'0000) +
                     u16(length < 0 ? static_cast<unsigned>(payload.size()) : static_cast<unsigned>(length)) +
                     u8(next) + u8(64);
  text += std::string("\xfd") + std::string(14, '\0') + u8(1);
  text += std::string("\xfd") + std::string(14, '\0') + u8(2);
  return text + std::string(payload);
}
inline std::string ethernet(std::string_view payload, unsigned type = 0x0800) {
  return std::string(12, '\x02') + u16(type) + std::string(payload);
}

}  // namespace tracer::test
