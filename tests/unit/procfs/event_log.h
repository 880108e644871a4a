// Keeps events beyond the call that brings them.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "core/backend.h"
#include "core/event.h"

namespace tracer {

class EventLog final : public EventHandler {
 public:
  struct Entry {
    Event event;
    std::string text, more_text;  // comm; executable. Of a file or library: its path
    std::string arguments{};
  };
  void on_event(const Event& event) override {
    Entry entry{event, {}, {}};
    if (const auto* update = std::get_if<FlowUpdated>(&event.body)) entry.text = update->owner_comm;
    if (const auto* started = std::get_if<ProcessStarted>(&event.body)) {
      entry.text = started->comm;
      entry.more_text = started->executable;
      entry.arguments = started->arguments;
    }
    if (const auto* opened = std::get_if<FileOpened>(&event.body)) entry.text = opened->path;
    if (const auto* mapped = std::get_if<LibraryMapped>(&event.body)) entry.text = mapped->path;
    entries.push_back(std::move(entry));
  }
  template <typename Body>
  [[nodiscard]] std::vector<const Entry*> all() const {
    std::vector<const Entry*> found;
    for (const Entry& entry : entries)
      if (std::holds_alternative<Body>(entry.event.body)) found.push_back(&entry);
    return found;
  }
  std::vector<Entry> entries;
};

// Drains as the owner of a backend does, until `done` or for five seconds; whether `done` was reached.
[[nodiscard]] bool drain_until(Backend& backend, EventLog& log, const std::function<bool()>& done);

// What was told of one end of a connection.
struct ToldFlow {
  int opened = 0;
  int closed = 0;
  bool preexisting = false;
  Role role = Role::unknown;
  std::uint32_t owner = 0;
  std::string comm;
  bool inferred = false;
  std::uint64_t tx = 0, rx = 0;  // moved
  std::uint64_t payload = 0;     // bytes that came along
  bool contiguous = true;
  std::optional<std::uint64_t> kernel_tx, kernel_rx;
};
[[nodiscard]] ToldFlow told_of(const EventLog& log, const Endpoint& local, const Endpoint& remote);

}  // namespace tracer
