// What the program's end says to whoever started it.
#pragma once

namespace tracer::cli {

enum ExitCode : int {
  exit_ok = 0,
  exit_error = 1,  // general, output that could not be written, input that could not be read
  exit_usage = 2,
  exit_privileges = 3,
  exit_kernel = 4,
  exit_start = 5,  // capture failed to start, or not with what --require names
  exit_loss = 6,   // under --fail-on-loss
};

}  // namespace tracer::cli
