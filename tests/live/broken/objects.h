// Every BPF object, and what is lost with each of its programs: written down apart from the code that decides it.
#pragma once

#include <algorithm>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

#include "backends/bpf/missed_runs.h"
#include "core/capability.h"

extern "C" {
#define WHOLE_IMAGE(name) extern const unsigned char whole_##name##_start[], whole_##name##_end[]
WHOLE_IMAGE(tracepoint_typed);
WHOLE_IMAGE(tracepoint_typed_loop);
WHOLE_IMAGE(tracepoint_raw);
WHOLE_IMAGE(tracepoint_raw_loop);
WHOLE_IMAGE(tracepoint_floor);
WHOLE_IMAGE(tracepoint_floor_perf);
WHOLE_IMAGE(tracepoint_floor_typed);
WHOLE_IMAGE(ebpf_fentry);
WHOLE_IMAGE(ebpf_fentry_loop);
WHOLE_IMAGE(ebpf_fentry_sealed);
WHOLE_IMAGE(ebpf_kprobe);
WHOLE_IMAGE(ebpf_kprobe_loop);
WHOLE_IMAGE(ebpf_kprobe_perf);
#undef WHOLE_IMAGE
}

namespace tracer {

// The facets that these objects are opened for.
inline constexpr Facet opened_facets[] = {Facet::http, Facet::connection, Facet::process, Facet::file, Facet::library};

struct ProgramCost {
  std::string_view program;
  std::vector<Facet> facets;  // lost without it
};

struct BuiltObject {
  std::string_view name;
  std::span<const unsigned char> image;
  BackendKind backend{};
  Mechanism mechanism{};
  std::span<const ProgramCost> costs;
  bool ring_buffer = true;
  bool kernel_reads = true;
  bool same_programs = false;  // as another object of this mechanism
};

inline const std::vector<Facet> nothing_lost;
inline const std::vector<Facet> sockets_lost{Facet::http, Facet::connection};  // who moves the bytes is known by them
inline const std::vector<Facet> connections_lost{Facet::connection};
inline const std::vector<Facet> processes_lost{Facet::process};
inline const std::vector<Facet> files_lost{Facet::file, Facet::library};

inline const ProgramCost kernel_socket_costs[] = {
    {"tracer_sys_enter", sockets_lost},     {"tracer_sys_exit", sockets_lost},    {"tracer_io_uring", nothing_lost},
    {"tracer_set_state", connections_lost}, {"tracer_destroy", connections_lost}, {"tracer_fork", nothing_lost},
    {"tracer_exec", processes_lost},        {"tracer_exit", processes_lost},      {"tracer_file_enter", files_lost},
    {"tracer_file_exit", files_lost},
};
inline const ProgramCost floor_costs[] = {
    {"floor_enter", sockets_lost},     {"floor_data_exit", sockets_lost},      {"floor_descriptor_exit", sockets_lost},
    {"floor_state", connections_lost}, {"floor_destroy", nothing_lost},        {"floor_fork", nothing_lost},
    {"floor_exec", processes_lost},    {"floor_process_exit", processes_lost}, {"floor_file_enter", files_lost},
    {"floor_file_exit", files_lost},
};
inline const ProgramCost typed_floor_costs[] = {
    {"floor_enter", sockets_lost},          {"floor_exit", sockets_lost},     {"floor_state", connections_lost},
    {"floor_destroy", nothing_lost},        {"floor_fork", nothing_lost},     {"floor_exec", processes_lost},
    {"floor_process_exit", processes_lost}, {"floor_file_enter", files_lost}, {"floor_file_exit", files_lost},
};
inline const ProgramCost kernel_function_costs[] = {
    {"tracer_send_enter", sockets_lost},     {"tracer_send_exit", sockets_lost},
    {"tracer_receive_enter", sockets_lost},  {"tracer_receive_exit", sockets_lost},
    {"tracer_sendpage_enter", nothing_lost}, {"tracer_sendpage_exit", nothing_lost},
    {"tracer_splice_enter", nothing_lost},   {"tracer_splice_exit", nothing_lost},
    {"tracer_accept_exit", nothing_lost},    {"tracer_release", nothing_lost},
    {"tracer_set_state", connections_lost},  {"tracer_destroy", connections_lost},
    {"tracer_fork", nothing_lost},           {"tracer_exec", processes_lost},
    {"tracer_exit", processes_lost},         {"tracer_file_enter", files_lost},
    {"tracer_file_exit", files_lost},
};

#define IMAGE(object) .name = #object, .image = {whole_##object##_start, whole_##object##_end}
inline const BuiltObject tracepoint_objects[] = {
    {IMAGE(tracepoint_typed), .backend = BackendKind::tracepoint, .mechanism = Mechanism::tp_btf,
     .costs = kernel_socket_costs, .same_programs = true},
    {IMAGE(tracepoint_typed_loop), .backend = BackendKind::tracepoint, .mechanism = Mechanism::tp_btf,
     .costs = kernel_socket_costs},
    {IMAGE(tracepoint_raw), .backend = BackendKind::tracepoint, .mechanism = Mechanism::raw_tp,
     .costs = kernel_socket_costs, .same_programs = true},
    {IMAGE(tracepoint_raw_loop), .backend = BackendKind::tracepoint, .mechanism = Mechanism::raw_tp,
     .costs = kernel_socket_costs},
    {IMAGE(tracepoint_floor), .backend = BackendKind::tracepoint, .mechanism = Mechanism::syscall_tp,
     .costs = floor_costs},
    {IMAGE(tracepoint_floor_perf), .backend = BackendKind::tracepoint, .mechanism = Mechanism::syscall_tp,
     .costs = floor_costs, .ring_buffer = false, .same_programs = true},
    {IMAGE(tracepoint_floor_typed), .backend = BackendKind::tracepoint, .mechanism = Mechanism::tp_btf,
     .costs = typed_floor_costs, .kernel_reads = false},
};
inline const BuiltObject ebpf_objects[] = {
    {IMAGE(ebpf_fentry), .backend = BackendKind::ebpf, .mechanism = Mechanism::fentry, .costs = kernel_function_costs,
     .same_programs = true},
    {IMAGE(ebpf_fentry_loop), .backend = BackendKind::ebpf, .mechanism = Mechanism::fentry,
     .costs = kernel_function_costs},
    {IMAGE(ebpf_fentry_sealed), .backend = BackendKind::ebpf, .mechanism = Mechanism::fentry,
     .costs = kernel_function_costs, .kernel_reads = false, .same_programs = true},
    {IMAGE(ebpf_kprobe), .backend = BackendKind::ebpf, .mechanism = Mechanism::kprobe, .costs = kernel_function_costs,
     .same_programs = true},
    {IMAGE(ebpf_kprobe_loop), .backend = BackendKind::ebpf, .mechanism = Mechanism::kprobe,
     .costs = kernel_function_costs, .same_programs = true},
    {IMAGE(ebpf_kprobe_perf), .backend = BackendKind::ebpf, .mechanism = Mechanism::kprobe,
     .costs = kernel_function_costs, .ring_buffer = false},
};
#undef IMAGE

inline void PrintTo(const BuiltObject& object, std::ostream* out) { *out << object.name; }

// nullptr: it is not written down. A copy that stands in for another program costs nothing.
inline const std::vector<Facet>* lost_without(const BuiltObject& object, std::string_view program) {
  if (program.contains(copy_mark)) return &nothing_lost;
  const auto row = std::ranges::find(object.costs, program, &ProgramCost::program);
  return row != object.costs.end() ? &row->facets : nullptr;
}

}  // namespace tracer
