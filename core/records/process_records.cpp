#include "core/records/process_records.h"

#include <fcntl.h>

#include <cstdio>
#include <cstring>

namespace tracer {

namespace {

struct FlagName {
  std::uint32_t bits;
  const char* name;
};
// Those of several bits before those that are a part of them.
constexpr FlagName flag_names[] = {
    {O_CREAT, "O_CREAT"},       {O_EXCL, "O_EXCL"},         {O_NOCTTY, "O_NOCTTY"},   {O_TRUNC, "O_TRUNC"},
    {O_APPEND, "O_APPEND"},     {O_NONBLOCK, "O_NONBLOCK"}, {O_TMPFILE, "O_TMPFILE"}, {O_SYNC, "O_SYNC"},
    {O_DSYNC, "O_DSYNC"},       {O_ASYNC, "O_ASYNC"},       {O_DIRECT, "O_DIRECT"},   {O_DIRECTORY, "O_DIRECTORY"},
    {O_NOFOLLOW, "O_NOFOLLOW"}, {O_NOATIME, "O_NOATIME"},   {O_CLOEXEC, "O_CLOEXEC"}, {O_PATH, "O_PATH"},
};

// What the kernel calls O_LARGEFILE; libc has no such bit where files are always large.
#if defined(__aarch64__) || defined(__arm__)
constexpr std::uint32_t kernel_largefile = 0400000;
#elif defined(__powerpc__)
constexpr std::uint32_t kernel_largefile = 0200000;
#else
constexpr std::uint32_t kernel_largefile = 0100000;
#endif

}  // namespace

std::vector<std::string> open_flag_names(std::uint32_t flags) {
  std::vector<std::string> names;
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      names.emplace_back("O_RDONLY");
      break;
    case O_WRONLY:
      names.emplace_back("O_WRONLY");
      break;
    case O_RDWR:
      names.emplace_back("O_RDWR");
      break;
    default:
      names.emplace_back("O_ACCMODE");  // neither reading nor writing: for ioctl() only
  }
  std::uint32_t rest = flags & ~static_cast<std::uint32_t>(O_ACCMODE) & ~kernel_largefile;
  for (const FlagName& row : flag_names) {
    if (row.bits == 0 || (rest & row.bits) != row.bits) continue;
    names.emplace_back(row.name);
    rest &= ~row.bits;
  }
  if (rest != 0) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%x", rest);
    names.emplace_back(text);
  }
  return names;
}

std::string result_name(std::int32_t error) {
  if (error == 0) return "success";
  if (const char* const name = ::strerrorname_np(error)) return name;
  return "error " + std::to_string(error);
}

}  // namespace tracer
