/* Holds functions with the names of OpenSSL's, and with names of its own that no other tracer knows. They do nothing.
 * Says "ok" and waits until its input ends. */
#include <unistd.h>

__attribute__((noinline, used)) int SSL_read(void* session, void* buffer, int size) {
  __asm__ volatile("" ::"r"(session), "r"(buffer), "r"(size) : "memory");
  return 0;
}
__attribute__((noinline, used)) int SSL_write(void* session, const void* buffer, int size) {
  __asm__ volatile("" ::"r"(session), "r"(buffer), "r"(size) : "memory");
  return 0;
}
__attribute__((noinline, used)) int held_read(void* session, void* buffer, int size) {
  __asm__ volatile("" ::"r"(session), "r"(buffer), "r"(size) : "memory");
  return 1;
}
__attribute__((noinline, used)) int held_write(void* session, const void* buffer, int size) {
  __asm__ volatile("" ::"r"(session), "r"(buffer), "r"(size) : "memory");
  return 1;
}
__attribute__((noinline, used)) void SSL_free(void* session) { __asm__ volatile("" ::"r"(session) : "memory"); }

int main(void) {
  char byte = 0;
  if (write(STDOUT_FILENO, "ok\n", 3) != 3) return 1;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return SSL_read(&byte, &byte, 0) + SSL_write(&byte, &byte, 0);
}
