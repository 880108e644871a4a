// Parser of tracefs format files (events/CATEGORY/NAME/format), which say where the fields of a tracepoint's record
// lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

struct EventField {
  std::string name;
  std::uint32_t offset = 0;  // bytes from the start of the record
  std::uint32_t size = 0;    // bytes
};

struct EventFormat {
  std::vector<EventField> fields;
  [[nodiscard]] const EventField* find(std::string_view name) const;
};

// nullopt: not a format file. Lines that describe no field are passed over.
[[nodiscard]] std::optional<EventFormat> parse_event_format(std::string_view text);

}  // namespace tracer
