// The running half of the backend, the same for all mechanisms: reads records, leaves the tracer's own out, and hands
// events on; where the kernel cannot resolve descriptors, through a DescriptorTracker.
#pragma once

#include <memory>
#include <unordered_set>
#include <vector>

#include "backends/bpf/bpf_object.h"
#include "backends/bpf/decode.h"
#include "backends/bpf/event_reader.h"
#include "backends/bpf/verdict_map.h"
#include "backends/tracepoint/descriptor_tracker.h"
#include "backends/tracepoint/tracepoint.h"

namespace tracer {

class TracepointBackend final : public Backend, private WireHandler, private EventHandler {
 public:
  // Opens reader and verdict map, and configures the programs of a loaded object. They may be attached afterwards.
  [[nodiscard]] static Result<std::unique_ptr<TracepointBackend>> make(std::unique_ptr<BpfObject> object,
                                                                       const TracepointOptions& options);

  [[nodiscard]] BpfObject& object() { return *object_; }
  void follow_descriptors(std::unique_ptr<DescriptorMap> map, std::unique_ptr<DescriptorTracker> tracker);
  // After attaching: an own loopback exchange must come back out. What else comes meanwhile is kept for the first
  // drain.
  [[nodiscard]] Result<void> run_self_test();
  [[nodiscard]] bool self_data_seen() const { return self_data_seen_; }

  [[nodiscard]] int fd() const override { return reader_->fd(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override {
    verdicts_->set(flow, direction, verdict);
  }
  [[nodiscard]] BackendCounters counters() const override;

 private:
  TracepointBackend() = default;
  [[nodiscard]] Result<void> configure(bool trace_self);
  [[nodiscard]] Result<void> await_heartbeat();
  void on_wire(Bytes record) override;
  void on_event(const Event& event) override;
  void tell_losses(std::uint32_t lost_before);
  void watch_for_self_test(Bytes record);
  // The tracer's own connection of the self-test is not the user's business.
  [[nodiscard]] bool is_self(const Event& event);

  std::unique_ptr<BpfObject> object_;
  std::unique_ptr<EventReader> reader_;
  std::unique_ptr<VerdictMap> verdicts_;
  std::unique_ptr<DescriptorMap> descriptor_map_;
  std::unique_ptr<DescriptorTracker> tracker_;
  EventHandler* handler_ = nullptr;  // null: not drained yet, records are kept
  std::vector<Event> adopted_;       // connections from before, for the first drain
  std::vector<std::vector<std::byte>> kept_;
  std::unordered_set<std::uint64_t> self_flows_;
  wire_config config_{};
  std::unordered_set<std::uint16_t> self_ports_;  // of the self-test
  std::size_t kept_bytes_ = 0;
  std::uint64_t next_sweep_ns_ = 0;
  bool self_data_seen_ = false;
  bool heartbeat_seen_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t self_events_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint32_t told_lost_ = 0;
};

}  // namespace tracer
