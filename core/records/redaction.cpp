#include "core/records/redaction.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/records/secret_names.h"

namespace tracer {
namespace {

using secret_names::Strength;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// What a character means to the name before a '='.
enum class Kind : std::uint8_t { other, space, quote, delimiter };
constexpr auto kinds = [] {
  std::array<Kind, 256> table{};
  for (const char c : std::string_view("\0?&;#,/=<>(){}|:@!\\", 20))
    table[static_cast<unsigned char>(c)] = Kind::delimiter;
  for (const char c : std::string_view(" \t\n\v\f\r")) table[static_cast<unsigned char>(c)] = Kind::space;
  table['"'] = table['\''] = Kind::quote;
  return table;
}();
constexpr Kind kind_of(char c) { return kinds[static_cast<unsigned char>(c)]; }

// One character after percent-decoding. %2541 is 'A', encoded twice.
struct Symbol {
  char character;
  std::size_t size;  // bytes of input
  unsigned level;    // how many times it was encoded
};

bool hex_pair_at(std::string_view text, std::size_t at) {
  return at + 1 < text.size() && hex_value(text[at]) >= 0 && hex_value(text[at + 1]) >= 0;
}

Symbol symbol_at(std::string_view text, std::size_t at) {
  if (text[at] != '%' || !hex_pair_at(text, at + 1)) return {text[at], 1, 0};
  std::size_t digits = at + 1;
  unsigned level = 1;
  while (text.substr(digits, 2) == "25" && hex_pair_at(text, digits + 2)) digits += 2, ++level;
  const int value = hex_value(text[digits]) * 16 + hex_value(text[digits + 1]);
  return {static_cast<char>(value), digits + 2 - at, level};
}

// Copies input to output, except what is hidden. Nothing is copied before the first thing to hide.
class Censor {
 public:
  Censor(std::string_view in, std::string& out) : in_(in), out_(out) {}
  void hide(std::size_t from, std::size_t to, std::string_view instead = redacted_text) {
    out_.append(in_.substr(copied_, from - copied_)).append(instead);
    copied_ = to;
    changed_ = true;
  }
  [[nodiscard]] bool finish() {
    if (changed_) out_.append(in_.substr(copied_));
    return changed_;
  }

 private:
  std::string_view in_;
  std::string& out_;
  std::size_t copied_ = 0;
  bool changed_ = false;
};

struct ScanRules {
  bool spaces_end = false;     // white space ends a value and an authority
  bool colon_assigns = false;  // `name: value`
  bool homes = false;          // file names
};

struct Home {
  std::size_t from = 0, to = 0;  // what to replace; from == to: nothing
  std::string_view instead;
};

bool ends_component(std::string_view text, std::size_t at, bool spaces_end) {
  if (at >= text.size() || text[at] == '/') return true;
  return spaces_end && (is_space(text[at]) || std::strchr("\"'<>,;:)", text[at]) != nullptr);
}

// The home directory whose first slash is at `at`.
Home home_at(std::string_view text, std::size_t at, bool spaces_end) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("/home/")) {
    std::size_t end = at + 6;
    while (!ends_component(text, end, spaces_end)) ++end;
    return end == at + 6 ? Home{} : Home{at + 6, end, "USER"};
  }
  const bool starts =
      at == 0 || (spaces_end && (is_space(text[at - 1]) || std::strchr("\"'<=,;:(", text[at - 1]) != nullptr));
  if (starts && rest.starts_with("/root") && ends_component(text, at + 5, spaces_end))
    return {at, at + 5, "/home/ROOT"};
  return {};
}

// One pass over a URL or text. Knows at every character the name that may precede a '=' and the start of the user info
// that may precede a '@'.
class Scanner {
 public:
  Scanner(std::string_view text, ScanRules rules, std::string& out) : text_(text), rules_(rules), censor_(text, out) {}

  [[nodiscard]] bool run() {
    // An authority without a scheme: Host, CONNECT.
    in_authority_ = !rules_.spaces_end && !text_.starts_with('/');
    while (at_ < text_.size()) step(symbol_at(text_, at_));
    return censor_.finish();
  }

