// Mechanism file: a capture file, pcap or pcapng, through the same tracker as live packets.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "backends/pcap/libpcap.h"
#include "backends/pcap/packet_pump.h"
#include "backends/pcap/pcap_backend.h"
#include "backends/pcap/pipe_stream.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

constexpr std::size_t read_buffer_bytes = 256 * 1024;
constexpr std::size_t packets_per_read_max = 256;
// A packet causes so many events at most in ordinary traffic; drain() may pass its budget by the rest of one packet.
constexpr std::size_t events_per_packet = 4;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

// What libpcap reads from. Of a pipe the stream is closed before what it reads from.
struct Input {
  std::unique_ptr<PipeStream> pipe;  // null: a file, which never makes anybody wait
  File stream;
};

class FileBackend final : public Backend {
 public:
  FileBackend(std::unique_ptr<PipeStream> pipe, PcapHandle handle, UniqueFd always_readable, std::string name,
              const PcapOptions& options)
      : pipe_(std::move(pipe)),
        handle_(std::move(handle)),
        always_readable_(std::move(always_readable)),
        name_(std::move(name)),
        link_(link_type_of(pcap_datalink(handle_.get()))),
        pump_(options.limits, options.ports, 0, nullptr) {}

  [[nodiscard]] int fd() const override { return pipe_ && pipe_->fd() >= 0 ? pipe_->fd() : always_readable_.get(); }

  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override {
    if (over_) return Drained::ended;
    handler_ = &handler;
    const std::uint64_t until = events() + std::max<std::size_t>(budget, 1);
    while (events() < until) {
      if (pipe_ && !pipe_->ready()) return Drained::idle;
      const std::size_t packets =
          pipe_ ? 1
                : std::clamp<std::size_t>(static_cast<std::size_t>(until - events()) / events_per_packet, 1,
                                          packets_per_read_max);
      const int read = pcap_dispatch(handle_.get(), static_cast<int>(packets), &FileBackend::on_packet,
                                     reinterpret_cast<u_char*>(this));
      if (read > 0) continue;
      over_ = true;
      pump_.tracker().finish(handler);
      if (read == 0) return Drained::ended;
      return std::unexpected(damaged());
    }
    return Drained::more;
  }

  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override {
    pump_.tracker().set_verdict(flow, direction, verdict);
  }

  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.produced = pump_.counters().packets;
    counters.delivered = counters.produced - pump_.counters().malformed;
    counters.lost_user = pump_.counters().malformed;
    counters.flows_untracked = pump_.tracker().counters().flows_evicted;
    return counters;
  }

  [[nodiscard]] std::vector<BlindSpot> blind() const override {
    return {{"undecoded_packets", pump_.counters().undecoded}};
  }

 private:
  static void on_packet(u_char* self, const pcap_pkthdr* header, const u_char* bytes) {
    auto& backend = *reinterpret_cast<FileBackend*>(self);
    backend.pump_.on_packet(backend.link_, {reinterpret_cast<const std::byte*>(bytes), header->caplen}, header->len,
                            time_of(*header), nullptr, *backend.handler_);
  }
  [[nodiscard]] std::uint64_t events() const { return pump_.tracker().counters().events; }
  [[nodiscard]] Error damaged() const {
    const std::string why = pcap_geterr(handle_.get());
    Error error{Errc::malformed,
                0,
                "read " + name_ + ": " + why + " (after " + std::to_string(pump_.counters().packets) + " packets)",
                {}};
    if (why.find("different from the type of the first interface") != std::string::npos) {
      error.suggestion = "tshark -r " + name_ + " -Y 'frame.interface_id == 0' -w one-interface.pcapng";
    } else {
      error.suggestion = "capture again; what was read before the damage is shown";
    }
    return error;
  }

  std::unique_ptr<PipeStream> pipe_;  // before the handle, whose end closes the stream on it
  PcapHandle handle_;
  UniqueFd always_readable_;
  std::string name_;
  LinkType link_;
  PacketPump pump_;
  EventHandler* handler_ = nullptr;
  bool over_ = false;
};

Result<Input> open_input(const std::string& path) {
  UniqueFd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    Error error = os_failure(errno, "open " + path);
    if (error.code == Errc::not_found) error.suggestion = "check the path; '-' reads standard input";
    return std::unexpected(std::move(error));
  }
  struct stat kind{};
  if (::fstat(fd.get(), &kind) != 0) return std::unexpected(os_failure(errno, "look at " + path));
  Input input;
  if (!S_ISREG(kind.st_mode) && !S_ISDIR(kind.st_mode)) {
    input.pipe = std::make_unique<PipeStream>(std::move(fd), read_buffer_bytes);
    auto stream = input.pipe->open();
    if (!stream) return std::unexpected(std::move(stream.error()));
    input.stream.reset(*stream);
    return input;
  }
  input.stream.reset(::fdopen(fd.get(), "rb"));
  if (!input.stream) return std::unexpected(os_failure(errno, "open " + path));
  static_cast<void>(fd.release());
  std::setvbuf(input.stream.get(), nullptr, _IOFBF, read_buffer_bytes);
  return input;
}

}  // namespace

Result<OpenedBackend> open_pcap_file(const std::string& path, const PcapOptions& options) {
  const std::string name = path == "-" ? "standard input" : path;
  Result<Input> input = open_input(path);
  if (!input) return std::unexpected(std::move(input.error()));
  char why[PCAP_ERRBUF_SIZE] = "";
  PcapHandle handle(pcap_fopen_offline_with_tstamp_precision(input->stream.get(), PCAP_TSTAMP_PRECISION_NANO,
                                                             static_cast<char*>(why)));
  if (!handle) {
    return fail(Errc::malformed, "read " + name + ": not a capture file: " + static_cast<char*>(why),
                "zcat " + (path == "-" ? std::string("FILE") : path) +
                    " | tracer replay -    # if it is compressed; pcap and pcapng can be read");
  }
  static_cast<void>(input->stream.release());  // pcap_close() closes it
  UniqueFd always_readable(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!always_readable) return std::unexpected(os_failure(errno, "eventfd"));

  OpenedBackend opened;
  const int datalink = pcap_datalink(handle.get());
  AttachOutcome outcome{};
  outcome.what = name;
  outcome.attached = link_type_of(datalink) != LinkType::unknown;
  if (!outcome.attached) outcome.reason = "packets of " + link_type_name(datalink) + " are not taken apart";
  opened.outcomes.push_back(std::move(outcome));
  opened.kind = BackendKind::pcap;
  opened.mechanism = Mechanism::file;
  opened.clock = ClockDomain::file;
  opened.backend = std::make_unique<FileBackend>(std::move(input->pipe), std::move(handle), std::move(always_readable),
                                                 name, options);
  return opened;
}

}  // namespace tracer
