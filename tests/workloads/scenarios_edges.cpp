// Connections that leave HTTP, end early or are reused, and bytes meant to hurt whoever prints them.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

const Headers host{"Host: workload.test"};

// After `first` both sides exchange bytes that no observer may take for transactions.
bool leaving_http(Run& run, const Exchange& first, std::string_view from_client, std::string_view from_server) {
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    answer(fd.get(), {&first, 1});
    for (unsigned i = 0; i < 3; ++i) {
      receive_exactly(fd.get(), from_client, read_some);
      write_all(fd.get(), from_server);
    }
    receive_end(fd.get(), read_some);
  });
  return run.client([&] {
    Client client(run, server);
    client.make(first);
    for (unsigned i = 0; i < 3; ++i) {
      send_all(client.fd(), from_client);
      receive_exactly(client.fd(), from_server, recv_some);
    }
  });
}

bool connect_tunnel(Run& run) {
  auto first =
      exchange("CONNECT", "inside.test:443", message("CONNECT inside.test:443 HTTP/1.1", {"Host: inside.test:443"}),
               200, message("HTTP/1.1 200 Connection Established", {"Server: workload"}));
  first.response_body_bytes.reset();
  return leaving_http(run, first, "GET /tunnelled HTTP/1.1\r\nHost: inside.test\r\n\r\n",
                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

bool upgrade_websocket(Run& run) {
  auto first =
      exchange("GET", "/chat",
               message("GET /chat HTTP/1.1", {host[0], "Connection: Upgrade", "Upgrade: websocket",
                                              "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: d29ya2xvYWQ="}),
               101, message("HTTP/1.1 101 Switching Protocols", {"Connection: Upgrade", "Upgrade: websocket"}));
  first.response_body_bytes.reset();
  constexpr std::string_view to_server("\x82\x85\x01\x02\x03\x04GET /\xff\x00", 13);
  constexpr std::string_view to_client("\x82\x10HTTP/1.1 200 OK\r\n\x00", 20);
  return leaving_http(run, first, to_server, to_client);
}

// A request answered by only `sent` bytes of its response; the server ends the connection by `end` once these were
// received (a reset throws away what is under way).
bool cut_short(Run& run, Exchange only, std::size_t sent, bool reset) {
  std::array<int, 2> received{};
  require(::pipe2(received.data(), O_CLOEXEC) == 0, "pipe");
  only.complete = false;
  only.response_body_bytes.reset();
  const auto part = only.response_wire().substr(0, sent);
  const auto before = get("/" + run.name() + "/before", "a whole response first");
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    answer(fd.get(), {&before, 1});
    receive_exactly(fd.get(), only.request_wire(), read_some);
    write_all(fd.get(), part);
    char go = 0;
    require(::read(received[0], &go, 1) == 1, "the client's word");
    if (reset) reset_on_close(fd.get());
  });
  const bool made = run.client([&] {
    Client client(run, server);
    client.make(before);
    const auto started = wall_time_ns();
    send_all(client.fd(), only.request_wire());
    receive_exactly(client.fd(), part, recv_some);
    require(::write(received[1], "g", 1) == 1, "the word to the server");
    std::array<char, 16> room{};
    const auto last = ::recv(client.fd(), room.data(), room.size(), 0);
    require(reset ? last == -1 && errno == ECONNRESET : last == 0, "the connection did not end as meant");
    client.log(only, started, wall_time_ns());
  });
  ::close(received[0]);
  ::close(received[1]);
  return made;
}

