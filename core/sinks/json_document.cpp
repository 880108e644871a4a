#include "core/sinks/json_document.h"

#include "core/sinks/json_sink.h"

namespace tracer {
namespace {

void put_line_start(std::string& out, unsigned depth) {
  out.push_back('\n');
  out.append(2 * static_cast<std::size_t>(depth), ' ');
}

// The end of the string whose opening quote is at `at`: one past its closing quote.
std::size_t end_of_string(std::string_view json, std::size_t at) {
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\')
      ++at;
    else if (json[at] == '"')
      return at + 1;
  }
  return json.size();
}

class JsonArraySink final : public Sink {
 public:
  JsonArraySink(SinkOptions options, bool pretty) : lines_(make_json_sink(std::move(options))), pretty_(pretty) {}

  void write(const Record& record, std::string& out) override {
    line_.clear();
    lines_->write(record, line_);
    if (!line_.empty()) line_.pop_back();  // its line end
    out.append(empty_ ? "[\n" : ",\n");
    empty_ = false;
    if (pretty_) {
      out.append("  ");
      put_indented_json(line_, 1, out);
    } else {
      out.append(line_);
    }
  }

  void finish(std::string& out) override { out.append(empty_ ? "[]\n" : "\n]\n"); }

 private:
  std::unique_ptr<Sink> lines_;
  std::string line_;  // reused
  bool pretty_;
  bool empty_ = true;
};

}  // namespace

void put_indented_json(std::string_view json, unsigned depth, std::string& out) {
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const std::size_t end = end_of_string(json, at);
      out.append(json.substr(at, end - at));
      at = end;
      continue;
    }
    const bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    if (opens && at + 1 < json.size() && (json[at + 1] == '}' || json[at + 1] == ']')) {
      out.append(json.substr(at, 2));
      at += 2;
      continue;
    }
    if (closes) put_line_start(out, depth > 0 ? --depth : 0);
    out.push_back(c);
    if (opens) put_line_start(out, ++depth);
    if (c == ',') put_line_start(out, depth);
    if (c == ':') out.push_back(' ');
    ++at;
  }
}

std::unique_ptr<Sink> make_json_array_sink(SinkOptions options) {
  return std::make_unique<JsonArraySink>(std::move(options), false);
}
std::unique_ptr<Sink> make_json_pretty_sink(SinkOptions options) {
  return std::make_unique<JsonArraySink>(std::move(options), true);
}

}  // namespace tracer
