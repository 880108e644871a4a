// A CycloneDX 1.6 document while it is being filled: each component once, whoever names it how often.
//
// A component is known by a key made of what it is (a fingerprint, a name, a path), and so is its bom-ref: two runs
// over the same machine give the same references. Redaction may make two keys look alike; the later one in the order of
// keys is numbered then.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/exporters/algorithms.h"
#include "core/exporters/json_value.h"

namespace tracer {

// How something is known; the names are those of the schema, which allows no others.
enum class Technique : std::uint8_t {
  instrumentation,   // a call of a function was seen
  dynamic_analysis,  // the wire, or what a process had mapped or opened
  binary_analysis,   // bytes of a file
  filename,
};

struct Occurrence {
  std::string location, symbol, context;  // location: never empty; the others may be
  auto operator<=>(const Occurrence&) const = default;
};

struct Component {
  std::string type = "cryptographic-asset";
  std::string name, version, description;
  Json crypto;                                           // cryptoProperties; null: none
  std::set<std::tuple<Technique, std::string>> methods;  // and the value that was found
  std::set<Occurrence> occurrences;
  bool occurrences_cut = false;
  std::set<std::pair<std::string, std::string>> properties;
  std::set<std::string> depends_on, provides;  // keys
};

class Bom {
 public:
  explicit Bom(bool redact) : maker_(redact) {}

  // "app:", a container (may be empty) and a path, in printable ASCII.
  [[nodiscard]] static std::string key(std::string_view kind, std::string_view container, std::string_view path);

  [[nodiscard]] Component& at(const std::string& key) { return components_[key]; }
  [[nodiscard]] bool has(const std::string& key) const { return components_.contains(key); }
  void prove(Component& component, Technique technique, std::string value);
  void occur(Component& component, Occurrence occurrence);
  // Adds it, and what it is made of; returns its key. Keys of algorithms are references too: nothing in them is
  // redacted.
  std::string add(const AlgorithmFacts& facts);

  [[nodiscard]] JsonMaker& maker() { return maker_; }
  // components, dependencies; `root`: the key of what the document is about, which is not among the components.
  void put(Json& document, const std::string& root);
  [[nodiscard]] std::string ref(const std::string& key) const;

 private:
  void make_refs();
  [[nodiscard]] Json component(const std::string& key, const Component& component);
  [[nodiscard]] Json evidence(const Component& component);

  JsonMaker maker_;
  std::map<std::string, Component> components_;
  std::map<std::string, std::string> refs_;  // by key
};

}  // namespace tracer
