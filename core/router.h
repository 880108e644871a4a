// Which protocol is this? Decided by the first bytes that either side sends. Stateless; whoever asks holds the prefix.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/analyzer.h"
#include "core/base/bytes.h"

namespace tracer {

enum class Match : std::uint8_t {
  no,
  maybe,  // more bytes are needed
  yes,
};

// One protocol that can be analyzed. Given by the composition root, so that the core knows no analyzer.
struct AnalyzerEntry {
  std::string_view protocol;  // static storage
  Match (*classify)(Bytes prefix) = nullptr;
  // `client`: the side that sends requests, where it is known already.
  std::function<std::unique_ptr<Analyzer>(AnalyzerHost&, std::optional<Side> client)> make;
};

struct Guess {
  Match match = Match::no;                  // no: none of the protocols we can name
  std::string_view protocol;                // when yes
  const AnalyzerEntry* analyzer = nullptr;  // when yes; nullptr: named, but nothing parses it
};

class Router {
 public:
  explicit Router(std::vector<AnalyzerEntry> analyzers) : analyzers_(std::move(analyzers)) {}
  // `prefix`: the first bytes of one side's stream.
  [[nodiscard]] Guess guess(Bytes prefix) const;

 private:
  std::vector<AnalyzerEntry> analyzers_;
};

[[nodiscard]] Match looks_like_tls(Bytes prefix);

}  // namespace tracer
