// Backend `procfs`, mechanism poll: for facet process the list of processes (process_poll.cpp), for facets file and
// library what they have open and mapped (file_poll.h), for both kinds both, as one backend.
#pragma once

#include "backends/procfs/file_poll.h"
#include "backends/procfs/proc_events.h"
#include "core/backend.h"

namespace tracer {

// `files.facets` are all facets that are wanted.
struct PollOptions {
  ProcEventsOptions processes{};
  FilePollOptions files{};
};

[[nodiscard]] Result<OpenedBackend> open_poll(PollOptions options);

}  // namespace tracer