 private:
  void step(Symbol symbol) {
    const std::size_t next = at_ + symbol.size;
    const char c = symbol.character;
    if (c == '/' && rules_.homes && symbol.level == 0) {
      if (const Home home = home_at(text_, at_, rules_.spaces_end); home.from != home.to) {
        censor_.hide(home.from, home.to, home.instead);
        previous_ = 'x';
        return restart_after(home.to);
      }
    }
    if (c == '=' || (c == ':' && rules_.colon_assigns)) {
      const Strength strength = name_.strength();
      if (strength == Strength::always || (strength == Strength::in_assignment && c == '='))
        return hide_value(next, symbol.level, c == ':');
    }
    if (c == '@') {
      hide_user_info(next);
    } else {
      follow_authority(c, next);
    }
    follow_name(c);
    if (c == '?' || c == '#') in_query_ = true;
    if (c != '\\') previous_ = c;  // JSON in text writes http:\/\/
    at_ = next;
  }

  void restart_after(std::size_t position) {
    at_ = run_start_ = position;
    in_authority_ = run_colon_ = false;
    name_.clear();
  }

  void hide_value(std::size_t from, unsigned level, bool whole_line) {
    std::size_t end = from;
    if (rules_.spaces_end)
      while (end < text_.size() && (text_[end] == ' ' || text_[end] == '\t')) ++end;
    from = end;
    end = whole_line ? std::min(text_.find_first_of("\r\n", from), text_.size()) : value_end(from, level);
    if (end > from) censor_.hide(from, end);
    previous_ = 'x';
    restart_after(end);
  }

  [[nodiscard]] std::size_t value_end(std::size_t from, unsigned level) const {
    if (rules_.spaces_end && from < text_.size() && (text_[from] == '"' || text_[from] == '\'')) {
      for (std::size_t at = from + 1; at < text_.size(); ++at) {
        if (text_[at] == '\\')
          ++at;
        else if (text_[at] == text_[from])
          return at + 1;
      }
      return text_.size();
    }
    for (std::size_t at = from; at < text_.size();) {
      const Symbol symbol = symbol_at(text_, at);
      const char c = symbol.character;
      const bool separates = c == '&' || c == '#' || (!in_query_ && !rules_.spaces_end && (c == '/' || c == '?'));
      if (symbol.level <= level && (separates || (rules_.spaces_end && is_space(c)))) return at;
      at += symbol.size;
    }
    return text_.size();
  }

  void hide_user_info(std::size_t next) {
    const bool user_info = (in_authority_ || run_colon_) && at_ > run_start_;
    if (user_info) censor_.hide(run_start_, at_);
    run_start_ = next;  // a second '@' shows that the first was part of the password
    run_colon_ = user_info;
  }

  void follow_authority(char c, std::size_t next) {
    if (c == '/' && previous_ == '/') {
      in_authority_ = true;
      run_colon_ = false;
      run_start_ = next;
      port_is_number_ = true;
      return;
    }
    if (c == ':') {
      run_colon_ = port_is_number_ = true;
    } else if (c == ']') {
      port_is_number_ = true;  // the colons before it were those of an IPv6 address
    } else if (in_authority_) {
      const bool ends =
          c == '/' || c == '?' || c == '#' || (rules_.spaces_end && (is_space(c) || c == '"' || c == '<'));
      // A password may hold what ends an authority; then what looks like the port is no number.
      const bool tentative = run_colon_ && !port_is_number_ && !is_space(c);
      if (ends && !tentative) return leave_authority(next);
      if (!ends && !is_digit(c)) port_is_number_ = false;
    } else if (is_space(c) || std::strchr("/?#&=\"'<>(),;", c) != nullptr) {
      leave_authority(next);
    }
  }

  void leave_authority(std::size_t next) {
    in_authority_ = run_colon_ = false;
    run_start_ = next;
  }

  void follow_name(char c) {
    switch (kind_of(c)) {
      case Kind::space:  // `name = value`
      case Kind::quote:  // `"name": value`
        name_ended_ = true;
        break;
      case Kind::delimiter:
        name_.clear();
        name_ended_ = false;
        break;
      case Kind::other:
        if (name_ended_) name_.clear();
        name_ended_ = false;
        name_.append(c);
        break;
    }
  }

