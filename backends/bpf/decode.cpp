#include "backends/bpf/decode.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tracer {
namespace {

// Records lie 8-byte aligned in a ring buffer, but only 4-byte aligned in a perf buffer: copied, not cast.
template <typename T>
std::optional<T> read_as(Bytes record) {
  if (record.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, record.data(), sizeof(T));
  return value;
}

GapCause cause_of(std::uint8_t rest) {
  switch (rest) {
    case WIRE_REST_VERDICT:
      return GapCause::verdict_skip;
    case WIRE_REST_FAULT:
      return GapCause::fault;
    case WIRE_REST_ZERO_COPY:
      return GapCause::zero_copy;
    case WIRE_REST_CONCURRENT:
      return GapCause::concurrent;
    case WIRE_REST_FILTER:
      return GapCause::filter;
    default:
      return GapCause::snap_length;
  }
}

Role role_of(std::uint8_t role) {
  if (role == WIRE_ROLE_CLIENT) return Role::client;
  if (role == WIRE_ROLE_SERVER) return Role::server;
  return Role::unknown;
}

std::string_view text_of(const char* bytes, std::size_t size_max) { return {bytes, strnlen(bytes, size_max)}; }

Direction direction_of(const wire_header& header) {
  return header.direction == WIRE_RX ? Direction::rx : Direction::tx;
}

DecodedEvent event_of(const wire_header& header) {
  DecodedEvent decoded;
  decoded.event.at = {header.at_ns};
  decoded.event.who = {header.tgid, header.tid};
  decoded.emitted_ns = header.emitted_ns;
  decoded.lost_before = header.lost;
  return decoded;
}

Decoded decode_data(Bytes record, Layer layer) {
  const auto data = read_as<wire_data>(record);
  if (!data) return Malformed{};
  const Bytes payload = record.subspan(sizeof(wire_data));
  if (payload.size() < data->header.kept || data->moved < data->header.kept || data->moved == 0) return Malformed{};
  FlowData out;
  out.flow = {data->header.flow};
  out.layer = layer;
  out.direction = direction_of(data->header);
  out.offset = data->offset;
  out.moved = data->moved;
  out.bytes = payload.first(data->header.kept);
  if (out.moved > out.bytes.size()) out.rest = cause_of(data->header.rest);
  DecodedEvent decoded = event_of(data->header);
  decoded.event.body = out;
  return decoded;
}

Decoded decode_plain(Bytes record) {
  const auto plain = read_as<wire_plain>(record);
  if (!plain) return Malformed{};
  PlaintextOpened out;
  out.session = {plain->header.flow};
  out.flow = {plain->carrier};
  out.from_start = (plain->flags & WIRE_PLAIN_FROM_START) != 0;
  if (plain->fd >= 0) out.fd = plain->fd;
  DecodedEvent decoded = event_of(plain->header);
  decoded.event.body = out;
  return decoded;
}

Decoded decode_open(Bytes record) {
  const auto open = read_as<wire_open>(record);
  if (!open) return Malformed{};
  if (open->header.kind == WIRE_STATE) return SocketStateNote{*open};
  FlowOpened out;
  out.flow = {open->header.flow};
  if ((open->flags & WIRE_FLAG_LOCAL) != 0) out.local = wire_endpoint(open->local_address, open->local_port);
  if ((open->flags & WIRE_FLAG_REMOTE) != 0) out.remote = wire_endpoint(open->remote_address, open->remote_port);
  out.role = role_of(open->role);
  out.network_namespace = open->network_namespace;
  out.preexisting = (open->flags & WIRE_FLAG_PREEXISTING) != 0;
  if ((open->flags & WIRE_FLAG_OFFSETS) != 0) {
    out.offset_source = OffsetSource::sequence;
    out.tx_offset = open->tx_offset;
    out.rx_offset = open->rx_offset;
  }
  DecodedEvent decoded = event_of(open->header);
  decoded.event.body = out;
  return decoded;
}

Decoded decode_end(Bytes record) {
  const auto end = read_as<wire_end>(record);
  if (!end) return Malformed{};
  const auto known = [&](std::uint32_t flag, std::uint64_t value) {
    return (end->flags & flag) != 0 ? std::optional(value) : std::nullopt;
  };
  DecodedEvent decoded = event_of(end->header);
  if (end->header.kind == WIRE_END) {
    StreamEnded out;
    out.flow = {end->header.flow};
    out.direction = direction_of(end->header);
    out.end = out.direction == Direction::tx ? known(WIRE_END_TX, end->tx_end) : known(WIRE_END_RX, end->rx_end);
    decoded.event.body = out;
  } else {
    FlowClosed out;
    out.flow = {end->header.flow};
    out.tx_end = known(WIRE_END_TX, end->tx_end);
    out.rx_end = known(WIRE_END_RX, end->rx_end);
    out.kernel_tx_bytes = known(WIRE_END_KERNEL, end->kernel_tx);
    out.kernel_rx_bytes = known(WIRE_END_KERNEL, end->kernel_rx);
    decoded.event.body = out;
  }
  return decoded;
}

// `status` as wait(2) gives it.
ProcessExited exited(int status) {
  ProcessExited out;
  if (status == WIRE_EXIT_UNKNOWN) return out;
  const int signal = status & 0x7f;
  if (signal != 0) {
    out.signal = signal;
  } else {
    out.exit_code = (status >> 8) & 0xff;
  }
  return out;
}

Decoded decode_process(Bytes record) {
  const auto process = read_as<wire_process>(record);
  if (!process) return Malformed{};
  const Bytes text = record.subspan(sizeof(wire_process));
  const bool exec = process->header.kind == WIRE_EXEC;
  if (exec && (text.size() < process->header.kept || text.size() - process->header.kept < process->arguments))
    return Malformed{};
  // The text must be borrowed from the record, not from the copy on the stack.
  const char* comm = as_text(record).data() + offsetof(wire_process, comm);
  DecodedEvent decoded = event_of(process->header);
  switch (process->header.kind) {
    case WIRE_OWNER: {
      FlowUpdated out;
      out.flow = {process->header.flow};
      out.owner = decoded.event.who;
      out.owner_comm = text_of(comm, WIRE_COMM_SIZE);
      out.owner_uid = process->uid;
      if (process->local_tgid != 0) out.owner_local_pid = process->local_tgid;
      decoded.event.body = out;
      break;
    }
    case WIRE_EXEC: {
      ProcessStarted out;
      out.executable = as_text(text.first(process->header.kept));
      out.comm = text_of(comm, WIRE_COMM_SIZE);
      out.parent_tgid = process->parent;
      out.arguments = as_text(text.subspan(process->header.kept, process->arguments));
      out.arguments_cut = (process->flags & WIRE_EXEC_CUT) != 0;
      out.gid = process->gid;
      out.uid = process->uid;
      decoded.event.body = out;
      break;
    }
    case WIRE_FORK:
      decoded.event.body = ProcessForked{process->child};
      break;
    default:
      decoded.event.body = exited(process->exit_code);
      break;
  }
  return decoded;
}

constexpr std::int32_t errno_max = 4095;  // MAX_ERRNO

// What a tracepoint is told of a call that a signal ended: ERESTARTSYS and its kin (include/linux/errno.h) become
// EINTR, or the call is made again, before the program sees anything.
constexpr std::int32_t as_programs_see(std::int32_t error) {
  constexpr std::int32_t restart_first = 512, restart_last = 516;
  return error >= restart_first && error <= restart_last ? EINTR : error;
}

std::optional<std::int32_t> directory_of(std::string_view path, std::int32_t fd) {
  return !path.starts_with('/') && fd != WIRE_FILE_AT_CWD ? std::optional(fd) : std::nullopt;
}

Decoded decode_file(Bytes record) {
  const auto file = read_as<wire_file>(record);
  if (!file) return Malformed{};
  const Bytes path = record.subspan(sizeof(wire_file));
  if (path.size() < file->header.kept) return Malformed{};
  FileOpened out;
  out.path = as_text(path.first(file->header.kept));
  if ((file->flags & WIRE_FILE_NO_MODE) == 0) out.flags = file->open_flags;
  if (file->result < -errno_max) return Malformed{};
  out.error = file->result < 0 ? as_programs_see(-file->result) : 0;
  out.uid = file->uid;
  out.directory_fd = directory_of(out.path, file->directory_fd);
  out.path_cut = (file->flags & WIRE_FILE_CUT) != 0;
  DecodedEvent decoded = event_of(file->header);
  decoded.event.body = out;
  return decoded;
}

// A path that is relative to a descriptor, or that was cut off, names no file by itself.
Decoded decode_map(Bytes record) {
  const auto map = read_as<wire_map>(record);
  if (!map) return Malformed{};
  const Bytes path = record.subspan(sizeof(wire_map));
  if (path.size() < map->header.kept) return Malformed{};
  LibraryMapped out;
  out.path = as_text(path.first(map->header.kept));
  DecodedEvent decoded = event_of(map->header);
  if (out.path.empty() || (map->flags & WIRE_FILE_CUT) != 0 || directory_of(out.path, map->directory_fd))
    return MappingNote{decoded.event.who, decoded.event.at, map->address, decoded.lost_before};
  decoded.event.body = out;
  return decoded;
}

}  // namespace

