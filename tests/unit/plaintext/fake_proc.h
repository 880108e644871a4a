// A /proc with processes that were made up, and real files that they have mapped.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tracer {

inline std::string system_library(const std::string& name) {
  for (const char* directory :
       {"/usr/lib/x86_64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/", "/usr/lib64/", "/usr/lib/"})
    if (std::filesystem::exists(directory + name)) return std::filesystem::canonical(directory + name).string();
  return {};
}

class FakeProc {
 public:
  FakeProc() {
    std::string name = (std::filesystem::temp_directory_path() / "fake-proc-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    std::filesystem::create_directories(root_ / "files");
    std::filesystem::create_directories(root_ / "proc");
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  [[nodiscard]] std::string proc() const { return (root_ / "proc").string(); }
  [[nodiscard]] std::string file(const std::string& name) const { return (root_ / "files" / name).string(); }
  std::string copy(const std::string& from, const std::string& name) const {
    std::filesystem::copy_file(from, file(name), std::filesystem::copy_options::overwrite_existing);
    return file(name);
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }

  struct Mapping {
    std::string path;    // as the process sees it
    std::string target;  // the file behind it; empty: it cannot be opened
    bool deleted = false;
  };
  // Begins, or runs something else now.
  void process(unsigned pid, const std::string& executable, const std::vector<Mapping>& mappings) {
    const auto directory = root_ / "proc" / std::to_string(pid);
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory / "map_files");
    std::filesystem::create_directories(directory / "root");
    if (!executable.empty()) std::filesystem::create_symlink(executable, directory / "exe");
    std::ofstream(directory / "comm") << "process-" << pid << "\n";
    std::ofstream(directory / "statm") << 1000 + ++sizes_ << " 1 1 1 0 1 0\n";
    std::ofstream maps(directory / "maps");
    unsigned at = 0x1000;
    for (const Mapping& each : mappings) {
      const std::string range = std::to_string(at) + "-" + std::to_string(at + 1);
      at += 2;
      struct stat facts{};
      ::stat(each.target.empty() ? "/" : each.target.c_str(), &facts);
      maps << range << " r-xp 00000000 fe:01 " << facts.st_ino << "    " << each.path
           << (each.deleted ? " (deleted)" : "") << "\n";
      if (!each.target.empty()) std::filesystem::create_symlink(each.target, directory / "map_files" / range);
    }
  }
  void end(unsigned pid) { std::filesystem::remove_all(root_ / "proc" / std::to_string(pid)); }

 private:
  std::filesystem::path root_;
  unsigned sizes_ = 0;
};

}  // namespace tracer
