// One HTTP transaction as both ends were told to make it: the wire bytes of each side and what a correct observer would
// say of them. Client and server compare every byte against it, so no scenario needs an HTTP parser.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tracer::workload {

struct Message {
  std::string head;  // start line and header section with the empty line
  std::string body;  // as on the wire, transfer coding included
  std::size_t header_count = 0;
  std::uint64_t body_bytes = 0;  // after transfer coding
};

struct Exchange {
  std::string method, url;
  std::optional<int> status;  // absent: there is no response
  Message request, response;
  std::optional<std::uint64_t> request_body_bytes;   // absent: not to be compared
  std::optional<std::uint64_t> response_body_bytes;  // absent: not to be compared
  bool complete = true;
  bool optional = false;  // an observer may rightly leave it out

  [[nodiscard]] std::string request_wire() const { return request.head + request.body; }
  [[nodiscard]] std::string response_wire() const { return response.head + response.body; }
  [[nodiscard]] std::size_t request_wire_bytes() const { return request.head.size() + request.body.size(); }
  [[nodiscard]] std::size_t response_wire_bytes() const { return response.head.size() + response.body.size(); }
};

using Headers = std::vector<std::string>;  // "Name: value"

// `start_line` without its line end. No header is added.
[[nodiscard]] Message message(std::string_view start_line, const Headers& headers, std::string body = {});
[[nodiscard]] Message chunked_message(std::string_view start_line, const Headers& headers,
                                      const std::vector<std::string>& chunks, std::string_view chunk_extension = {},
                                      std::string_view trailers = {});

[[nodiscard]] Exchange exchange(std::string method, std::string url, Message request, int status, Message response);
// GET with Host; 200 with Content-Length.
[[nodiscard]] Exchange get(std::string url, std::string body);
// POST with Host and Content-Length; 200 with a short body.
[[nodiscard]] Exchange post(std::string url, std::string body);
// `count` GETs of /<name>/<number>, each with its own body.
[[nodiscard]] std::vector<Exchange> gets(std::string_view name, unsigned count);

[[nodiscard]] std::vector<std::string> request_wires(std::span<const Exchange> exchanges);
[[nodiscard]] std::vector<std::string> response_wires(std::span<const Exchange> exchanges);

// `size` bytes in which no two places nearby look alike, so that a shifted or swapped byte is noticed.
[[nodiscard]] std::string pattern(std::size_t size);

}  // namespace tracer::workload
