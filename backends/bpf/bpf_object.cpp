#include "backends/bpf/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace tracer {
namespace {

// Enough for the end of a log, which holds the reason; old kernels refuse buffers past 16 MiB.
constexpr std::size_t verifier_log_bytes = 256 * 1024;

int silent(libbpf_print_level, const char*, va_list) { return 0; }

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

ObjectHandle open_image(const BpfImage& image) {
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
  return object;
}

std::string load_failure(const BpfImage& image, const std::string& program) {
  ObjectHandle object = open_image(image);
  if (!object) return std::string("the object cannot be opened: ") + std::generic_category().message(errno);
  bpf_program* chosen = nullptr;
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object.get()) {
    const bool wanted = program == bpf_program__name(each);
    bpf_program__set_autoload(each, wanted);
    if (wanted) chosen = each;
  }
  std::string log(verifier_log_bytes, '\0');
  bpf_program__set_log_buf(chosen, log.data(), log.size());
  const int failed = bpf_object__load(object.get());
  if (failed == 0) return {};
  std::string reason = std::generic_category().message(-failed);
  const std::string said = verifier_summary(log.c_str());
  return said.empty() ? reason : reason + ": " + said;
}

}  // namespace

std::string verifier_summary(std::string_view log, std::size_t lines_max) {
  std::vector<std::string_view> lines;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    const bool statistics = line.starts_with("processed ") || line.starts_with("verification time") ||
                            line.starts_with("stack depth") || line.starts_with("-- ");
    if (!line.empty() && !statistics) lines.push_back(line);
  }
  std::string joined;
  for (std::size_t i = lines.size() - std::min(lines.size(), lines_max); i < lines.size(); ++i) {
    if (!joined.empty()) joined += " | ";
    joined += lines[i];
  }
  return joined;
}

Result<std::unique_ptr<BpfObject>> BpfObject::load(const BpfImage& image, std::vector<AttachOutcome>& outcomes) {
  libbpf_set_print(silent);
  raise_memlock_limit();
  ObjectHandle object = open_image(image);
  if (!object) return std::unexpected(os_failure(errno, "open BPF object " + std::string(image.name)));
  int failed = bpf_object__load(object.get());
  if (failed == 0) return std::unique_ptr<BpfObject>(new BpfObject(object.release()));

  std::set<std::string> refused;
  std::string last_reason;
  std::size_t programs = 0;
  object = open_image(image);
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object.get()) {
    ++programs;
    const std::string name = bpf_program__name(each);
    std::string reason = load_failure(image, name);
    if (reason.empty()) continue;
    outcomes.push_back({name, false, reason});
    last_reason = name + ": " + reason;
    refused.insert(name);
  }
  if (refused.size() == programs || refused.empty())
    return std::unexpected(Error{errc_of(-failed),
                                 -failed,
                                 "load BPF object " + std::string(image.name) + ": " +
                                     (last_reason.empty() ? std::generic_category().message(-failed) : last_reason),
                                 {}});
  bpf_object__for_each_program(each, object.get())
      bpf_program__set_autoload(each, !refused.contains(bpf_program__name(each)));
  failed = bpf_object__load(object.get());
  if (failed != 0) return std::unexpected(os_failure(-failed, "load BPF object " + std::string(image.name)));
  return std::unique_ptr<BpfObject>(new BpfObject(object.release()));
}

BpfObject::~BpfObject() {
  for (bpf_link* link : links_) bpf_link__destroy(link);
  bpf_object__close(object_);
}

int BpfObject::map_fd(std::string_view name) const {
  const bpf_map* map = bpf_object__find_map_by_name(object_, std::string(name).c_str());
  return map != nullptr ? bpf_map__fd(map) : -1;
}

void BpfObject::attach_all(std::vector<AttachOutcome>& outcomes) {
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object_) {
    if (bpf_program__fd(each) < 0) continue;
    bpf_link* link = bpf_program__attach(each);
    if (link == nullptr) {
      outcomes.push_back({bpf_program__name(each), false, "attach: " + std::generic_category().message(errno)});
      continue;
    }
    links_.push_back(link);
    outcomes.push_back({bpf_program__name(each), true, {}});
  }
}

AttachOutcome BpfObject::attach_tracepoint(std::string_view program, const std::string& category,
                                           const std::string& event) {
  const std::string what = category + ":" + event;
  const bpf_program* found = bpf_object__find_program_by_name(object_, std::string(program).c_str());
  if (found == nullptr || bpf_program__fd(found) < 0) return {what, false, std::string(program) + " is not loaded"};
  bpf_link* link = bpf_program__attach_tracepoint(found, category.c_str(), event.c_str());
  if (link == nullptr) return {what, false, "attach: " + std::generic_category().message(errno)};
  links_.push_back(link);
  return {what, true, {}};
}

std::optional<std::uint64_t> BpfObject::missed_runs() const {
  std::uint64_t missed = 0;
  const bpf_program* each = nullptr;
  for (each = bpf_object__next_program(object_, nullptr); each != nullptr;
       each = bpf_object__next_program(object_, const_cast<bpf_program*>(each))) {
    if (bpf_program__fd(each) < 0) continue;
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(each), &info, &size) != 0) return std::nullopt;
    if (size < offsetof(bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses)) return std::nullopt;
    missed += info.recursion_misses;
  }
  return missed;
}

}  // namespace tracer
