// The field table: what a record type says of itself, once, so that every output says the same.
//
// FieldTable<T>::fields is a constexpr tuple of Field, in output order. Name, presence and redaction class are part of
// a field's type, so that a visitor can build keys at compile time; the getter turns the struct into a value. Tables
// hold no format: a sink is a visitor (see for_each_field) with one overload per kind of value:
//
//   bool, integers, double, std::string_view (raw bytes as captured), WallTime, AddressText, enums with to_string,
//   TextList, HeaderList, CauseBytes, NamedCounts, BlindCounts, Plan, a struct with a FieldTable, std::span of such
//   structs, and std::optional of any of these.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/records/http_transaction.h"
#include "core/records/trace_records.h"

namespace tracer {

// What may have to be hidden in a value; core/records/redaction.h says how. The classes of HTTP fields are not
// knowledge of HTTP but of where people put secrets.
enum class Redaction : std::uint8_t {
  none,
  url,      // a request-target, URL reference or authority: user info, query, fragment and path parameters
  text,     // foreign words that may hold URLs or name=value
  message,  // the tracer's own words, which may quote anything: as text, and `name: value`, and file names
  path,     // a file name: home directories
  headers,  // a HeaderList: by name, and URLs in the others
  argv,     // the arguments of a command line, in order: by their names, URLs, home directories
};

// When a field is there. An absent field is left out; nothing is ever 0, "" or null in its place.
enum class Presence : std::uint8_t {
  always,
  expected,  // absent means that it was not seen: its name goes to `missing`
  optional,  // absent means that there is no such thing
};

// A string literal as a template argument.
template <std::size_t size_with_nul>
struct FieldName {
  char text[size_with_nul]{};
  constexpr FieldName(const char (&literal)[size_with_nul]) {  // implicit: field<"pid">
    for (std::size_t i = 0; i < size_with_nul; ++i) text[i] = literal[i];
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text, size_with_nul - 1}; }
};

template <FieldName field_name, Presence field_presence, Redaction field_redaction, typename Getter>
struct Field {
  static constexpr FieldName name = field_name;
  static constexpr Presence presence = field_presence;
  static constexpr Redaction redaction = field_redaction;
  Getter get;
};

template <FieldName name, Presence presence = Presence::always, Redaction redaction = Redaction::none, typename Getter>
[[nodiscard]] constexpr auto field(Getter get) {
  return Field<name, presence, redaction, Getter>{get};
}

template <typename T>
struct FieldTable;  // specialised beside each record type

template <typename T>
concept HasFields = requires { FieldTable<T>::fields; };

// Calls visitor(field, value) for every field of `object`, in table order.
template <HasFields T, typename Visitor>
constexpr void for_each_field(const T& object, Visitor&& visitor) {
  std::apply([&](const auto&... each) { (visitor(each, std::invoke(each.get, object)), ...); }, FieldTable<T>::fields);
}

// What a field yields, without std::optional and references.
template <typename Value>
struct ValueOf {
  using type = Value;
};
template <typename Value>
struct ValueOf<std::optional<Value>> {
  using type = Value;
};
template <typename F, typename T>
using FieldValue = typename ValueOf<
    std::remove_cvref_t<decltype(std::invoke(std::declval<const F&>().get, std::declval<const T&>()))>>::type;

// Values that need a name of their own because their shape in the output is not that of their C++ type.

struct AddressText {  // an address without its port; v4-mapped ones are IPv4
  std::array<std::uint8_t, 16> bytes{};
};

struct TextList {  // strings in static storage
  std::span<const std::string_view> items;
};

struct OwnedTextList {
  std::span<const std::string> items;
};

struct HeaderList {  // an array of [name, value]
  const HttpMessage* message = nullptr;
};

struct CauseBytes {  // an object: bytes by GapCause, those that are not zero
  const std::array<std::uint64_t, gap_cause_count>* bytes = nullptr;
};

struct NamedCounts {  // an object by LossCount::cause of {"events", "bytes"}
  std::span<const LossCount> counts;
};

struct BlindCounts {  // an object by BlindCount::what of what of it was counted
  std::span<const BlindCount> counts;
};

// Text of which "empty" means "not known" or "none".
[[nodiscard]] constexpr std::optional<std::string_view> unless_empty(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

[[nodiscard]] constexpr std::optional<std::string_view> optional_text(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace tracer
