#include "backends/tracepoint/kernel_descriptors.h"

#include "backends/bpf/hash_map.h"

namespace tracer {
namespace {

// struct stream of floor.bpf.c
struct Stream {
  std::uint64_t end[2];
  std::uint32_t user[2];
};

constexpr std::size_t keys_swept_max = 65536;  // as many as the map holds: it may change while it is walked

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
    Stream stream{};
    if (hash_map_get(streams_, &flow, &stream) && (value.unresolved[WIRE_TX] | value.unresolved[WIRE_RX]) != 0) {
      stream.end[WIRE_TX] += value.unresolved[WIRE_TX];
      stream.end[WIRE_RX] += value.unresolved[WIRE_RX];
      hash_map_set(streams_, &flow, &stream, true);
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
  int descriptors_, streams_;
};

}  // namespace

std::unique_ptr<DescriptorMap> kernel_descriptors(int descriptors_fd, int streams_fd) {
  return std::make_unique<KernelDescriptors>(descriptors_fd, streams_fd);
}

}  // namespace tracer
