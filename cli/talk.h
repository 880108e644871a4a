// What the program says to people: standard error, never standard output.
#pragma once

#include <string_view>

#include "core/base/result.h"

namespace tracer::cli {

enum class Talkative : std::uint8_t { quiet, normal, verbose };

class Talk {
 public:
  explicit Talk(Talkative level, int fd = 2) : level_(level), fd_(fd) {}
  // Always said: what failed and why, and what to type instead.
  void error(const Error& error) const;
  void notice(std::string_view line) const {
    if (level_ != Talkative::quiet) say(line);
  }
  void detail(std::string_view line) const {
    if (level_ == Talkative::verbose) say(line);
  }

 private:
  void say(std::string_view line) const;

  Talkative level_;
  int fd_;
};

}  // namespace tracer::cli
