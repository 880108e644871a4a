#include "cli/first_look.h"

#include <utility>

namespace tracer::cli {
namespace {

std::string key_of(char kind, const std::shared_ptr<const ProcessFacts>& process, std::string_view what) {
  return std::to_string(process ? process->tgid : 0) + kind + std::string(what);
}

struct Sighting {
  std::string key;  // empty: of nothing that can be found
  bool preexisting = false;
};

Sighting sighting(const Record& record) {
  if (const auto* exec = std::get_if<ProcessExec>(&record.body))
    return {key_of('p', exec->process, {}), exec->preexisting};
  if (const auto* load = std::get_if<LibLoad>(&record.body))
    return {key_of('l', load->process, load->resolved.empty() ? load->library : load->resolved), load->preexisting};
  if (const auto* open = std::get_if<FileOpen>(&record.body)) {
    if (open->error.value_or(0) != 0) return {};  // is not open
    return {key_of('f', open->process, open->finding.path.empty() ? open->file : open->finding.path),
            open->preexisting};
  }
  return {};
}

}  // namespace

bool FirstLook::is_news(const Record& record) {
  Sighting seen = sighting(record);
  if (seen.key.empty()) return true;
  if (seen.preexisting) return !told_.contains(seen.key);
  if (told_.size() < told_max) told_.insert(std::move(seen.key));
  return true;
}

}  // namespace tracer::cli
