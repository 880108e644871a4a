// HTTP inside of TLS, by an OpenSSL that is part of this program: who wants to see it has to find the functions in
// here.
#include <fcntl.h>

#include <array>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/workloads/run.h"
#include "tests/workloads/tls_session.h"

namespace tracer::workload {
namespace {

using namespace std::chrono_literals;

// No loader's directory has this file: who attaches to programs learns of it once it runs, by a look each second.
constexpr auto attached_after = 2500ms;

struct Setting {
  const TlsChoice& choice = tls13;
  TlsCarrier carrier = TlsCarrier::socket;  // of the client
  TlsCalls calls = TlsCalls::usual;         // of both
  std::size_t room_bytes = 16 * 1024;       // of one read
  bool blocking = true;
};

std::vector<Exchange> every_shape(std::string_view name) {
  auto made = gets(name, 4);
  const auto prefix = "/" + std::string(name) + "/";
  made.push_back(post(prefix + "post", pattern(20'000)));
  const Headers host{"Host: workload.test"};
  made.push_back(
      exchange("GET", prefix + "chunked", message("GET " + prefix + "chunked HTTP/1.1", host), 200,
               chunked_message("HTTP/1.1 200 OK", {"Content-Type: text/plain"},
                               {"HTTP/1.1 999 Not A Response\r\n\r\n", pattern(1500), "0\r\n\r\n", pattern(40'000)})));
  made.push_back(get(prefix + "large", pattern(300'000)));
  made.push_back(get(prefix + "after", "the streams are still in step"));
  return made;
}

// Reads with little room at a time.
Io narrowed(TlsSession& session, std::size_t room_bytes) {
  auto io = session.io();
  io.receive = [&session, room_bytes](int, std::span<char> room) {
    return session.read(room.first(std::min(room.size(), room_bytes)));
  };
  return io;
}

void set_blocking(int fd, bool blocking) {
  if (!blocking) require(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
}

// A client's connection inside of TLS.
class TlsClient {
 public:
  TlsClient(Run& run, const Address& server, const TlsContext& context, const Setting& setting)
      : run_(run),
        client_(run, server),
        session_(context, client_.fd(), setting.carrier, setting.calls),
        room_bytes_(setting.room_bytes) {
    set_blocking(client_.fd(), setting.blocking);
  }
  // `logged`: somebody could see it.
  void handshake(const TlsChoice& choice, bool logged = true) {
    const auto started = wall_time_ns();
    session_.handshake();
    if (logged)
      run_.truth().add_handshake(run_.name(), local_address(client_.fd()), peer_address(client_.fd()),
                                 handshake_fields(choice), {started, wall_time_ns()});
    client_.set_tls(logged ? protection_of(choice) : "null");
  }
  void make(const Exchange& exchange) { client_.make(exchange, narrowed(session_, room_bytes_)); }
  void end() {
    session_.say_goodbye();
    client_.close();
  }
  [[nodiscard]] Client& plain() { return client_; }

 private:
  Run& run_;
  Client client_;
  TlsSession session_;
  std::size_t room_bytes_;
};

void serve_inside(int fd, const TlsContext& context, const Setting& setting, std::span<const Exchange> exchanges) {
  set_blocking(fd, setting.blocking);
  TlsSession session(context, fd, TlsCarrier::socket, setting.calls);
  session.handshake();
  const auto io = narrowed(session, setting.room_bytes);
  answer(fd, exchanges, io);
  receive_end(fd, io.receive);
}

Address serve_once(Run& run, const Setting& setting, std::span<const Exchange> exchanges) {
  return run.serve([setting, exchanges](int listener) {
    const TlsContext context(setting.choice, false);
    const auto fd = accept_one(listener);
    serve_inside(fd.get(), context, setting, exchanges);
  });
}

bool one_session(Run& run, const Setting& setting, std::span<const Exchange> exchanges) {
  const auto server = serve_once(run, setting, exchanges);
  return run.client([&] {
    std::this_thread::sleep_for(attached_after);
    const TlsContext context(setting.choice, true);
    TlsClient client(run, server, context, setting);
    client.handshake(setting.choice);
    for (const auto& each : exchanges) client.make(each);
    client.end();
  });
}

bool https(Run& run) { return one_session(run, {}, every_shape(run.name())); }
bool https_1_2(Run& run) { return one_session(run, {.choice = tls12}, every_shape(run.name())); }
bool memory_bio(Run& run) { return one_session(run, {.carrier = TlsCarrier::memory}, every_shape(run.name())); }
bool peeked(Run& run) {
  return one_session(run, {.calls = TlsCalls::peeked_extended, .room_bytes = 777}, every_shape(run.name()));
}
bool nonblocking(Run& run) { return one_session(run, {.blocking = false}, every_shape(run.name())); }

// Sessions in turn: the memory of an ended one is likely that of the next.
bool reconnected(Run& run) {
  const auto exchanges = gets(run.name(), 6);
  const auto server = run.serve([&](int listener) {
    const TlsContext context(tls13, false);
    for (const auto& each : exchanges) {
      const auto fd = accept_one(listener);
      serve_inside(fd.get(), context, {}, {&each, 1});
    }
  });
  return run.client([&] {
    std::this_thread::sleep_for(attached_after);
    const TlsContext context(tls13, true);
    for (const auto& each : exchanges) {
      TlsClient client(run, server, context, {});
      client.handshake(tls13);
      client.make(each);
      client.end();
    }
  });
}

// Two sessions at both ends, each end one thread.
bool interleaved(Run& run) {
  const auto exchanges = gets(run.name(), 8);
  const auto server = run.serve([&](int listener) {
    const TlsContext context(tls13, false);
    const std::array fds{accept_one(listener), accept_one(listener)};
    TlsSession first(context, fds[0].get()), second(context, fds[1].get());
    first.handshake();
    second.handshake();
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      auto& session = i % 2 == 0 ? first : second;
      answer(-1, {&exchanges[i], 1}, session.io());
    }
    for (auto* each : {&first, &second}) receive_end(-1, each->io().receive);
  });
  return run.client([&] {
    std::this_thread::sleep_for(attached_after);
    const TlsContext context(tls13, true);
    TlsClient first(run, server, context, {}), second(run, server, context, {});
    first.handshake(tls13);
    second.handshake(tls13);
    for (std::size_t i = 0; i < exchanges.size(); ++i) (i % 2 == 0 ? first : second).make(exchanges[i]);
    first.end();
    second.end();
  });
}

// The handshake and the first requests are made as soon as the program runs, the others when it has been found.
bool found_late(Run& run) {
  auto exchanges = gets(run.name(), 8);
  for (std::size_t i = 0; i < 3; ++i) exchanges[i].optional = true;
  const auto server = serve_once(run, {}, exchanges);
  return run.client([&] {
    const TlsContext context(tls13, true);
    TlsClient client(run, server, context, {});
    client.handshake(tls13);
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      if (i == 3) std::this_thread::sleep_for(attached_after);
      client.make(exchanges[i]);
    }
    client.end();
  });
}

bool preopened(Run& run) {
  const auto exchanges = gets(run.name(), 6);
  const auto server = serve_once(run, {}, exchanges);
  return run.client([&] {
    const TlsContext context(tls13, true);
    TlsClient client(run, server, context, {});
    client.handshake(tls13, !run.holds());
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      client.plain().set_observable(i > 0 || !run.holds());
      client.make(exchanges[i]);
      if (i == 0) run.hold();
    }
    client.end();
  });
}

constexpr std::array scenarios{
    Scenario{"https", "every shape of message on one connection, TLS 1.3", https},
    Scenario{"https-1.2", "the same by TLS 1.2", https_1_2},
    Scenario{"https-memory-bio", "the same; the client moves the records itself", memory_bio},
    Scenario{"https-peeked", "the same by SSL_read_ex after SSL_peek_ex, in small pieces", peeked},
    Scenario{"https-nonblocking", "the same by sockets that do not wait", nonblocking},
    Scenario{"https-reconnected", "one request on each of 6 connections", reconnected},
    Scenario{"https-interleaved", "two sessions on one thread, in turn", interleaved},
    Scenario{"https-found-late", "begins at once, goes on when it has been found", found_late},
    Scenario{"https-preopened", "a session from before the tracer, if it is held", preopened},
};

}  // namespace

std::span<const Scenario> https_scenarios() { return scenarios; }

}  // namespace tracer::workload
