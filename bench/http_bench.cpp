// The HTTP analyzer alone: one keep-alive transaction, as the system calls of nginx and curl cut it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "core/analyzers/http/http_analyzer.h"

namespace tracer {
namespace {

// Keeps the one record that is not in use, as the pipeline's pool does.
class ReusingHost final : public AnalyzerHost {
 public:
  void emit(std::unique_ptr<Record> record) override {
    ++emitted_;
    spare_ = std::move(record);
  }
  std::unique_ptr<Record> make_record() override {
    if (!spare_) {
      auto made = std::make_unique<Record>();
      made->body.emplace<HttpTransaction>();
      return made;
    }
    std::get<HttpTransaction>(spare_->body).clear();
    return std::move(spare_);
  }
  void skip(Side, std::uint64_t) override {}
  void need_whole(Side) override {}
  void need_normal(Side) override {}
  void lose_interest(std::string_view) override {}
  void client_is(Side) override {}

  [[nodiscard]] std::int64_t emitted() const { return emitted_; }

 private:
  std::unique_ptr<Record> spare_;
  std::int64_t emitted_ = 0;
};

constexpr std::string_view request =
    "GET /small?n=12345 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
constexpr std::string_view response_head =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 03:57:44 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 1024\r\nLast-Modified: Sun, 22 Nov 2026 03:57:43 GMT\r\nConnection: keep-alive\r\n"
    "ETag: \"6b026837-400\"\r\nAccept-Ranges: bytes\r\n\r\n";
constexpr std::uint64_t body_bytes = 1024;

void keep_alive_transactions(benchmark::State& state) {
  ReusingHost host;
  HttpAnalyzer analyzer(host, Side::a);
  std::uint64_t from_client = 0, from_server = 0, now = 0;
  for ([[maybe_unused]] auto _ : state) {
    analyzer.on_bytes(Side::a, from_client, as_bytes(request), EventTime{++now});
    from_client += request.size();
    analyzer.on_bytes(Side::b, from_server, as_bytes(response_head), EventTime{++now});
    from_server += response_head.size();
    analyzer.on_gap(Side::b, from_server, body_bytes, GapCause::zero_copy, EventTime{++now});
    from_server += body_bytes;
  }
  if (host.emitted() != state.iterations()) state.SkipWithError("not one record per transaction");
}
BENCHMARK(keep_alive_transactions);

}  // namespace
}  // namespace tracer