bool reset(Run& run) { return cut_short(run, get("/reset/cut", pattern(100'000)), 1000, true); }

bool no_response(Run& run) {
  auto only = get("/no-response/cut", "");
  only.status.reset();
  only.response = {};
  return cut_short(run, only, 0, false);
}

bool shutdown_half_close(Run& run) {
  const auto exchanges = gets(run.name(), 2);
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    receive_exactly(fd.get(), exchanges[0].request_wire(), read_some);
    write_all(fd.get(), exchanges[0].response_wire());
    receive_exactly(fd.get(), exchanges[1].request_wire(), read_some);
    receive_end(fd.get(), read_some);
    write_all(fd.get(), exchanges[1].response_wire());
  });
  return run.client([&] {
    Client client(run, server);
    client.make(exchanges[0]);
    const auto started = wall_time_ns();
    send_all(client.fd(), exchanges[1].request_wire());
    require(::shutdown(client.fd(), SHUT_WR) == 0, "shutdown");
    receive_exactly(client.fd(), exchanges[1].response_wire(), recv_some);
    receive_end(client.fd(), recv_some);
    client.log(exchanges[1], started, wall_time_ns());
  });
}

// Many short connections, one after another: the same descriptors and socket memory again and again.
bool connections_in_turn(Run& run, unsigned count, const std::function<UniqueFd(const Address&)>& connect, bool reset) {
  const auto exchanges = gets(run.name(), count);
  const auto server = run.serve([&](int listener) {
    for (const auto& each : exchanges) {
      const auto fd = accept_one(listener);
      answer(fd.get(), {&each, 1});
      if (!reset) receive_end(fd.get(), read_some);
    }
  });
  return run.client([&] {
    for (const auto& each : exchanges) {
      Client client(run, connect(server));
      client.make(each);
      if (reset) reset_on_close(client.fd());
    }
  });
}

bool port_reuse(Run& run) {
  return connections_in_turn(run, 300, [](const Address& server) { return connect_to(server); }, false);
}

// The very same address pair each time: a reset leaves no TIME_WAIT behind.
bool tuple_reuse(Run& run) {
  std::uint16_t port = 0;
  return connections_in_turn(
      run, 60,
      [&](const Address& server) {
        auto fd = connect_from(port, server);
        port = local_address(fd.get()).port;
        return fd;
      },
      true);
}

// Escape sequences, a right-to-left override, and bytes that are not UTF-8.
constexpr std::string_view hostile = "\x1b[31m\xe2\x80\xae\xff\xc0\x07";
constexpr std::string_view hostile_client = "wl-\x1b[31m\xe2\x80\xae\xff";
constexpr std::string_view hostile_server = "wl-\xff\"\\\x1b[2J";

bool hostile_bytes(Run& run) {
  const std::string bytes(hostile);
  const auto url = "/hostile/" + bytes + "?q=\"\\" + bytes;
  const std::array exchanges = {
      exchange("GET", url,
               message("GET " + url + " HTTP/1.1", {host[0], "X-Hostile: " + bytes, "User-Agent: " + bytes}), 200,
               message("HTTP/1.1 200 " + bytes, {"Content-Length: 4", "Content-Type: " + bytes}, "\x1b[2J")),
      get("/hostile/after", "still in step")};
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges); }, "127.0.0.1", hostile_server);
  return run.client(
      [&] {
        Client client(run, server);
        for (const auto& each : exchanges) client.make(each);
      },
      hostile_client);
}

// RFC 9110 allows none of these in a name. A tracer may call the message malformed but must neither die nor print them
// raw.
bool hostile_header_names(Run& run) {
  const std::string bytes(hostile);
  auto only =
      exchange("GET", "/hostile-names/0", message("GET /hostile-names/0 HTTP/1.1", {host[0], "X-" + bytes + ": value"}),
               200, message("HTTP/1.1 200 OK", {"Content-Length: 2", "Y-" + bytes + ": value"}, "ok"));
  only.optional = true;
  return one_connection(run, {&only, 1});
}

bool secrets(Run& run) {
  const std::array exchanges = {
      exchange("GET", "/secrets/0?token=planted-secret-1&page=2",
               message("GET /secrets/0?token=planted-secret-1&page=2 HTTP/1.1",
                       {host[0], "Authorization: Bearer planted-secret-2",
                        "Cookie: session=planted-secret-3; other=planted-secret-4", "X-Api-Key: planted-secret-5",
                        "Proxy-Authorization: Basic planted-secret-6"}),
               200,
               message("HTTP/1.1 200 OK",
                       {"Set-Cookie: session=planted-secret-7; Path=/", "set-cookie: second=planted-secret-8",
                        "Content-Length: 16"},
                       "planted-secret-9")),
      exchange(
          "GET", "http://user:planted-secret-10@workload.test/secrets/1?api_key=planted-secret-11",
          message("GET http://user:planted-secret-10@workload.test/secrets/1?api_key=planted-secret-11 HTTP/1.1", host),
          302, message("HTTP/1.1 302 Found", {"Location: /next?access_token=planted-secret-12", "Content-Length: 0"})),
      exchange("POST", "/secrets/2?password=planted-secret-13&secret=planted-secret-14",
               message("POST /secrets/2?password=planted-secret-13&secret=planted-secret-14 HTTP/1.1",
                       {host[0], "authorization: planted-secret-15", "Referer: http://a.test/?token=planted-secret-16",
                        "Content-Length: 17"},
                       "planted-secret-17"),
               204, message("HTTP/1.1 204 No Content", {"X-Auth-Token: planted-secret-18"}))};
  return one_connection(run, exchanges);
}

constexpr Scenario scenarios[] = {
    {"connect-tunnel", "CONNECT, then bytes that look like HTTP", connect_tunnel},
    {"upgrade-websocket", "101, then binary frames", upgrade_websocket},
    {"reset", "RST in the middle of a response", reset},
    {"no-response", "the server closes instead of answering", no_response},
    {"shutdown-half-close", "the client shuts down before the response", shutdown_half_close},
    {"port-reuse", "300 connections one after another", port_reuse},
    {"tuple-reuse", "60 connections with the same address pair", tuple_reuse},
    {"hostile-bytes", "control, bidi and invalid bytes in URL, values and process names", hostile_bytes},
    {"hostile-header-names", "the same in header names", hostile_header_names},
    {"secrets", "planted secrets in headers, cookies, query and user info", secrets},
};

}  // namespace

std::span<const Scenario> edge_scenarios() { return scenarios; }

}  // namespace tracer::workload
