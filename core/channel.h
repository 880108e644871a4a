// One layer of one connection (the socket's bytes, or the plaintext inside TLS): two assembled streams, the choice of
// an analyzer by their first bytes, and the analyzer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/analyzer.h"
#include "core/flow_table.h"
#include "core/pipeline_context.h"
#include "core/stream_assembler.h"
#include "core/transaction_times.h"

namespace tracer {

// The connection, as its channels see it.
class ChannelOwner {
 public:
  virtual void on_record(std::unique_ptr<Record> record) = 0;
  // The first bytes told which protocol it is. Before on_channel_changed().
  virtual void on_protocol(std::string_view protocol, bool analyzed) = 0;
  // The protocol, the client side or what is wanted of the streams has changed.
  virtual void on_channel_changed() = 0;
  [[nodiscard]] virtual std::optional<Side> known_client() const = 0;

 protected:
  ~ChannelOwner() = default;
};

class Channel final : public AnalyzerHost, private StreamOutput {
 public:
  Channel(PipelineContext& context, ChannelOwner& owner, Layer layer);

  // Of plaintext: side a, the process of the session, is the only end that tells. Its offsets are its own.
  void begin_session(bool from_start);
  void end_session(EventTime at);
  // Is what this flow's end moves seen from the first byte on?
  void note_beginning(const Flow& flow);
  // The flow takes part as both an observer of what its side sends and of what it receives.
  void add_flow(const Flow& flow);
  // Takes over the observers of a flow from the channel where it was alone. See StreamAssembler::adopt_observer.
  // Returns by how much each stream's offsets there differ from those here, by Side here.
  std::array<std::uint64_t, 2> adopt_flow(const Flow& flow, Side side_there, Channel& there);
  // Takes the bytes that wait there, once both ends are in place; sides are the other way round there.
  void take_held(Channel& there, const std::array<std::uint64_t, 2>& deltas);
  // `end`: the side that tells.
  void on_data(Side end, const FlowData& data, EventTime at);
  void on_stream_ended(const Flow& flow, const StreamEnded& event, EventTime at);
  void on_flow_end(const Flow& flow, EventTime at);
  void on_time(EventTime now);
  // Nobody asks any more when the bytes of this record were moved.
  void prune_marks(Side client, const RecordExtent& extent);
  void cut(EventTime at, StreamEnd how);

  [[nodiscard]] StreamAssembler& stream(Side side) { return streams_[index_of(side)]; }
  [[nodiscard]] const StreamAssembler& stream(Side side) const { return streams_[index_of(side)]; }
  // The stream that a flow's direction is about, and the flow's observer of it.
  [[nodiscard]] static Side stream_side(Side flow_side, Direction direction) {
    return direction == Direction::tx ? flow_side : other(flow_side);
  }
  [[nodiscard]] static Observer observer_of(Direction direction) {
    return direction == Direction::tx ? Observer::sender : Observer::receiver;
  }
  [[nodiscard]] StreamObserver& observer(Side flow_side, Direction direction) {
    return stream(stream_side(flow_side, direction)).observer(observer_of(direction));
  }
  [[nodiscard]] const StreamObserver& observer(Side flow_side, Direction direction) const {
    return stream(stream_side(flow_side, direction)).observer(observer_of(direction));
  }

  [[nodiscard]] std::string_view protocol() const { return protocol_; }  // empty: not known yet
  [[nodiscard]] bool interesting() const { return interesting_; }        // false: nothing will come of its bytes
  [[nodiscard]] bool whole(Side side) const { return whole_[index_of(side)]; }
  [[nodiscard]] std::uint64_t skip_until(Side side) const { return skip_until_[index_of(side)]; }
  [[nodiscard]] std::optional<Side> client() const { return client_; }
  [[nodiscard]] std::uint64_t progress() const { return streams_[0].delivered() + streams_[1].delivered(); }

  // AnalyzerHost
  void emit(std::unique_ptr<Record> record) override;
  std::unique_ptr<Record> make_record() override;
  void skip(Side from, std::uint64_t until) override;
  void need_whole(Side from) override;
  void need_normal(Side from) override;
  void lose_interest(std::string_view protocol) override;
  void client_is(Side side) override;

 private:
  // Bytes of one side that came before the protocol was known.
  struct Prefix {
    std::vector<std::byte> bytes;
    std::uint64_t offset = 0;
    EventTime at;
    bool broken = false;        // the stream is not seen from its start: its first bytes prove nothing by not matching
    bool begun_unseen = false;  // as `broken`, and stays so when a message start is found
  };

  void on_stream_bytes(Side side, std::uint64_t offset, Bytes bytes, EventTime at) override;
  void on_stream_gap(Side side, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) override;
  void on_stream_end(Side side, StreamEnd end, EventTime at) override;
  void route(Side side, std::uint64_t offset, Bytes bytes, EventTime at);
  void decide(std::string_view protocol, const AnalyzerEntry* analyzer);
  void start_analyzer();

  PipelineContext& context_;
  ChannelOwner& owner_;
  Layer layer_;
  std::array<StreamAssembler, 2> streams_;
  std::array<Prefix, 2> prefix_;
  std::array<bool, 2> whole_{};
  std::array<std::uint64_t, 2> skip_until_{};
  std::array<std::optional<StreamEnd>, 2> early_end_{};  // of a stream that ended before the protocol was known
  std::size_t tries_ = 0;
  std::string_view protocol_;
  bool interesting_ = true;
  std::optional<Side> client_;
  std::unique_ptr<Analyzer> analyzer_;
};

}  // namespace tracer
