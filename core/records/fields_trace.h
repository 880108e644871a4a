// Fields of the records about the trace itself.
#pragma once

#include "core/records/fields.h"
#include "core/records/trace_records.h"

namespace tracer {

template <>
struct FieldTable<AttachedProgram> {
  static constexpr auto fields = std::tuple{
      field<"what">([](const AttachedProgram& a) { return std::string_view(a.what); }),
      field<"attached">(&AttachedProgram::attached),
      field<"reason", Presence::optional, Redaction::message>(
          [](const AttachedProgram& a) { return unless_empty(a.reason); }),
      field<"load_ms", Presence::optional>(&AttachedProgram::load_ms),
  };
};

template <>
struct FieldTable<RejectedChoice> {
  static constexpr auto fields = std::tuple{
      field<"backend">(&RejectedChoice::backend),
      field<"mechanism", Presence::optional>(&RejectedChoice::mechanism),
      field<"reason", Presence::always, Redaction::message>(
          [](const RejectedChoice& r) { return std::string_view(r.reason); }),
  };
};

template <>
struct FieldTable<TraceStart> {
  static constexpr std::string_view event_type = "trace_start";
  static constexpr auto fields = std::tuple{
      field<"schema_version">([](const TraceStart& t) { return std::string_view(t.schema_version); }),
      field<"version">([](const TraceStart& t) { return std::string_view(t.version); }),
      field<"host", Presence::expected>([](const TraceStart& t) { return unless_empty(t.host); }),
      field<"boot_id", Presence::expected>([](const TraceStart& t) { return unless_empty(t.boot_id); }),
      field<"kernel", Presence::expected>([](const TraceStart& t) { return unless_empty(t.kernel); }),
      field<"plan", Presence::always, Redaction::message>([](const TraceStart& t) -> const Plan& { return t.plan; }),
      field<"scope", Presence::always, Redaction::message>([](const TraceStart& t) { return OwnedTextList{t.scope}; }),
      field<"attached">([](const TraceStart& t) { return std::span<const AttachedProgram>(t.attached); }),
      field<"blind", Presence::always, Redaction::message>([](const TraceStart& t) { return OwnedTextList{t.blind}; }),
      field<"self_test_seen">(&TraceStart::self_test_seen),
      field<"attached_after_ms">(&TraceStart::attached_after_ms),
  };
};

template <>
struct FieldTable<Coverage> {
  static constexpr auto fields = std::tuple{
      field<"connections">(&Coverage::connections),
      field<"bytes_flowed">(&Coverage::bytes_flowed),
      field<"bytes_analyzed">(&Coverage::bytes_analyzed),
      field<"bytes_skipped">(&Coverage::bytes_skipped),
      field<"bytes_without_payload">(&Coverage::bytes_without_payload),
      field<"bytes_lost">(&Coverage::bytes_lost),
  };
};

template <>
struct FieldTable<TraceEnd> {
  static constexpr std::string_view event_type = "trace_end";
  static constexpr auto fields = std::tuple{
      field<"reason", Presence::always, Redaction::message>(
          [](const TraceEnd& t) { return std::string_view(t.reason); }),
      field<"duration_ms">(&TraceEnd::duration_ms),
      field<"events_produced">(&TraceEnd::events_produced),
      field<"events_delivered">(&TraceEnd::events_delivered),
      field<"records_decoded">(&TraceEnd::records_decoded),
      field<"records_filtered">(&TraceEnd::records_filtered),
      field<"records_written">(&TraceEnd::records_written),
      field<"flows_filtered">(&TraceEnd::flows_filtered),
      field<"self">(&TraceEnd::self),
      field<"lost">([](const TraceEnd& t) { return NamedCounts{t.lost}; }),
      field<"unjoined">(&TraceEnd::unjoined),
      field<"unwitnessed">(&TraceEnd::unwitnessed),
      field<"ledger_mismatch">(&TraceEnd::ledger_mismatch),
      field<"missed_runs", Presence::expected>(&TraceEnd::missed_runs),
      field<"coverage">([](const TraceEnd& t) -> const Coverage& { return t.coverage; }),
      field<"blind">([](const TraceEnd& t) { return BlindCounts{t.blind}; }),
  };
};

template <>
struct FieldTable<Loss> {
  static constexpr std::string_view event_type = "loss";
  static constexpr auto fields = std::tuple{
      field<"cause">([](const Loss& l) { return l.count.cause; }),
      field<"where">(&Loss::where),
      field<"events">([](const Loss& l) { return l.count.events; }),
      field<"bytes">([](const Loss& l) { return l.count.bytes; }),
  };
};

template <>
struct FieldTable<BackendSwitch> {
  static constexpr std::string_view event_type = "backend_switch";
  static constexpr auto fields = std::tuple{
      field<"facet">(&BackendSwitch::facet),
      field<"from_backend">(&BackendSwitch::from_backend),
      field<"from_mechanism">(&BackendSwitch::from_mechanism),
      field<"to_backend", Presence::optional>(&BackendSwitch::to_backend),
      field<"to_mechanism", Presence::optional>(&BackendSwitch::to_mechanism),
      field<"reason", Presence::always, Redaction::message>(
          [](const BackendSwitch& s) { return std::string_view(s.reason); }),
      field<"unwatched_ms">(&BackendSwitch::unwatched_ms),
  };
};

}  // namespace tracer
