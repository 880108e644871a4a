// One TCP connection, seen from one end or, after a proven join, from both.
//
// Decides which end the bytes come from and tells the backend so by verdicts. After a join that is the primary, the
// server's end, whose calls are fewer; but in each direction only from when it was seen to bring bytes, and only as
// long as it misses none: what an end moves by calls that nobody sees (io_uring), the other one must tell. Holds
// finished records until the client's end has told its times, in order, for a short while.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/channel.h"
#include "core/connection_plaintext.h"
#include "core/flow_table.h"
#include "core/handover.h"
#include "core/handshake_facts.h"
#include "core/pipeline_context.h"
#include "core/transaction_times.h"

namespace tracer {

enum class ConnectionEnd : std::uint8_t {
  closed,
  open,         // it goes on, and nobody looks any more
  handed_over,  // another pipeline goes on with it
};

class PlaintextSession;

class Connection final : private ChannelOwner {
 public:
  Connection(PipelineContext& context, std::uint64_t id, Flow& first, EventTime at);

  void on_data(Flow& flow, const FlowData& data, EventTime at);
  // Plaintext of a session that one of its flows carries.
  void on_plaintext(PlaintextSession& session, const FlowData& data, EventTime at);
  void on_session_end(PlaintextSession& session, EventTime at);
  // The session has brought bytes before it was known that this connection carries it.
  void take_session(PlaintextSession& session);
  // What is known of the flow has grown (FlowOpened, FlowUpdated).
  void on_flow_known(Flow& flow);
  // One direction of the flow will go no further.
  void on_stream_end(Flow& flow, const StreamEnded& event, EventTime at);
  // The flow has closed for good: its streams end.
  void on_flow_end(Flow& flow, EventTime at);
  void on_time(EventTime now);
  // Its streams end here, because another pipeline goes on with them.
  void cut(EventTime at, StreamEnd how);
  // Nothing more will be seen of it here.
  void finish(EventTime at, ConnectionEnd how);
  // `other` turned out to be the other end of this one: takes its flow over. `other` is empty afterwards.
  void absorb(Connection& other);
  // A mirrored end exists but is not proven yet: records wait for the answer, for a while.
  void set_join_possible(bool possible) { join_possible_ = possible; }

  // What a session found out.
  void on_plaintext_record(const PlaintextSession& session, std::unique_ptr<Record> record,
                           const TransactionTimes& times);
  void on_plaintext_protocol(std::string_view protocol, bool analyzed);
  void plaintext_is(std::string_view protocol);
  void plaintext_client_is(Side side);

  // It was told of by another pipeline before.
  void carry_on(const CarriedConnection& carried);
  [[nodiscard]] bool carried() const { return carried_ != nullptr; }
  // For the pipeline that goes on with it; nullopt: its addresses are not known.
  [[nodiscard]] std::optional<CarriedConnection> to_carry() const;
  // It is the tracer's own: nothing of it is told.
  void disown() { own_ = true; }

  [[nodiscard]] std::uint64_t id() const { return id_; }
  // As records give it: the one of the pipeline that first told of it.
  [[nodiscard]] std::uint64_t told_id() const { return carried_ ? carried_->connection_id : id_; }
  [[nodiscard]] Flow* flow(Side side) const { return flows_[index_of(side)]; }
  // Of none of its ends the payload leaves the kernel, because a filter of the user's keeps it there.
  [[nodiscard]] bool filtered() const;
  [[nodiscard]] bool joined() const { return flows_[0] != nullptr && flows_[1] != nullptr; }
  [[nodiscard]] const Channel* socket() const { return socket_.get(); }
  // It stands for a session of which the connection is not known.
  [[nodiscard]] bool unbound() const { return flows_[0] != nullptr && flows_[0]->unbound; }
  // Of the plaintext inside of TLS.
  [[nodiscard]] std::optional<Side> client() const;  // by the flows' roles, else by the protocol
  [[nodiscard]] Side primary() const { return primary_; }
  // The end that brought the bytes that side `from` sent: the primary if it brought any.
  [[nodiscard]] std::optional<Side> told_by(Layer layer, Side from) const;
  [[nodiscard]] std::uint64_t progress() const;
  [[nodiscard]] std::uint64_t transactions() const { return transactions_; }
  [[nodiscard]] std::string_view protocol() const;
  [[nodiscard]] bool payload_seen() const;                  // somebody looked at what it carried
  [[nodiscard]] std::uint32_t process_of(Side side) const;  // tgid; 0: not known
  [[nodiscard]] bool process_inferred(Side side) const;
  [[nodiscard]] bool on_wire() const;
  [[nodiscard]] EventTime opened_at() const { return opened_at_; }
  [[nodiscard]] bool idle() const { return pending_.empty(); }

