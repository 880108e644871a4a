#include "core/reorder_window.h"

#include <algorithm>
#include <utility>

namespace tracer {

ReorderWindow::ReorderWindow(EventHandler& next, Input input, const ReorderLimits& limits)
    : next_(next), input_(input), limits_(limits) {}

bool ReorderWindow::later(const HeldPtr& a, const HeldPtr& b) {
  return a->event.at != b->event.at ? a->event.at > b->event.at : a->arrival > b->arrival;
}

ReorderWindow::HeldPtr ReorderWindow::hold(const Event& event) {
  HeldPtr held;
  if (spare_.empty()) {
    held = std::make_unique<Held>();
  } else {
    held = std::move(spare_.back());
    spare_.pop_back();
  }
  held->event = event;
  held->arrival = arrivals_++;
  held->bytes.clear();
  if (auto* data = std::get_if<FlowData>(&held->event.body)) {
    held->bytes.assign(data->bytes.begin(), data->bytes.end());
    data->bytes = held->bytes;
  } else if (auto* started = std::get_if<ProcessStarted>(&held->event.body)) {
    held->text[0] = started->executable;
    held->text[1] = started->comm;
    held->text[2] = started->arguments;
    started->executable = held->text[0];
    started->comm = held->text[1];
    started->arguments = held->text[2];
  } else if (auto* updated = std::get_if<FlowUpdated>(&held->event.body)) {
    held->text[0] = updated->owner_comm;
    updated->owner_comm = held->text[0];
  } else if (auto* file = std::get_if<FileOpened>(&held->event.body)) {
    held->text[0] = file->path;
    file->path = held->text[0];
  } else if (auto* mapped = std::get_if<LibraryMapped>(&held->event.body)) {
    held->text[0] = mapped->path;
    mapped->path = held->text[0];
  } else if (auto* call = std::get_if<CryptoCall>(&held->event.body)) {
    held->text[0] = call->function;
    held->text[1] = call->library;
    held->text[2] = call->argument;
    call->function = held->text[0];
    call->library = held->text[1];
    call->argument = held->text[2];
  }
  return held;
}

void ReorderWindow::on_event(const Event& event) {
  if (input_ == Input::ordered) {
    next_.on_event(event);
    return;
  }
  if (event.at < released_until_) ++too_late_;
  heap_.push_back(hold(event));
  bytes_held_ += heap_.back()->bytes.size();
  std::push_heap(heap_.begin(), heap_.end(), later);
  while (heap_.size() > limits_.events_max || bytes_held_ > limits_.bytes_max) {
    ++released_early_;
    release_oldest();
  }
  advance(event.at);
}

void ReorderWindow::advance(EventTime now) {
  youngest_ = std::max(youngest_, now);
  while (!heap_.empty() && heap_.front()->event.at.ns + limits_.window_ns <= youngest_.ns) release_oldest();
}

void ReorderWindow::flush() {
  while (!heap_.empty()) release_oldest();
}

void ReorderWindow::release_oldest() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  HeldPtr held = std::move(heap_.back());
  heap_.pop_back();
  bytes_held_ -= held->bytes.size();
  released_until_ = std::max(released_until_, held->event.at);
  next_.on_event(held->event);
  spare_.push_back(std::move(held));
}

}  // namespace tracer
