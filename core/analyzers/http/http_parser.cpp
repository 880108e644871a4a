// One pass over the head records where everything is; then the whole head is copied once into the message's arena, so
// that a slice is its distance from the start line. Folded values are the exception: they are closed up in the arena.
#include "core/analyzers/http/http_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace tracer {

namespace {

constexpr std::array<bool, 256> token_characters = [] {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool is_token(char c) { return token_characters[static_cast<unsigned char>(c)]; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_lower(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (lower(text[i]) != lower_case[i]) return false;
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Calls `visit` with each element of a comma-separated list, without whitespace; empty elements too.
template <typename Visit>
void for_each_element(std::string_view list, Visit visit) {
  while (true) {
    const std::size_t comma = list.find(',');
    visit(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

TextSlice slice_of(const char* base, const char* from, const char* to) {
  return {static_cast<std::uint32_t>(from - base), static_cast<std::uint32_t>(to - from)};
}

// First byte below 0x20 or equal to 0x7f at or behind `p`, eight bytes at a time.
const char* find_control(const char* p, const char* end) {
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  constexpr std::uint64_t high = 0x8080808080808080ULL;
  while (end - p >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    const std::uint64_t below_space = (word - ones * 0x20) & ~word;
    const std::uint64_t deleted = word ^ (ones * 0x7f);
    // May also mark a byte behind a true hit, so the exact place is found below.
    if (((below_space | ((deleted - ones) & ~deleted)) & high) != 0) break;
    p += 8;
  }
  while (p < end && !is_control(*p)) ++p;
  return p;
}

enum class Scan : std::uint8_t { ok, need_more, invalid };

// A position in the head and what is wrong with it so far.
struct Cursor {
  const char* p;
  const char* end;
  HttpAnomalySet anomalies;
  std::string_view reason;

  Scan fail(std::string_view why) {
    reason = why;
    return Scan::invalid;
  }
  // Moves behind the end of the line; `text_end` is where its content ends.
  Scan line_end(const char*& text_end) {
    while (true) {
      p = find_control(p, end);
      if (p == end) return Scan::need_more;
      if (*p == '\n') {
        anomalies.add(HttpAnomaly::bare_lf);
        text_end = p++;
        return Scan::ok;
      }
      if (*p == '\r') {
        if (p + 1 == end) return Scan::need_more;
        if (p[1] == '\n') {
          text_end = p;
          p += 2;
          return Scan::ok;
        }
        anomalies.add(HttpAnomaly::bare_cr);
      } else if (*p != '\t') {
        anomalies.add(HttpAnomaly::control_character);
      }
      ++p;
    }
  }
  // "HTTP/1." DIGIT
  Scan version(HttpMessage& out, HeadFacts& facts, const char* base) {
    constexpr std::string_view prefix = "HTTP/";
    const std::size_t available = std::min<std::size_t>(static_cast<std::size_t>(end - p), prefix.size());
    if (std::string_view(p, available) != prefix.substr(0, available)) return fail("invalid_version");
    if (end - p < 8) return Scan::need_more;
    if (!is_digit(p[5]) || p[6] != '.' || !is_digit(p[7])) return fail("invalid_version");
    if (p[5] != '1') return fail("unsupported_version");
    out.version = slice_of(base, p, p + 8);
    facts.version_minor = static_cast<std::uint8_t>(p[7] - '0');
    p += 8;
    return Scan::ok;
  }
};

// Also the place where a "simple request" (HTTP/0.9) is told by name and HTTP/2 is recognised.
Scan scan_request_line(Cursor& at, HttpMessage& out, HeadFacts& facts) {
  const char* const base = at.p;
  while (at.p < at.end && is_token(*at.p)) ++at.p;
  if (at.p == at.end) return Scan::need_more;
  if (*at.p != ' ' || at.p == base) return at.fail("invalid_method");
  out.method = slice_of(base, base, at.p);
  const std::string_view method(base, static_cast<std::size_t>(at.p - base));
  if (method == "HEAD") facts.method = RequestMethod::head;
  if (method == "CONNECT") facts.method = RequestMethod::connect;

  const char* const target = ++at.p;
  while (true) {  // ends at the first space; what else is no visible character is kept and flagged
    while (at.p < at.end && static_cast<unsigned char>(*at.p) > ' ' && *at.p != 0x7f) ++at.p;
    if (at.p == at.end) return Scan::need_more;
    if (*at.p == ' ') break;
    if (*at.p == '\r' && at.p + 1 == at.end) return Scan::need_more;
    if (*at.p == '\n' || *at.p == '\r') {
      out.url = slice_of(base, target, at.p);
      return at.fail(method == "GET" && at.p > target ? "http_0.9_not_supported" : "invalid_request_line");
    }
    at.anomalies.add(HttpAnomaly::control_character);
    ++at.p;
  }
  if (at.p == target) return at.fail("invalid_request_line");
  out.url = slice_of(base, target, at.p);
  ++at.p;

  if (const Scan scan = at.version(out, facts, base); scan != Scan::ok) {
    constexpr std::string_view preface = "PRI * HTTP/2.0";
    if (scan == Scan::invalid && std::string_view(base, static_cast<std::size_t>(at.end - base)).starts_with(preface))
      at.reason = http2_preface_reason;
    return scan;
  }
  if (at.p == at.end || (*at.p == '\r' && at.p + 1 == at.end)) return Scan::need_more;
  const bool line_ends = *at.p == '\n' || (*at.p == '\r' && at.p[1] == '\n');
  const char* text_end = nullptr;
  return line_ends ? at.line_end(text_end) : at.fail("invalid_request_line");
}

Scan scan_status_line(Cursor& at, HttpMessage& out, HeadFacts& facts) {
  const char* const base = at.p;
  if (const Scan scan = at.version(out, facts, base); scan != Scan::ok) return scan;
  if (at.p < at.end && *at.p != ' ') return at.fail("invalid_status_line");
  const std::ptrdiff_t available = at.end - at.p;
  for (std::ptrdiff_t i = 1; i < 4 && i < available; ++i)
    if (!is_digit(at.p[i])) return at.fail("invalid_status_line");
  if (available < 5) return Scan::need_more;
  const unsigned status = static_cast<unsigned>(at.p[1] - '0') * 100 + static_cast<unsigned>(at.p[2] - '0') * 10 +
                          static_cast<unsigned>(at.p[3] - '0');
  if (status < 100) return at.fail("invalid_status_line");
  at.p += 4;
  // The space behind the status code is often forgotten where there is no text.
  if (*at.p != ' ' && *at.p != '\r' && *at.p != '\n') return at.fail("invalid_status_line");
  if (*at.p == ' ') ++at.p;
  const char* const text = at.p;
  const char* text_end = nullptr;
  if (const Scan scan = at.line_end(text_end); scan != Scan::ok) return scan;
  out.status_text = slice_of(base, text, text_end);
  out.status_code = facts.status_code = static_cast<std::uint16_t>(status);
  return Scan::ok;
}

// Header lines up to and with the empty line. Values of folded fields span lines; `folded` says that there are any.
Scan scan_headers(Cursor& at, const char* base, const HttpLimits& limits, HttpMessage& out, HeadFacts& facts,
                  bool& folded) {
  while (true) {
    if (at.p == at.end) return Scan::need_more;
    const char* text_end = nullptr;
    if (*at.p == '\r' || *at.p == '\n') {
      if (*at.p == '\r' && at.p + 1 < at.end && at.p[1] != '\n') return at.fail("invalid_header");
      return at.line_end(text_end);
    }
    const char* const name = at.p;
    if (is_blank(*name) && out.headers.empty()) return at.fail("whitespace_before_headers");
    while (at.p < at.end && is_token(*at.p)) ++at.p;
    const char* const name_end = at.p;
    while (at.p < at.end && is_blank(*at.p)) ++at.p;
    if (at.p == at.end) return Scan::need_more;
    if (*at.p != ':' || name_end == name) return at.fail("invalid_header");
    if (at.p != name_end) {
      at.anomalies.add(HttpAnomaly::space_before_colon);
      const std::string_view damaged(name, static_cast<std::size_t>(name_end - name));
      if (equals_lower(damaged, "content-length") || equals_lower(damaged, "transfer-encoding"))
        facts.framing_field_damaged = true;
    }
    const char* value = ++at.p;
    while (value < at.end && is_blank(*value)) ++value;
    at.p = value;
    do {  // once per line of the value
      if (const Scan scan = at.line_end(text_end); scan != Scan::ok) return scan;
      if (at.p == at.end) return Scan::need_more;
      if (is_blank(*at.p)) {
        folded = true;
        at.anomalies.add(HttpAnomaly::obs_fold);
      }
    } while (is_blank(*at.p));
    while (text_end > value && is_blank(text_end[-1])) --text_end;
    if (out.headers.size() == limits.headers_max) return at.fail(head_too_large_reason);
    out.headers.push_back({slice_of(base, name, name_end), slice_of(base, value, text_end)});
  }
}

// Replaces every line end with the whitespace around it by one space, in place (RFC 9112 section 5.2).
void unfold(std::string& text, TextSlice& value) {
  char* const begin = text.data() + value.at;
  const char* const end = begin + value.size;
  char* out = begin;
  for (const char* in = begin; in < end;) {
    // Every LF inside a value is a fold: line_end() ends a line at each.
    const char* const line_feed = static_cast<const char*>(std::memchr(in, '\n', static_cast<std::size_t>(end - in)));
    const char* line_stop = line_feed != nullptr ? line_feed : end;
    const char* const next = line_feed != nullptr ? line_feed + 1 : end;
    if (line_feed != nullptr && line_stop > in && line_stop[-1] == '\r') --line_stop;
    while (in < line_stop && is_blank(*in)) ++in;
    while (line_stop > in && is_blank(line_stop[-1])) --line_stop;
    if (out != begin && line_stop > in) *out++ = ' ';
    const auto size = static_cast<std::size_t>(line_stop - in);
    std::memmove(out, in, size);
    out += size;
    in = next;
  }
  value.size = static_cast<std::uint32_t>(out - begin);
}

void note_content_length(std::string_view value, HeadFacts& facts) {
  for_each_element(value, [&](std::string_view element) {
    std::uint64_t length = 0;
    bool valid = !element.empty();
    for (const char c : element) {
      valid = valid && is_digit(c) && length <= (std::numeric_limits<std::int64_t>::max() / 2 - 9) / 10;
      if (!valid) break;
      length = length * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (!valid) {
      facts.length = HeadFacts::Length::invalid;
    } else if (facts.length == HeadFacts::Length::absent) {
      facts.length = HeadFacts::Length::valid;
      facts.content_length = length;
    } else if (facts.length == HeadFacts::Length::valid) {
      facts.anomalies.add(HttpAnomaly::repeated_content_length);
      if (facts.content_length != length) facts.length = HeadFacts::Length::conflicting;
    }
  });
}

// Fields that decide where the message ends or what follows it; the name's length selects the candidate.
void note_field(std::string_view name, std::string_view value, HeadFacts& facts) {
  switch (name.size()) {
    case 6:
      if (equals_lower(name, "expect"))
        for_each_element(value, [&](std::string_view e) { facts.expects_continue |= equals_lower(e, "100-continue"); });
      break;
    case 7:
      if (equals_lower(name, "upgrade")) facts.upgrade = true;
      break;
    case 10:
      if (equals_lower(name, "connection"))
        for_each_element(value, [&](std::string_view e) { facts.connection_upgrade |= equals_lower(e, "upgrade"); });
      break;
    case 14:
      if (equals_lower(name, "content-length")) note_content_length(value, facts);
      break;
    case 17:
      if (equals_lower(name, "transfer-encoding")) {
        facts.transfer_encoding = true;
        for_each_element(value, [&](std::string_view e) {
          if (e.empty()) return;
          facts.chunked_last = equals_lower(trimmed(e.substr(0, e.find(';'))), "chunked");
          if (facts.chunked_last) ++facts.chunked_count;
        });
      }
      break;
    default:
      break;
  }
}

std::size_t empty_lines(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() &&
         (text[size] == '\n' || (text[size] == '\r' && size + 1 < text.size() && text[size + 1] == '\n')))
    size += text[size] == '\n' ? 1 : 2;
  return size;
}

}  // namespace

HeadResult parse_head(Bytes bytes, HeadKind kind, const HttpLimits& limits, HttpMessage& out, HeadFacts& facts) {
  const std::string_view text = as_text(bytes);
  HeadResult result;
  out.clear();
  facts = {};
  result.skipped = empty_lines(text);
  const char* const base = text.data() + result.skipped;
  if (result.skipped == text.size()) return result;
  if (*base == '\r' && result.skipped + 1 == text.size()) return result;

  const std::size_t visible = std::min(text.size() - result.skipped, limits.head_bytes_max);
  Cursor at{base, base + visible, {}, {}};
  bool folded = false;
  Scan scan = kind == HeadKind::request ? scan_request_line(at, out, facts) : scan_status_line(at, out, facts);
  if (scan == Scan::ok) scan = scan_headers(at, base, limits, out, facts, folded);
  if (scan == Scan::need_more && visible == limits.head_bytes_max) scan = at.fail(head_too_large_reason);
  if (scan != Scan::ok) {
    out.clear();
    result.status = scan == Scan::need_more ? HeadStatus::need_more : HeadStatus::invalid;
    result.reason = at.reason;
    return result;
  }

  const auto size = static_cast<std::size_t>(at.p - base);
  out.text.assign(base, size);
  if (folded)
    for (HttpHeader& header : out.headers) unfold(out.text, header.value);
  for (const HttpHeader& header : out.headers) note_field(out.view(header.name), out.view(header.value), facts);
  facts.anomalies.add(at.anomalies);
  if (kind == HeadKind::response && result.skipped != 0)
    facts.anomalies.add(HttpAnomaly::empty_line_before_status_line);
  out.present = true;
  out.header_bytes = size;
  result.status = HeadStatus::complete;
  result.consumed = result.skipped + size;
  return result;
}

bool parse_start_line(Bytes bytes, HeadKind kind, HttpMessage& out, HeadFacts& facts) {
  const std::string_view text = as_text(bytes);
  out.clear();
  facts = {};
  const char* const base = text.data() + empty_lines(text);
  Cursor at{base, text.data() + text.size(), {}, {}};
  if (base == at.end) return false;
  const Scan scan = kind == HeadKind::request ? scan_request_line(at, out, facts) : scan_status_line(at, out, facts);
  if (scan != Scan::ok) {
    out.clear();
    return false;
  }
  out.text.assign(base, static_cast<std::size_t>(at.p - base));
  out.present = true;
  facts.anomalies.add(at.anomalies);
  return true;
}

bool begins_with_known_method(Bytes prefix) {
  constexpr std::array<std::string_view, 16> known = {
      "GET ",   "POST ",     "PUT ",       "HEAD ",  "DELETE ", "PATCH ", "OPTIONS ", "CONNECT ",
      "TRACE ", "PROPFIND ", "PROPPATCH ", "MKCOL ", "COPY ",   "MOVE ",  "LOCK ",    "UNLOCK "};
  const std::string_view text = as_text(prefix);
  return std::any_of(known.begin(), known.end(), [&](std::string_view method) {
    return text.substr(0, method.size()) == method.substr(0, text.size());
  });
}

HttpStart classify_start(Bytes prefix) {
  constexpr std::string_view status = "HTTP/1.";
  constexpr std::size_t method_bytes_max = 32;
  constexpr std::size_t line_bytes_max = 64 * 1024;
  constexpr std::size_t target_bytes_enough = 64;
  std::string_view text = as_text(prefix);
  text.remove_prefix(empty_lines(text));
  if (text.empty() || text == "\r") return HttpStart::need_more;

  if (text.starts_with(status.substr(0, text.size()))) {
    // "HTTP/1.1 2" is a status line from here on, and never a method: '/' is no token character.
    if (text.size() < status.size() + 3) {
      const std::string_view rest = text.size() > status.size() ? text.substr(status.size()) : std::string_view();
      const bool possible = (rest.empty() || is_digit(rest[0])) && (rest.size() < 2 || rest[1] == ' ');
      return possible ? HttpStart::need_more : HttpStart::no;
    }
    return is_digit(text[7]) && text[8] == ' ' && is_digit(text[9]) ? HttpStart::status_line : HttpStart::no;
  }

  std::size_t method_size = 0;
  while (method_size < text.size() && is_token(text[method_size])) ++method_size;
  if (method_size == text.size()) return method_size <= method_bytes_max ? HttpStart::need_more : HttpStart::no;
  if (method_size == 0 || method_size > method_bytes_max || text[method_size] != ' ') return HttpStart::no;

  HttpMessage unused_message;
  HeadFacts unused_facts;
  Cursor at{text.data(), text.data() + std::min(text.size(), line_bytes_max), {}, {}};
  switch (scan_request_line(at, unused_message, unused_facts)) {
    case Scan::ok:
      return HttpStart::request_line;
    case Scan::invalid:
      return HttpStart::no;
    case Scan::need_more:
      break;
  }
  if (text.size() >= line_bytes_max) return HttpStart::no;
  const bool known = begins_with_known_method(as_bytes(text));
  return known && at.anomalies.empty() && text.size() - method_size > target_bytes_enough ? HttpStart::request_line
                                                                                          : HttpStart::need_more;
}

Likeness looks_like_http1(Bytes prefix) {
  switch (classify_start(prefix)) {
    case HttpStart::need_more:
      return Likeness::need_more;
    case HttpStart::no:
      return Likeness::no;
    default:
      return Likeness::yes;
  }
}

}  // namespace tracer
