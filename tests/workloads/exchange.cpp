#include "tests/workloads/exchange.h"

#include <array>
#include <charconv>
#include <utility>

namespace tracer::workload {
namespace {

std::string hexadecimal(std::size_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

}  // namespace

Message message(std::string_view start_line, const Headers& headers, std::string body) {
  Message made;
  made.head = std::string(start_line) + "\r\n";
  for (const auto& header : headers) made.head += header + "\r\n";
  made.head += "\r\n";
  made.header_count = headers.size();
  made.body_bytes = body.size();
  made.body = std::move(body);
  return made;
}

Message chunked_message(std::string_view start_line, const Headers& headers, const std::vector<std::string>& chunks,
                        std::string_view chunk_extension, std::string_view trailers) {
  Headers all = headers;
  all.emplace_back("Transfer-Encoding: chunked");
  Message made = message(start_line, all);
  for (const auto& chunk : chunks) {
    made.body += hexadecimal(chunk.size()) + std::string(chunk_extension) + "\r\n" + chunk + "\r\n";
    made.body_bytes += chunk.size();
  }
  made.body += "0" + std::string(chunk_extension) + "\r\n" + std::string(trailers) + "\r\n";
  return made;
}

Exchange exchange(std::string method, std::string url, Message request, int status, Message response) {
  Exchange made;
  made.method = std::move(method);
  made.url = std::move(url);
  made.status = status;
  made.request_body_bytes = request.body_bytes;
  made.response_body_bytes = response.body_bytes;
  made.request = std::move(request);
  made.response = std::move(response);
  return made;
}

Exchange get(std::string url, std::string body) {
  auto request = message("GET " + url + " HTTP/1.1", {"Host: workload.test", "User-Agent: workload/1"});
  auto length = "Content-Length: " + std::to_string(body.size());
  return exchange("GET", std::move(url), std::move(request), 200,
                  message("HTTP/1.1 200 OK", {"Content-Type: text/plain", std::move(length)}, std::move(body)));
}

Exchange post(std::string url, std::string body) {
  auto length = "Content-Length: " + std::to_string(body.size());
  auto request = message("POST " + url + " HTTP/1.1", {"Host: workload.test", std::move(length)}, std::move(body));
  return exchange("POST", std::move(url), std::move(request), 200,
                  message("HTTP/1.1 200 OK", {"Content-Length: 7"}, "stored\n"));
}

std::vector<Exchange> gets(std::string_view name, unsigned count) {
  std::vector<Exchange> made;
  for (unsigned number = 0; number < count; ++number) {
    const auto url = "/" + std::string(name) + "/" + std::to_string(number);
    made.push_back(get(url, "body of " + url + " " + pattern(number * 7) + "\n"));
  }
  return made;
}

std::vector<std::string> request_wires(std::span<const Exchange> exchanges) {
  std::vector<std::string> wires;
  for (const auto& each : exchanges) wires.push_back(each.request_wire());
  return wires;
}

std::vector<std::string> response_wires(std::span<const Exchange> exchanges) {
  std::vector<std::string> wires;
  for (const auto& each : exchanges) wires.push_back(each.response_wire());
  return wires;
}

std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  std::uint32_t state = 1;
  for (auto& byte : made) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>('a' + (state >> 24U) % 26U);
  }
  return made;
}

}  // namespace tracer::workload
