// TLS handshakes on one connection: two byte streams in, at most one record out.
//
// The two streams are read each for itself, as they come in any order, until all that is in clear was seen: the hellos
// of TLS 1.3 and whether the client answers with an alert; up to TLS 1.2 the ChangeCipherSpec of both sides. Then the
// record leaves and the connection is of no interest any more, so that no ciphertext is copied. A side of which a part
// is missing, or that is no TLS from some point on, is not read any further, and the record says why it is incomplete.
// A connection that is seen from its middle, behind the hellos, has no record. The same bytes give the same record
// however they are split and in whichever order the streams come.
//
// Not thread-safe. Holds at most one message per side, and what was read of the handshake.
#pragma once

#include <optional>
#include <string_view>

#include "core/analyzer.h"
#include "core/analyzers/tls/tls_limits.h"
#include "core/analyzers/tls/tls_record_reader.h"
#include "core/analyzers/tls/tls_seen.h"

namespace tracer {

class TlsAnalyzer final : public Analyzer {
 public:
  // `opener`: the side that opened the connection, where it is known. `host` must outlive the analyzer.
  explicit TlsAnalyzer(AnalyzerHost& host, std::optional<Side> opener = std::nullopt, const TlsLimits& limits = {});

  void on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) override;
  void on_gap(Side from, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) override;
  void on_end(Side from, StreamEnd end, EventTime at) override;
  void on_time(EventTime now) override;

 private:
  struct Stream {
    explicit Stream(const TlsLimits& limits) : reader(limits) {}
    TlsRecordReader reader;
    TlsSeen::Flight flight;
    bool begun = false;         // something of its handshake was seen
    bool begun_unseen = false;  // it began before what is seen of it
    bool hello = false;         // its hello was seen
    std::string_view over;      // why nothing more is read of it; empty: it is read
  };

  [[nodiscard]] Stream& stream(Side side) { return streams_[static_cast<std::size_t>(side)]; }
  void read(Side from, const TlsItem& item);
  void read_message(Side from, const TlsItem& item);
  void read_client_hello(Side from, std::optional<ClientHello> hello, const TlsItem& item);
  void read_server_hello(Side from, const TlsItem& item);
  void read_certificates(Side from, Bytes body);
  void read_server_message(Side from, HandshakeType type, Bytes body);
  void read_alert(Side from, const TlsItem& item);
  static void hello_ended(Stream& stream, const TlsItem& item);
  void found_client(Side side);
  void give_up(Side side, std::string_view reason);
  [[nodiscard]] bool seen_all(Side side);
  [[nodiscard]] std::string_view reason();
  void settle();
  void finish();

  AnalyzerHost& host_;
  const TlsLimits limits_;
  Stream streams_[2];
  const std::optional<Side> opener_;
  std::optional<Side> client_;  // of the handshake
  TlsSeen seen_;
  std::optional<EventTime> fatal_alert_at_;
  bool finished_ = false;
};

}  // namespace tracer
