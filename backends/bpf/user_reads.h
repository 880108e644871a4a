// Keeps bpf_probe_read_user in the programs of an object where the loader would take it out.
//
// libbpf asks once whether the kernel has bpf_probe_read_kernel. If that is refused it takes the kernel for one from
// before 5.5 and turns bpf_probe_read_user as well into the old bpf_probe_read. Under lockdown=confidentiality that is
// wrong: reading user memory is allowed there, and bpf_probe_read is not. These programs loaded, and now they do not.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/base/result.h"

struct bpf_insn;

namespace tracer {

// While it lives, typed programs (fentry, fexit, tp_btf) and those at breakpoints (uprobe, uretprobe) of objects that
// are opened and loaded keep their calls as they were compiled. What libbpf does for these sections by itself is then
// left to the caller: the target must be set by bpf_program__set_attach_target(), and a typed program attached by
// bpf_program__attach_trace(). One at a time, as much of libbpf is: its list of section handlers is global.
class UserReadsKept {
 public:
  // Refuses an object that itself reads by bpf_probe_read or bpf_probe_read_kernel: afterwards nobody could tell which
  // calls have been turned.
  [[nodiscard]] static Result<std::unique_ptr<UserReadsKept>> make(std::span<const unsigned char> image);
  ~UserReadsKept();
  UserReadsKept(const UserReadsKept&) = delete;
  UserReadsKept& operator=(const UserReadsKept&) = delete;

 private:
  UserReadsKept() = default;
  std::vector<int> handlers_;
};

// Turns calls of bpf_probe_read and bpf_probe_read_str into those for user memory; says how many.
std::size_t restore_user_reads(std::span<bpf_insn> code);

}  // namespace tracer
