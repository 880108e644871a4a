#include "backends/bpf/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <fstream>

#include "backends/bpf/kernel_log.h"
#include "backends/bpf/kprobe_misses.h"
#include "backends/bpf/load_failure.h"
#include "backends/bpf/packed_image.h"
#include "backends/bpf/user_reads.h"

namespace tracer {
namespace {

// Tried in this order. Kernels before 6.4 keep the beginning of a log that does not fit, and the reason is its end;
// those before 5.16 refuse a buffer of 16 MiB.
constexpr std::array<std::size_t, 2> verifier_log_bytes{256 * 1024, 16 * 1024 * 1024 - 1};

// What libbpf says goes here, and never to standard error.
thread_local std::string* listener = nullptr;
[[gnu::format(printf, 2, 0)]] int listen(libbpf_print_level level, const char* format, va_list arguments) {
  if (listener == nullptr || level == LIBBPF_DEBUG) return 0;
  std::array<char, 512> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  constexpr std::size_t messages_bytes_max = 64 * 1024;
  if (length > 0 && listener->size() < messages_bytes_max) *listener += line.data();
  return 0;
}

bool holds(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> held{};
  if (::syscall(SYS_capget, &header, held.data()) != 0) return false;
  return ((held[capability / 32].effective >> (capability % 32)) & 1) != 0;
}

// May it be a policy? CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON.
bool is_privileged() { return holds(CAP_SYS_ADMIN) || (holds(CAP_BPF) && holds(CAP_PERFMON)); }

// "confidentiality" of "none integrity [confidentiality]"; empty where securityfs does not say.
std::string lockdown_mode() {
  std::ifstream file("/sys/kernel/security/lockdown");
  std::string modes;
  std::getline(file, modes, '[');
  modes.clear();
  std::getline(file, modes, ']');
  return modes;
}

// Kernels before 5.11 charge maps to RLIMIT_MEMLOCK. A refusal is not fatal: newer ones do not look at it.
void raise_memlock_limit() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0) return;
  rlimit soft{};
  if (::getrlimit(RLIMIT_MEMLOCK, &soft) == 0) {
    soft.rlim_cur = soft.rlim_max;
    ::setrlimit(RLIMIT_MEMLOCK, &soft);
  }
}

struct ObjectCloser {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using ObjectHandle = std::unique_ptr<bpf_object, ObjectCloser>;

// "tcp_sendmsg" of SEC("fentry/tcp_sendmsg").
std::string target_of(const bpf_program* program) {
  const std::string_view section = bpf_program__section_name(program);
  const std::size_t slash = section.find('/');
  return std::string(slash == std::string_view::npos ? section : section.substr(slash + 1));
}

// libbpf would find the targets while loading, and give the whole object up at the first that is not there.
void find_targets(bpf_object* object, std::vector<AttachOutcome>& missing) {
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object) {
    if (!bpf_program__autoload(each) || bpf_program__type(each) != BPF_PROG_TYPE_TRACING) continue;
    const std::string target = target_of(each);
    const int failed = bpf_program__set_attach_target(each, 0, target.c_str());
    if (failed == 0) continue;
    bpf_program__set_autoload(each, false);
    missing.push_back({bpf_program__name(each), false,
                       failed == -ESRCH || failed == -ENOENT
                           ? "this kernel's type information has no " + target
                           : "find " + target + ": " + std::generic_category().message(-failed),
                       to_string(LoadFailureCode::attach_target_missing)});
  }
}

// Only CAP_SYS_ADMIN may look through the types of kernel modules. libbpf 1.1 does so for a kernel function that is not
// there, and takes the refusal for a failure although the function is weak; but it looks only once: so now, where that
// harms nothing.
void look_through_modules(bpf_object* object) {
  bpf_program* any = bpf_object__next_program(object, nullptr);
  if (any != nullptr && !holds(CAP_SYS_ADMIN)) bpf_program__set_attach_target(any, 0, "tracer_no_such_function");
}

constexpr auto trace_uprobe_multi = static_cast<bpf_attach_type>(48);  // BPF_TRACE_UPROBE_MULTI, linux/bpf.h of 6.6

