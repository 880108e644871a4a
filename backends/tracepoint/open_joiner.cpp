#include "backends/tracepoint/open_joiner.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <utility>

#include "backends/tracepoint/tracefs.h"

namespace tracer {
namespace {

// "flags:\t0100002", in octal.
std::optional<std::uint32_t> flags_in(std::string_view fdinfo) {
  constexpr std::string_view label = "flags:\t";
  const std::size_t at = fdinfo.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint32_t flags = 0;
  const char* const begin = fdinfo.data() + at + label.size();
  const auto [end, failed] = std::from_chars(begin, fdinfo.data() + fdinfo.size(), flags, 8);
  return failed == std::errc{} && end != begin ? std::optional(flags) : std::nullopt;
}

}  // namespace

std::optional<std::string> path_of_descriptor(const std::string& proc, std::uint32_t tgid, std::uint32_t descriptor,
                                              std::optional<std::uint32_t> flags) {
  const std::string process = proc + "/" + std::to_string(tgid), number = std::to_string(descriptor);
  std::array<char, 4096> path;
  const ssize_t size = ::readlink((process + "/fd/" + number).c_str(), path.data(), path.size());
  if (size <= 0 || path[0] != '/') return std::nullopt;  // gone, or a socket, a pipe, …
  const std::string_view text(path.data(), static_cast<std::size_t>(size));
  if (text.ends_with(" (deleted)")) return std::nullopt;  // its name then is not certain
  if (flags) {
    const auto info = read_small_file(process + "/fdinfo/" + number);
    const auto now = info ? flags_in(*info) : std::nullopt;
    constexpr std::uint32_t compared = O_ACCMODE | O_APPEND | O_PATH;
    if (!now || ((*now ^ *flags) & compared) != 0) return std::nullopt;
  }
  return std::string(text);
}

void OpenJoiner::entered(std::uint32_t tid, std::optional<std::uint32_t> flags, std::optional<std::string_view> path) {
  if (begun_.size() >= begun_max && !begun_.contains(tid)) {
    ++counters_.calls_dropped;
    return;
  }
  begun_[tid] = {flags, path ? std::optional(std::string(*path)) : std::nullopt};
}

void OpenJoiner::returned(std::uint32_t tid, std::uint32_t tgid, std::int64_t result, std::uint64_t at_ns) {
  const auto begun = begun_.find(tid);
  if (begun == begun_.end()) {
    ++counters_.unpaired;
    return;
  }
  Finished done{{tgid, tid}, at_ns, 0, result, begun->second.flags, std::move(begun->second.path)};
  begun_.erase(begun);
  if (finished_.size() >= finished_max) {
    ++counters_.calls_dropped;
    return;
  }
  if (result >= 0) {
    // Whoever had this descriptor looked up after this open was given it had looked at this one.
    for (Finished& earlier : finished_)
      if (earlier.who.tgid == tgid && earlier.result == result && earlier.looked_ns != 0 && at_ns < earlier.looked_ns)
        earlier.path.reset();
    if (!done.path) {
      done.path = look_(tgid, static_cast<std::uint32_t>(result), done.flags);
      done.looked_ns = now_();
    }
  }
  finished_.push_back(std::move(done));
}

void OpenJoiner::tell(std::uint64_t until_ns, EventHandler& handler) {
  while (!finished_.empty() && finished_.front().looked_ns < until_ns) {
    const Finished& done = finished_.front();
    if (done.result >= 0 && !done.path) ++counters_.paths_unknown;
    FileOpened opened;
    if (done.path) opened.path = *done.path;
    opened.flags = done.flags;
    opened.error = done.result < 0 ? static_cast<std::int32_t>(-done.result) : 0;
    opened.path_inferred = done.path && done.looked_ns != 0;
    Event event;
    event.at = {done.at_ns};
    event.who = done.who;
    event.body = opened;
    handler.on_event(event);
    finished_.pop_front();
  }
}

}  // namespace tracer
