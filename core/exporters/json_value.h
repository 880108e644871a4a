// The tree of a document before it is written, and how records' values become parts of it: as in the stream, by the
// same field tables and redaction.
#pragma once

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/exporters/documents.h"
#include "core/records/fields_record.h"
#include "core/sinks/field_redactor.h"

namespace tracer {

// Members keep the order in which they were added. Strings are raw bytes; put_document() makes them JSON.
using Json = nlohmann::ordered_json;

// RFC 3339 in UTC with microseconds.
[[nodiscard]] std::string time_text(WallTime time);
// The same without a fraction of zero.
[[nodiscard]] std::string short_time_text(WallTime time);
[[nodiscard]] std::string address_text(const std::array<std::uint8_t, 16>& address);

// Bytes that are not UTF-8 become U+FFFD, and what a terminal would act on is written \uXXXX.
void put_document(const Json& document, DocumentLayout layout, std::string& out);

[[nodiscard]] Json json_of(std::span<const LossCount> counts);
[[nodiscard]] Json json_of(std::span<const BlindCount> counts);

template <typename Range>
[[nodiscard]] Json json_list(const Range& texts) {
  Json list = Json::array();
  for (const std::string_view text : texts) list.push_back(text);
  return list;
}

class JsonMaker {
 public:
  explicit JsonMaker(bool redact) : redactor_(redact) {}

  // Raw bytes, without what must not be shown.
  [[nodiscard]] std::string safe(Redaction redaction, std::string_view raw) {
    return std::string(redactor_.field(redaction, raw).text);
  }
  // Bytes that are not UTF-8 are in KEY_base64 too.
  void put(Json& object, std::string_view key, std::string_view raw, Redaction redaction = Redaction::none);
  void put_unless_empty(Json& object, std::string_view key, std::string_view raw,
                        Redaction redaction = Redaction::none) {
    if (!raw.empty()) put(object, key, raw, redaction);
  }
  template <typename Value>
  void put_if(Json& object, std::string_view key, const std::optional<Value>& value) {
    if (value) object[std::string(key)] = *value;
  }
  void put_if(Json& object, std::string_view key, const std::optional<std::string>& text) {
    if (text) put(object, key, *text);
  }
  [[nodiscard]] std::vector<std::string> safe_arguments(const std::vector<std::string>& arguments);
  [[nodiscard]] Json plan(const Plan& plan);

  template <HasFields T>
  [[nodiscard]] Json object(const T& value) {
    Json result = Json::object();
    for_each_field(value, [&](const auto& each, const auto& member) { field(result, each, member); });
    return result;
  }
  template <typename T>
  [[nodiscard]] Json objects(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(object(value));
    return list;
  }

 private:
  template <FieldName name, Presence presence, Redaction redaction, typename Getter, typename Value>
  void field(Json& to, const Field<name, presence, redaction, Getter>& each, const Value& value) {
    const std::string key(name.view());
    if constexpr (requires { value.has_value(); }) {
      if (value) field(to, each, *value);
    } else if constexpr (std::same_as<Value, std::string_view>) {
      put(to, key, value, redaction);
    } else if constexpr (std::same_as<Value, WallTime>) {
      to[key] = time_text(value);
    } else if constexpr (std::is_enum_v<Value>) {
      to[key] = to_string(value);
    } else if constexpr (std::is_arithmetic_v<Value>) {
      to[key] = value;
    } else if constexpr (requires { value.items; }) {
      Json& list = to[key] = Json::array();
      for (const std::string_view item : value.items) list.push_back(safe(redaction, item));
    } else if constexpr (HasFields<Value>) {
      to[key] = object(value);
    } else {
      static_assert(HasFields<typename Value::value_type>);
      Json& list = to[key] = Json::array();
      for (const auto& item : value) list.push_back(object(item));
    }
  }

  FieldRedactor redactor_;
};

}  // namespace tracer
