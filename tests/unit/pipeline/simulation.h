// A kernel in miniature: connections with two ends whose calls become events, under the verdicts in force at the time
// of the call, delivered late and shuffled; and the truth about every transaction to hold the records against.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/pipeline.h"

namespace tracer::test {

inline constexpr std::uint64_t ms = 1'000'000;

struct FakeOwnership final : Ownership {
  std::map<std::uint32_t, ProcessFacts> alive;
  std::optional<ProcessFacts> process(std::uint32_t tgid) override;
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
};

[[nodiscard]] Endpoint loopback(std::uint16_t port);
[[nodiscard]] Endpoint lan(std::uint8_t host, std::uint16_t port);

// Owns a pipeline and keeps what comes out of it.
class World : public VerdictSink, public RecordSink {
 public:
  explicit World(PipelineOptions options = {}, Handover from = {});
  World(PipelineOptions options, Routers routers, Handover from);
  virtual ~World() = default;

  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override;
  void on_record(std::unique_ptr<Record> record) override;

  void send(std::uint64_t at_ns, std::uint32_t tgid, decltype(Event::body) body);
  [[nodiscard]] StreamVerdict verdict(FlowId flow, Direction direction) const;
  [[nodiscard]] std::vector<const HttpTransaction*> transactions() const;

  FakeOwnership ownership;
  std::map<std::pair<std::uint64_t, Direction>, StreamVerdict> verdicts;
  std::vector<std::unique_ptr<Record>> records;
  Pipeline pipeline;
};

// Calls that the backend never tells of, as if made in a way that it does not watch. The kernel counts their bytes.
enum class Unseen : std::uint8_t { nothing, server, server_receptions };

// Whose payload a filter of the user's keeps in the kernel.
enum class Filtered : std::uint8_t { nobody, client, server };

struct Shape {
  unsigned transactions = 8;
  std::size_t request_body_max = 50, response_body_max = 300;
  std::uint64_t per_call_max = 4096;  // bytes kept of one call in normal mode
  bool sequence = true;
  bool one_namespace = true;  // loopback; else two namespaces on a network
  bool pipelining = false;
  unsigned pipelining_from = 0;  // the client waits for its answers up to this transaction
  bool obey_verdicts = true;
  std::uint64_t pause_ns = 20'000;  // at most, between two calls
  unsigned drop_percent = 0;        // of data events
  unsigned miss_percent = 0;        // of the server's calls: the programs do not run, and nobody says so
  Unseen unseen = Unseen::nothing;
  Filtered filtered = Filtered::nobody;
  unsigned shuffle = 8;    // how far an event may be overtaken
  bool opens_late = true;  // FlowOpened may be overtaken as well
  bool preexisting = false;
  bool http = false;  // the same transactions as HTTP/1.1
};

// One message of the truth: where it lies in its stream, and when its first and last byte were moved at each end.
struct TrueMessage {
  std::uint64_t first = 0, end = 0;  // stream positions from 0
};
struct TrueTransaction {
  unsigned id = 0;
  std::size_t request_body = 0, response_body = 0;
  TrueMessage request, response;
};

// Runs one connection through a world.
class Simulation {
 public:
  Simulation(World& world, const Shape& shape, std::uint32_t seed);
  void run();

  static constexpr std::uint32_t client_tgid = 100, server_tgid = 200;
  static constexpr FlowId client_flow{11}, server_flow{12};

  std::vector<TrueTransaction> truth;
  unsigned dropped = 0;  // or missed
  // By stream: where the last byte lay that was copied at the client's end.
  std::size_t client_copied_until[2] = {};
  // When byte i of a stream (0: requests, 1: responses) was sent and received.
  std::vector<std::uint64_t> sent_at[2], received_at[2];

 private:
  struct Queued {
    Event event;
    std::vector<std::byte> bytes;
    bool overtaken = true;  // may be
  };
  struct Pipe {
    std::string text;
    std::size_t sent = 0, received = 0;
    std::uint64_t first_offset = 0;
  };

  std::uint64_t below(std::uint64_t n);
  void plan();
  void move_bytes(unsigned stream, bool sending, std::size_t size);
  void queue(std::uint32_t tgid, decltype(Event::body) body, bool may_be_overtaken = true);
  void deliver(std::size_t keep);
  void open(bool client);

  World& world_;
  Shape shape_;
  std::mt19937 random_;
  std::uint64_t now_ = 1'000 * ms;
  Pipe pipes_[2];
  std::deque<Queued> in_flight_;
};

}  // namespace tracer::test
