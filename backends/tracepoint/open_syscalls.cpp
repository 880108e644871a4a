// Opens syscall_tp, the floor: two programs on every system call that touches sockets or descriptors, with what user
// space has to add because the kernel's types are not known.
#include <algorithm>
#include <iterator>

#include "backends/bpf/control_maps.h"
#include "backends/bpf/facet_programs.h"
#include "backends/bpf/hash_map.h"
#include "backends/tracepoint/kernel_descriptors.h"
#include "backends/tracepoint/openers.h"
#include "backends/tracepoint/tracefs.h"

extern "C" {
extern const unsigned char tracepoint_floor_start[], tracepoint_floor_end[];
extern const unsigned char tracepoint_floor_perf_start[], tracepoint_floor_perf_end[];
}

namespace tracer {
namespace {

struct LayoutField {
  const char* event;
  const char* field;
  __u32 wire_layout::* offset;
};

constexpr LayoutField layout_fields[] = {
    {"sock/inet_sock_set_state", "skaddr", &wire_layout::state_socket},
    {"sock/inet_sock_set_state", "oldstate", &wire_layout::state_old},
    {"sock/inet_sock_set_state", "newstate", &wire_layout::state_new},
    {"sock/inet_sock_set_state", "sport", &wire_layout::state_source_port},
    {"sock/inet_sock_set_state", "dport", &wire_layout::state_destination_port},
    {"sock/inet_sock_set_state", "family", &wire_layout::state_family},
    {"sock/inet_sock_set_state", "protocol", &wire_layout::state_protocol},
    {"sock/inet_sock_set_state", "saddr", &wire_layout::state_source4},
    {"sock/inet_sock_set_state", "daddr", &wire_layout::state_destination4},
    {"sock/inet_sock_set_state", "saddr_v6", &wire_layout::state_source6},
    {"sock/inet_sock_set_state", "daddr_v6", &wire_layout::state_destination6},
    {"tcp/tcp_destroy_sock", "skaddr", &wire_layout::destroy_socket},
    {"sched/sched_process_fork", "child_pid", &wire_layout::fork_child},
    {"sched/sched_process_exec", "filename", &wire_layout::exec_filename},
};

// A field that is not there leaves its program unattached; `absent` names the events.
wire_layout find_layout(std::vector<std::string>& absent) {
  wire_layout layout{};
  std::string_view read;
  Result<EventFormat> format;
  for (const LayoutField& wanted : layout_fields) {
    if (read != wanted.event) format = read_event_format(wanted.event);  // fields of one event stand together
    read = wanted.event;
    const EventField* field = format ? format->find(wanted.field) : nullptr;
    if (field == nullptr) {
      absent.emplace_back(wanted.event);
      continue;
    }
    layout.*wanted.offset = field->offset;
    if (wanted.offset == &wire_layout::state_protocol) layout.state_protocol_size = field->size;
  }
  return layout;
}

struct EventProgram {
  const char* program;
  const char* category;
  const char* event;
};

constexpr EventProgram event_programs[] = {
    {"floor_state", "sock", "inet_sock_set_state"},        {"floor_destroy", "tcp", "tcp_destroy_sock"},
    {"floor_fork", "sched", "sched_process_fork"},         {"floor_exec", "sched", "sched_process_exec"},
    {"floor_process_exit", "sched", "sched_process_exit"},
};

constexpr std::string_view life_programs[] = {"floor_fork", "floor_exec", "floor_process_exit"};
constexpr std::string_view state_events[] = {"sock:inet_sock_set_state"};
constexpr std::string_view life_events[] = {"sched:sched_process_exec", "sched:sched_process_exit"};
constexpr std::string_view file_programs_here[] = {"floor_file_enter", "floor_file_exit"};
// Without these no open is told of; what each of the others opens is lost with it.
constexpr std::string_view open_events[] = {"syscalls:openat for files"};
constexpr std::string_view map_events[] = {"syscalls:openat for files", "syscalls:mmap for files"};
constexpr std::string_view process_missing[] = {"exit_code", "signal", "ppid"};  // not in these events' records
constexpr FacetNeed needs[] = {
    {Facet::http, {}},  // its system calls are looked at one by one
    {Facet::tls, {}},
    {Facet::https, {}},
    {Facet::connection, state_events},
    {Facet::process, life_events},
    {Facet::file, open_events},
    {Facet::library, map_events},
};

// The system calls without which HTTP cannot be seen at all: those that move bytes, and those that make a descriptor a
// connection.
bool is_required(std::string_view syscall) {
  constexpr std::string_view required[] = {"read", "write", "sendto", "recvfrom", "connect", "accept4"};
  return std::ranges::find(required, syscall) != std::end(required);
}

Result<void> attach_syscalls(BpfObject& object, std::vector<AttachOutcome>& outcomes) {
  for (const SyscallOp& call : descriptor_syscalls()) {
    const bool data = call.op <= WIRE_OP_RECVMMSG;
    const std::string name(call.name);
    AttachOutcome exit = call.op == WIRE_OP_CLOSE
                             ? AttachOutcome{"syscalls:sys_exit_" + name, true, {}}
                             : object.attach_tracepoint(data ? "floor_data_exit" : "floor_descriptor_exit", "syscalls",
                                                        "sys_exit_" + name);
    AttachOutcome enter = object.attach_tracepoint("floor_enter", "syscalls", "sys_enter_" + name);
    for (const AttachOutcome& outcome : {exit, enter})
      if (!outcome.attached && is_required(name))
        return fail(Errc::not_supported, outcome.what + ": " + outcome.reason);
    outcomes.push_back(
        {"syscalls:" + name, enter.attached && exit.attached, enter.attached ? exit.reason : enter.reason});
  }
  return {};
}

// A kernel without one of these calls (openat2 is of 5.6) has no event for it either.
void attach_file_syscalls(BpfObject& object, bool libraries, std::vector<AttachOutcome>& outcomes) {
  for (const SyscallOp& call : file_syscalls(libraries)) {
    const std::string name(call.name), what = "syscalls:" + name + " for files";
    const bool ends = call.op < WIRE_FILE_OP_CLOSE;  // of the others the beginning is enough
    const AttachOutcome exit = ends ? object.attach_tracepoint("floor_file_exit", "syscalls", "sys_exit_" + name)
                                    : AttachOutcome{what, true, {}};
    const AttachOutcome enter = object.attach_tracepoint("floor_file_enter", "syscalls", "sys_enter_" + name);
    outcomes.push_back({what, enter.attached && exit.attached, enter.attached ? exit.reason : enter.reason,
                        enter.attached ? exit.code : enter.code});
  }
}

}  // namespace

Result<OpenedBackend> open_syscalls(const TracepointOptions& options) {
  const bool sockets = wants_sockets(options.facets);
  if (sockets && options.ownership == nullptr)
    return fail(Errc::invalid_argument, "syscall_tp needs somebody who knows which socket a descriptor is");
  BpfImage image;
  image.bytes = options.ring_buffer ? std::span(tracepoint_floor_start, tracepoint_floor_end)
                                    : std::span(tracepoint_floor_perf_start, tracepoint_floor_perf_end);
  image.name = "tracer";
  image.map_entries = {{"copy_works", possible_processors()}};
  if (options.ring_buffer) image.map_entries.push_back({"events", static_cast<std::uint32_t>(options.ring_bytes)});
  const bool files = wants_files(options.facets);
  const FileSetting file_settings = file_setting(options.facets, options.files);
  if (!sockets) image.only.assign(std::begin(life_programs), std::end(life_programs));
  auto& chosen = sockets ? image.without : image.only;
  if (sockets != files) chosen.insert(chosen.end(), std::begin(file_programs_here), std::end(file_programs_here));
  size_file_maps(image, file_settings);
  size_plaintext_map(image, wants_plaintext(options.plaintext, options.facets));
  OpenedBackend opened;
  opened.kind = BackendKind::tracepoint;
  opened.mechanism = options.mechanism;
  opened.slow_to_detach =
      true;  // the kernel waits for all processors at every event it lets go of, and here are some fifty
  auto object = BpfObject::load(image, opened.outcomes);
  if (!object) return std::unexpected(object.error());
  BpfBackendOptions running = running_options(options);
  running.missed_runs = MissedRuns::by_kernel_unless_zero;
  running.files = file_settings;
  auto backend = BpfBackend::make(std::move(*object), std::move(running));
  if (!backend) return std::unexpected(backend.error());
  BpfObject& loaded = (*backend)->object();

  std::vector<std::string> absent;
  const wire_layout layout = find_layout(absent);
  const std::uint32_t zero = 0;
  hash_map_set(loaded.map_fd("layout"), &zero, &layout, true);
  if (auto written = write_syscall_ops(loaded.map_fd("ops"), descriptor_syscalls()); !written)
    return std::unexpected(written.error());

  bool destroy_seen = false;
  for (const EventProgram& each : event_programs) {
    if (!sockets && std::ranges::find(life_programs, each.program) == std::end(life_programs)) continue;
    const std::string name = std::string(each.category) + "/" + each.event;
    bool known = true;
    for (const std::string& event : absent) known = known && event != name;
    AttachOutcome outcome = known ? loaded.attach_tracepoint(each.program, each.category, each.event)
                                  : AttachOutcome{std::string(each.category) + ":" + each.event, false,
                                                  "this kernel's record has other fields, or no such event"};
    if (outcome.attached && std::string_view(each.program) == "floor_destroy") destroy_seen = true;
    opened.outcomes.push_back(std::move(outcome));
  }
  if (sockets)
    if (auto attached = attach_syscalls(loaded, opened.outcomes); !attached) return std::unexpected(attached.error());
  if (auto written = write_file_maps(loaded, file_settings); !written) return std::unexpected(written.error());
  if (files) attach_file_syscalls(loaded, (file_settings.flags & WIRE_FILES_LIBRARIES) != 0, opened.outcomes);
  loaded.tell_attached_programs(opened.outcomes);
  auto refused = settle_facets(needs, options.facets, opened.outcomes);
  if (!refused) return std::unexpected(refused.error());
  opened.refused = std::move(*refused);

  // Attach first, look second: what is opened in between is seen by the programs, and their entries stay.
  if (sockets) {
    auto map = kernel_descriptors(loaded.map_fd("descriptors"), loaded.map_fd("streams"));
    DescriptorTrackerOptions tracking;
    tracking.destroy_seen = destroy_seen;
    (*backend)->follow(std::make_unique<DescriptorTracker>(*options.ownership, std::move(map), tracking));
  }

  opened.missing.assign(std::begin(process_missing), std::end(process_missing));
  if (files && require_attached(open_events, opened.outcomes)) (*backend)->expect_files();
  if (auto tested = (*backend)->run_self_test(); !tested) return std::unexpected(tested.error());
  if (auto carried = carry_plaintext(**backend, options.plaintext, options.facets, opened); !carried)
    return std::unexpected(carried.error());
  opened.self_test_seen = (*backend)->self_test_seen();
  opened.backend = std::move(*backend);
  return opened;
}

}  // namespace tracer