  std::string_view text_;
  ScanRules rules_;
  Censor censor_;
  std::size_t at_ = 0;
  char previous_ = '\0';
  bool in_query_ = false;
  secret_names::Name name_;
  bool name_ended_ = false;
  std::size_t run_start_ = 0;
  bool in_authority_ = false, run_colon_ = false, port_is_number_ = true;
};

constexpr bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::ranges::equal(text.substr(0, prefix.size()), prefix, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
         });
}

// The name that ends before `at`, as Scanner::follow_name sees it where nothing is percent-encoded.
secret_names::Name name_before(std::string_view text, std::size_t at) {
  while (at > 0 && (kind_of(text[at - 1]) == Kind::space || kind_of(text[at - 1]) == Kind::quote)) --at;
  std::size_t start = at;
  while (start > 0 && kind_of(text[start - 1]) == Kind::other) --start;
  secret_names::Name name;
  name.append(text.substr(start, at - start));
  return name;
}

// A cheap look that spares most text the Scanner: false where it would find nothing, file names apart.
bool may_hold_secret(std::string_view text) {
  if (text.contains('@') || text.contains('%')) return true;
  for (std::size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1))
    if (at >= secret_names::size_min && name_before(text, at).strength() != Strength::none) return true;
  return false;
}

bool redact_authorization(std::string_view value, std::string& out) {
  static constexpr std::string_view schemes[] = {
      "apikey", "aws4-hmac-sha256", "basic",         "bearer", "digest", "dpop", "hoba", "mutual", "negotiate", "ntlm",
      "oauth",  "scram-sha-1",      "scram-sha-256", "token",  "vapid"};
  for (const std::string_view scheme : schemes) {
    if (value.size() > scheme.size() && value[scheme.size()] == ' ' && starts_with_ignoring_case(value, scheme)) {
      out.append(value.substr(0, scheme.size() + 1));
      break;
    }
  }
  out.append(redacted_text);
  return true;
}

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

bool is_cookie_attribute(std::string_view part) {
  static constexpr std::string_view names[] = {"domain", "expires",  "httponly", "max-age", "partitioned",
                                               "path",   "priority", "samesite", "secure"};
  const std::string_view name = part.substr(0, part.find('='));
  return std::ranges::any_of(names, [&](std::string_view known) {
    return name.size() == known.size() && starts_with_ignoring_case(name, known);
  });
}

bool redact_cookies(std::string_view value, bool attributes, std::string& out) {
  for (bool first = true; first || !value.empty(); first = false) {
    const std::size_t end = value.find(';');
    const std::string_view part = trim_left(value.substr(0, end));
    value = end == std::string_view::npos ? std::string_view{} : value.substr(end + 1);
    if (!first) out.append("; ");
    const std::size_t equals = part.find('=');
    if (!first && attributes && is_cookie_attribute(part)) {
      if (!redact_path(part, out)) out.append(part);
    } else if (equals == std::string_view::npos) {
      out.append(redacted_text);
    } else {
      out.append(part.substr(0, equals + 1)).append(redacted_text);
    }
  }
  return true;
}

}  // namespace

bool redact_url(std::string_view url, std::string& out) {
  const bool file = starts_with_ignoring_case(url, "file:");
  if (!file && !may_hold_secret(url)) return false;
  return Scanner(url, {.homes = file}, out).run();
}

bool redact_text(std::string_view text, std::string& out) {
  return may_hold_secret(text) && Scanner(text, {.spaces_end = true}, out).run();
}

bool redact_message(std::string_view message, std::string& out) {
  return Scanner(message, {.spaces_end = true, .colon_assigns = true, .homes = true}, out).run();
}

bool redact_path(std::string_view path, std::string& out) {
  if (!path.starts_with("/root") && !path.contains("/home/")) return false;
  Censor censor(path, out);
  for (std::size_t at = path.find('/'); at < path.size(); at = path.find('/', at + 1))
    if (const Home home = home_at(path, at, false); home.from != home.to) {
      censor.hide(home.from, home.to, home.instead);
      at = home.to - 1;
    }
  return censor.finish();
}

