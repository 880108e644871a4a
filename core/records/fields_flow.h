// Fields that say who and where: of a process, of one end of a connection, of every record about a connection.
#pragma once

#include "core/records/connection_summary.h"
#include "core/records/fields.h"
#include "core/records/flow_identity.h"

namespace tracer {

namespace process_fields {
// A process that is not visible in the tracer's pid namespace has no pid, but the number that the kernel knows it by.
[[nodiscard]] constexpr std::optional<std::uint32_t> pid(const ProcessFacts* process) {
  return process != nullptr ? process->local_pid : std::nullopt;
}
[[nodiscard]] constexpr std::optional<std::uint32_t> host_pid(const ProcessFacts* process) {
  if (process == nullptr || process->local_pid || process->tgid == 0) return std::nullopt;
  return process->tgid;
}
[[nodiscard]] constexpr std::optional<std::uint32_t> uid(const ProcessFacts* process) {
  return process != nullptr ? process->uid : std::nullopt;
}
[[nodiscard]] constexpr std::optional<std::string_view> text(const ProcessFacts* process,
                                                             std::string ProcessFacts::* which) {
  return process != nullptr ? unless_empty(process->*which) : std::nullopt;
}
}  // namespace process_fields

// The process that a record is about, at the top of the record.
struct Owner {
  const ProcessFacts* process = nullptr;
};

// The server if it is local, else the client.
[[nodiscard]] inline Owner owner_of(const FlowIdentity& flow) {
  return Owner{flow.server.process ? flow.server.process.get() : flow.client.process.get()};
}

template <>
struct FieldTable<Owner> {
  static constexpr auto fields = std::tuple{
      field<"pid", Presence::expected>([](const Owner& o) { return process_fields::pid(o.process); }),
      field<"host_pid", Presence::optional>([](const Owner& o) { return process_fields::host_pid(o.process); }),
      field<"uid", Presence::expected>([](const Owner& o) { return process_fields::uid(o.process); }),
      field<"process", Presence::expected>(
          [](const Owner& o) { return process_fields::text(o.process, &ProcessFacts::comm); }),
      field<"exe", Presence::expected, Redaction::path>(
          [](const Owner& o) { return process_fields::text(o.process, &ProcessFacts::executable); }),
      field<"container_id", Presence::optional>(
          [](const Owner& o) { return process_fields::text(o.process, &ProcessFacts::container_id); }),
  };
};

template <>
struct FieldTable<Party> {
  static constexpr auto fields = std::tuple{
      field<"address", Presence::expected>([](const Party& p) -> std::optional<AddressText> {
        if (!p.endpoint) return std::nullopt;
        return AddressText{p.endpoint->address};
      }),
      field<"port", Presence::expected>([](const Party& p) -> std::optional<std::uint16_t> {
        if (!p.endpoint) return std::nullopt;
        return p.endpoint->port;
      }),
      field<"pid", Presence::expected>([](const Party& p) { return process_fields::pid(p.process.get()); }),
      field<"host_pid", Presence::optional>([](const Party& p) { return process_fields::host_pid(p.process.get()); }),
      field<"process", Presence::expected>(
          [](const Party& p) { return process_fields::text(p.process.get(), &ProcessFacts::comm); }),
      field<"exe", Presence::expected, Redaction::path>(
          [](const Party& p) { return process_fields::text(p.process.get(), &ProcessFacts::executable); }),
      field<"container_id", Presence::optional>(
          [](const Party& p) { return process_fields::text(p.process.get(), &ProcessFacts::container_id); }),
  };
};

// For every record type with a member `flow`.
template <typename T>
inline constexpr auto flow_fields = std::tuple{
    field<"connection_id">([](const T& record) { return record.flow.connection_id; }),
    field<"client">([](const T& record) -> const Party& { return record.flow.client; }),
    field<"server">([](const T& record) -> const Party& { return record.flow.server; }),
    field<"observed_at">([](const T& record) { return record.flow.observed_at; }),
};

template <typename T>
concept HasFlow = requires(const T& record) { record.flow.connection_id; };

// A record about one process, and no connection.
template <typename T>
concept HasProcess = requires(const T& record) { record.process->tgid; };

template <>
struct FieldTable<StreamLedger> {
  static constexpr auto fields = std::tuple{
      field<"moved">(&StreamLedger::moved),
      field<"kept">(&StreamLedger::kept),
      field<"gaps">([](const StreamLedger& ledger) { return CauseBytes{&ledger.gaps}; }),
      field<"witnessed", Presence::expected>(&StreamLedger::witnessed),
  };
};

template <>
struct FieldTable<ConnectionSummary> {
  static constexpr std::string_view event_type = "connection";
  static constexpr auto fields =
      std::tuple_cat(flow_fields<ConnectionSummary>,
                     std::tuple{
                         field<"protocol", Presence::expected>(&ConnectionSummary::protocol),
                         field<"state">(&ConnectionSummary::state),
                         field<"opened_at", Presence::expected>(&ConnectionSummary::opened_at),
                         field<"closed_at", Presence::optional>(&ConnectionSummary::closed_at),
                         field<"duration_ms", Presence::optional>(&ConnectionSummary::duration_ms),
                         field<"transactions", Presence::expected>(&ConnectionSummary::transactions),
                         field<"client_to_server", Presence::expected>(&ConnectionSummary::client_to_server),
                         field<"server_to_client", Presence::expected>(&ConnectionSummary::server_to_client),
                         field<"rtt_ms", Presence::optional>(&ConnectionSummary::rtt_ms),
                         field<"tcp_state", Presence::optional>(&ConnectionSummary::tcp_state),
                         field<"retransmits", Presence::optional>(&ConnectionSummary::retransmits),
                     });
};

}  // namespace tracer
