// Parts that profile and snapshot have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exporters/json_value.h"
#include "core/inventory/inventory.h"

namespace tracer {

// What stands between a document and everything that there was to tell; nothing: it is complete.
[[nodiscard]] std::vector<std::string_view> shortcomings(const Inventory& inventory, const DocumentOptions& options);

// Indexes of processes() in the order of their numbers.
[[nodiscard]] std::vector<std::uint32_t> by_number(const Inventory& inventory);

// Of the whole run.
[[nodiscard]] double duration_ms(const Inventory& inventory);

// The arguments as one line, each quoted for a shell where it would need it.
[[nodiscard]] std::string command_line(const std::vector<std::string>& arguments);

class DocumentParts {
 public:
  DocumentParts(const Inventory& inventory, const DocumentOptions& options)
      : inventory_(inventory), options_(options), maker_(options.sink.redact) {}

  [[nodiscard]] JsonMaker& maker() { return maker_; }

  // tool, generated_at, hostname, kernel
  void put_heading(Json& document);
  // complete, incomplete_reasons, and all that explains them
  void put_accounts(Json& document);

  [[nodiscard]] Json library(const LibraryItem& item);
  [[nodiscard]] Json file(const FileItem& item);
  [[nodiscard]] Json handshake(const HandshakeItem& item);
  [[nodiscard]] Json call(const CallItem& item);
  [[nodiscard]] Json certificates();

  // Who used it: `pids` of processes that have one, and where one has none in the tracer's pid namespace `host_pids`.
  void put_users(Json& object, const Sightings& seen);
  void put_times(Json& object, const Sightings& seen, std::string_view first, std::string_view last);
  // evidence, observed_by, missing, inferred
  void put_grounds(Json& object, const Sightings& seen);

 private:
  const Inventory& inventory_;
  const DocumentOptions& options_;
  JsonMaker maker_;
};

}  // namespace tracer
