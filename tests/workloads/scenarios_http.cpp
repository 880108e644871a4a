// Shapes of HTTP/1.x messages: framing, interim responses, responses without a body.
#include <sys/socket.h>

#include <array>

#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

constexpr std::string_view decoy = "HTTP/1.1 999 Not A Response\r\nContent-Length: 5\r\n\r\n";
constexpr std::string_view decoy_request = "GET /not-a-request HTTP/1.1\r\nHost: decoy.test\r\n\r\n";
const Headers host{"Host: workload.test"};

bool keep_alive(Run& run) { return one_connection(run, gets(run.name(), 25)); }

bool pipelined(Run& run) {
  const auto exchanges = gets(run.name(), 8);
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    std::string requests, first_half;
    for (const auto& each : exchanges) requests += each.request_wire();
    receive_exactly(fd.get(), requests, read_some);
    for (std::size_t i = 0; i < 4; ++i) first_half += exchanges[i].response_wire();
    write_all(fd.get(), first_half);
    for (std::size_t i = 4; i < exchanges.size(); ++i) write_all(fd.get(), exchanges[i].response_wire());
    receive_end(fd.get(), read_some);
  });
  return run.client([&] {
    Client client(run, server);
    std::string requests;
    for (const auto& each : exchanges) requests += each.request_wire();
    const auto started = wall_time_ns();
    write_all(client.fd(), requests);
    receive_messages(client.fd(), response_wires(exchanges), recv_some,
                     [&](std::size_t i) { client.log(exchanges[i], started, wall_time_ns()); });
  });
}

bool one_byte_writes(Run& run) { return one_connection(run, gets(run.name(), 3), {}, {write_single_bytes, read_some}); }

bool one_byte_requests(Run& run) { return one_connection(run, gets(run.name(), 3), {write_single_bytes, recv_some}); }

bool chunked_bodies(Run& run, std::size_t largest_chunk_bytes) {
  const std::vector<std::string> chunks = {std::string(decoy), std::string(decoy_request),
                                           "0\r\n\r\n" + std::string(decoy), pattern(largest_chunk_bytes),
                                           "\r\nHTTP/1.1 999 again"};
  const auto prefix = "/" + run.name() + "/";
  const std::array exchanges = {
      exchange("GET", prefix + "response", message("GET " + prefix + "response HTTP/1.1", host), 200,
               chunked_message("HTTP/1.1 200 OK", {"Content-Type: text/plain"}, chunks)),
      exchange("POST", prefix + "request", chunked_message("POST " + prefix + "request HTTP/1.1", host, chunks), 201,
               message("HTTP/1.1 201 Created", {"Content-Length: 0"})),
      get(prefix + "after", "the stream is still in step")};
  return one_connection(run, exchanges);
}

