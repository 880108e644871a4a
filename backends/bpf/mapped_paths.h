// Which file is mapped at an address of a process: asked of /proc where the programs did not see the open of its
// descriptor. Bounded, because a program may map a thousand files a second (a just-in-time compiler does).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tracer {

// The file of the line of /proc/PID/maps that holds the address, as it stands there. Nullopt: no line does, or what is
// mapped there is no file, or one that was deleted: its name is then not certain.
[[nodiscard]] std::optional<std::string> file_mapped_at(std::string_view maps, std::uint64_t address);

struct MappedPathsOptions {
  std::size_t per_second_max = 200;
};

struct MappedPathsCounters {
  std::uint64_t asked = 0;
  std::uint64_t unknown = 0;   // of those, without an answer: the process is gone, or has unmapped it
  std::uint64_t left_out = 0;  // not asked: too many in one second
};

class MappedPaths {
 public:
  using Look = std::function<std::optional<std::string>(std::uint32_t tgid, std::uint64_t address)>;
  explicit MappedPaths(Look look, MappedPathsOptions options = {}) : look_(std::move(look)), options_(options) {}

  [[nodiscard]] std::optional<std::string> find(std::uint32_t tgid, std::uint64_t address, std::uint64_t now_ns);
  [[nodiscard]] const MappedPathsCounters& counters() const { return counters_; }

 private:
  Look look_;
  MappedPathsOptions options_;
  MappedPathsCounters counters_;
  std::uint64_t second_ = 0;  // the one that `asked_` counts
  std::size_t asked_ = 0;
};

// Reads /proc/TGID/maps below `proc`, up to 4 MiB of it.
[[nodiscard]] std::optional<std::string> look_up_mapping(const std::string& proc, std::uint32_t tgid,
                                                         std::uint64_t address);

}  // namespace tracer
