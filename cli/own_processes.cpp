#include "cli/own_processes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace tracer::cli {
namespace {

bool is_same_pipe(const struct stat& output, std::uint32_t local_pid) {
  struct stat input{};
  const std::string path = "/proc/" + std::to_string(local_pid) + "/fd/0";
  return ::stat(path.c_str(), &input) == 0 && S_ISFIFO(input.st_mode) && input.st_ino == output.st_ino &&
         input.st_dev == output.st_dev;
}

}  // namespace

std::vector<std::uint32_t> own_processes(Ownership& ownership, int output_fd) {
  std::vector<std::uint32_t> own;
  struct stat output{};
  const bool piped = ::fstat(output_fd, &output) == 0 && S_ISFIFO(output.st_mode);
  const auto self = static_cast<std::uint32_t>(::getpid());
  if (!piped) {
    if (const auto facts = ownership.process(self); facts && facts->local_pid == self) own.push_back(facts->tgid);
    return own;
  }
  for (const ProcessFacts& facts : ownership.all_processes()) {
    if (!facts.local_pid) continue;
    if (*facts.local_pid == self || is_same_pipe(output, *facts.local_pid)) own.push_back(facts.tgid);
  }
  return own;
}

}  // namespace tracer::cli
