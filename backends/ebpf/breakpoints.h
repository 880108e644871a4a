// Breakpoints in files. Each lives as long as its descriptor, and the kernel removes it with the last, also of a tracer
// that is killed.
//
// Two kinds: links for many places at once, which carry a number to the program at each (uprobe_multi, 6.6); and perf
// events, one for each place, which kernels before have. To close a descriptor of either kind takes the kernel up to
// 100 ms, and perf events wait for each other: see DescriptorCloser.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer {

struct Breakpoint {
  std::string file;           // a path of this process
  std::uint64_t offset = 0;   // in the file
  bool at_return = false;     // when the function that begins there returns
  std::int64_t process = -1;  // only in this one, as the tracer numbers it; -1: in all that map the file
};

// The kernel's source of such events.
class BreakpointSource {
 public:
  [[nodiscard]] static Result<BreakpointSource> find();
  // `program` runs at every hit.
  [[nodiscard]] Result<UniqueFd> set(const Breakpoint& where, int program) const;

 private:
  BreakpointSource(std::uint32_t type, std::uint64_t return_flag) : type_(type), return_flag_(return_flag) {}
  std::uint32_t type_;
  std::uint64_t return_flag_;
};

// Many at once.
struct Breakpoints {
  std::string file;
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint64_t> numbers;  // for bpf_get_attach_cookie(), by place
  bool at_return = false;
  std::int64_t process = -1;
};
// `program` was loaded for it (BpfImage::at_many_places).
[[nodiscard]] Result<UniqueFd> set_breakpoints(const Breakpoints& where, int program);

// Where the function at `address` of the running program lies in its file; 0: it is not in there.
[[nodiscard]] std::uint64_t own_file_offset(std::uintptr_t address);

}  // namespace tracer