// `only`: the one program to load; empty: all that are wanted. Programs without a target go to `missing`.
ObjectHandle open_image(const BpfImage& image, std::string_view only, std::vector<AttachOutcome>& missing) {
  const std::string name(image.name);
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = name.c_str();
  if (!image.btf_path.empty()) options.btf_custom_path = image.btf_path.c_str();
  ObjectHandle object(bpf_object__open_mem(image.bytes.data(), image.bytes.size(), &options));
  if (!object) return object;
  for (const MapEntries& size : image.map_entries) {
    bpf_map* map = bpf_object__find_map_by_name(object.get(), std::string(size.map).c_str());
    if (map != nullptr) bpf_map__set_max_entries(map, size.entries);
  }
  for (const SharedMap& shared : image.shared_maps) {
    bpf_map* map = bpf_object__find_map_by_name(object.get(), std::string(shared.map).c_str());
    const int failed = map != nullptr ? bpf_map__reuse_fd(map, shared.fd) : -ENOENT;
    if (failed == 0) continue;
    errno = -failed;
    return {};
  }
  for (const std::string_view unused : image.maps_left_out) {
    bpf_map* map = bpf_object__find_map_by_name(object.get(), std::string(unused).c_str());
    if (map != nullptr) bpf_map__set_autocreate(map, false);
  }
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object.get()) {
    const std::string_view program = bpf_program__name(each);
    const std::string_view original = program.substr(0, program.find(copy_mark));
    const bool wanted = std::ranges::find(image.leave_out, program) == image.leave_out.end() &&
                        std::ranges::find(image.without, original) == image.without.end() &&
                        (image.only.empty() || std::ranges::find(image.only, original) != image.only.end()) &&
                        (image.twice || original == program);
    bpf_program__set_autoload(each, wanted && (only.empty() || only == program));
    if (std::ranges::find(image.at_many_places, program) != image.at_many_places.end())
      bpf_program__set_expected_attach_type(each, trace_uprobe_multi);
  }
  look_through_modules(object.get());
  find_targets(object.get(), missing);
  return object;
}

std::vector<std::string> programs_to_load(bpf_object* object) {
  std::vector<std::string> names;
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object) {
    if (bpf_program__autoload(each)) names.emplace_back(bpf_program__name(each));
  }
  return names;
}

// Loads one program alone and asks the verifier to explain itself. nullopt: it loads.
std::optional<LoadFailure> load_alone(const BpfImage& image, const std::string& program) {
  LoadFailure failure;
  for (const std::size_t log_bytes : verifier_log_bytes) {
    std::string messages;
    listener = &messages;
    std::vector<AttachOutcome> missing;
    ObjectHandle object = open_image(image, program, missing);
    int failed = errno;
    std::string log(log_bytes, '\0');
    KernelLog kernel_log;
    if (object) {
      bpf_program__set_log_buf(bpf_object__find_program_by_name(object.get(), program.c_str()), log.data(), log.size());
      failed = -bpf_object__load(object.get());
    }
    listener = nullptr;
    if (object && failed == 0) return std::nullopt;
    const std::string lockdown = lockdown_mode();
    const std::string said_by_kernel = kernel_log.fresh();
    failure = distill({.step = object ? LoadStep::load : LoadStep::open,
                       .os_error = failed,
                       .messages = messages,
                       .log = log.c_str(),
                       .kernel_log = said_by_kernel,
                       .lockdown = lockdown,
                       .privileged = is_privileged()});
    failure.object = image.name;
    failure.program = program;
    if (!failure.retry_with_larger_log) break;
  }
  return failure;
}

// All programs at once.
struct Attempt {
  ObjectHandle object;  // null: not even opened
  int os_error = 0;     // positive
  std::string messages;
  std::uint64_t began_ns = 0, ended_ns = 0;  // CLOCK_BOOTTIME
};

std::uint64_t boot_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

Attempt attempt(const BpfImage& image, std::vector<AttachOutcome>& missing) {
  Attempt made;
  made.object = open_image(image, {}, missing);
  if (!made.object) {
    made.os_error = errno;
    return made;
  }
  listener = &made.messages;
  made.began_ns = boot_time_ns();
  // Also where there is nothing to load: libbpf 1.1 frees the type information that it read only by loading.
  made.os_error = -bpf_object__load(made.object.get());
  made.ended_ns = boot_time_ns();
  listener = nullptr;
  return made;
}

// The program at which libbpf gave up, if it says so and it is one of these.
std::optional<std::string> blamed(std::string_view messages, std::span<const std::string> programs) {
  for (const std::string& program : programs)
    if (messages.contains("prog '" + program + "': BPF program load failed: ")) return program;
  return std::nullopt;
}

