#include "tests/unit/bpf_limits/limits.h"

#include <linux/bpf.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace tracer {
namespace {

// Filled by the loader through means that came with 5.2 (data) and later.
constexpr std::string_view data_sections[] = {".rodata", ".data", ".bss", ".kconfig", ".ksyms", ".struct_ops"};

bool is_data(const BpfSection& section) {
  return section.bytes != 0 &&
         std::ranges::any_of(data_sections, [&](std::string_view prefix) { return section.name.starts_with(prefix); });
}

const BpfFunction* find(const BpfElf& object, std::string_view name) {
  const auto at = std::ranges::find(object.functions, name, &BpfFunction::name);
  return at != object.functions.end() ? &*at : nullptr;
}

// The program and everything that it calls, each once, as the loader puts them together. False: it calls itself.
bool gather(const BpfElf& object, const BpfFunction& function, std::set<const BpfFunction*>& all,
            std::set<const BpfFunction*>& open) {
  if (open.contains(&function)) return false;
  if (!all.insert(&function).second) return true;
  open.insert(&function);
  for (const std::string& name : function.calls) {
    const BpfFunction* callee = find(object, name);
    if (callee != nullptr && !gather(object, *callee, all, open)) return false;
  }
  open.erase(&function);
  return true;
}

// Atomic operations other than "add, and forget what was there" came with 5.12.
bool is_new_atomic(const BpfInstruction& each) {
  constexpr auto atomic = 0xc0;
  return BPF_CLASS(each.opcode) == BPF_STX && BPF_MODE(each.opcode) == atomic && each.immediate != BPF_ADD;
}

// Code generation v4 (6.6) and what came after it: no object is only for kernels as young as that.
bool is_v4(const BpfInstruction& each) {
  constexpr auto load_signed = 0x80;
  constexpr auto jump_maybe = 0xe0;                // 6.10
  constexpr std::int32_t acquire_release = 0x100;  // 6.15
  const auto kind = BPF_CLASS(each.opcode), operation = BPF_OP(each.opcode);
  switch (kind) {
    case BPF_LDX:
      return BPF_MODE(each.opcode) == load_signed;
    case BPF_STX:
      return is_new_atomic(each) && (each.immediate & acquire_release) != 0;
    case BPF_JMP:
      return operation == jump_maybe;
    case BPF_JMP32:
      return operation == BPF_JA;
    case BPF_ALU64:
    case BPF_ALU:
      if (operation == BPF_END) return kind == BPF_ALU64;  // swaps bytes whatever the machine's order is
      return each.offset != 0;                             // signed division, and moves that keep the sign
    default:
      return false;
  }
}

void judge_code(const BpfFunction& function, const ObjectLimits& limits, std::vector<std::string>& found) {
  std::set<std::uint32_t> refused;
  bool jump32 = false, atomic = false, v4 = false;
  for (const BpfInstruction& each : function.code) {
    jump32 = jump32 || each.is_jump32();
    atomic = atomic || is_new_atomic(each);
    v4 = v4 || is_v4(each);
    const auto helper = each.helper();
    if (helper && std::ranges::find(limits.helpers, *helper, &AllowedHelper::number) == limits.helpers.end())
      refused.insert(*helper);
  }
  for (const std::uint32_t helper : refused)
    found.push_back(function.name + ": helper " + std::to_string(helper) + " is not in the list");
  if (jump32 && !limits.jumps32)
    found.push_back(function.name + ": compares 32-bit registers (code generation v3, kernel 5.1)");
  if (atomic && !limits.atomics) found.push_back(function.name + ": an atomic operation of 5.12");
  if (v4) found.push_back(function.name + ": an instruction of 6.6 or later");
  if (!limits.loops && has_loop(function.code)) found.push_back(function.name + ": a loop (kernel 5.3)");
}

}  // namespace

bool has_loop(std::span<const BpfInstruction> code) {
  enum class Visit : std::uint8_t { none, open, done };
  std::vector<Visit> visits(code.size(), Visit::none);
  struct Frame {
    std::size_t at = 0;
    int edge = 0;  // the next one to follow: 0 falls through, 1 jumps
  };
  std::vector<Frame> path{{0, 0}};
  while (!path.empty()) {
    Frame& top = path.back();
    if (top.at >= code.size() || top.edge == 2) {
      if (top.at < code.size()) visits[top.at] = Visit::done;
      path.pop_back();
      continue;
    }
    const BpfInstruction& each = code[top.at];
    const auto distance = each.jump();
    const bool always = distance && BPF_OP(each.opcode) == BPF_JA;
    const bool ends = BPF_CLASS(each.opcode) == BPF_JMP && BPF_OP(each.opcode) == BPF_EXIT;
    visits[top.at] = Visit::open;
    const int edge = top.edge++;
    if (ends || (edge == 0 && always) || (edge == 1 && !distance)) continue;
    const auto next = static_cast<std::size_t>(static_cast<std::int64_t>(top.at) + 1 + (edge == 1 ? *distance : 0));
    if (next >= code.size() || visits[next] == Visit::done) continue;
    if (visits[next] == Visit::open) return true;
    path.push_back({next, 0});
  }
  return false;
}

std::vector<std::string> violations(const BpfElf& object, const ObjectLimits& limits) {
  std::vector<std::string> found;
  if (object.core_relocation_bytes != 0)
    found.push_back(".BTF.ext: " + std::to_string(object.core_relocation_bytes) +
                    " bytes of CO-RE relocations, which need the kernel's type information");
  for (const BpfSection& section : object.sections)
    if (is_data(section)) found.push_back(section.name + ": global data (kernel 5.2)");
  bool any = false;
  for (const BpfFunction& function : object.functions) {
    judge_code(function, limits, found);
    if (function.section == ".text") continue;
    any = true;
    std::set<const BpfFunction*> all, open;
    if (!gather(object, function, all, open)) {
      found.push_back(function.name + ": calls itself");
      continue;
    }
    std::size_t instructions = 0;
    for (const BpfFunction* each : all) instructions += each->code.size();
    if (instructions > limits.instructions_max)
      found.push_back(function.name + ": " + std::to_string(instructions) + " instructions");
  }
  if (!any) found.push_back("no program at all");
  return found;
}

}  // namespace tracer
