#include "core/pipeline_context.h"

#include <algorithm>

#include "core/records/fields_record.h"

namespace tracer {

namespace {

// Is it a field of the record, or one inside a field of it?
template <typename Body>
bool has_field(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('.'));
  const auto in = [&]<typename Table>(const Table*) {
    return std::apply([&]<typename... Each>(const Each&...) { return ((Each::name.view() == first) || ...); },
                      FieldTable<Table>::fields);
  };
  bool found = in(static_cast<const Body*>(nullptr));
  if constexpr (HasFlow<Body> || HasProcess<Body>) found = found || in(static_cast<const Owner*>(nullptr));
  return found;
}

}  // namespace

MissingByBody missing_by_body(const std::vector<std::string_view>& names) {
  MissingByBody missing;
  [&]<typename... Bodies>(const std::variant<Bodies...>*) {
    std::size_t index = 0;
    const auto sort = [&](std::vector<std::string_view>& list, auto has) {
      for (const std::string_view name : names) {
        if (has(name)) list.push_back(name);
      }
    };
    (sort(missing[index++], has_field<Bodies>), ...);
  }(static_cast<const decltype(Record::body)*>(nullptr));
  return missing;
}

std::unique_ptr<Record> RecordPool::take() {
  if (free_.empty()) return std::make_unique<Record>();
  std::unique_ptr<Record> record = std::move(free_.back());
  free_.pop_back();
  return record;
}

void RecordPool::give_back(std::unique_ptr<Record> record) {
  auto* transaction = record ? std::get_if<HttpTransaction>(&record->body) : nullptr;
  if (transaction == nullptr || free_.size() >= records_max_) return;  // only what is frequent is worth keeping
  transaction->clear();
  transaction->flow = {};
  record->timestamp = {};
  record->backend.reset();
  record->mechanism.reset();
  record->missing.clear();
  record->inferred.clear();
  free_.push_back(std::move(record));
}

void PipelineContext::count_protocol(std::string_view protocol, bool analyzed) {
  for (ProtocolCount& row : counters.protocols) {
    if (row.protocol == protocol) {
      ++row.connections;
      row.analyzed |= analyzed;
      return;
    }
  }
  counters.protocols.push_back({protocol, 1, analyzed});
}

void PipelineContext::uncount_tls() {
  const auto row = std::ranges::find(counters.protocols, std::string_view("TLS"), &ProtocolCount::protocol);
  if (row == counters.protocols.end() || row->connections == 0) return;
  if (--row->connections == 0) counters.protocols.erase(row);
}

std::string silence_line(const SilenceReport& report, std::uint64_t filtered) {
  std::string wanted;
  for (const std::string_view each : report.wanted) wanted += (wanted.empty() ? "" : " or ") + std::string(each);
  if (wanted.empty()) wanted = "HTTP/1";
  std::string line =
      std::to_string(report.transactions) + " " + wanted + " yet; " + std::to_string(report.connections) + " flows";
  const char* separator = ": ";
  for (const ProtocolCount& row : report.protocols) {
    line += separator + std::to_string(row.connections) + " " + std::string(row.protocol);
    separator = ", ";
  }
  return line + "; filters dropped " + std::to_string(filtered);
}

}  // namespace tracer
