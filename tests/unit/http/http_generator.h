// Random well-formed conversations of which everything is known: what each side writes when, and the records to expect.
#pragma once

#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/analyzer.h"

namespace tracer::test {

struct Write {
  Side from{};
  std::uint64_t offset = 0;
  std::string bytes;
  EventTime at;
  std::size_t exchange = 0;  // which one it belongs to
};

struct Generated {
  std::vector<Write> writes;                     // in the order in which they happened
  std::vector<std::string> records;              // as describe() spells them, one per exchange
  std::vector<std::string> requests, responses;  // each message in full, and
  std::vector<std::string> request_bodies, response_bodies;
};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t limit) {
    return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(random_);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  // No write begins inside a body with what could begin a message. (Where it does, and the head before it is among the
  // losses, no observer can tell.)
  bool traps_begin_writes = true;

  // `pipelined`: requests come in batches. `pieces_max`: writes per message.
  Generated conversation(std::size_t exchanges, bool pipelined, std::size_t pieces_max) {
    Generated made;
    std::uint64_t offsets[2] = {below(1000), std::uint64_t{0xffffff00} + below(1000)};
    EventTime now{1'000'000'000};
    std::size_t made_so_far = 0;
    while (made_so_far < exchanges) {
      const std::size_t batch = pipelined ? 2 + below(3) : 1;
      const std::size_t first = made.requests.size();
      for (std::size_t i = 0; i < batch; ++i) exchange(made, first + i);
      for (const Side side : {Side::a, Side::b})
        for (std::size_t i = first; i < first + batch; ++i) {
          const std::string& message = side == Side::a ? made.requests[i] : made.responses[i];
          const std::string& body = side == Side::a ? made.request_bodies[i] : made.response_bodies[i];
          write(made, side, message, body, pieces_max, i, offsets[static_cast<std::size_t>(side)], now);
        }
      made_so_far += batch;
    }
    return made;
  }

 private:
  std::string word() {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    std::string text;
    for (std::uint64_t n = 1 + below(12); n > 0; --n) text += letters[below(letters.size())];
    return text;
  }
  std::string body() {
    constexpr std::string_view traps[] = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET /trap HTTP/1.1\r\n\r\n",
                                          "0\r\n\r\n", "\r\n", "HTTP/1.1 999 Trap\r\n\r\n"};
    std::string text;
    for (std::uint64_t n = below(5); n > 0; --n) text += one_in(2) ? std::string(traps[below(5)]) : word();
    return text;
  }
  // Returns the fields that frame `content`, and turns it into what is sent.
  std::string framed(std::string& content) {
    if (one_in(2)) return "Content-Length: " + std::to_string(content.size()) + "\r\n";
    std::string sent;
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t size = 1 + below(content.size() - at);
      char hex[20];
      std::snprintf(hex, sizeof hex, one_in(2) ? "%zx" : "0%zX", size);
      sent += hex + std::string(one_in(3) ? ";" + word() + "=\"" + word() + "\"" : "") + "\r\n" +
              content.substr(at, size) + "\r\n";
      at += size;
    }
    content = sent + "0\r\n" + (one_in(3) ? "X-Trailer: " + word() + "\r\n" : "") + "\r\n";
    return "Transfer-Encoding: chunked\r\n";
  }
  std::string fields() {
    std::string text;
    for (std::uint64_t n = below(6); n > 0; --n) text += "X-" + word() + ": " + word() + " " + word() + "\r\n";
    return text;
  }
  static std::string sizes(const std::string& head, std::size_t body) {
    return " {" + std::to_string(head.size()) + "+" + std::to_string(body) + "}";
  }
  void exchange(Generated& made, std::size_t number) {
    constexpr std::string_view methods[] = {"GET", "POST", "HEAD", "PUT", "PATCH"};
    const std::string method(methods[below(5)]);
    const std::string line = method + " /" + std::to_string(number) + "/" + word() + " HTTP/1.1";
    std::string content = method == "GET" || method == "HEAD" ? "" : body();
    const std::size_t request_body = content.size();
    const std::string request_head = line + "\r\n" + fields() + (content.empty() ? "" : framed(content)) + "\r\n";

    constexpr unsigned statuses[] = {200, 200, 200, 204, 304, 404, 500};
    const unsigned status = statuses[below(7)];
    const bool bodyless = status == 204 || status == 304 || method == "HEAD";
    std::string answer = body();
    std::size_t response_body = answer.size();
    const std::string status_line = "HTTP/1.1 " + std::to_string(status) + " R" + std::to_string(number);
    std::string length = status == 204 ? "" : framed(answer);
    if (bodyless) answer.clear(), response_body = 0;
    const std::string response_head = status_line + "\r\n" + fields() + length + "\r\n";
    made.requests.push_back(request_head + content);
    made.responses.push_back(response_head + answer);
    made.request_bodies.push_back(content);
    made.response_bodies.push_back(answer);
    made.records.push_back(line + sizes(request_head, request_body) + " -> " + status_line +
                           sizes(response_head, response_body));
  }
  // Cut anywhere, but often at the start of the body: that is where servers cut.
  void write(Generated& made, Side side, const std::string& message, const std::string& body, std::size_t pieces_max,
             std::size_t number, std::uint64_t& offset, EventTime& now) {
    std::size_t at = 0;
    for (std::size_t pieces = 1 + below(pieces_max); at < message.size(); --pieces) {
      std::size_t size = pieces <= 1 ? message.size() - at : 1 + below(message.size() - at);
      const std::size_t head = message.size() - body.size();
      if (pieces > 1 && at < head && one_in(2)) size = head - at;
      while (!traps_begin_writes && at + size > head - 1 && at + size < message.size() &&
             std::string_view("HGPCDOTMLU").find(message[at + size]) != std::string_view::npos)
        ++size;
      now.ns += 1000;
      made.writes.push_back({side, offset, message.substr(at, size), now, number});
      offset += size;
      at += size;
      if (pieces <= 1) break;
    }
  }

  std::mt19937_64 random_;
};

}  // namespace tracer::test
