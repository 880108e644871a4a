#include "core/exporters/json_value.h"

#include "core/records/address_text.h"
#include "core/sinks/json_document.h"
#include "core/sinks/json_text.h"
#include "core/sinks/utf8.h"

namespace tracer {
namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (!c.valid) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

std::string unquoted(std::string text) { return text.substr(1, text.size() - 2); }

void put_value(LineBuffer& out, const Json& value) {
  if (value.is_object() || value.is_array()) {
    bool first = true;
    out.put(value.is_object() ? '{' : '[');
    for (auto each = value.begin(); each != value.end(); ++each) {
      if (!first) out.put(',');
      first = false;
      if (value.is_object()) {
        put_json_string(out, each.key());
        out.put(':');
      }
      put_value(out, *each);
    }
    out.put(value.is_object() ? '}' : ']');
  } else if (value.is_string()) {
    put_json_string(out, value.get_ref<const std::string&>());
  } else {
    out.put(value.dump());  // a number, true, false or null
  }
}

Json counted(const LossCount& row) { return {{"events", row.events}, {"bytes", row.bytes}}; }

}  // namespace

std::string time_text(WallTime time) {
  std::string text;
  {
    LineBuffer out(text);
    TimestampWriter().put(out, time);
  }
  return unquoted(std::move(text));
}

std::string short_time_text(WallTime time) {
  std::string text = time_text(time);
  constexpr std::string_view nothing = ".000000Z";
  if (text.ends_with(nothing)) text.replace(text.size() - nothing.size(), nothing.size(), "Z");
  return text;
}

std::string address_text(const std::array<std::uint8_t, 16>& address) {
  std::array<char, address_text_max> text{};
  return {text.data(), format_address(address, text.data())};
}

void put_document(const Json& document, DocumentLayout layout, std::string& out) {
  std::string line;
  {
    LineBuffer buffer(line);
    put_value(buffer, document);
  }
  if (layout == DocumentLayout::line) {
    out.append(line);
  } else if (layout == DocumentLayout::pretty) {
    put_indented_json(line, 0, out);
  } else {
    out.append("[\n  ");
    put_indented_json(line, 1, out);
    out.append("\n]");
  }
  out.push_back('\n');
}

Json json_of(std::span<const LossCount> counts) {
  Json object = Json::object();
  for (const LossCount& row : counts) object[std::string(row.cause)] = counted(row);
  return object;
}

Json json_of(std::span<const BlindCount> counts) {
  Json object = Json::object();
  for (const BlindCount& row : counts) {
    Json& to = object[std::string(row.what)] = Json::object();
    if (row.flows) to["flows"] = *row.flows;
    if (row.count) to["count"] = *row.count;
    if (row.bytes) to["bytes"] = *row.bytes;
  }
  return object;
}

void JsonMaker::put(Json& object, std::string_view key, std::string_view raw, Redaction redaction) {
  std::string text = safe(redaction, raw);
  std::string bytes;
  if (!is_utf8(text)) {
    LineBuffer out(bytes);
    put_base64(out, text);
  }
  object[std::string(key)] = std::move(text);
  if (!bytes.empty()) object[std::string(key) + "_base64"] = unquoted(std::move(bytes));
}

std::vector<std::string> JsonMaker::safe_arguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> list;
  std::string_view previous;
  for (const std::string& argument : arguments) {
    list.emplace_back(redactor_.argument(previous, argument).text);
    previous = argument;
  }
  return list;
}

Json JsonMaker::plan(const Plan& plan) {
  Json object = Json::object();
  for (const FacetPlan& facet : plan.facets) {
    Json& to = object[std::string(to_string(facet.facet))] = Json::object();
    to["backend"] = facet.backend ? Json(to_string(*facet.backend)) : Json(nullptr);
    to["mechanism"] = facet.mechanism ? Json(to_string(*facet.mechanism)) : Json(nullptr);
    to["missing"] = json_list(facet.missing);
    to["rejected"] = objects(facet.rejected);
  }
  return object;
}

}  // namespace tracer
