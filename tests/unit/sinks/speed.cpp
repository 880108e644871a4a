// CPU time of one typical HTTP transaction in each sink: the best of many rounds.
#include <time.h>

#include <algorithm>
#include <cstdio>

#include "core/sinks/json_sink.h"
#include "core/sinks/text_sink.h"
#include "tests/unit/sinks/sample_records.h"

namespace {
double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}
}  // namespace

int main() {
  using namespace tracer;
  const Record record = samples::typical_http();
  const auto measure = [&](const char* name, Sink& sink) {
    std::string out;
    double best_ns = 1e9;
    for (int round = 0; round < 200; ++round) {
      constexpr int count = 1000;
      const double start = cpu_ns();
      for (int i = 0; i < count; ++i) {
        out.clear();
        sink.write(record, out);
      }
      best_ns = std::min(best_ns, (cpu_ns() - start) / count);
    }
    std::printf("%-18s %6.0f ns per record of %zu bytes\n", name, best_ns, out.size());
  };
  measure("json-stream", *make_json_sink({.run_id = "0123456789abcdef"}));
  measure("json, no redaction", *make_json_sink({.run_id = "0123456789abcdef", .redact = false}));
  measure("text", *make_text_sink({.run_id = "0123456789abcdef"}));
}
