#include "core/sinks/field_redactor.h"

namespace tracer {

SafeText FieldRedactor::field(Redaction redaction, std::string_view raw) {
  const TextTraits traits = scan_text(raw);
  const SafeText as_it_is{raw, traits.escape};
  if (!enabled_) return as_it_is;
  if (redaction == Redaction::none) return as_it_is;
  scratch_.clear();
  switch (redaction) {
    case Redaction::none:
    case Redaction::headers:
    case Redaction::argv:  // see argument()
      return as_it_is;
    case Redaction::url:
      return (traits.assign || !raw.starts_with('/')) && redact_url(raw, scratch_) ? hidden() : as_it_is;
    case Redaction::text:
      return traits.assign && redact_text(raw, scratch_) ? hidden() : as_it_is;
    case Redaction::message:
      return redact_message(raw, scratch_) ? hidden() : as_it_is;
    case Redaction::path:
      return redact_path(raw, scratch_) ? hidden() : as_it_is;
  }
  return as_it_is;
}

SafeText FieldRedactor::argument(std::string_view previous, std::string_view raw) {
  const SafeText as_it_is{raw, scan_text(raw).escape};
  if (!enabled_) return as_it_is;
  scratch_.clear();
  return redact_argument(previous, raw, scratch_) ? hidden() : as_it_is;
}

SafeText FieldRedactor::header_value(std::string_view name, std::string_view raw) {
  const TextTraits traits = scan_text(raw);
  const SafeText as_it_is{raw, traits.escape};
  if (!enabled_) return as_it_is;
  const HeaderClass header = memo_.classify(name);
  if (header == HeaderClass::plain && !traits.assign) return as_it_is;
  scratch_.clear();
  return redact_header(header, raw, scratch_) ? hidden() : as_it_is;
}

}  // namespace tracer
