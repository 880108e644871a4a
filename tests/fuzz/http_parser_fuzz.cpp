// The pure parts: never read outside, never consume more than there is, and a head does not depend on what follows it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/analyzers/http/chunked_decoder.h"
#include "core/analyzers/http/http_framing.h"
#include "core/analyzers/http/http_parser.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_head(Bytes input, HeadKind kind) {
  HttpLimits limits;
  limits.head_bytes_max = 4096;
  limits.headers_max = 16;
  HttpMessage message, again;
  HeadFacts facts, facts_again;
  const HeadResult result = parse_head(input, kind, limits, message, facts);
  require((result.status == HeadStatus::complete) == message.present);
  if (result.status == HeadStatus::invalid) require(!result.reason.empty());
  if (result.status != HeadStatus::complete) return;
  require(result.skipped <= result.consumed && result.consumed <= input.size());
  require(message.header_bytes == result.consumed - result.skipped);
  const HeadResult exact = parse_head(input.first(result.consumed), kind, limits, again, facts_again);
  require(exact.status == HeadStatus::complete && exact.consumed == result.consumed && again.text == message.text);
  require(parse_head(input.first(result.consumed - 1), kind, limits, again, facts_again).status ==
          HeadStatus::need_more);
  const auto inside = [&](TextSlice slice) { require(std::size_t{slice.at} + slice.size <= message.text.size()); };
  for (TextSlice slice : {message.method, message.url, message.status_text, message.version}) inside(slice);
  for (const HttpHeader& header : message.headers) {
    inside(header.name);
    inside(header.value);
    require(header.name.size > 0 && message.view(header.value).find('\n') == std::string_view::npos);
  }
  for (RequestMethod method : {RequestMethod::other, RequestMethod::head, RequestMethod::connect}) {
    const BodyFraming framing = kind == HeadKind::request ? request_framing(facts) : response_framing(facts, method);
    require((framing.kind == BodyFraming::Kind::unknown) == !framing.reason.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  check_head(input, HeadKind::request);
  check_head(input, HeadKind::response);
  require(looks_like_http1(input.first(0)) == Likeness::need_more);
  // Once decided, more bytes do not change the answer.
  HttpStart decided = HttpStart::need_more;
  for (std::size_t length = 0; length <= size && length <= 256; ++length) {
    const HttpStart start = classify_start(input.first(length));
    if (decided == HttpStart::no) require(start == HttpStart::no);
    if (decided == HttpStart::status_line) require(start == HttpStart::status_line);
    decided = start;
  }

  ChunkedDecoder whole, bytewise;
  const ChunkedDecoder::Progress progress = whole.feed(input, {});
  ChunkedDecoder::Status status = ChunkedDecoder::Status::need_more;
  std::size_t consumed = 0;
  while (consumed < size && status == ChunkedDecoder::Status::need_more) {
    const ChunkedDecoder::Progress step = bytewise.feed(input.subspan(consumed, 1), {});
    status = step.status;
    consumed += step.consumed;
  }
  require(status == progress.status && consumed == progress.consumed && whole.body_bytes() == bytewise.body_bytes());
  return 0;
}
