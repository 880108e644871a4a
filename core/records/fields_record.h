// All field tables, and the fields that every record has around those of its body.
//
// A record is written as: Heading, Owner (only records about a connection or a process), Source, the body's own fields,
// and last `missing` and `inferred`, because they are known only once everything else was visited.
#pragma once

#include "core/records/fields.h"
#include "core/records/fields_flow.h"
#include "core/records/fields_http.h"
#include "core/records/fields_process.h"
#include "core/records/fields_tls.h"
#include "core/records/fields_trace.h"
#include "core/records/record.h"

namespace tracer {

struct Heading {
  std::string_view event_type;
  std::string_view run_id;
  WallTime timestamp;
};

template <>
struct FieldTable<Heading> {
  static constexpr auto fields = std::tuple{
      field<"event_type">(&Heading::event_type),
      field<"run_id">(&Heading::run_id),
      field<"timestamp">(&Heading::timestamp),
  };
};

struct Source {
  std::optional<BackendKind> backend;
  std::optional<Mechanism> mechanism;
};

template <>
struct FieldTable<Source> {
  static constexpr auto fields = std::tuple{
      field<"backend", Presence::optional>(&Source::backend),
      field<"mechanism", Presence::optional>(&Source::mechanism),
  };
};

// Calls visitor(part) for each part of the record that has a field table, in output order.
template <typename Visitor>
void for_each_part(const Record& record, std::string_view run_id, Visitor&& visitor) {
  std::visit(
      [&]<typename Body>(const Body& body) {
        visitor(Heading{FieldTable<Body>::event_type, run_id, record.timestamp});
        if constexpr (HasFlow<Body>) visitor(owner_of(body.flow));
        if constexpr (HasProcess<Body>) visitor(Owner{body.process.get()});
        visitor(Source{record.backend, record.mechanism});
        visitor(body);
      },
      record.body);
}

}  // namespace tracer
