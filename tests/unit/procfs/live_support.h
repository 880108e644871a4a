// Sockets and children for tests that ask the kernel of this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/unique_fd.h"
#include "core/event.h"

namespace tracer {

// A listening socket on a loopback address, port given by the kernel, and one connection to it.
struct Connection {
  UniqueFd listener, client, server;
  Endpoint listening, client_end, server_end;
};
enum class Loopback : std::uint8_t { ipv4, ipv6, ipv4_to_dual_stack };
[[nodiscard]] Connection connect_over(Loopback loopback);
[[nodiscard]] bool has_ipv6_loopback();

[[nodiscard]] Endpoint local_end(int socket);
[[nodiscard]] std::uint64_t inode_of(const UniqueFd& fd);
[[nodiscard]] std::uint64_t own_namespace_inode(const char* kind);
[[nodiscard]] std::string own_comm();  // other tests may have changed it

// Runs `body` in a forked child and waits. "" when the child ended with 0; else what it wrote or how it died. The body
// answers "" for success: assertions of the test framework do not work in a child.
[[nodiscard]] std::string in_child(const std::function<std::string()>& body);
// What a body answers when the machine does not allow what it needs.
inline constexpr const char* not_allowed = "not allowed here";

// A child that runs `body` and then waits until this object is destroyed.
class WaitingChild {
 public:
  explicit WaitingChild(const std::function<std::string()>& body);
  ~WaitingChild();
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;
  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
  [[nodiscard]] const std::string& said() const { return said_; }  // what the body answered

 private:
  int pid_ = -1;
  UniqueFd hold_;
  std::string said_;
};

// Enters a new network namespace with its loopback interface up. "" or why not.
[[nodiscard]] std::string enter_new_network_namespace();

}  // namespace tracer
