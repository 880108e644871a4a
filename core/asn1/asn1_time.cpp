#include "core/asn1/asn1_time.h"

#include <chrono>
#include <string_view>

namespace tracer {

namespace {

// Takes two digits off the front; -1: there are none.
int two_digits(std::string_view& text) {
  if (text.size() < 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') return -1;
  const int value = (text[0] - '0') * 10 + (text[1] - '0');
  text.remove_prefix(2);
  return value;
}

}  // namespace

std::optional<WallTime> parse_asn1_time(const DerElement& element) {
  std::string_view text = as_text(element.content);
  int year = 0;
  if (element.identifier == der::utc_time) {
    year = two_digits(text);
    if (year < 0) return std::nullopt;
    year += year < 50 ? 2000 : 1900;
  } else if (element.identifier == der::generalized_time) {
    const int century = two_digits(text);
    const int of_century = two_digits(text);
    if (century < 0 || of_century < 0) return std::nullopt;
    year = century * 100 + of_century;
  } else {
    return std::nullopt;
  }
  const int month = two_digits(text), day = two_digits(text), hour = two_digits(text), minute = two_digits(text);
  const int second = text == "Z" ? 0 : two_digits(text);  // old certificates leave the seconds out
  if (text != "Z") return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  const bool valid = month > 0 && day > 0 && date.ok() && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 &&
                     second >= 0 && second <= 60;
  if (!valid || year < 1678 || year > 2261) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return WallTime{(days * 86'400 + hour * 3'600 + minute * 60 + second) * 1'000'000'000};
}

}  // namespace tracer
