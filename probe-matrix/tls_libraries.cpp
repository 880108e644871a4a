#include "probe-matrix/tls_libraries.h"

#include <utility>

namespace tracer {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

bool flag_of(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_boolean() && member->get<bool>();
}

template <typename Number>
Number number_of(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_number_unsigned() ? static_cast<Number>(member->get<std::uint64_t>()) : 0;
}

Json to_json(const TlsLibrary& library) {
  Json processes = Json::array();
  for (const TlsProcess& process : library.processes)
    processes.push_back({{"pid", process.pid}, {"name", process.name}});
  return {{"path", library.path},           {"kind", library.kind},         {"program", library.program},
          {"deleted", library.deleted},     {"coverage", library.coverage}, {"reason", library.reason},
          {"functions", library.functions}, {"wanted", library.wanted},     {"processes", std::move(processes)}};
}

}  // namespace

void add_to(Json& document, const TlsLibraries& libraries) {
  Json files = Json::array();
  for (const TlsLibrary& library : libraries.files) files.push_back(to_json(library));
  document["tls_libraries"] = std::move(files);
  document["tls_processes"] = {
      {"looked_at", libraries.processes}, {"unreadable", libraries.unreadable}, {"left_out", libraries.left_out}};
}

Result<TlsLibraries> tls_libraries_from_json(const Json& document) {
  TlsLibraries libraries;
  const auto files = document.find("tls_libraries");
  if (files == document.end() || !files->is_array()) return fail(Errc::malformed, "its tls_libraries are not an array");
  for (const Json& row : *files) {
    const std::string where = "row " + std::to_string(libraries.files.size()) + " of tls_libraries";
    if (!row.is_object()) return fail(Errc::malformed, where + " is not an object");
    TlsLibrary& library = libraries.files.emplace_back();
    library.path = text_of(row, "path");
    library.kind = text_of(row, "kind");
    library.program = flag_of(row, "program");
    library.deleted = flag_of(row, "deleted");
    library.coverage = text_of(row, "coverage");
    library.reason = text_of(row, "reason");
    library.functions = number_of<std::size_t>(row, "functions");
    library.wanted = number_of<std::size_t>(row, "wanted");
    const auto processes = row.find("processes");
    if (library.coverage.empty() || processes == row.end() || !processes->is_array())
      return fail(Errc::malformed, where + " has no coverage or no processes");
    for (const Json& process : *processes) {
      if (!process.is_object()) return fail(Errc::malformed, where + " has a process that is not an object");
      library.processes.push_back({number_of<std::uint32_t>(process, "pid"), text_of(process, "name")});
    }
  }
  if (const auto counts = document.find("tls_processes"); counts != document.end() && counts->is_object()) {
    libraries.processes = number_of<std::size_t>(*counts, "looked_at");
    libraries.unreadable = number_of<std::size_t>(*counts, "unreadable");
    libraries.left_out = number_of<std::size_t>(*counts, "left_out");
  }
  return libraries;
}

}  // namespace tracer
