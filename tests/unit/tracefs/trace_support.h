// Records as the kernel writes them, made by hand.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "backends/tracepoint/trace_record.h"

namespace tracer {

class ByteWriter {
 public:
  template <typename T>
  ByteWriter& put(T value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
    return *this;
  }
  ByteWriter& put(Bytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  ByteWriter& put_text(std::string_view text) { return put(as_bytes(text)); }
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

class TraceRecorder final : public TraceHandler {
 public:
  void on_trace(const TraceRecord& record) override {
    times.push_back(record.at_ns);
    whos.push_back(record.who);
    texts.emplace_back(as_text(record.raw));
  }
  void on_lost(std::uint64_t records) override { lost += records; }

  std::vector<std::uint64_t> times;
  std::vector<ProcessRef> whos;
  std::vector<std::string> texts;
  std::uint64_t lost = 0;
};

// Events, with what they borrowed.
struct SeenEvent {
  Event event;
  std::string text;
};

class EventRecorder final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    SeenEvent seen{event, {}};
    if (const auto* started = std::get_if<ProcessStarted>(&event.body)) seen.text = started->executable;
    if (const auto* file = std::get_if<FileOpened>(&event.body)) seen.text = file->path;
    all.push_back(std::move(seen));
  }
  template <typename Body>
  [[nodiscard]] const Body* get(std::size_t index) const {
    return index < all.size() ? std::get_if<Body>(&all[index].event.body) : nullptr;
  }
  template <typename Body>
  [[nodiscard]] const SeenEvent* find(std::uint32_t tgid) const {
    for (const SeenEvent& each : all)
      if (std::holds_alternative<Body>(each.event.body) && each.event.who.tgid == tgid) return &each;
    return nullptr;
  }
  std::deque<SeenEvent> all;  // what get() and find() gave stays where it is
};

}  // namespace tracer
