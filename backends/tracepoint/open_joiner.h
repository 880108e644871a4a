// The two halves of each open: what was asked for, and what came of it.
//
// Before Linux 6.19 the records hold only the address of the path. Then the path of an open that succeeded is looked up
// in /proc, and kept only if no later open was given the same descriptor before the look; of one that failed it is not
// known. So events leave later than they happened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/event.h"

namespace tracer {

struct OpenCounters {
  std::uint64_t unpaired = 0;       // an open that returned without having been seen to begin
  std::uint64_t calls_dropped = 0;  // the limits below
  std::uint64_t paths_unknown = 0;  // of those that succeeded
};

// What /proc says that a descriptor is now; nullopt: nothing, or no file.
using DescriptorPath = std::function<std::optional<std::string>(std::uint32_t tgid, std::uint32_t descriptor,
                                                                std::optional<std::uint32_t> flags)>;
// `flags`: as given to open; a descriptor that was opened in another way is another one.
[[nodiscard]] std::optional<std::string> path_of_descriptor(const std::string& proc, std::uint32_t tgid,
                                                            std::uint32_t descriptor,
                                                            std::optional<std::uint32_t> flags);

class OpenJoiner {
 public:
  OpenJoiner(DescriptorPath look, std::function<std::uint64_t()> now) : look_(std::move(look)), now_(std::move(now)) {}

  void entered(std::uint32_t tid, std::optional<std::uint32_t> flags, std::optional<std::string_view> path);
  void returned(std::uint32_t tid, std::uint32_t tgid, std::int64_t result, std::uint64_t at_ns);
  void thread_ended(std::uint32_t tid) { begun_.erase(tid); }
  // Everything that happened before `until_ns` is known: what was looked up before then can be told.
  void tell(std::uint64_t until_ns, EventHandler& handler);
  // When the oldest open happened that is not told yet.
  [[nodiscard]] std::optional<std::uint64_t> waiting_since() const {
    return finished_.empty() ? std::nullopt : std::optional(finished_.front().at_ns);
  }
  [[nodiscard]] const OpenCounters& counters() const { return counters_; }

 private:
  static constexpr std::size_t begun_max = 32'768, finished_max = 32'768;
  struct Begun {
    std::optional<std::uint32_t> flags;
    std::optional<std::string> path;
  };
  struct Finished {
    ProcessRef who;
    std::uint64_t at_ns = 0, looked_ns = 0;  // looked_ns 0: the path was in the record
    std::int64_t result = 0;
    std::optional<std::uint32_t> flags;
    std::optional<std::string> path;
  };
  DescriptorPath look_;
  std::function<std::uint64_t()> now_;
  std::unordered_map<std::uint32_t, Begun> begun_;  // by thread
  std::deque<Finished> finished_;
  OpenCounters counters_;
};

}  // namespace tracer
