#include "tests/unit/tls_programs/fake_library.h"

#include <algorithm>
#include <array>
#include <cstring>

using tracer::FakeSession;

extern "C" {
// Called as it stands here, and where a library's functions would be: at its symbol.
#ifdef __clang__
#define FAKE [[gnu::noinline, clang::optnone]]
#else
#define FAKE [[gnu::noinline, gnu::noipa]]
#endif

FAKE int fake_read(FakeSession* session, void* buffer, int size) {
  if (session->inside) session->inside();
  const std::size_t count = std::min(session->readable.size(), static_cast<std::size_t>(size));
  if (count == 0) return -1;
  std::memcpy(buffer, session->readable.data(), count);
  session->readable.erase(0, count);
  return static_cast<int>(count);
}

FAKE int fake_write(FakeSession* session, const void*, int size) {
  if (session->inside) session->inside();
  return session->result.value_or(size);
}

FAKE int fake_write_ex(FakeSession* session, const void* buffer, std::size_t size, std::size_t* written) {
  const int result = fake_write(session, buffer, static_cast<int>(size));
  if (result <= 0) return 0;
  *written = static_cast<std::size_t>(result);
  return 1;
}

FAKE long fake_record_send2(FakeSession* session, const void*, std::size_t size) {
  if (session->inside) session->inside();
  return static_cast<long>(size);
}
#ifdef __aarch64__
asm(".text\n.globl fake_record_send\n.type fake_record_send, %function\nfake_record_send:\n  nop\n  b "
    "fake_record_send2\n");
#else
asm(".text\n.globl fake_record_send\n.type fake_record_send, @function\nfake_record_send:\n  nop\n  jmp "
    "fake_record_send2\n");
#endif

FAKE long fake_sendfile(FakeSession* session, int, std::size_t size) {
  if (session->inside) session->inside();
  return static_cast<long>(size);
}

FAKE int fake_do_handshake(FakeSession* session) {
  if (session->inside) session->inside();
  return session->result.value_or(1);
}

FAKE int fake_set_fd(FakeSession*, int) { return 1; }
FAKE void fake_set_ptr(FakeSession*, void*) {}
FAKE int fake_clear(FakeSession*) { return 1; }
FAKE void fake_free(FakeSession*) {}
}

namespace tracer {
namespace {

constexpr tls_slot slot(tls_op op, int buffer = 0, int size = 0, int moved = 0, int fd = 0, bool wide = false) {
  tls_slot out{};
  out.op = static_cast<__u8>(op);
  out.session = 1;
  out.buffer = static_cast<__u8>(buffer);
  out.size = static_cast<__u8>(size);
  out.moved = static_cast<__u8>(moved);
  out.fd = static_cast<__u8>(fd);
  out.wide = wide ? 1 : 0;
  return out;
}

TlsFunction row(std::string_view name, const tls_slot& what) {
  TlsFunction function{};
  function.family = "fake";
  function.name = name;
  function.slot = what;
  return function;
}

template <typename Function>
void* address_of(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

FakeLibrary fake_library() {
  static const std::array functions{
      row("fake_read", slot(TLS_OP_RECEIVE, 2, 3)),
      row("fake_write", slot(TLS_OP_SEND, 2, 3)),
      row("fake_write_ex", slot(TLS_OP_SEND, 2, 3, 4)),
      row("fake_record_send", slot(TLS_OP_SEND, 2, 3, 0, 0, true)),
      row("fake_record_send2", slot(TLS_OP_SEND, 2, 3, 0, 0, true)),
      row("fake_sendfile", slot(TLS_OP_SEND_FILE, 0, 3, 0, 0, true)),
      row("fake_do_handshake", slot(TLS_OP_HANDSHAKE)),
      row("fake_set_fd", slot(TLS_OP_SET_FD, 0, 0, 0, 2)),
      row("fake_set_ptr", slot(TLS_OP_SET_FD, 0, 0, 0, 2, true)),
      row("fake_clear", slot(TLS_OP_CLEAR)),
      row("fake_free", slot(TLS_OP_FREE)),
  };
  static const std::array addresses{
      address_of(fake_read),         address_of(fake_write),        address_of(fake_write_ex),
      address_of(fake_record_send),  address_of(fake_record_send2), address_of(fake_sendfile),
      address_of(fake_do_handshake), address_of(fake_set_fd),       address_of(fake_set_ptr),
      address_of(fake_clear),        address_of(fake_free),
  };
  return {functions, addresses};
}

}  // namespace tracer