Endpoint wire_endpoint(const std::uint8_t (&address)[16], std::uint16_t network_port) {
  Endpoint out;
  std::copy(std::begin(address), std::end(address), out.address.begin());
  out.port = static_cast<std::uint16_t>((network_port >> 8) | (network_port << 8));
  return out;
}

Decoded decode(Bytes record) {
  const auto header = read_as<wire_header>(record);
  if (!header) return Malformed{};
  switch (header->kind) {
    case WIRE_DATA:
      return decode_data(record, Layer::socket);
    case WIRE_PLAIN:
      return decode_data(record, Layer::tls_plaintext);
    case WIRE_PLAIN_OPEN:
      return decode_plain(record);
    case WIRE_PLAIN_CLOSE: {
      DecodedEvent decoded = event_of(*header);
      decoded.event.body = FlowClosed{{header->flow}, {}, {}, {}, {}};
      return decoded;
    }
    case WIRE_OPEN:
    case WIRE_STATE:
      return decode_open(record);
    case WIRE_END:
    case WIRE_CLOSE:
      return decode_end(record);
    case WIRE_OWNER:
    case WIRE_EXEC:
    case WIRE_FORK:
    case WIRE_EXIT:
      return decode_process(record);
    case WIRE_FILE:
      return decode_file(record);
    case WIRE_MAP:
      return decode_map(record);
    case WIRE_BEAT:
      return Heartbeat{header->flow, header->at_ns, header->tgid};
    case WIRE_FD: {
      const auto note = read_as<wire_fd>(record);
      if (!note) return Malformed{};
      return DescriptorNote{*note};
    }
    default:
      return Malformed{};
  }
}

}  // namespace tracer
