// The last step before output: every sink asks it for the safe form of a value, by the redaction class of its field.
#pragma once

#include <string>
#include <string_view>

#include "core/records/fields.h"
#include "core/records/redaction.h"
#include "core/sinks/text_scan.h"

namespace tracer {

struct SafeText {
  std::string_view text;
  bool escape = false;  // TextTraits::escape of it
};

class FieldRedactor {
 public:
  explicit FieldRedactor(bool enabled) : enabled_(enabled) {}
  // The results are valid until the next call of any.
  [[nodiscard]] SafeText field(Redaction redaction, std::string_view raw);
  // Of a command line; `previous` is the one before it, as it is, empty for the first.
  [[nodiscard]] SafeText argument(std::string_view previous, std::string_view raw);
  [[nodiscard]] SafeText header_value(std::string_view name, std::string_view raw);

 private:
  [[nodiscard]] SafeText hidden() const { return {scratch_, scan_text(scratch_).escape}; }

  bool enabled_;
  HeaderClassMemo memo_;
  std::string scratch_;
};

}  // namespace tracer
