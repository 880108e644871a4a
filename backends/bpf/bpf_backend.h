// The running half of every backend on BPF programs, the same for all mechanisms: reads records, leaves the tracer's
// own out, and hands events on; where the programs cannot say everything, through a RecordFollower.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "backends/bpf/beat_log.h"
#include "backends/bpf/beat_sender.h"
#include "backends/bpf/bpf_object.h"
#include "backends/bpf/companion.h"
#include "backends/bpf/decode.h"
#include "backends/bpf/event_reader.h"
#include "backends/bpf/file_setting.h"
#include "backends/bpf/mapped_paths.h"
#include "backends/bpf/record_follower.h"
#include "backends/bpf/verdict_map.h"

namespace tracer {

// Who counts the runs of programs that the kernel skipped.
enum class MissedRuns : std::uint8_t {
  // Programs on perf events: kernels before 6.7 count nothing (dd8657894c11, "bpf: Count missed stats in
  // trace_call_bpf"), so that 0 means nothing, but any other number does.
  by_kernel_unless_zero,
  by_kernel,  // where it does (5.12)
  // Also by programs that pair the beginning with the end of a call: on every kernel. The larger count is told, for one
  // skipped run may be in both.
  by_programs,
};

struct BpfBackendOptions {
  std::size_t ring_bytes = 0;        // buffer between kernel and tracer; a power of two, at least a page
  bool ring_buffer = true;           // false: perf buffers (kernels before 5.8)
  bool mappable_arrays = true;       // false: verdicts by system call (kernels before 5.5)
  std::unique_ptr<BeatSender> beat;  // what the programs answer; never null
  MissedRuns missed_runs = MissedRuns::by_kernel;
  bool twice = false;                        // BpfImage has it
  std::uint32_t receive_flags_argument = 0;  // wire_config has it
  // No payload of flows that have none of these ports is copied. Empty, or more than WIRE_FILTER_PORTS: of all flows.
  std::vector<std::uint16_t> ports;
  bool measure_time = false;            // probe_time_ns() is wanted
  bool exchange = true;                 // the programs see sockets: the self-test makes a connection to itself
  std::vector<std::string_view> blind;  // of blind_spots.h: what these programs count
  FileSetting files;                    // also to be given to write_file_maps()
};

// Fails with the reason of the first of `programs` that is not attached.
[[nodiscard]] Result<void> require_attached(std::span<const std::string_view> programs,
                                            std::span<const AttachOutcome> outcomes);

class BpfBackend final : public Backend, private WireHandler, private EventHandler {
 public:
  // Opens reader and verdict map, and configures the programs of a loaded object. They may be attached afterwards.
  [[nodiscard]] static Result<std::unique_ptr<BpfBackend>> make(std::unique_ptr<BpfObject> object,
                                                                BpfBackendOptions options);

  [[nodiscard]] BpfObject& object() { return *object_; }
  // After attaching, before the self-test.
  void follow(std::unique_ptr<RecordFollower> follower);
  // After attaching, before the self-test: the programs that see files run, and must see an own open. Where those of
  // sockets do not, signs of life come through them.
  void expect_files();
  // After attaching: an own loopback exchange must come back out. What else comes meanwhile is kept for the first
  // drain.
  [[nodiscard]] Result<void> run_self_test();
  // After the self-test, once: what is attached beside these programs, and is given every event before anybody else.
  [[nodiscard]] Result<void> carry(const CompanionFactory& make);
  // Null: none was made, or it was shed.
  [[nodiscard]] const Companion* companion() const { return companion_.get(); }
  // What the programs are there for came back: bytes, or without socket programs an open.
  [[nodiscard]] bool self_test_seen() const { return exchange_ ? self_data_seen_ : self_open_seen_; }

  [[nodiscard]] int fd() const override { return reader_->fd(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override {
    verdicts_->set(flow, direction, verdict);
  }
  [[nodiscard]] BackendCounters counters() const override;
  [[nodiscard]] Result<void> send_beat() override;
  [[nodiscard]] Beats beats() const override { return beats_.beats(); }
  [[nodiscard]] std::vector<BlindSpot> blind() const override;
  // The companion; it detaches while the capture goes on.
  [[nodiscard]] std::vector<Facet> shed() override;
  [[nodiscard]] std::optional<std::uint64_t> probe_time_ns() const override;

 private:
  BpfBackend() = default;
  [[nodiscard]] Result<void> configure(bool trace_self);
  [[nodiscard]] Result<void> await_heartbeat();
  [[nodiscard]] Result<void> exchange_with_self();
  [[nodiscard]] Result<void> open_by_self();
  void on_mapping(const MappingNote& note);
  void on_wire(Bytes record) override;
  void on_event(const Event& event) override;
  void tell_losses(std::uint32_t lost_before);
  void watch_for_self_test(Bytes record);
  // The tracer's own connection of the self-test is not the user's business.
  [[nodiscard]] bool is_self(const Event& event);

  std::unique_ptr<BpfObject> object_;
  std::unique_ptr<EventReader> reader_;
  std::unique_ptr<VerdictMap> verdicts_;
  std::unique_ptr<BeatSender> beat_;
  BeatLog beats_;
  UniqueFd time_measured_;                    // as long as it is open
  std::vector<std::string_view> blind_;       // what is counted
  std::unique_ptr<RecordFollower> follower_;  // null: the programs say everything
  EventHandler* handler_ = nullptr;           // null: not drained yet, records are kept
  std::vector<Event> adopted_;                // connections from before, for the first drain
  std::vector<std::vector<std::byte>> kept_;
  std::unordered_set<std::uint64_t> self_flows_;
  wire_config config_{};
  std::uint32_t port_count_ = 0;  // of config_.ports, while the self-test does not run
  MissedRuns missed_runs_{};
  std::unordered_set<std::uint16_t> self_ports_;  // of the self-test
  std::size_t kept_bytes_ = 0;
  std::uint64_t next_sweep_ns_ = 0;
  bool exchange_ = true;
  bool files_ = false;
  bool self_data_seen_ = false;
  bool self_open_seen_ = false;
  std::string self_path_;  // that was opened by the self-test
  std::unique_ptr<MappedPaths> mapped_paths_;
  bool heartbeat_seen_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t self_events_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint32_t told_lost_ = 0;
  // Behind what they use: they go first.
  std::unique_ptr<Companion> companion_;
  std::vector<BlindSpot> shed_blind_;  // that it had counted
  std::uint64_t shed_missed_ = 0;
  std::uint64_t next_work_ns_ = 0;  // of the companion, at the latest
  std::jthread shedding_;
};

// Where facet https is wanted: lets the backend carry what `make` makes, or refuses the facet. Fails if nothing else is
// left. Adds to `opened`, whose `refused` is settled.
[[nodiscard]] Result<void> carry_plaintext(BpfBackend& backend, const CompanionFactory& make,
                                           std::span<const Facet> facets, OpenedBackend& opened);

}  // namespace tracer
