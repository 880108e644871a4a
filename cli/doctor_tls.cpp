#include "cli/doctor_tls.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tracer::cli {
namespace {

constexpr std::size_t names_max = 6;  // of programs, on one line

// A path with a line break must not look like a line of ours.
std::string on_one_line(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.replace(at, 1, "\\n");
  return text;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 1, width), ' ');
  return text;
}

// "nginx (4 processes), python3 812"
std::string users(const TlsLibrary& library) {
  std::vector<std::pair<std::string, std::vector<std::uint32_t>>> by_name;
  for (const TlsProcess& process : library.processes) {
    auto known = std::ranges::find(by_name, process.name, &decltype(by_name)::value_type::first);
    if (known == by_name.end()) known = by_name.insert(known, {process.name, {}});
    known->second.push_back(process.pid);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(by_name.size(), names_max); ++i) {
    const auto& [name, pids] = by_name[i];
    text += (i == 0 ? "" : ", ") + on_one_line(name);
    text += pids.size() == 1 ? " " + std::to_string(pids.front()) : " (" + std::to_string(pids.size()) + " processes)";
  }
  if (by_name.size() > names_max) text += " and " + std::to_string(by_name.size() - names_max) + " other programs";
  return text;
}

std::string line_of(const TlsLibrary& library) {
  std::string line = padded(library.covered() ? "  covered" : "  not covered", 15) + padded(library.kind, 9);
  line += on_one_line(library.path);
  if (library.program) line += " (in the program itself)";
  if (library.deleted) line += " (replaced since it was loaded)";
  if (!library.reason.empty()) line += ": " + library.reason;
  return line + "\n" + std::string(17, ' ') + "of " + users(library) + "\n";
}

}  // namespace

std::string tls_section(const TlsLibraries& libraries, std::string_view obstacle) {
  std::string out = "\nTLS in running processes (covered: facet https can read what it protects):\n\n";
  for (const bool covered : {true, false})
    for (const TlsLibrary& library : libraries.files)
      if (library.covered() == covered) out += line_of(library);
  if (libraries.files.empty()) out += "  none was found\n";
  if (libraries.unreadable != 0) {
    out += "  not looked at: " + std::to_string(libraries.unreadable) + " of " +
           std::to_string(libraries.processes + libraries.unreadable) + " processes, whose mappings may not be read";
    out += (obstacle.empty() ? "" : " (" + std::string(obstacle) + ")") + "\n";
  }
  if (libraries.left_out != 0)
    out += "  not looked at: " + std::to_string(libraries.left_out) + " more, over the limit\n";
  return out;
}

}  // namespace tracer::cli
