// A script of calls on both sides, with the input as bytes: nothing may crash, every record must be consistent, and
// every hint must be given once and taken back once. Run as it is and again byte by byte. (That any cut gives the same
// records holds for well-formed streams; the unit tests check it.)
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "tests/unit/http/http_harness.h"

using namespace tracer;

namespace {

struct Call {
  Side from{};
  std::uint8_t kind = 0;  // 0: gap, 1: time passes, 2: end, else bytes
  std::uint64_t offset = 0, size = 0;
  std::size_t at = 0;
};

void require(bool condition) {
  if (!condition) std::abort();
}

class CheckingHost final : public AnalyzerHost {
 public:
  void emit(std::unique_ptr<Record> record) override {
    const HttpTransaction& seen = std::get<HttpTransaction>(record->body);
    require(seen.complete == seen.incomplete_reason.empty());
    require(seen.request.present || seen.response.present);
    if (seen.complete) require(seen.request.present && seen.response.present && record->missing.empty());
    for (const HttpMessage* message : {&seen.request, &seen.response})
      require(!message->present || message->first_offset + message->header_bytes <= message->end_offset);
    require(!test::describe_all(*record, true).empty());
  }
  std::unique_ptr<Record> make_record() override { return std::make_unique<Record>(); }
  void skip(Side, std::uint64_t) override {}
  void need_whole(Side from) override {
    require(!whole[static_cast<std::size_t>(from)]);
    whole[static_cast<std::size_t>(from)] = true;
  }
  void need_normal(Side from) override {
    require(whole[static_cast<std::size_t>(from)]);
    whole[static_cast<std::size_t>(from)] = false;
  }
  void lose_interest(std::string_view) override { require(!std::exchange(left, true)); }
  void client_is(Side) override { require(!std::exchange(told, true)); }
  bool whole[2] = {false, false};
  bool left = false, told = false;
};

void run(const std::vector<Call>& calls, Bytes input, std::optional<Side> client, bool bytewise) {
  CheckingHost host;
  HttpLimits limits;
  limits.head_bytes_max = 2048;
  limits.held_bytes_max = 4096;
  limits.pipeline_depth_max = 8;
  HttpAnalyzer analyzer(host, client, limits);
  EventTime now{1'000'000};
  for (const Call& call : calls) {
    now.ns += 1'000'000;
    const Bytes bytes = input.subspan(call.at, call.kind > 2 ? static_cast<std::size_t>(call.size) : 0);
    if (call.kind == 0)
      analyzer.on_gap(call.from, call.offset, call.size, GapCause::ring_full, now);
    else if (call.kind == 1)
      analyzer.on_time(EventTime{now.ns += 30'000'000});
    else if (call.kind == 2)
      analyzer.on_end(call.from, call.size % 2 == 0 ? StreamEnd::closed : StreamEnd::cut, now);
    else if (!bytewise)
      analyzer.on_bytes(call.from, call.offset, bytes, now);
    else
      for (std::size_t i = 0; i < bytes.size(); ++i)
        analyzer.on_bytes(call.from, call.offset + i, bytes.subspan(i, 1), now);
  }
  analyzer.on_end(Side::a, StreamEnd::closed, now);
  analyzer.on_end(Side::b, StreamEnd::closed, now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::optional<Side> client = data[0] % 3 == 0 ? std::optional<Side>() : data[0] % 3 == 1 ? Side::a : Side::b;
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  std::vector<Call> calls;
  std::uint64_t offsets[2] = {100, 200};
  bool ended[2] = {false, false};
  // 0xff introduces a control pair; everything else up to the next one is one call of on_bytes.
  Side from = Side::a;
  for (std::size_t at = 1; at < size;) {
    const auto side = static_cast<std::size_t>(from);
    if (data[at] == 0xff && at + 1 < size) {
      const std::uint8_t control = data[at + 1];
      at += 2;
      if (control % 4 == 0)
        from = other(from);
      else if (control % 4 == 1)
        calls.push_back({from, 1, 0, 0, 0});
      else if (ended[side])
        continue;
      else if (control % 4 == 2)
        calls.push_back({from, 2, 0, std::uint64_t{control} / 4, 0}), ended[side] = true;
      else
        calls.push_back({from, 0, offsets[side], std::uint64_t{control} / 4 + 1, 0}), offsets[side] += control / 4 + 1U;
      continue;
    }
    const std::size_t end = static_cast<std::size_t>(std::find(data + at + 1, data + size, 0xff) - data);
    if (!ended[side]) {
      calls.push_back({from, 3, offsets[side], end - at, at});
      offsets[side] += end - at;
    }
    at = end;
  }
  run(calls, input, client, false);
  run(calls, input, client, true);
  return 0;
}
