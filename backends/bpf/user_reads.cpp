#include "backends/bpf/user_reads.h"

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>

#include "backends/bpf/bpf_elf.h"

namespace tracer {
namespace {

struct HandledSection {
  const char* prefix;
  bpf_prog_type type;
  bpf_attach_type attach;
};
constexpr std::array handled_sections{HandledSection{"fentry+", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY},
                                      HandledSection{"fexit+", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT},
                                      HandledSection{"tp_btf+", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP},
                                      HandledSection{"uprobe+", BPF_PROG_TYPE_KPROBE, bpf_attach_type{}},
                                      HandledSection{"uretprobe+", BPF_PROG_TYPE_KPROBE, bpf_attach_type{}}};

constexpr std::array ambiguous_helpers{BPF_FUNC_probe_read, BPF_FUNC_probe_read_str, BPF_FUNC_probe_read_kernel,
                                       BPF_FUNC_probe_read_kernel_str};

// Called by libbpf after it has turned the calls and before the kernel sees the program.
int restore_before_load(bpf_program* program, bpf_prog_load_opts*, long) {
  const bpf_insn* turned = bpf_program__insns(program);
  std::vector<bpf_insn> code(turned, turned + bpf_program__insn_cnt(program));
  if (restore_user_reads(code) == 0) return 0;
  return bpf_program__set_insns(program, code.data(), code.size());
}

// libbpf before 1.3 frees its list of handlers with the last one, and frees it again with the next that is registered.
// So one stays, for a section that nobody has.
int register_lasting_handler() {
  libbpf_prog_handler_opts options{};
  options.sz = sizeof(options);
  return libbpf_register_prog_handler("tracer_lasting_handler", BPF_PROG_TYPE_UNSPEC, bpf_attach_type{}, &options);
}

}  // namespace

std::size_t restore_user_reads(std::span<bpf_insn> code) {
  std::size_t restored = 0;
  for (bpf_insn& each : code) {
    if (each.code != (BPF_JMP | BPF_CALL) || each.src_reg != 0) continue;
    if (each.imm == BPF_FUNC_probe_read)
      each.imm = BPF_FUNC_probe_read_user;
    else if (each.imm == BPF_FUNC_probe_read_str)
      each.imm = BPF_FUNC_probe_read_user_str;
    else
      continue;
    ++restored;
  }
  return restored;
}

Result<std::unique_ptr<UserReadsKept>> UserReadsKept::make(std::span<const unsigned char> image) {
  const auto elf = read_bpf_elf(image);
  if (!elf) return std::unexpected(elf.error());
  for (const BpfFunction& function : elf->functions)
    for (const BpfInstruction& each : function.code)
      if (std::ranges::find(ambiguous_helpers, each.helper()) != ambiguous_helpers.end())
        return fail(Errc::invalid_argument, function.name + " reads kernel memory by helper");
  static const int lasting = register_lasting_handler();
  if (lasting < 0) return std::unexpected(os_failure(-lasting, "libbpf: register a section handler"));
  auto kept = std::unique_ptr<UserReadsKept>(new UserReadsKept);
  libbpf_prog_handler_opts options{};
  options.sz = sizeof(options);
  options.prog_prepare_load_fn = restore_before_load;
  for (const HandledSection& each : handled_sections) {
    const int handler = libbpf_register_prog_handler(each.prefix, each.type, each.attach, &options);
    if (handler < 0) return std::unexpected(os_failure(-handler, std::string("libbpf: handle ") + each.prefix));
    kept->handlers_.push_back(handler);
  }
  return kept;
}

UserReadsKept::~UserReadsKept() {
  for (const int handler : handlers_) libbpf_unregister_prog_handler(handler);
}

}  // namespace tracer
