// Where nothing is known of any process: /proc cannot be read, or the input is a file.
#pragma once

#include "core/ownership.h"

namespace tracer::cli {

class NoOwnership final : public Ownership {
 public:
  std::optional<ProcessFacts> process(std::uint32_t) override { return std::nullopt; }
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {FdKind::unreadable, {}}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
};

}  // namespace tracer::cli
