// Files in memory, for what looks into files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/analyzers/crypto/file_contents.h"
#include "core/file_source.h"

namespace tracer {

struct FakeFile {
  FileKind kind = FileKind::regular;
  std::string contents;
  std::string reason;
  std::int64_t modified_ns = 1;
  bool readable = true;
};

class FakeFiles final : public FileSource {
 public:
  std::map<std::string, FakeFile, std::less<>> files;
  std::string working_directory = "/";
  std::size_t stats = 0, reads = 0, bytes_read = 0;

  FileStat stat(const FileQuestion& question) override {
    ++stats;
    FileStat stat;
    stat.path = absolute(question.path);
    const auto at = files.find(stat.path);
    if (question.not_at_path || at == files.end()) {
      stat.reason = "no such file";
      return stat;
    }
    stat.kind = at->second.kind;
    stat.reason = at->second.reason;
    stat.identity = {1, static_cast<std::uint64_t>(std::distance(files.begin(), at)), at->second.contents.size(),
                     at->second.modified_ns};
    return stat;
  }

  std::optional<std::vector<std::byte>> read(const FileQuestion& question, const FileIdentity&, std::uint64_t offset,
                                             std::size_t bytes_max) override {
    ++reads;
    const auto at = files.find(absolute(question.path));
    if (at == files.end() || at->second.kind != FileKind::regular || !at->second.readable) return std::nullopt;
    const Bytes all = as_bytes(at->second.contents);
    const Bytes rest = all.subspan(std::min<std::size_t>(offset, all.size()));
    const Bytes piece = rest.first(std::min(rest.size(), bytes_max));
    bytes_read += piece.size();
    return std::vector<std::byte>(piece.begin(), piece.end());
  }

 private:
  [[nodiscard]] std::string absolute(std::string_view path) const {
    return path.starts_with('/') ? std::string(path) : working_directory + std::string(path);
  }
};

inline const Registry& built_in_registry() {
  static const Result<Registry> registry = Registry::built_in();
  return *registry;
}

}  // namespace tracer
