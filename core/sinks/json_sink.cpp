#include "core/sinks/json_sink.h"

#include <algorithm>

#include "core/records/address_text.h"
#include "core/records/fields_record.h"
#include "core/sinks/field_redactor.h"
#include "core/sinks/json_text.h"

namespace tracer {
namespace {

// `,"name":` as a constant, so that a key is one copy of known size.
template <FieldName name>
inline constexpr auto json_key = [] {
  constexpr std::size_t size = name.view().size();
  std::array<char, size + 4> key{};
  key[0] = ',';
  key[1] = '"';
  std::copy_n(name.text, size, key.begin() + 2);
  key[size + 2] = '"';
  key[size + 3] = ':';
  return key;
}();

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

// What stays from record to record.
struct Memory {
  FieldRedactor redactor;
  TimestampWriter timestamps;
  std::string prefix;   // dotted path of the object being written, with its dot
  std::string missing;  // names found missing while writing, as the inside of a JSON array
};

class ObjectWriter {
 public:
  ObjectWriter(LineBuffer& out, Memory& memory) : out_(out), memory_(memory) {}

  template <HasFields T>
  void fields(const T& object) {
    for_each_field(object, [this](const auto& each, const auto& value) { this->field(each, value); });
  }

  template <HasFields T>
  void object(const T& object) {
    const std::size_t start = out_.size();
    fields(object);
    close_object(start);
  }

  // `missing` and `inferred` at the end of a record.
  void names(const Record& record) {
    out_.put(",\"missing\":");
    std::size_t start = out_.size();
    out_.put(memory_.missing);
    for (const std::string_view name : record.missing)
      if (!found_missing(name)) name_item(name);
    close_list(start);
    out_.put(",\"inferred\":");
    start = out_.size();
    for (const std::string_view name : record.inferred) name_item(name);
    close_list(start);
  }

  // Members are written with a comma before each; when all are there, the first comma becomes the opening bracket.
  void close(std::size_t start, char open, char end) {
    if (out_.size() == start)
      out_.put(open);
    else
      out_.at(start) = open;
    out_.put(end);
  }
  void close_object(std::size_t start) { close(start, '{', '}'); }
  void close_list(std::size_t start) { close(start, '[', ']'); }

 private:
  template <FieldName name, Presence presence, Redaction redaction, typename Getter, typename Value>
  void field(const Field<name, presence, redaction, Getter>& each, const Value& value) {
    if constexpr (IsOptional<Value>::value) {
      static_assert(presence != Presence::always);
      if (value) return field(each, *value);
      if constexpr (presence == Presence::expected) note_missing(name.view());
    } else {
      const std::size_t start = out_.size();
      key<name>();
      if constexpr (std::same_as<Value, std::string_view>)
        text<name, redaction>(value);
      else if constexpr (std::same_as<Value, HeaderList>)
        headers(*value.message);
      else if constexpr (std::same_as<Value, double>)
        number(value, start, name.view());
      else if constexpr (HasFields<Value>)
        nested(name.view(), value);
      else if constexpr (std::same_as<Value, OwnedTextList>)
        texts(value.items, redaction);
      else
        this->value(value);
    }
  }

  template <FieldName name>
  void key() {
    constexpr auto& text = json_key<name>;
    std::memcpy(out_.reserve(text.size()), text.data(), text.size());
    out_.commit(text.size());
  }

  void key(std::string_view name) {
    out_.put(',');
    put_json_string(out_, name);
    out_.put(':');
  }

  template <FieldName name, Redaction redaction>
  void text(std::string_view raw) {
    const SafeText safe = memory_.redactor.field(redaction, raw);
    if (!safe.escape) return put_plain_json_string(out_, safe.text);
    if (put_json_string(out_, safe.text)) return;
    out_.put(",\"");
    out_.put(name.view());
    out_.put("_base64\":");
    put_base64(out_, safe.text);
  }

  // A number that JSON cannot write is not known.
  void number(double value, std::size_t start, std::string_view name) {
    if (out_.put_thousandths(value)) return;
    out_.truncate(start);
    note_missing(name);
  }

  template <HasFields T>
  void nested(std::string_view name, const T& value) {
    const std::size_t size = memory_.prefix.size();
    memory_.prefix.append(name).push_back('.');
    object(value);
    memory_.prefix.resize(size);
  }

  void headers(const HttpMessage& message) {
    const std::size_t start = out_.size();
    bool valid = true;
    for (const HttpHeader& header : message.headers) {
      const std::string_view name = message.view(header.name);
      const SafeText safe = memory_.redactor.header_value(name, message.view(header.value));
      if (!safe.escape && !scan_text(name).escape) {
        plain_header(name, safe.text);
        continue;
      }
      out_.put(",[");
      valid &= put_json_string(out_, name);
      out_.put(',');
      valid &= put_json_string(out_, safe.text);
      out_.put(']');
    }
    close_list(start);
    if (!valid) headers_base64(message);
  }

  void plain_header(std::string_view name, std::string_view value) {
    char* const start = out_.reserve(name.size() + value.size() + 8);
    char* to = start;
    const auto put = [&to](std::string_view text) {
      if (!text.empty()) std::memcpy(to, text.data(), text.size());
      to += text.size();
    };
    put(",[\"");
    put(name);
    put("\",\"");
    put(value);
    put("\"]");
    out_.commit(static_cast<std::size_t>(to - start));
  }