bool chunked(Run& run) { return chunked_bodies(run, 1500); }
// Head, chunk headers and decoys in one write, most of them beyond what any observer copies by default.
bool chunked_70k_one_write(Run& run) { return chunked_bodies(run, 70'000); }

bool chunked_trailers_extensions(Run& run) {
  const std::vector<std::string> chunks = {"first", std::string(decoy), pattern(3000)};
  const std::string_view extension = ";name=\"quoted ; value\";flag";
  const std::string_view trailers = "X-Checksum: 1234\r\nX-Trailer: HTTP/1.1 999 no\r\n";
  const std::array exchanges = {
      exchange(
          "POST", "/trailers/0",
          chunked_message("POST /trailers/0 HTTP/1.1", {host[0], "Trailer: X-Checksum"}, chunks, extension, trailers),
          200, chunked_message("HTTP/1.1 200 OK", {"Trailer: X-Checksum"}, chunks, extension, trailers)),
      get("/trailers/1", "after the trailers")};
  // Split at odd places too.
  const Io in_pieces{[](int fd, std::string_view bytes) {
                       for (std::size_t at = 0; at < bytes.size(); at += 97) write_all(fd, bytes.substr(at, 97));
                     },
                     read_some};
  return one_connection(run, exchanges, in_pieces, in_pieces);
}

bool post_200k(Run& run) {
  const std::array exchanges = {post("/post/0", pattern(200'000)), get("/post/1", "after the body")};
  const Io head_then_body{[](int fd, std::string_view bytes) {
                            const auto head_bytes = bytes.find("\r\n\r\n") + 4;
                            write_all(fd, bytes.substr(0, head_bytes));
                            for (auto rest = bytes.substr(head_bytes); !rest.empty();) {
                              const auto part = rest.substr(0, 64 * 1024);
                              write_all(fd, part);
                              rest.remove_prefix(part.size());
                            }
                          },
                          recv_some};
  return one_connection(run, exchanges, head_then_body);
}

bool post_200k_one_write(Run& run) {
  const std::array exchanges = {post("/post-one-write/0", pattern(200'000)),
                                get("/post-one-write/1", "after the body")};
  return one_connection(run, exchanges, {write_all, recv_some});
}

bool expect_100_continue(Run& run) {
  auto first = post("/expect/0", pattern(5000));
  first.request =
      message("POST /expect/0 HTTP/1.1", {host[0], "Content-Length: 5000", "Expect: 100-continue"}, pattern(5000));
  const auto second = get("/expect/1", "after the interim response");
  constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    receive_exactly(fd.get(), first.request.head, read_some);
    write_all(fd.get(), interim);
    receive_exactly(fd.get(), first.request.body, read_some);
    write_all(fd.get(), first.response_wire());
    answer(fd.get(), {&second, 1});
    receive_end(fd.get(), read_some);
  });
  return run.client([&] {
    Client client(run, server);
    const auto started = wall_time_ns();
    send_all(client.fd(), first.request.head);
    receive_exactly(client.fd(), interim, recv_some);
    send_all(client.fd(), first.request.body);
    receive_exactly(client.fd(), first.response_wire(), recv_some);
    client.log(first, started, wall_time_ns());
    client.make(second);
  });
}

// A response that has no body whatever its header says, then one more to see that the stream is still in step.
bool bodiless(Run& run, const std::string& method, int status, std::string_view status_line, const Headers& headers) {
  const auto url = "/" + run.name() + "/0";
  const std::array exchanges = {
      exchange(method, url, message(method + " " + url + " HTTP/1.1", host), status, message(status_line, headers)),
      get("/" + run.name() + "/1", std::string(decoy))};
  return one_connection(run, exchanges);
}

bool not_modified(Run& run) {
  return bodiless(run, "GET", 304, "HTTP/1.1 304 Not Modified", {"Content-Length: 1234", "ETag: \"e\""});
}
bool head(Run& run) { return bodiless(run, "HEAD", 200, "HTTP/1.1 200 OK", {"Content-Length: 5000"}); }
bool no_content(Run& run) { return bodiless(run, "DELETE", 204, "HTTP/1.1 204 No Content", {"Server: workload"}); }

bool http_1_0_close(Run& run) {
  const auto body = std::string(decoy) + pattern(40'000);
  const auto only = exchange("GET", "/http-1.0", message("GET /http-1.0 HTTP/1.0", {"Accept: */*"}), 200,
                             message("HTTP/1.0 200 OK", {"Content-Type: text/plain"}, body));
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    answer(fd.get(), {&only, 1});
  });
  return run.client([&] {
    Client client(run, server);
    const auto started = wall_time_ns();
    send_all(client.fd(), only.request_wire());
    receive_exactly(client.fd(), only.response_wire(), recv_some);
    receive_end(client.fd(), recv_some);
    client.log(only, started, wall_time_ns());
  });
}

bool big_header_7k(Run& run) {
  auto exchanges = gets(run.name(), 2);
  exchanges[0].request = message("GET /big-header-7k/0 HTTP/1.1", {host[0], "X-Big: " + pattern(7000), "X-Last: end"});
  exchanges[0].response =
      message("HTTP/1.1 200 OK", {"X-Big: " + pattern(7100), "Content-Length: 2", "X-Last: end"}, "ok");
  exchanges[0].response_body_bytes = 2;
  return one_connection(run, exchanges);
}

bool ipv6(Run& run) { return one_connection(run, gets(run.name(), 3), {}, file_io(), "::1"); }
bool dual_stack(Run& run) { return one_connection(run, gets(run.name(), 3), {}, file_io(), "::"); }

std::string no_ipv6() {
  const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd ? "" : "this kernel has no IPv6";
}

constexpr Scenario scenarios[] = {
    {"keep-alive", "25 requests on one connection", keep_alive},
    {"pipelined", "8 requests in one write", pipelined},
    {"one-byte-writes", "responses sent one byte per write", one_byte_writes},
    {"one-byte-requests", "requests sent one byte per write", one_byte_requests},
    {"chunked", "chunked bodies whose chunks look like HTTP", chunked},
    {"chunked-70k-one-write", "the same with a chunk of 70 kB, all in one write", chunked_70k_one_write},
    {"chunked-trailers-extensions", "chunk extensions and trailers, cut at odd places", chunked_trailers_extensions},
    {"post-200k", "a 200 kB body after its head", post_200k},
    {"post-200k-one-write", "a 200 kB body and its head in one write", post_200k_one_write},
    {"expect-100-continue", "an interim response before the body", expect_100_continue},
    {"not-modified-304", "304 with Content-Length and no body", not_modified},
    {"head", "HEAD with Content-Length and no body", head},
    {"no-content-204", "204 without a body", no_content},
    {"http-1.0-close", "HTTP/1.0, body ended by close", http_1_0_close},
    {"big-header-7k", "one header of 7 kB each way", big_header_7k},
    {"ipv6", "over ::1", ipv6, Needs::nothing, no_ipv6},
    {"dual-stack-v4-mapped", "a server on :: reached over IPv4", dual_stack, Needs::nothing, no_ipv6},
};

}  // namespace

std::span<const Scenario> http_scenarios() { return scenarios; }

}  // namespace tracer::workload
