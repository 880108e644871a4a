// What is remembered of files by their identity; the least recently asked for goes first.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

#include "core/file_source.h"

namespace tracer {

template <typename Value>
class IdentityCache {
 public:
  IdentityCache(std::size_t entries_max, std::size_t bytes_max) : entries_max_(entries_max), bytes_max_(bytes_max) {}

  // Null: not known. Valid until the next call of put().
  [[nodiscard]] const Value* find(const FileIdentity& identity) {
    const auto at = index_.find(identity);
    if (at == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, at->second);
    return &at->second->value;
  }

  // `bytes` is about what the value takes; one that takes more than everything may is not kept.
  void put(const FileIdentity& identity, Value value, std::size_t bytes) {
    if (entries_max_ == 0 || bytes > bytes_max_ || index_.contains(identity)) return;
    while (!order_.empty() && (order_.size() >= entries_max_ || bytes_ + bytes > bytes_max_)) {
      bytes_ -= order_.back().bytes;
      index_.erase(order_.back().identity);
      order_.pop_back();
    }
    order_.push_front({identity, std::move(value), bytes});
    index_.emplace(identity, order_.begin());
    bytes_ += bytes;
  }

  [[nodiscard]] std::size_t size() const { return order_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    FileIdentity identity;
    Value value;
    std::size_t bytes;
  };

  std::size_t entries_max_, bytes_max_, bytes_ = 0;
  std::list<Entry> order_;  // the latest first
  std::map<FileIdentity, typename std::list<Entry>::iterator> index_;
};

}  // namespace tracer
