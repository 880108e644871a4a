// Looks like a TLS library to breakpoints: functions with the arguments and results of the real ones, whose work on
// sockets is whatever the test says.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "backends/ebpf/tls_functions.h"

namespace tracer {

struct FakeSession {
  std::function<void()> inside;  // runs in every call; empty: the call touches no socket
  std::string readable;          // what fake_read has; empty: it fails
  std::optional<int> result;     // in place of success
};

// With their rows as `functions`; `addresses` in the same order.
struct FakeLibrary {
  std::span<const TlsFunction> functions;
  std::span<void* const> addresses;
};
[[nodiscard]] FakeLibrary fake_library();

}  // namespace tracer

extern "C" {
int fake_read(tracer::FakeSession* session, void* buffer, int size);
int fake_write(tracer::FakeSession* session, const void* buffer, int size);
int fake_write_ex(tracer::FakeSession* session, const void* buffer, std::size_t size, std::size_t* written);
// Jumps to the second one.
long fake_record_send(tracer::FakeSession* session, const void* buffer, std::size_t size);
long fake_record_send2(tracer::FakeSession* session, const void* buffer, std::size_t size);
long fake_sendfile(tracer::FakeSession* session, int fd, std::size_t size);
int fake_do_handshake(tracer::FakeSession* session);
int fake_set_fd(tracer::FakeSession* session, int fd);
void fake_set_ptr(tracer::FakeSession* session, void* handle);
int fake_clear(tracer::FakeSession* session);
void fake_free(tracer::FakeSession* session);
}
