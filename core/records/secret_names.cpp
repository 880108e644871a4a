#include "core/records/secret_names.h"

#include <algorithm>
#include <span>

namespace tracer::secret_names {
namespace {

// Kept in docs/records.md, "What is redacted"; a test compares the two.
constexpr std::string_view words_a[] = {"apikey", "accesskey", "accountkey", "authkey", "authorization", "assertion"};
constexpr std::string_view words_c[] = {"credential", "cookie"};
constexpr std::string_view words_e[] = {"encryptionkey"};
constexpr std::string_view words_j[] = {"jwt"};
constexpr std::string_view words_m[] = {"masterkey"};
constexpr std::string_view words_o[] = {"oidc"};
constexpr std::string_view words_p[] = {"passw", "passphrase", "passcode", "privatekey", "pwd"};
constexpr std::string_view words_s[] = {"secret",    "session",    "sessid",         "signature",
                                        "sharedkey", "signingkey", "subscriptionkey"};
constexpr std::string_view words_t[] = {"token"};

constexpr std::string_view assigned_names[] = {"auth",         "code", "hmac", "key",        "otp",
                                               "pass",         "pin",  "pw",   "relaystate", "samlrequest",
                                               "samlresponse", "sess", "sid",  "sig",        "ticket"};

constexpr auto words_by_letter = [] {
  std::array<std::span<const std::string_view>, 256> table{};
  table['a'] = words_a;
  table['c'] = words_c;
  table['e'] = words_e;
  table['j'] = words_j;
  table['m'] = words_m;
  table['o'] = words_o;
  table['p'] = words_p;
  table['s'] = words_s;
  table['t'] = words_t;
  return table;
}();

}  // namespace

bool has_secret_word(std::string_view reduced) {
  for (std::size_t at = 0; at < reduced.size(); ++at)
    for (const std::string_view word : words_by_letter[static_cast<unsigned char>(reduced[at])])
      if (reduced.substr(at).starts_with(word)) return true;
  return false;
}

Strength Name::strength() const {
  if (size_ < size_min) return Strength::none;
  if (overflow_ || has_secret_word(view())) return Strength::always;
  return std::ranges::find(assigned_names, view()) != std::end(assigned_names) ? Strength::in_assignment
                                                                               : Strength::none;
}

}  // namespace tracer::secret_names
