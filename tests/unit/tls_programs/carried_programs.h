// Opens each backend that sees sockets with the programs of tls.bpf.c beside it, and keeps what they tell of one
// process. A way that does not open is skipped where only newer or other kernels have it; with TRACER_MUST_OPEN in the
// environment, as in guests, that is a failure.
#pragma once

#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/bpf/control_maps.h"
#include "backends/bpf/hash_map.h"
#include "backends/ebpf/breakpoints.h"
#include "backends/ebpf/ebpf.h"
#include "backends/ebpf/tls_programs.h"
#include "backends/procfs/ownership.h"
#include "backends/tracepoint/tracepoint.h"
#include "tests/unit/tls_programs/fake_library.h"
#include "tests/unit/tls_programs/traced_child.h"

namespace tracer {

struct Way {
  std::string name;
  BackendKind backend{};
  Mechanism mechanism{};
  bool ring_buffer = true;
  bool one_by_one = false;  // breakpoints, also where links hold many of them
  bool kernel_reads = true;
};
inline std::ostream& operator<<(std::ostream& to, const Way& way) { return to << way.name; }

// Links at many places came with 6.6.
inline bool has_many_places() {
  utsname names{};
  int major = 0, minor = 0;
  if (::uname(&names) != 0 || std::sscanf(names.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 6);
}

// What the programs and their breakpoints are in the tests; the real one chooses libraries and processes.
class FakeCompanion final : public Companion {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Companion>> make(const Way& way, const BpfObject& carrier,
                                                               FakeCompanion** made) {
    auto companion = std::make_unique<FakeCompanion>();
    *made = companion.get();
    const bool many_places = has_many_places() && !way.one_by_one;
    const FakeLibrary library = fake_library();
    auto object = load_tls_programs({library.functions, many_places, way.ring_buffer}, carrier, companion->outcomes_);
    if (!object) return std::unexpected(object.error());
    companion->object_ = std::move(*object);
    const auto programs = tls_function_programs(*companion->object_, library.functions, many_places);
    for (const bool at_return : {true, false})
      if (auto set = companion->set(library, programs, at_return, many_places); !set)
        return std::unexpected(set.error());
    return companion;
  }

  [[nodiscard]] bool pass(Event&) override { return true; }
  void work() override {}
  [[nodiscard]] std::vector<BlindSpot> blind() const override { return {}; }
  [[nodiscard]] std::vector<AttachOutcome> outcomes() const override { return outcomes_; }
  [[nodiscard]] std::optional<std::uint64_t> run_time_ns() const override { return std::nullopt; }
  [[nodiscard]] bool slow_to_detach() const override { return false; }

  void leave_out(std::uint32_t process) const {
    constexpr std::uint32_t verdict = TLS_VERDICT_LEFT_OUT;
    hash_map_set(object_->map_fd("tls_processes"), &process, &verdict, true);
  }
  [[nodiscard]] tls_losses losses() const {
    std::vector<tls_losses> each(possible_processors());
    constexpr std::uint32_t zero = 0;
    EXPECT_TRUE(hash_map_get(object_->map_fd("tls_losses"), &zero, each.data()));
    tls_losses sum{};
    for (const tls_losses& one : each) {
      sum.unpaired += one.unpaired;
      sum.nested += one.nested;
      sum.no_room += one.no_room;
    }
    return sum;
  }

 private:
  Result<void> set(const FakeLibrary& library, const std::vector<FunctionPrograms>& programs, bool at_return,
                   bool many_places) {
    const std::string file = "/proc/self/exe";
    Breakpoints all{file, {}, {}, at_return};
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const int program = at_return ? programs[i].at_return : programs[i].at_entry;
      if (program < 0) continue;
      const std::uint64_t offset = own_file_offset(reinterpret_cast<std::uintptr_t>(library.addresses[i]));
      all.offsets.push_back(offset);
      all.numbers.push_back(i);
      if (many_places) continue;
      const auto source = BreakpointSource::find();
      if (!source) return std::unexpected(source.error());
      auto one = source->set({file, offset, at_return}, program);
      if (!one) return std::unexpected(one.error());
      breakpoints_.push_back(std::move(*one));
    }
    if (!many_places) return {};
    const CommonPrograms common = tls_common_programs(*object_);
    auto set = set_breakpoints(all, at_return ? common.at_return : common.at_entry);
    if (!set) return std::unexpected(set.error());
    breakpoints_.push_back(std::move(*set));
    return {};
  }

  std::vector<AttachOutcome> outcomes_;
  std::unique_ptr<BpfObject> object_;
  std::vector<UniqueFd> breakpoints_;  // go first
};

struct Told {
  Direction direction{};
  std::uint64_t session = 0, offset = 0, moved = 0;
  std::string bytes;
  GapCause rest{};
};
inline std::ostream& operator<<(std::ostream& to, const Told& told) {
  return to << (told.direction == Direction::tx ? "tx " : "rx ") << std::hex << told.session << std::dec << " at "
            << told.offset << " moved " << told.moved << " '" << told.bytes.substr(0, 40) << "'";
}

// The last that a process says when all that it did is to be read: records come in order.
constexpr std::string_view mark = "that was all";

// What some processes moved in clear, and the flows of all.
class Recorder final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    if (const auto* lost = std::get_if<Lost>(&event.body)) lost_events += lost->events;
    if (const auto* flow = std::get_if<FlowOpened>(&event.body); flow && flow->local)
      local_ports[flow->flow.value] = flow->local->port;
    if (event.who.tgid == static_cast<std::uint32_t>(::getpid()) && std::holds_alternative<PlaintextOpened>(event.body))
      ++own;
    if (!children.contains(event.who.tgid)) return;
    if (const auto* data = std::get_if<FlowData>(&event.body); data && as_text(data->bytes) == mark) {
      ++marks;
      if (!opened.empty() && opened.back().session == data->flow) opened.pop_back();
      return;
    }
    if (const auto* session = std::get_if<PlaintextOpened>(&event.body)) opened.push_back(*session);
    if (const auto* data = std::get_if<FlowData>(&event.body); data && data->layer == Layer::tls_plaintext) {
      told.push_back({data->direction, data->flow.value, data->offset, data->moved, std::string(as_text(data->bytes)),
                      data->rest});
      times.push_back(event.at.ns);
    }
    if (const auto* closed = std::get_if<FlowClosed>(&event.body); closed && closed->flow.value >> 63 != 0)
      ended.push_back(closed->flow.value);
  }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Told& each : told) all.push_back(each.bytes);
    return all;
  }
  // Of the flow that carries the session, as last told; 0: none.
  [[nodiscard]] std::uint16_t port_of(std::uint64_t session) const {
    std::uint64_t flow = 0;
    for (const PlaintextOpened& each : opened)
      if (each.session.value == session) flow = each.flow.value;
    const auto port = local_ports.find(flow);
    return port != local_ports.end() ? port->second : std::uint16_t{0};
  }
  std::set<std::uint32_t> children;
  int marks = 0;
  std::uint64_t lost_events = 0;
  std::map<std::uint64_t, std::uint16_t> local_ports;
  std::vector<PlaintextOpened> opened;
  std::vector<Told> told;
  std::vector<std::uint64_t> times;
  std::vector<std::uint64_t> ended;
  int own = 0;
};