bool is_secret_name(std::string_view name) {
  secret_names::Name reduced;
  reduced.append(name);
  return reduced.strength() != Strength::none;
}

HeaderClass classify_header(std::string_view name) {
  secret_names::Name reduced;
  reduced.append(name);
  const std::string_view key = reduced.view();
  if (key == "authorization" || key == "proxyauthorization") return HeaderClass::authorization;
  if (key == "cookie" || key == "cookie2") return HeaderClass::cookie;
  if (key == "setcookie" || key == "setcookie2") return HeaderClass::set_cookie;
  static constexpr std::string_view urls[] = {
      "contentlocation", "destination",   "host",          "location",     "origin",       "referer",    "referrer",
      "xforwardedhost",  "xforwardeduri", "xoriginalhost", "xoriginaluri", "xoriginalurl", "xrewriteurl"};
  if (std::ranges::find(urls, key) != std::end(urls)) return HeaderClass::url;
  // Access-Control-Allow-Credentials and its kin are switches.
  if (key.starts_with("accesscontrol")) return HeaderClass::plain;
  // Browsers and Kubernetes put bearer tokens into the WebSocket protocol.
  static constexpr std::string_view secrets[] = {
      "auth", "authenticationinfo", "dpop", "proxyauthenticationinfo", "secwebsocketprotocol", "xauth"};
  if (key.find("csrf") != std::string_view::npos || key.find("xsrf") != std::string_view::npos)
    return HeaderClass::secret;
  if (reduced.strength() == Strength::always || std::ranges::find(secrets, key) != std::end(secrets))
    return HeaderClass::secret;
  return HeaderClass::plain;
}

// Where the credentials behind the name of an authentication scheme begin; 0: there is none.
static std::size_t after_scheme(std::string_view value) {
  for (std::size_t space = value.find(' '); space != std::string_view::npos; space = value.find(' ', space + 1)) {
    for (const std::string_view scheme : {"bearer", "basic", "digest", "negotiate", "ntlm"}) {
      if (space < scheme.size() || space + 1 >= value.size()) continue;
      const std::string_view word = value.substr(space - scheme.size(), scheme.size());
      const bool same = std::ranges::equal(word, scheme, [](char a, char b) { return (a | 0x20) == b; });
      const bool whole = space == scheme.size() || value[space - scheme.size() - 1] == ' ';
      const bool challenge = value.substr(space + 1).starts_with("realm=");  // WWW-Authenticate
      if (same && whole && !challenge) return space + 1;
    }
  }
  return 0;
}

bool redact_header(HeaderClass header, std::string_view value, std::string& out) {
  if (value.empty()) return false;
  switch (header) {
    case HeaderClass::plain:
      // Credentials in a field that is not theirs, such as a folded Authorization.
      if (const std::size_t at = after_scheme(value); at != 0) {
        out.append(value.substr(0, at)).append(redacted_text);
        return true;
      }
      return redact_text(value, out);
    case HeaderClass::url:
      return redact_url(value, out);
    case HeaderClass::secret:
      out.append(redacted_text);
      return true;
    case HeaderClass::authorization:
      return redact_authorization(value, out);
    case HeaderClass::cookie:
      return redact_cookies(value, false, out);
    case HeaderClass::set_cookie:
      return redact_cookies(value, true, out);
  }
  return false;
}

HeaderClass HeaderClassMemo::classify(std::string_view name) {
  if (name.empty() || name.size() > name_bytes_max) return classify_header(name);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(name[i]); };
  const std::size_t hash = name.size() + byte(0) * 7u + byte(name.size() / 2) * 31u + byte(name.size() - 1) * 131u;
  Slot& slot = slots_[hash % slot_count];
  if (slot.size != name.size() || std::memcmp(slot.name.data(), name.data(), name.size()) != 0) {
    slot.header = classify_header(name);
    slot.size = static_cast<std::uint8_t>(name.size());
    std::memcpy(slot.name.data(), name.data(), name.size());
  }
  return slot.header;
}

}  // namespace tracer
