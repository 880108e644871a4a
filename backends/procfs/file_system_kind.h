// Regular files that are no files: where reading does something, gives what nobody wrote, or waits for a process.
#pragma once

#include <string_view>

namespace tracer::procfs {

// Empty: it may be read. For people. `file` may be opened with O_PATH; its server must be known to answer.
[[nodiscard]] std::string_view why_not_to_be_read(int file);

}  // namespace tracer::procfs
