// Command lines: which arguments are secrets, by the option before them and by what they look like.
#include <algorithm>
#include <span>

#include "core/records/redaction.h"

namespace tracer {
namespace {

// Of an option or a variable, not "http://host/?token".
bool is_plain_name(std::string_view text) {
  constexpr std::string_view others(" \t\n\v\f\r\"'\0?&;#,/=<>(){}|:@!\\", 27);
  return text.find_first_of(others) == std::string_view::npos;
}

// "me:secret" behind an option that takes a user; `from`: where the value begins.
bool redact_user(std::string_view argument, std::size_t from, std::string& out) {
  const std::size_t colon = argument.find(':', from);
  if (colon == std::string_view::npos) return false;
  out.append(argument.substr(0, colon + 1)).append(redacted_text);
  return true;
}

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// Options whose names have no secret word in them, before a value that is one: keytool(1), openssl(1), curl(1).
constexpr std::string_view secret_options[] = {"-K",
                                               "-psk",
                                               "-srp",
                                               "-keypass",
                                               "-storepass",
                                               "-srcstorepass",
                                               "-deststorepass",
                                               "-srckeypass",
                                               "-destkeypass",
                                               "--oauth2-bearer",
                                               "--pin-value"};
// Options of one dash that begin like `-pSECRET`.
constexpr std::string_view words_after_p[] = {
    "-param_enc",   "-paramfile", "-partial_chain", "-pass",    "-passin",        "-passout",  "-password",
    "-path",        "-pause",     "-pkeyopt",       "-policy",  "-port",          "-prefix",   "-prexit",
    "-print",       "-propquery", "-provider",      "-proxy",   "-psk",           "-psk_hint", "-psk_identity",
    "-psk_session", "-pubin",     "-pubout",        "-purpose", "-provider-path", "-print0"};

// `--key server.key` names a file, `--key 1234` does not.
bool is_name_of_key_file(std::string_view option, std::string_view argument) {
  constexpr std::string_view options[] = {"--key", "-key", "--privkey"};
  constexpr std::string_view endings[] = {".key", ".pem", ".der", ".crt", ".p12", ".pfx"};
  return is_one_of(option, options) &&
         std::ranges::any_of(endings, [&](std::string_view ending) { return argument.ends_with(ending); });
}

bool redact_word(std::string_view previous, std::string_view argument, std::string& out) {
  const bool long_option = previous.starts_with('-') && !previous.contains('=') && is_secret_name(previous) &&
                           !is_name_of_key_file(previous, argument);
  const bool asked_for = long_option || is_one_of(previous, secret_options);
  if (previous == "-p" || (asked_for && !argument.starts_with('-'))) {
    out.append(redacted_text);
    return true;
  }
  constexpr std::string_view pairs[] = {"-u", "--user", "--proxy-user", "--cert", "--proxy-cert"};
  if (is_one_of(previous, pairs))
    if (redact_user(argument, 0, out)) return true;
  for (const std::string_view option : {"--user=", "--proxy-user=", "-u"})
    if (argument.size() > option.size() && argument.starts_with(option) && redact_user(argument, option.size(), out))
      return true;
  if (argument.size() > 2 && argument.starts_with("-p") && !argument.contains(' ') &&
      !is_one_of(argument, words_after_p)) {
    out.append("-p").append(redacted_text);
    return true;
  }
  if (argument.starts_with("pass:")) {  // as openssl(1) takes them
    out.append("pass:").append(redacted_text);
    return true;
  }
  // An argument is one word even if it has spaces in it: `--password=two words`.
  if (const std::size_t equals = argument.find('='); equals != std::string_view::npos)
    if (is_plain_name(argument.substr(0, equals)) && is_secret_name(argument.substr(0, equals))) {
      out.append(argument.substr(0, equals + 1)).append(redacted_text);
      return true;
    }
  if (argument.contains("://") && !argument.contains(' ')) return redact_url(argument, out);
  return redact_message(argument, out);
}

// A command line inside an argument: sh -c 'mysql -px'.
bool redact_words(std::string_view line, std::string& out) {
  const std::size_t start = out.size();
  bool changed = false;
  std::string_view previous;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    if (!word.empty() && redact_word(previous, word, out)) {
      changed = true;
    } else {
      out.append(word);
    }
    if (!word.empty()) previous = word;
    line.remove_prefix(end);
    if (line.empty()) break;
    out += ' ';
    line.remove_prefix(1);
  }
  if (!changed) out.resize(start);
  return changed;
}

}  // namespace

bool redact_argument(std::string_view previous, std::string_view argument, std::string& out) {
  const bool has_options = argument.contains(" -");
  if (!has_options) return redact_word(previous, argument, out);
  std::string whole;
  const bool changed = redact_word(previous, argument, whole);
  if (redact_words(changed ? std::string_view(whole) : argument, out)) return true;
  if (changed) out.append(whole);
  return changed;
}

}  // namespace tracer
