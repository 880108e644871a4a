#include "cli/help.h"

extern "C" {
extern const char notice_start[];
extern const char notice_end[];
}

namespace tracer::cli {

std::string_view licenses_text() { return {notice_start, static_cast<std::size_t>(notice_end - notice_start)}; }

}  // namespace tracer::cli
