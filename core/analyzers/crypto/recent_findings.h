// What was just found at a path, for processes that open one file thousands of times a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "core/file_source.h"
#include "core/records/crypto_records.h"

namespace tracer {

// A look at a file takes several system calls. After so many looks the finding stands, until clear() is called.
class RecentFindings {
 public:
  RecentFindings(std::size_t looks_max, std::size_t entries_max, std::size_t bytes_max)
      : looks_max_(looks_max), entries_max_(entries_max), bytes_max_(bytes_max) {}

  // Null: look. Valid until the next call of put() or clear().
  [[nodiscard]] const FileFinding* find(const FileQuestion& question) const {
    if (entries_.empty() || !is_lasting(question)) return nullptr;
    const auto at = entries_.find({question.pid, std::string(question.path)});
    return at != entries_.end() && at->second.looks >= looks_max_ ? &at->second.finding : nullptr;
  }

  // After each look. `bytes` is about what the finding takes.
  void put(const FileQuestion& question, const FileFinding& finding, std::size_t bytes) {
    if (!is_lasting(question)) return;
    Key key{question.pid, std::string(question.path)};
    const auto at = entries_.find(key);
    if (at != entries_.end()) {
      bytes_ -= at->second.bytes;
      if (bytes_ + bytes > bytes_max_) {
        entries_.erase(at);
        return;
      }
      at->second = {finding, bytes, at->second.looks + 1};
    } else {
      if (entries_.size() >= entries_max_ || bytes_ + bytes > bytes_max_) return;
      entries_.emplace(std::move(key), Entry{finding, bytes, 1});
    }
    bytes_ += bytes;
  }

  void clear() {
    entries_.clear();
    bytes_ = 0;
  }

 private:
  using Key = std::pair<std::uint32_t, std::string>;
  struct Entry {
    FileFinding finding;
    std::size_t bytes = 0;
    std::size_t looks = 0;
  };

  // A relative path means another file in the next directory.
  static bool is_lasting(const FileQuestion& question) {
    return question.pid != 0 && !question.not_at_path && !question.path_cut && question.path.starts_with('/');
  }

  std::size_t looks_max_, entries_max_, bytes_max_, bytes_ = 0;
  std::map<Key, Entry> entries_;
};

}  // namespace tracer
