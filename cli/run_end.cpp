#include "cli/run_end.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace tracer::cli {
namespace {

// What is typed at a terminal reaches everybody in its foreground group: the command has it already.
bool came_from_the_keyboard(int signal) {
  if (signal != SIGINT) return false;
  const UniqueFd terminal(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC));
  return terminal && ::tcgetpgrp(terminal.get()) == ::getpgrp();
}

}  // namespace

bool RunEnd::all_ended() { return (child_ == nullptr || child_->status()) && selection_.over(); }

std::optional<std::string> RunEnd::over(std::chrono::steady_clock::time_point now) {
  if (now < next_look_) return std::nullopt;
  next_look_ = now + times_.look;
  if (!all_ended()) {
    ended_at_.reset();  // one that was started just before the last of them ended
    return std::nullopt;
  }
  if (!ended_at_) ended_at_ = now;
  if (now - *ended_at_ < times_.settle) return std::nullopt;
  if (deferred_ == SIGINT) return "signal SIGINT";
  if (deferred_ == SIGTERM) return "signal SIGTERM";
  if (deferred_ == SIGHUP) return "signal SIGHUP";
  return child_ != nullptr ? "the command ended" : "the process ended";
}

std::string RunEnd::waits_for() const {
  return selection_.matched() ? std::string() : "no process yet that fits --pid and --name";
}

// The second one ends the run whatever the command does.
bool RunEnd::defers(int signal) {
  if (child_ == nullptr || deferred_ != 0 || child_->status()) return false;
  deferred_ = signal;
  if (!came_from_the_keyboard(signal)) child_->signal(signal);
  return true;
}

}  // namespace tracer::cli
