// Whether it is safe on this kernel to watch the return of functions in processes that filter their system calls.
//
// Since 6.11 such a function comes back through a system call of its own on x86-64 (ff474a78cef5, "uprobe: Add
// uretprobe syscall to speed up return probe"). Until cf6cb56ef244 ("seccomp: passthrough uretprobe systemcall without
// filtering", 6.14 and stable kernels) filters that deny calls they do not know denied that one too, and the process
// died.
#pragma once

#include <functional>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer {

// `watch_return` has the return of `function` watched, in every process that runs this program, as long as its answer
// is open. A child under a filter calls it, where this kernel has that system call at all. not_supported: it died.
[[nodiscard]] Result<void> try_return_under_filter(const std::function<Result<UniqueFd>()>& watch_return,
                                                   void (*function)());

}  // namespace tracer
