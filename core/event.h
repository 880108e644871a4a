// The one language between backends and core: what a capture method saw, in its own clock, with sizes but no meaning.
//
// Nothing here knows a protocol, a kernel or an output. Everything borrowed (Bytes, string_view) is valid until the
// handler that was given the event returns.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/bytes.h"

namespace tracer {

// Nanoseconds in the clock domain that the backend declared. The pipeline's Timeline maps them to wall time.
struct EventTime {
  std::uint64_t ns = 0;
  auto operator<=>(const EventTime&) const = default;
};

enum class ClockDomain : std::uint8_t { monotonic, realtime, file };

// A process (thread group) and one of its threads, numbered as in the initial pid namespace.
struct ProcessRef {
  std::uint32_t tgid = 0;
  std::uint32_t tid = 0;
  auto operator<=>(const ProcessRef&) const = default;
};

// One observed end of one connection: a socket *generation*, so that a reused socket, port or descriptor is a new flow.
// Unique for the whole run; given out by the backend.
struct FlowId {
  std::uint64_t value = 0;
  auto operator<=>(const FlowId&) const = default;
};

// IPv4 addresses are held v4-mapped (::ffff:a.b.c.d), so one connection has one spelling on a dual-stack box.
struct Endpoint {
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

// Seen from the process that holds the socket.
enum class Direction : std::uint8_t { tx, rx };
enum class Layer : std::uint8_t { socket, tls_plaintext };
enum class Role : std::uint8_t { unknown, client, server };

// Why bytes that were moved are not in the event. A closed list: docs/records.md explains each to users.
enum class GapCause : std::uint8_t {
  none,            // there is no gap
  verdict_skip,    // the core said that it does not need them
  filter,          // a user's filter kept them in the kernel
  snap_length,     // beyond the bytes kept of one call or packet
  ring_full,       // the buffer between kernel and tracer had no room
  fault,           // the kernel could not read the user's memory
  zero_copy,       // sendfile, splice and the like: never in user memory
  before_attach,   // moved before the tracer watched
  unresolved_fd,   // moved while it was unknown which socket the descriptor is
  concurrent,      // two calls raced on one direction of one socket; their order is not known
  backend_switch,  // moved while one backend handed over to the next
  not_captured,    // a packet that the receiver acknowledged and the capture does not hold
  no_payload,      // the mechanism reads counters and never sees a byte
};
inline constexpr std::size_t gap_cause_count = 13;
[[nodiscard]] std::string_view to_string(GapCause cause);

// How FlowData::offset is made. `sequence`: the TCP sequence number extended to 64 bits (low 32 bits are the number on
// the wire, so both ends of a connection count in the same space). `counter`: bytes since the flow was first seen.
enum class OffsetSource : std::uint8_t { sequence, counter };

// Where a flow is watched. `endpoint`: by the calls of the process that holds the socket; the other end is another
// flow. `wire`: by packets, somewhere between the ends; one flow tells both directions, in any order, and a range that
// it jumped over may still come until it declares a gap there. Its `local` end is the one that opened the connection,
// or of whose packets the first was seen.
enum class Vantage : std::uint8_t { endpoint, wire };

// How well the time of a FlowOpened tells when that was. `by_then`: between the last look and this one.
enum class OpeningTime : std::uint8_t { exact, by_then, unknown };

struct FlowOpened {
  FlowId flow;
  Vantage vantage = Vantage::endpoint;
  std::optional<Endpoint> local, remote;
  Role role = Role::unknown;
  std::uint64_t network_namespace = 0;  // inode of the namespace; 0: not known
  bool preexisting = false;             // was open before the backend watched
  OpeningTime opening = OpeningTime::exact;
  OffsetSource offset_source = OffsetSource::counter;
  // Offset of the next byte in each direction, where known: bytes before it are not this run's.
  std::optional<std::uint64_t> tx_offset, rx_offset;
};

// Learned later. Only what is set here changes.
struct FlowUpdated {
  FlowId flow;
  std::optional<Endpoint> local, remote;
  Role role = Role::unknown;
  // A process that moves bytes of this flow (or accepted it), with what the kernel said of it at that moment: the
  // process may be gone before anybody can read /proc. Empty comm, absent uid: not said.
  std::optional<ProcessRef> owner;
  std::string_view owner_comm;  // of the thread-group leader
  std::optional<std::uint32_t> owner_uid;
  std::optional<std::uint32_t> owner_local_pid;  // in the tracer's pid namespace, where that is not the initial one
  bool owner_is_remote = false;  // wire only: the process holds the socket of the remote end, on this machine
  bool owner_inferred = false;   // deduced (from who listens, say), not read from the socket itself
  std::uint64_t network_namespace = 0;
};

// A session of a TLS library, as the process inside of it sees it: what it reads and writes in clear. Told before its
// first bytes, and again when its connection becomes known. Its bytes are FlowData of `session` on
// Layer::tls_plaintext, its end is a FlowClosed of `session`.
struct PlaintextOpened {
  FlowId session;                    // unique among flows and sessions of the run
  FlowId flow;                       // the end of the connection that carries it; value 0: not known
  bool from_start = false;           // watched since its handshake: offset 0 is the first byte, in both directions
  std::optional<std::int32_t> fd{};  // that the process gave to the library
  std::optional<Endpoint> local{}, remote{};  // of that descriptor, where `flow` is not known and these are
};

// What the kernel says of a connection's state (tcp_info). Only what is set is known.
struct FlowMeasured {
  FlowId flow;
  std::optional<std::uint8_t> tcp_state;  // TCP_ESTABLISHED = 1, … as in tcp_states.h
  std::optional<std::uint32_t> rtt_us;    // smoothed
  std::optional<std::uint32_t> retransmits;
};

// One direction of the flow is finished (FIN sent or received); the other may go on. Bytes before `end` may still be on
// their way to the handler (received but not read yet).
struct StreamEnded {
  FlowId flow;
  Direction direction = Direction::tx;
  std::optional<std::uint64_t> end;  // offset one past the last byte
};

// `moved` bytes went through at `offset`; the first bytes.size() of them are here. The rest is a gap.
struct FlowData {
  FlowId flow;  // on Layer::tls_plaintext a session
  Layer layer = Layer::socket;
  Direction direction = Direction::tx;
  std::uint64_t offset = 0;
  std::uint64_t moved = 0;
  Bytes bytes;                     // bytes.size() <= moved
  GapCause rest = GapCause::none;  // why moved > bytes.size()
};

struct FlowClosed {
  FlowId flow;
  // The kernel's own count of payload bytes that the process moved since the flow was first seen by the backend: the
  // witness of the ledger. Absent: unwitnessed.
  std::optional<std::uint64_t> kernel_tx_bytes, kernel_rx_bytes;
  // Offset one past the last byte that went through each direction, where the kernel says it.
  std::optional<std::uint64_t> tx_end, rx_end;
};

struct ProcessStarted {         // exec
  std::string_view executable;  // as given to exec; may be empty
  std::string_view comm;
  std::uint32_t parent_tgid = 0;  // 0: not known
  // As they lie in the process's memory: each ends with a NUL, the last one may be cut off. Empty: not said.
  std::string_view arguments{};
  bool arguments_cut = false;  // there were more
  std::optional<std::uint32_t> gid{};
  bool preexisting = false;                     // was found running; the time of the event is not that of its exec
  std::optional<std::int64_t> running_since{};  // wall time in ns, of one that was found running
  std::optional<std::uint32_t> uid{};           // real user
};
struct ProcessForked {
  std::uint32_t child_tgid = 0;
};
struct ProcessExited {
  std::optional<int> exit_code;  // as given to exit(); absent: not known, or ended by a signal
  std::optional<int> signal;     // that ended it
};

// An open, successful or not.
struct FileOpened {
  std::string_view path;               // as given, may be relative
  std::optional<std::uint32_t> flags;  // O_…
  std::optional<std::int32_t> error;   // errno; 0: it was opened; absent: not known
  bool path_inferred = false;          // looked up after the call; empty path: not known
  // What a relative path is relative to, if it is not the working directory.
  std::optional<std::int32_t> directory_fd{};
  bool preexisting = false;  // found open; when it was opened is not known
  // What has that path now is not the file: it was unlinked, or lies outside of the process's root.
  bool not_at_path = false;
  bool path_cut = false;               // only the beginning of it is known: it names no file, and has any end
  std::optional<std::uint32_t> uid{};  // real user of the process at that moment
};

// A file was mapped into a process so that it can be executed: a library, if it is not the program itself.
struct LibraryMapped {
  std::string_view path;  // as the process opened it, or as /proc says; may be relative; empty: not known
  bool path_inferred = false;
  bool preexisting = false;  // found mapped; when that happened is not known
  bool not_at_path = false;  // as of FileOpened: a library that was replaced on disk, say
};

// Calls of one function of a cryptographic library by one process, with equal arguments and result.
struct CryptoCall {
  std::string_view function;            // the symbol: "EVP_CIPHER_fetch"
  std::string_view library;             // path of the file that the symbol is in
  std::string_view argument{};          // a name that was passed: of an algorithm, a file. Never contents of a buffer
  std::optional<std::uint64_t> size{};  // that was passed
  std::optional<std::int64_t> result{};
  std::uint64_t calls = 1;  // since the last event of the same
};

// Events that the backend could not deliver and cannot attribute to a flow.
struct Lost {
  std::uint64_t events = 0;
  GapCause cause = GapCause::ring_full;
};

struct Event {
  EventTime at;  // TX: when the call entered the kernel; RX: when it returned
  ProcessRef who;
  std::variant<FlowData, FlowOpened, FlowUpdated, PlaintextOpened, FlowMeasured, StreamEnded, FlowClosed,
               ProcessStarted, ProcessForked, ProcessExited, FileOpened, LibraryMapped, CryptoCall, Lost>
      body;
};

class EventHandler {
 public:
  virtual void on_event(const Event& event) = 0;

 protected:
  ~EventHandler() = default;  // never owned through this interface
};

}  // namespace tracer
