#include "core/reorder_window.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracer {
namespace {

struct Recorder final : EventHandler {
  std::vector<std::uint64_t> times;
  std::vector<std::string> texts;
  const std::byte* last_data = nullptr;
  void on_event(const Event& event) override {
    times.push_back(event.at.ns);
    if (const auto* data = std::get_if<FlowData>(&event.body)) {
      texts.emplace_back(as_text(data->bytes));
      last_data = data->bytes.data();
    } else if (const auto* started = std::get_if<ProcessStarted>(&event.body)) {
      texts.push_back(std::string(started->comm) + "|" + std::string(started->executable));
    } else if (const auto* updated = std::get_if<FlowUpdated>(&event.body)) {
      texts.emplace_back(updated->owner_comm);
    } else if (const auto* file = std::get_if<FileOpened>(&event.body)) {
      texts.emplace_back(file->path);
    }
  }
};

Event data_at(std::uint64_t ns, std::string_view text) {
  FlowData data;
  data.bytes = as_bytes(text);
  data.moved = text.size();
  return {EventTime{ns}, {}, data};
}

TEST(ReorderWindow, OrderedInputPassesStraightThroughWithoutACopy) {
  Recorder recorder;
  ReorderWindow window(recorder, ReorderWindow::Input::ordered);
  const std::string text = "bytes";
  window.on_event(data_at(5, text));
  EXPECT_EQ(recorder.times, (std::vector<std::uint64_t>{5}));
  EXPECT_EQ(static_cast<const void*>(recorder.last_data), static_cast<const void*>(text.data()));
}

TEST(ReorderWindow, SortsWithinTheWindowAndKeepsArrivalOrderOfEqualTimes) {
  Recorder recorder;
  ReorderWindow window(recorder, ReorderWindow::Input::unordered, {.window_ns = 100});
  for (const auto& [ns, text] : {std::pair{30, "c"}, {10, "a"}, {20, "b"}, {20, "b2"}}) {
    window.on_event(data_at(static_cast<std::uint64_t>(ns), text));
  }
  EXPECT_TRUE(recorder.times.empty());
  window.advance(EventTime{119});
  EXPECT_EQ(recorder.texts, (std::vector<std::string>{"a"}));
  window.advance(EventTime{130});
  EXPECT_EQ(recorder.texts, (std::vector<std::string>{"a", "b", "b2", "c"}));
  EXPECT_EQ(window.released_early(), 0U);
}

TEST(ReorderWindow, CopiesEverythingThatIsBorrowed) {
  Recorder recorder;
  ReorderWindow window(recorder, ReorderWindow::Input::unordered);
  std::string text = "original", comm = "curl", executable = "/usr/bin/curl", owner = "nginx", path = "/etc/hosts";
  window.on_event(data_at(1, text));
  window.on_event({EventTime{2}, {}, ProcessStarted{executable, comm}});
  FlowUpdated updated{};
  updated.owner_comm = owner;
  window.on_event({EventTime{3}, {}, updated});
  FileOpened file;
  file.path = path;
  window.on_event({EventTime{4}, {}, file});
  for (std::string* borrowed : {&text, &comm, &executable, &owner, &path}) borrowed->assign(borrowed->size(), '#');
  window.flush();
  EXPECT_EQ(recorder.texts, (std::vector<std::string>{"original", "curl|/usr/bin/curl", "nginx", "/etc/hosts"}));
}

TEST(ReorderWindow, ALimitReleasesTheOldestEarlyAndCountsIt) {
  Recorder recorder;
  ReorderWindow window(recorder, ReorderWindow::Input::unordered, {.window_ns = 1000, .events_max = 2});
  window.on_event(data_at(3, "c"));
  window.on_event(data_at(1, "a"));
  window.on_event(data_at(2, "b"));
  EXPECT_EQ(recorder.times, (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(window.released_early(), 1U);

  ReorderWindow by_bytes(recorder, ReorderWindow::Input::unordered, {.window_ns = 1000, .bytes_max = 4});
  by_bytes.on_event(data_at(1, "abc"));
  by_bytes.on_event(data_at(2, "def"));
  EXPECT_EQ(by_bytes.released_early(), 1U);
  EXPECT_EQ(by_bytes.waiting(), 1U);
}

TEST(ReorderWindow, CountsWhatComesTooLateToBeSorted) {
  Recorder recorder;
  ReorderWindow window(recorder, ReorderWindow::Input::unordered, {.window_ns = 10});
  window.on_event(data_at(100, "x"));
  window.on_event(data_at(200, "y"));
  window.on_event(data_at(50, "late"));
  EXPECT_EQ(window.too_late(), 1U);
  window.flush();
  EXPECT_EQ(recorder.times.size(), 3U);
}

}  // namespace
}  // namespace tracer
