#include "backends/tracepoint/kernel_descriptors.h"

#include <algorithm>

#include "backends/bpf/hash_map.h"

namespace tracer {
namespace {

// struct stream of floor.bpf.c
struct Stream {
  std::uint64_t end[2];
  std::uint32_t user[2];
};

constexpr std::size_t keys_swept_max = 65536;  // as many as the map holds: it may change while it is walked
constexpr int looks_max = 16;

class KernelDescriptors final : public DescriptorMap {
 public:
  KernelDescriptors(int descriptors, int streams) : descriptors_(descriptors), streams_(streams) {}
  void set(wire_fd_key key, wire_fd_value value, bool replace) override {
    hash_map_set(descriptors_, &key, &value, replace);
  }
  void forget(wire_fd_key key) override { hash_map_delete(descriptors_, &key); }
  std::optional<wire_fd_value> find(wire_fd_key key) const override {
    wire_fd_value value{};
    return hash_map_get(descriptors_, &key, &value) ? std::optional(value) : std::nullopt;
  }
  void resolve(wire_fd_key key, std::uint64_t flow) override {
    wire_fd_value value{};
    if (!hash_map_get(descriptors_, &key, &value)) return;
    // What a call adds between the last look and the new entry is a shift of all that follows: so look until it rests.
    std::uint64_t added[2] = {};
    for (int looks = 0; looks < looks_max; ++looks) {
      const std::uint64_t sent = value.unresolved[WIRE_TX] - added[WIRE_TX];
      const std::uint64_t received = value.unresolved[WIRE_RX] - added[WIRE_RX];
      if ((sent | received) == 0) break;
      add_to_stream(flow, sent, received);
      std::ranges::copy(value.unresolved, added);
      if (!hash_map_get(descriptors_, &key, &value) || value.kind != WIRE_FD_KIND_ASKED) return;
      if (value.unresolved[WIRE_TX] < added[WIRE_TX] || value.unresolved[WIRE_RX] < added[WIRE_RX]) return;  // reused
    }
    value = {.flow = flow, .unresolved = {}, .kind = WIRE_FD_KIND_TCP, .close_on_exec = value.close_on_exec};
    hash_map_set(descriptors_, &key, &value, true);
  }
  std::vector<wire_fd_key> keys() const override {
    std::vector<wire_fd_key> all;
    wire_fd_key key{};
    wire_fd_key next{};
    for (const void* after = nullptr; all.size() < keys_swept_max && hash_map_next_key(descriptors_, after, &next);
         after = &key) {
      all.push_back(next);
      key = next;
    }
    return all;
  }
  void add_stream(std::uint64_t flow) override {
    const Stream fresh{};
    hash_map_set(streams_, &flow, &fresh, false);
  }
  void remove_stream(std::uint64_t flow) override { hash_map_delete(streams_, &flow); }

 private:
  void add_to_stream(std::uint64_t flow, std::uint64_t sent, std::uint64_t received) {
    Stream stream{};
    if (!hash_map_get(streams_, &flow, &stream)) return;
    stream.end[WIRE_TX] += sent;
    stream.end[WIRE_RX] += received;
    hash_map_set(streams_, &flow, &stream, true);
  }

  int descriptors_, streams_;
};

}  // namespace

std::unique_ptr<DescriptorMap> kernel_descriptors(int descriptors_fd, int streams_fd) {
  return std::make_unique<KernelDescriptors>(descriptors_fd, streams_fd);
}

}  // namespace tracer
