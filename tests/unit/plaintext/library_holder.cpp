// A program that maps libraries when it is told to, one command a line:
//   load PATH        dlopen
//   chroot DIR       from now on
//   hide FILE COPY   a mount namespace of its own, in which COPY's directory holds nothing but COPY, which is mapped
//   exec PATH        another program
// Each is answered by "ok" or "failed".
#include <dlfcn.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>

namespace {

bool load(const std::string& path) { return ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr; }

bool hide(const std::string& file, const std::filesystem::path& copy) {
  std::error_code failed;
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", copy.parent_path().c_str(), "tmpfs", 0, nullptr) != 0)
    return false;
  return std::filesystem::copy_file(file, copy, failed) && load(copy);
}

bool run(std::istringstream& line) {
  std::string command, first, second;
  line >> command >> first >> second;
  if (command == "load") return load(first);
  if (command == "chroot") return ::chroot(first.c_str()) == 0 && ::chdir("/") == 0;
  if (command == "hide") return hide(first, second);
  if (command == "exec") ::execl(first.c_str(), first.c_str(), nullptr);
  return false;
}

}  // namespace

int main() {
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    std::cout << (run(line) ? "ok" : "failed") << std::endl;
  }
}
