// A script of calls on both sides, with the input as bytes: each call takes two bytes, the kind with its side and how
// many of the following bytes it is about. Nothing may crash, at most one record may come, it must be consistent, and
// the same streams byte by byte must give the same one.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/analyzers/tls/tls_analyzer.h"
#include "core/sinks/json_sink.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

class CheckingHost final : public AnalyzerHost {
 public:
  void emit(std::unique_ptr<Record> record) override {
    require(told.empty() && !left);
    const auto& seen = std::get<TlsHandshake>(record->body);
    require(seen.complete == seen.incomplete_reason.empty());
    require(seen.client_hello || seen.server_hello || seen.hello_retry_request);
    require(seen.server_hello == seen.version.has_value() && seen.server_hello == seen.cipher_suite.has_value());
    require(!seen.complete || (seen.client_hello && seen.server_hello));
    require(seen.client_hello || (seen.ja3.empty() && seen.cipher_suites_offered.empty() && !seen.sni));
    require(!seen.server_hello || !seen.evidence.empty());
    require(seen.client_first_offset <= seen.client_end_offset && seen.server_first_offset <= seen.server_end_offset);
    make_json_sink({})->write(*record, told);
  }
  std::unique_ptr<Record> make_record() override { return std::make_unique<Record>(); }
  void skip(Side, std::uint64_t) override {}
  void need_whole(Side) override {}
  void need_normal(Side) override {}
  void lose_interest(std::string_view) override { require(!std::exchange(left, true)); }
  void client_is(Side) override { require(!std::exchange(client_told, true)); }
  std::string told;
  bool left = false, client_told = false;
};

std::string run(const std::uint8_t* data, std::size_t size, bool bytewise) {
  CheckingHost host;
  TlsLimits limits;
  limits.message_bytes_max = 2'000;
  limits.certificates_max = limits.alerts_max = 4;
  TlsAnalyzer analyzer(host, std::nullopt, limits);
  std::uint64_t offsets[2] = {1, 1};
  constexpr EventTime now{1'000'000'000};
  while (size >= 2) {
    const Side from = data[0] % 2 == 0 ? Side::a : Side::b;
    const unsigned kind = data[0] / 2 % 16;
    const std::size_t length = data[1];
    std::uint64_t& offset = offsets[static_cast<std::size_t>(from)];
    data += 2;
    size -= 2;
    if (kind == 0) {
      analyzer.on_gap(from, offset, length, GapCause::ring_full, now);
      offset += length;
    } else if (kind == 1) {
      analyzer.on_time(EventTime{now.ns + 2 * limits.alert_wait_ns});
    } else {
      const Bytes bytes = std::as_bytes(std::span(data, std::min(length, size)));
      for (std::size_t i = 0; bytewise && i < bytes.size(); ++i)
        analyzer.on_bytes(from, offset + i, bytes.subspan(i, 1), now);
      if (!bytewise && !bytes.empty()) analyzer.on_bytes(from, offset, bytes, now);
      offset += bytes.size();
      data += bytes.size();
      size -= bytes.size();
    }
  }
  analyzer.on_end(Side::a, StreamEnd::closed, now);
  analyzer.on_end(Side::b, StreamEnd::closed, now);
  require(host.left);
  return host.told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  require(run(data, size, false) == run(data, size, true));
  return 0;
}
