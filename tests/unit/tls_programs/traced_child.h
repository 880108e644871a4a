// A process that is traced by the test that forks it, and the connections it makes to itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/base/unique_fd.h"

namespace tracer {

// Both ends in one process.
struct Connection {
  UniqueFd client, server;
  std::uint16_t client_port = 0;
};
// In the child: ends it where that fails.
[[nodiscard]] Connection connect_to_self();
// So many bytes, all of them; ends the child where that fails.
void send_some(const UniqueFd& end, std::size_t bytes);
void receive_some(const UniqueFd& end, std::size_t bytes);

class TracedChild {
 public:
  // What the child may do with its parent: wait for its word, and tell it numbers.
  class Parent {
   public:
    Parent(int word_fd, int number_fd) : word_fd_(word_fd), number_fd_(number_fd) {}
    void wait() const;
    void tell(std::uint32_t number) const;

   private:
    int word_fd_, number_fd_;
  };

  explicit TracedChild(const std::function<void(const Parent&)>& work);
  ~TracedChild();
  TracedChild(const TracedChild&) = delete;
  TracedChild& operator=(const TracedChild&) = delete;

  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
  void let_go();                             // wait() returns
  [[nodiscard]] std::uint32_t hear() const;  // what was told; 0: the child is gone
  [[nodiscard]] bool ends_well();            // waits for it

 private:
  pid_t pid_ = -1;
  UniqueFd word_, number_;
};

}  // namespace tracer
