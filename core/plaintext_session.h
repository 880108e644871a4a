// One session of a TLS library, as the process that holds it sees it: the bytes in clear, and what becomes of them.
//
// The process is side a of the session's channel, whichever side of the connection it is. So it does not matter to the
// bytes when the connection becomes known, and whether its other end is found later.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/channel.h"
#include "core/flow_table.h"
#include "core/pipeline_context.h"
#include "core/transaction_times.h"

namespace tracer {

class PlaintextSession final : private ChannelOwner {
 public:
  PlaintextSession(PipelineContext& context, FlowId id, std::uint32_t tgid, bool from_start);

  // Only before its first bytes.
  void begins_at_start();
  void on_data(const FlowData& data, EventTime at);
  void on_time(EventTime now);
  // It is over: its streams end.
  void end(EventTime at);
  // It goes on and is not looked at any more.
  void cut(EventTime at, StreamEnd how);
  // Its connection has changed: says what is known of it so far.
  void tell_connection() { on_channel_changed(); }
  // The other end of the connection tells: nothing is wanted of this one.
  void silence();

  [[nodiscard]] FlowId id() const { return id_; }
  [[nodiscard]] std::uint32_t tgid() const { return tgid_; }
  [[nodiscard]] bool from_start() const { return from_start_; }
  [[nodiscard]] bool silenced() const { return channel_ == nullptr; }
  [[nodiscard]] bool begun() const { return begun_; }  // it brought bytes that were taken
  [[nodiscard]] EventTime begun_at() const { return begun_at_; }
  [[nodiscard]] bool told() const { return told_; }  // and a record came of them

  Flow* flow = nullptr;                   // that carries it, or stands for it; null: none yet
  bool first = true;                      // that tells of its connection: the handshake on the wire is its own
  std::optional<Endpoint> local, remote;  // where they are known though the flow is not

 private:
  void on_record(std::unique_ptr<Record> record) override;
  void on_protocol(std::string_view protocol, bool analyzed) override;
  void on_channel_changed() override;
  [[nodiscard]] std::optional<Side> known_client() const override;
  [[nodiscard]] Side side_in_connection(Side mine) const { return mine == Side::a ? flow->side : other(flow->side); }
  [[nodiscard]] StreamVerdict wanted(Direction direction) const;
  void refresh_verdicts();

  PipelineContext& context_;
  FlowId id_;
  std::uint32_t tgid_;
  bool from_start_;
  bool begun_ = false, told_ = false;
  EventTime begun_at_;
  std::array<StreamVerdict, 2> verdict_{};  // as last sent, by Direction
  std::unique_ptr<Channel> channel_;
};

}  // namespace tracer
