// Which protocol is this? Decided by the first bytes that either side sends. Stateless; whoever asks holds the prefix.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
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
  std::string_view protocol;                  // static storage
  Match (*classify)(Bytes prefix) = nullptr;  // null: the router knows this protocol by itself
  // `client`: the side that sends requests, where it is known already. Null: it is named and left alone.
  std::function<std::unique_ptr<Analyzer>(AnalyzerHost&, std::optional<Side> client)> make;
  std::string_view records{};  // what its records are called where there are none yet; static storage
  bool partial = false;        // its records leave open what was asked for: the connection still counts as a blind spot
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
  [[nodiscard]] const std::vector<AnalyzerEntry>& analyzers() const { return analyzers_; }

 private:
  [[nodiscard]] const AnalyzerEntry* analyzer_of(std::string_view protocol) const;

  std::vector<AnalyzerEntry> analyzers_;
};

// What is looked for in each layer of a connection.
struct Routers {
  Routers(Router in_sockets, Router in_tls = Router({}))  // implicit: most know nothing of what is inside of TLS
      : socket(std::move(in_sockets)), plaintext(std::move(in_tls)) {}

  Router socket, plaintext;
  [[nodiscard]] const Router& of(Layer layer) const { return layer == Layer::socket ? socket : plaintext; }
};

// A TLS record, or a ClientHello in the format of SSL 2.0.
[[nodiscard]] Match looks_like_tls(Bytes prefix);

}  // namespace tracer
