// From events to records: a pure step without a clock, a thread or I/O of its own.
//
// Events go in by on_event(), in the order of one ReorderWindow; records come out through the RecordSink, verdicts
// through the VerdictSink, both during the call that causes them. All timeouts run on event time, so a replay is
// deterministic.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/carried_connections.h"
#include "core/connection.h"
#include "core/connection_join.h"
#include "core/event.h"
#include "core/flow_table.h"
#include "core/handover.h"
#include "core/pipeline_context.h"
#include "core/pipeline_options.h"
#include "core/plaintext_sessions.h"

namespace tracer {

class Pipeline final : public EventHandler {
 public:
  Pipeline(PipelineOptions options, Routers routers, const Timeline& timeline, Ownership& ownership,
           VerdictSink& verdicts, RecordSink& records, Handover from = {});
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // `event.at` is in the backend's clock.
  void on_event(const Event& event) override;
  // Time passes without events. `backend_now` is in the backend's clock; call only when the backend has nothing more to
  // read, or what is still in its buffer would come too late.
  void advance(EventTime backend_now);
  // A process that is there already: its exit will find nobody to ask.
  void know(ProcessFacts process) { context_.processes.know(std::move(process)); }
  // Nothing more will come: all streams are cut, all records leave, open connections are summarized.
  void finish();
  // finish(), because another backend takes over: what is cut is cut as `backend_switch`.
  [[nodiscard]] Handover hand_over();

  // A printed record comes back to be filled again.
  void recycle(std::unique_ptr<Record> record) { context_.pool.give_back(std::move(record)); }

  [[nodiscard]] const PipelineCounters& counters() const { return context_.counters; }
  [[nodiscard]] SilenceReport silence_report() const;
  // Adds what the pipeline knows to the last record of the trace.
  void fill(TraceEnd& end) const;

 private:
  struct LossRow {
    std::uint64_t events = 0;  // since the last record
    std::uint64_t bytes = 0;
    EventTime next_at;
  };

  void on(const FlowData& data, const Event& event, EventTime at);
  void on(const FlowOpened& opened, const Event& event, EventTime at);
  void on(const FlowUpdated& updated, const Event& event, EventTime at);
  void on(const PlaintextOpened& opened, const Event& event, EventTime at);
  void on(const FlowMeasured& measured, const Event& event, EventTime at);
  void on(const FileOpened& opened, const Event& event, EventTime at);
  void on(const LibraryMapped& mapped, const Event& event, EventTime at);
  void on(const CryptoCall& call, const Event& event, EventTime at);
  void on(const StreamEnded& ended, const Event& event, EventTime at);
  void on(const FlowClosed& closed, const Event& event, EventTime at);
  void on(const ProcessStarted& started, const Event& event, EventTime at);
  void on(const ProcessForked& forked, const Event& event, EventTime at);
  void on(const ProcessExited& exited, const Event& event, EventTime at);
  void on(const Lost& lost, const Event& event, EventTime at);

  [[nodiscard]] bool ignored(std::uint32_t tgid) const;
  Flow& flow_of(FlowId id, EventTime at);
  void make_connection(Flow& flow, EventTime at);

  // Sessions of TLS libraries.
  void on_plaintext(const FlowData& data, const Event& event, EventTime at);
  PlaintextSession& open_session(FlowId id, std::uint32_t tgid, bool from_start, EventTime at);
  Flow& stand_for(PlaintextSession& session, EventTime at);
  void carry(PlaintextSession& session, Flow& flow, EventTime at);
  void end_session(PlaintextSession& session, EventTime at);
  void end_sessions_of(std::uint32_t tgid, EventTime at);
  void forget_sessions(Flow& flow);
  void bury_unbound(EventTime now, bool all);

  void note_filtered(Flow& flow);
  void try_join(Flow& flow);
  void name(Flow& flow);
  void bury_closed(EventTime now, bool all);
  void note_owner(Flow& flow, const FlowUpdated& updated, EventTime at);
  void carry_on(Flow& flow);
  void end_connection(Connection& connection, EventTime at, ConnectionEnd how);
  [[nodiscard]] std::shared_ptr<const ProcessFacts> facts_of(std::uint32_t tgid, EventTime at);
  void tell(decltype(Record::body) body, EventTime at, std::string_view missing = {}, std::string_view inferred = {});
  [[nodiscard]] bool wants_file(std::string_view path) const;
  void forget(Connection& connection);
  void evict_oldest(EventTime at);
  void tick(EventTime now);
  void report_losses(EventTime now, bool all);

  void link_newest(Connection& connection);
  void unlink(Connection& connection);

  PipelineContext context_;
  FlowTable flows_;
  ConnectionJoin join_;
  CarriedConnections carried_;  // from the pipeline before
  EndedConnections ended_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  PlaintextSessions sessions_;
  std::deque<std::pair<EventTime, FlowId>> closing_unbound_;  // their session is over, and its records wait until then
  std::uint64_t next_connection_id_ = 1;
  Connection* newest_ = nullptr;  // list by last activity
  Connection* oldest_ = nullptr;
  std::deque<std::pair<EventTime, FlowId>> closing_;  // when their linger time is over
  EventTime next_tick_;
  std::unordered_set<std::string> libraries_told_;  // process, its image, path
  std::array<LossRow, gap_cause_count> losses_{};
  std::array<std::uint64_t, gap_cause_count> loss_bytes_told_{};
};

}  // namespace tracer