std::vector<LoadStamp> load_stamps(bpf_object* object) {
  std::vector<LoadStamp> stamps;
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object) {
    if (bpf_program__fd(each) < 0) continue;
    bpf_prog_info info{};  // what an older kernel does not fill in stays 0
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(each), &info, &size) == 0)
      stamps.push_back({bpf_program__name(each), info.load_time});
  }
  return stamps;
}

std::string_view code_of_attach(int os_error) {
  return to_string(distill({.step = LoadStep::attach, .os_error = os_error, .privileged = is_privileged()}).code);
}

}  // namespace

Result<std::unique_ptr<BpfObject>> BpfObject::load(const BpfImage& packed, std::vector<AttachOutcome>& outcomes) {
  libbpf_set_print(listen);
  const auto unpacked = unpack_image(packed.bytes);
  if (!unpacked) return std::unexpected(unpacked.error());
  BpfImage image = packed;
  image.bytes = *unpacked;
  raise_memlock_limit();
  std::unique_ptr<UserReadsKept> kept;  // until the object is loaded
  if (image.keep_user_reads) {
    auto registered = UserReadsKept::make(image.bytes);
    if (!registered) return std::unexpected(registered.error());
    kept = std::move(*registered);
  }
  const std::string what = "load BPF object " + std::string(image.name);
  std::vector<AttachOutcome> left_out;
  Attempt last = attempt(image, left_out);
  if (!last.object) return std::unexpected(os_failure(last.os_error, "open BPF object " + std::string(image.name)));
  std::vector<std::string> untried = programs_to_load(last.object.get());
  const std::size_t wanted = untried.size();
  if (wanted == 0) last.os_error = ESRCH;
  BpfImage rest = image;
  std::deque<std::string> refused;  // what `rest` leaves out
  bool by_verifier = false;
  const auto try_alone = [&](const std::string& program) {
    std::optional<LoadFailure> failure = load_alone(image, program);
    if (!failure) return false;
    rest.leave_out.emplace_back(refused.emplace_back(program));
    // The verifier says EACCES, which has nothing to do with permissions.
    by_verifier =
        failure->code != LoadFailureCode::policy_denied && failure->code != LoadFailureCode::capability_failure;
    left_out.push_back({program, false, failure->reason, to_string(failure->code)});
    note_load_failure(std::move(*failure));
    return true;
  };
  std::vector<AttachOutcome> known;  // the same as before
  // Mostly it is one, and libbpf says which; to try all of them may take some kernels seconds.
  constexpr std::size_t blamed_max = 3;
  while (last.os_error != 0 && refused.size() < std::min(wanted, blamed_max)) {
    const std::optional<std::string> guilty = blamed(last.messages, untried);
    if (!guilty || !try_alone(*guilty)) break;
    std::erase(untried, *guilty);
    if (!by_verifier || untried.empty()) break;  // what is not allowed mostly holds for all
    last = attempt(rest, known);
  }
  if (last.os_error != 0 && wanted != 0) {
    for (const std::string& program : untried) try_alone(program);
    if (refused.empty()) return std::unexpected(os_failure(last.os_error, what));
    if (refused.size() < wanted) last = attempt(rest, known);
  }
  outcomes.insert(outcomes.end(), left_out.begin(), left_out.end());
  if (last.os_error == 0) {
    std::vector<LoadTime> times = load_times(load_stamps(last.object.get()), last.began_ns, last.ended_ns);
    return std::unique_ptr<BpfObject>(new BpfObject(last.object.release(), std::move(times), std::move(left_out)));
  }
  const std::string why = left_out.empty() ? std::generic_category().message(last.os_error)
                                           : left_out.back().what + ": " + left_out.back().reason;
  return std::unexpected(
      Error{by_verifier ? Errc::not_supported : errc_of(last.os_error), last.os_error, what + ": " + why, {}});
}

BpfObject::~BpfObject() {
  for (const Attachment& attachment : attachments_) bpf_link__destroy(attachment.link);
  bpf_object__close(object_);
}

int BpfObject::map_fd(std::string_view name) const {
  const bpf_map* map = bpf_object__find_map_by_name(object_, std::string(name).c_str());
  return map != nullptr ? bpf_map__fd(map) : -1;
}

