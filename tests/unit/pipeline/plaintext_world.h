// A connection under TLS between a client and a server on this machine: its handshake on the wire, and what each end's
// library is given in clear, as a backend with breakpoints would tell it under the verdicts in force.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/pipeline/events.h"
#include "tests/unit/tls/tls_harness.h"

namespace tracer::test {

[[nodiscard]] Routers https_routers();
[[nodiscard]] PipelineOptions https_options();
[[nodiscard]] std::string get(unsigned id);
[[nodiscard]] std::string answer(std::string_view body = "ok");

struct TlsEnd {
  FlowId flow, session;
  std::uint32_t tgid = 0;
  bool client = false;
};
inline constexpr TlsEnd client_end{client_flow, {1001}, client, true};
inline constexpr TlsEnd server_end{server_flow, {1002}, server, false};

struct PlaintextWorld : World {
  explicit PlaintextWorld(PipelineOptions options = https_options(), Handover from = {})
      : World(std::move(options), https_routers(), std::move(from)) {}

  void open(const TlsEnd& end, bool preexisting = false);
  // One call of one end on its socket.
  void moves(const TlsEnd& end, Direction direction, std::string_view bytes);
  void handshake(const std::string& name, bool client_seen, bool server_seen);
  // `bound`: which connection carries it is known.
  void session(const TlsEnd& end, bool bound = true, bool from_start = true);
  // Both ends, with their handshake, and a session of either that is seen from its start.
  void open_covered();
  // One call of the library's; nothing is told of a session that was asked to be quiet.
  void plain(const TlsEnd& end, Direction direction, std::string_view text);
  void plain_size(const TlsEnd& end, Direction direction, std::uint64_t moved, GapCause why);
  // What moved and never became an event.
  void lose(const TlsEnd& end, Direction direction, std::uint64_t moved);
  void exchange(unsigned id, std::optional<TlsEnd> by_client, std::optional<TlsEnd> by_server);
  void exchange(std::string_view request, std::string_view response, std::optional<TlsEnd> by_client,
                std::optional<TlsEnd> by_server);
  void close(FlowId flow_or_session, std::uint32_t tgid = 0);
  void wait(std::uint64_t milliseconds);
  [[nodiscard]] bool quiet(const TlsEnd& end) const;
  [[nodiscard]] std::vector<const Record*> https() const;
  [[nodiscard]] std::vector<std::string> urls() const;
  [[nodiscard]] std::optional<std::uint64_t> blind(std::string_view what) const;

  std::uint64_t now = 1'000 * ms;

 private:
  std::map<std::pair<std::uint64_t, Direction>, std::uint64_t> socket_at_, plain_at_;
};

[[nodiscard]] const HttpTransaction& transaction_of(const Record* record);

}  // namespace tracer::test