  // Hooks of the pipeline's list of connections, youngest activity first.
  Connection* newer = nullptr;
  Connection* older = nullptr;
  EventTime last_at;

 private:
  struct Pending {
    std::unique_ptr<Record> record;
    Layer layer{};
    EventTime since;
    std::array<std::uint32_t, 2> processes{};  // tgid by Side, when the record was complete
    std::optional<TransactionTimes> times;     // once they are final
    bool from_start = false;                   // of plaintext: its session was seen from the start
    bool own_handshake = false;                // of plaintext: the connection's handshake is that of its session
    bool twin_sought = false;                  // of plaintext: whether the other end told it without its connection
  };

  void on_record(std::unique_ptr<Record> record) override;
  void on_protocol(std::string_view protocol, bool analyzed) override;
  void on_channel_changed() override;
  [[nodiscard]] std::optional<Side> known_client() const override { return client(); }
  Channel& socket_channel();
  void take_record(Pending pending);
  bool finish_record(Pending& pending, EventTime now, bool whatever);
  // Whether the times of a record are final. Then it has them, and the marks that they come from are gone: records that
  // wait for something else do not use them up.
  bool settle_times(Pending& pending);
  void settle_waiting_times();
  void finish_pending(EventTime now, bool whatever);
  [[nodiscard]] bool may_be_joined() const;
  [[nodiscard]] bool told_before(const RecordExtent& extent) const;
  void choose_primary();
  void refresh_outdated();
  void refresh_observers();
  void refresh_verdicts();
  [[nodiscard]] StreamVerdict wanted(const Flow& flow, Direction direction) const;
  [[nodiscard]] bool only_sizes_wanted(Side end, Direction direction) const;
  [[nodiscard]] bool caught_up() const;
  [[nodiscard]] bool one_end_suffices() const;
  [[nodiscard]] bool owner_may_come() const;
  [[nodiscard]] bool told_by_predecessor(Layer layer, const RecordExtent& extent);
  [[nodiscard]] bool handshake_may_come() const;
  [[nodiscard]] bool client_may_tell() const;
  [[nodiscard]] bool told_in_clear(Pending& pending, const RecordExtent& extent);
  [[nodiscard]] bool told_by_session(Pending& pending);
  void note_told(const Pending& pending, const RecordExtent& extent);
  void drop(Pending& pending);
  void drop_pending(Layer layer);
  void join_plaintext(Connection& other_connection);
  [[nodiscard]] bool listens_to(PlaintextSession& session, EventTime first_at);
  void silence(Side side);
  void count_blindness();
  void check_witness(Flow& flow);
  void account();
  [[nodiscard]] Side carried_side(std::size_t index) const;
  [[nodiscard]] std::uint64_t switch_gap(Side from) const;
  [[nodiscard]] std::optional<Side> end_telling(Side from) const;
  [[nodiscard]] StreamLedger ledger_of(Side from) const;
  void summarize(EventTime at, ConnectionEnd how);

  PipelineContext& context_;
  std::uint64_t id_;
  std::array<Flow*, 2> flows_{};
  std::unique_ptr<Channel> socket_;                  // the bytes that it moves
  std::unique_ptr<ConnectionPlaintext> plaintext_;   // null: no session brought any
  std::shared_ptr<const HandshakeFacts> handshake_;  // null: none was seen to end
  Side primary_ = Side::a;
  bool catching_up_ = false;                       // the primary was ahead at the join: until then both bring bytes
  std::array<std::uint64_t, 2> catch_up_until_{};  // by Side of the stream
  bool join_possible_ = false;
  std::array<std::uint64_t, 2> told_until_{};  // by Side of the stream: messages before it were printed
  EventTime opened_at_;
  std::uint64_t transactions_ = 0;  // records of analyzers, but for handshakes
  bool handshake_told_ = false;
  bool witnessed_ = false;  // the kernel's own count was there, of either end
  bool own_ = false;
  std::unique_ptr<CarriedConnection> carried_;
  Side carried_low_ = Side::a;      // which side its low end is
  bool carried_past_told_ = false;  // a message came that the predecessor cannot have told: all later ones are news too
  std::vector<Pending> pending_;
};

}  // namespace tracer
