// How much an inventory remembers. What finds no room is counted, never silently left out.
#pragma once

#include <cstddef>

namespace tracer {

struct InventoryLimits {
  std::size_t processes_max = 32'768;
  std::size_t libraries_max = 16'384;    // different files
  std::size_t files_max = 16'384;        // different files
  std::size_t handshakes_max = 8'192;    // kinds: see HandshakeItem
  std::size_t calls_max = 16'384;        // kinds: see CallItem
  std::size_t users_max = 1'024;         // processes remembered of one library, file, kind of handshake or call
  std::size_t assets_max = 16'384;       // found in files, all together
  std::size_t certificates_max = 4'096;  // of handshakes, all together
  std::size_t arguments_max = 64;        // of one command line
  std::size_t text_bytes_max = 4'096;    // of one path, name or argument
};

}  // namespace tracer