int BpfObject::program_fd(std::string_view name) const {
  const bpf_program* program = bpf_object__find_program_by_name(object_, std::string(name).c_str());
  return program != nullptr ? bpf_program__fd(program) : -1;
}

void BpfObject::attach_all(std::vector<AttachOutcome>& outcomes) {
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object_) {
    if (bpf_program__fd(each) < 0) continue;
    // Typed programs not by bpf_program__attach(): the handler of their section may be gone (user_reads.h).
    const bool typed = bpf_program__type(each) == BPF_PROG_TYPE_TRACING;
    bpf_link* link = typed ? bpf_program__attach_trace(each) : bpf_program__attach(each);
    if (link == nullptr) {
      const int why = errno;
      outcomes.push_back({bpf_program__name(each), false,
                          "attach to " + target_of(each) + ": " + std::generic_category().message(why),
                          code_of_attach(why)});
      continue;
    }
    attachments_.push_back({link, bpf_program__name(each)});
    outcomes.push_back({bpf_program__name(each), true, {}, {}, load_ms(bpf_program__name(each))});
  }
}

std::optional<double> BpfObject::load_ms(std::string_view program) const {
  const auto found = std::ranges::find(load_times_, program, &LoadTime::program);
  return found != load_times_.end() ? std::optional(found->ms) : std::nullopt;
}

void BpfObject::tell_attached_programs(std::vector<AttachOutcome>& outcomes) const {
  for (const bpf_program* each = bpf_object__next_program(object_, nullptr); each != nullptr;
       each = bpf_object__next_program(object_, const_cast<bpf_program*>(each))) {
    const std::string_view name = bpf_program__name(each);
    if (std::ranges::find(attachments_, name, &Attachment::program) != attachments_.end())
      outcomes.push_back({std::string(name), true, {}, {}, load_ms(name)});
  }
}

AttachOutcome BpfObject::attach_tracepoint(std::string_view program, const std::string& category,
                                           const std::string& event) {
  const std::string what = category + ":" + event;
  const bpf_program* found = bpf_object__find_program_by_name(object_, std::string(program).c_str());
  if (found == nullptr || bpf_program__fd(found) < 0) {
    const auto why = std::ranges::find(left_out_, program, &AttachOutcome::what);
    if (why == left_out_.end()) return {what, false, std::string(program) + " is not loaded"};
    return {what, false, why->what + ": " + why->reason, why->code};
  }
  bpf_link* link = bpf_program__attach_tracepoint(found, category.c_str(), event.c_str());
  if (link == nullptr) {
    const int why = errno;
    return {what, false, "attach: " + std::generic_category().message(why), code_of_attach(why)};
  }
  attachments_.push_back({link, bpf_program__name(found)});
  return {what, true, {}};
}

std::optional<std::vector<ProgramMisses>> BpfObject::missed_runs() const {
  std::vector<ProgramMisses> all;
  for (const bpf_program* each = bpf_object__next_program(object_, nullptr); each != nullptr;
       each = bpf_object__next_program(object_, const_cast<bpf_program*>(each))) {
    if (bpf_program__fd(each) < 0) continue;
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(each), &info, &size) != 0) return std::nullopt;
    if (size < offsetof(bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses)) return std::nullopt;
    ProgramMisses misses{bpf_program__name(each), info.recursion_misses};
    for (const Attachment& attachment : attachments_)
      if (attachment.program == misses.program) misses.missed += kprobe_misses(attachment.link);
    all.push_back(misses);
  }
  return all;
}

std::optional<std::uint64_t> BpfObject::run_time_ns() const {
  std::uint64_t sum = 0;
  for (const bpf_program* each = bpf_object__next_program(object_, nullptr); each != nullptr;
       each = bpf_object__next_program(object_, const_cast<bpf_program*>(each))) {
    if (bpf_program__fd(each) < 0) continue;
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(each), &info, &size) != 0) return std::nullopt;
    if (size < offsetof(bpf_prog_info, run_time_ns) + sizeof(info.run_time_ns)) return std::nullopt;
    sum += info.run_time_ns;
  }
  return sum;
}

Result<UniqueFd> measure_programs() {
  const int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (fd < 0) return std::unexpected(os_failure(-fd, "measure the time of BPF programs"));
  return UniqueFd(fd);
}

}  // namespace tracer