inline int write_text(FakeSession& session, std::string_view text) {
  return fake_write(&session, text.data(), static_cast<int>(text.size()));
}
inline void set_mark() {
  FakeSession session;
  write_text(session, mark);
}
inline int read_text(FakeSession& session, std::string_view text, int room = 100) {
  std::vector<char> buffer(static_cast<std::size_t>(room));
  session.readable = text;
  return fake_read(&session, buffer.data(), room);
}

class TlsProgramsLive : public testing::TestWithParam<Way> {
 protected:
  // False: the test is skipped.
  bool open() {
    auto opened = GetParam().backend == BackendKind::ebpf ? open_by_ebpf() : open_by_tracepoint();
    if (opened && opened->refused.empty()) {
      opened_ = *std::move(opened);
      return true;
    }
    reason_ = opened ? opened->refused.front().reason : opened.error().context;
    if (std::getenv("TRACER_MUST_OPEN") != nullptr) ADD_FAILURE() << reason_;
    return false;
  }
  // There may be much other traffic: it must not fill the buffer.
  static constexpr std::size_t ring_bytes = 16u << 20;
  std::vector<std::uint16_t> ports_;  // of which payload is wanted; empty: of all

  [[nodiscard]] CompanionFactory factory() {
    return [this](BpfObject& carrier) { return FakeCompanion::make(GetParam(), carrier, &companion_); };
  }
  Result<OpenedBackend> open_by_ebpf() {
    EbpfOptions options;
    options.mechanism = GetParam().mechanism;
    options.ring_bytes = ring_bytes;
    options.ports = ports_;
    options.kernel_reads = GetParam().kernel_reads;
    options.ring_buffer = options.mappable_arrays = GetParam().ring_buffer;
    options.first_segments_only = true;
    options.facets = {Facet::https};
    options.plaintext = factory();
    return open_ebpf(options);
  }
  Result<OpenedBackend> open_by_tracepoint() {
    auto ownership = ProcOwnership::open();
    if (!ownership) return std::unexpected(ownership.error());
    ownership_ = std::move(*ownership);
    TracepointOptions options;
    options.mechanism = GetParam().mechanism;
    options.ring_bytes = ring_bytes;
    options.ports = ports_;
    options.kernel_reads = GetParam().kernel_reads;
    options.ring_buffer = options.mappable_arrays = GetParam().ring_buffer;
    options.facets = {Facet::https};
    options.ownership = ownership_.get();
    options.plaintext = factory();
    return open_tracepoint(options);
  }

  // Reads up to the next mark.
  void drain() {
    constexpr auto patience = std::chrono::seconds(10);
    const int marks = heard_.marks;
    for (const auto begin = std::chrono::steady_clock::now(); heard_.marks == marks;) {
      ASSERT_TRUE(opened_.backend->drain(heard_, 1 << 20).has_value());
      ASSERT_LT(std::chrono::steady_clock::now() - begin, patience) << "no mark came; lost: " << heard_.lost_events;
      ::usleep(2'000);
    }
  }
  // Runs it to its end, and reads what was told of it.
  void trace(const std::function<void(const TracedChild::Parent&)>& work, std::uint32_t* number = nullptr) {
    TracedChild child([&](const TracedChild::Parent& parent) {
      work(parent);
      set_mark();
    });
    heard_.children.insert(child.pid());
    if (number != nullptr) *number = child.hear();
    drain();
    ASSERT_TRUE(child.ends_well());
  }

  std::unique_ptr<ProcOwnership> ownership_;
  OpenedBackend opened_;
  FakeCompanion* companion_ = nullptr;
  Recorder heard_;
  std::string reason_;
};

}  // namespace tracer
