#include "cli/loop.h"

#include <csignal>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <utility>

namespace tracer::cli {
namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using boost::system::error_code;

Error asio_failure(const error_code& error, std::string_view what) { return os_failure(error.value(), what); }

// A descriptor that is waited on but not owned.
class Watched {
 public:
  explicit Watched(asio::io_context& context) : descriptor_(context) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() {
    if (descriptor_.is_open()) descriptor_.release();
  }
  error_code assign(int fd) {
    error_code error;
    descriptor_.assign(fd, error);
    return error;
  }
  template <typename Handler>
  void wait(stream_descriptor::wait_type what, Handler handler) {
    descriptor_.async_wait(what, std::move(handler));
  }

 private:
  stream_descriptor descriptor_;
};

class Loop {
 public:
  explicit Loop(LoopClient& client) : client_(client), signals_(context_), timer_(context_), output_(context_) {}

  Result<void> open(const LoopDescriptors& descriptors) {
    error_code error;
    signals_.add(SIGINT, error);
    if (!error) signals_.add(SIGTERM, error);
    // A terminal that goes away (ssh) ends a run in order too, unless whoever started it wanted it to stay (nohup).
    struct sigaction inherited{};
    if (!error && ::sigaction(SIGHUP, nullptr, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
      signals_.add(SIGHUP, error);
    if (error) return std::unexpected(asio_failure(error, "handle SIGINT and SIGTERM"));
    if (auto watched = watch(descriptors.backends); !watched) return watched;
    // A file cannot be waited for (EPERM); the timer is enough then.
    output_open_ = descriptors.output >= 0 && !output_.assign(descriptors.output);
    return {};
  }

  // The error that ended it, if one did.
  Result<void> run() {
    wait_for_signal();
    asio::post(context_, [this] { step(Wake::start); });
    context_.run();
    return std::exchange(failure_, {});
  }

 private:
  // All are given back before one is taken: a number of before may be another descriptor now.
  Result<void> watch(const std::vector<int>& fds) {
    backends_.clear();
    for (const int fd : fds) {
      if (fd < 0) continue;
      backends_.emplace_back(context_);
      const error_code error = backends_.back().assign(fd);
      if (error) return std::unexpected(asio_failure(error, "wait for the backend's descriptor"));
      wait_for(backends_.back());
    }
    return {};
  }

  void step(Wake wake) {
    if (stopped_) return;
    const Next next = client_.step(wake, std::chrono::steady_clock::now());
    if (next.backends) {
      ++generation_;
      failure_ = watch(*next.backends);
    }
    if (next.stop || !failure_) {
      stopped_ = true;
      context_.stop();
      return;
    }
    if (next.again && !again_posted_) {
      again_posted_ = true;
      asio::post(context_, [this] {
        again_posted_ = false;
        step(Wake::backend);
      });
    }
    if (next.until_writable && output_open_ && !output_waiting_) {
      output_waiting_ = true;
      output_.wait(stream_descriptor::wait_write, [this](const error_code& error) {
        output_waiting_ = false;
        if (error != asio::error::operation_aborted) step(Wake::output);
      });
    }
    arm_timer(next.timer);
  }

  // A timer that runs and is early enough stays: arming costs a system call, and readable descriptors come in numbers.
  void arm_timer(std::chrono::milliseconds delay) {
    const auto at = std::chrono::steady_clock::now() + delay;
    if (timer_armed_ && timer_.expiry() <= at) return;
    timer_armed_ = true;
    timer_.expires_at(at);  // cancels the wait of before
    timer_.async_wait([this](const error_code& error) {
      if (error == asio::error::operation_aborted) return;
      timer_armed_ = false;
      step(Wake::timer);
    });
  }

  void wait_for(Watched& backend) {
    backend.wait(stream_descriptor::wait_read, [this, &backend, born = generation_](const error_code& error) {
      if (error == asio::error::operation_aborted || stopped_ || born != generation_) return;
      step(Wake::backend);
      if (!stopped_ && !error && born == generation_) wait_for(backend);
    });
  }

  void wait_for_signal() {
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error) return;
      step(signal == SIGINT ? Wake::interrupt : signal == SIGHUP ? Wake::hangup : Wake::terminate);
      if (!stopped_) wait_for_signal();
    });
  }

  LoopClient& client_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  asio::steady_timer timer_;
  std::list<Watched> backends_;
  unsigned generation_ = 0;  // of backends_
  Result<void> failure_;
  Watched output_;
  bool output_open_ = false;
  bool output_waiting_ = false;
  bool again_posted_ = false;
  bool timer_armed_ = false;
  bool stopped_ = false;
};

void prepare_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGINT);
  sigaddset(&ours, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &ours, nullptr);
}

}  // namespace

Result<void> run_loop(LoopClient& client, const LoopDescriptors& descriptors) {
  prepare_signals();
  try {  // Asio reports a failed epoll_create or out of memory by exception
    Loop loop(client);
    if (auto opened = loop.open(descriptors); !opened) return opened;
    return loop.run();
  } catch (const boost::system::system_error& error) {
    return std::unexpected(asio_failure(error.code(), "event loop"));
  }
}

}  // namespace tracer::cli