  // [[index, name, value], ...] of the headers that are not UTF-8.
  void headers_base64(const HttpMessage& message) {
    out_.put(",\"headers_base64\":");
    const std::size_t list = out_.size();
    for (std::size_t i = 0; i < message.headers.size(); ++i) {
      const std::string_view name = message.view(message.headers[i].name);
      const SafeText safe = memory_.redactor.header_value(name, message.view(message.headers[i].value));
      const std::size_t start = out_.size();
      const bool name_valid = put_json_string(out_, name), value_valid = put_json_string(out_, safe.text);
      out_.truncate(start);
      if (name_valid && value_valid) continue;
      out_.put(",[");
      out_.put_number(i);
      out_.put(',');
      put_base64(out_, name);
      out_.put(',');
      put_base64(out_, safe.text);
      out_.put(']');
    }
    close_list(list);
  }

  template <typename Range>
  void texts(const Range& items, Redaction redaction) {
    const std::size_t start = out_.size();
    std::string_view previous;
    for (const std::string_view item : items) {
      const SafeText safe = redaction == Redaction::argv ? memory_.redactor.argument(previous, item)
                                                         : memory_.redactor.field(redaction, item);
      out_.put(',');
      put_json_string(out_, safe.text);
      previous = item;
    }
    close_list(start);
  }

  void value(bool value) { out_.put(value ? std::string_view("true") : std::string_view("false")); }
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  void value(Number number) {
    out_.put_number(number);
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void value(Enum word) {
    put_plain_json_string(out_, to_string(word));
  }
  void value(WallTime time) { memory_.timestamps.put(out_, time); }
  void value(const AddressText& address) {
    char* const to = out_.reserve(address_text_max + 2);
    const std::size_t size = format_address(address.bytes, to + 1);
    to[0] = to[size + 1] = '"';
    out_.commit(size + 2);
  }
  void value(const TextList& list) { texts(list.items, Redaction::none); }

  void value(const CauseBytes& gaps) {
    const std::size_t start = out_.size();
    for (std::size_t i = 1; i < gap_cause_count; ++i) {  // not GapCause::none
      if ((*gaps.bytes)[i] == 0) continue;
      key(to_string(static_cast<GapCause>(i)));
      out_.put_number((*gaps.bytes)[i]);
    }
    close_object(start);
  }

  void value(const NamedCounts& list) {
    const std::size_t start = out_.size();
    for (const LossCount& count : list.counts) {
      key(count.cause);
      const std::size_t inner = out_.size();
      key<"events">();
      out_.put_number(count.events);
      key<"bytes">();
      out_.put_number(count.bytes);
      close_object(inner);
    }
    close_object(start);
  }

  void value(const BlindCounts& list) {
    const std::size_t start = out_.size();
    for (const BlindCount& count : list.counts) {
      key(count.what);
      const std::size_t inner = out_.size();
      const auto number_of = [&](std::string_view name, const std::optional<std::uint64_t>& number) {
        if (!number) return;
        key(name);
        out_.put_number(*number);
      };
      number_of("flows", count.flows);
      number_of("count", count.count);
      number_of("bytes", count.bytes);
      close_object(inner);
    }
    close_object(start);
  }

  template <HasFields T>
  void value(std::span<const T> items) {
    const std::size_t start = out_.size();
    for (const T& item : items) {
      out_.put(',');
      object(item);
    }
    close_list(start);
  }

  // The one shape of a plan, in which "no backend" is a null and not an absent key.
  void value(const Plan& plan) {
    const std::size_t start = out_.size();
    for (const FacetPlan& facet : plan.facets) {
      key(to_string(facet.facet));
      out_.put("{\"backend\":");
      name_or_null(facet.backend);
      key<"mechanism">();
      name_or_null(facet.mechanism);
      key<"missing">();
      texts(facet.missing, Redaction::none);
      key<"rejected">();
      value(std::span<const RejectedChoice>(facet.rejected));
      out_.put('}');
    }
    close_object(start);
  }

  template <typename Enum>
  void name_or_null(const std::optional<Enum>& word) {
    if (word)
      value(*word);
    else
      out_.put("null");
  }

  void name_item(std::string_view name) {
    out_.put(',');
    put_json_string(out_, name);
  }

  void note_missing(std::string_view name) {
    memory_.missing.append(",\"").append(memory_.prefix).append(name).push_back('"');
  }

  [[nodiscard]] bool found_missing(std::string_view name) const {
    const std::string_view found = memory_.missing;
    for (std::size_t at = found.find(name); at != std::string_view::npos; at = found.find(name, at + 1))
      if (at > 0 && found[at - 1] == '"' && at + name.size() < found.size() && found[at + name.size()] == '"')
        return true;
    return false;
  }

  LineBuffer& out_;
  Memory& memory_;
};

class JsonSink final : public Sink {
 public:
  explicit JsonSink(SinkOptions options)
      : run_id_(std::move(options.run_id)), memory_{FieldRedactor(options.redact), {}, {}, {}} {}

  void write(const Record& record, std::string& out) override {
    memory_.missing.clear();
    LineBuffer line(out);
    ObjectWriter writer(line, memory_);
    const std::size_t start = line.size();
    for_each_part(record, run_id_, [&](const auto& part) { writer.fields(part); });
    writer.names(record);
    writer.close_object(start);
    line.put('\n');
  }

 private:
  std::string run_id_;
  Memory memory_;
};

}  // namespace

std::unique_ptr<Sink> make_json_sink(SinkOptions options) { return std::make_unique<JsonSink>(std::move(options)); }

}  // namespace tracer
