#include "backends/bpf/decode.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace tracer {
namespace {

template <typename T>
std::vector<std::byte> bytes_of(const T& record, std::string_view payload = {}) {
  std::vector<std::byte> out(sizeof(T) + payload.size());
  std::memcpy(out.data(), &record, sizeof(T));
  if (!payload.empty()) std::memcpy(out.data() + sizeof(T), payload.data(), payload.size());
  return out;
}

template <typename T>
T record_of(const wire_header& header) {
  T record{};
  record.header = header;
  return record;
}

wire_header header_of(wire_kind kind) {
  wire_header header{};
  header.at_ns = 1000;
  header.emitted_ns = 1100;
  header.flow = 7;
  header.tgid = 41;
  header.tid = 42;
  header.kind = static_cast<__u16>(kind);
  return header;
}

TEST(Decode, DataCarriesBytesAndGap) {
  wire_data data{header_of(WIRE_DATA), 4'294'967'297, 10};
  data.header.kept = 4;
  data.header.direction = WIRE_RX;
  data.header.rest = WIRE_REST_ZERO_COPY;
  const auto record = bytes_of(data, "abcd");
  const Decoded decoded = decode(record);
  const auto* made = std::get_if<DecodedEvent>(&decoded);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->event.at.ns, 1000u);
  EXPECT_EQ(made->emitted_ns, 1100u);
  EXPECT_EQ(made->event.who, (ProcessRef{41, 42}));
  const auto& body = std::get<FlowData>(made->event.body);
  EXPECT_EQ(body.flow.value, 7u);
  EXPECT_EQ(body.direction, Direction::rx);
  EXPECT_EQ(body.offset, 4'294'967'297u);
  EXPECT_EQ(body.moved, 10u);
  EXPECT_EQ(as_text(body.bytes), "abcd");
  EXPECT_EQ(body.rest, GapCause::zero_copy);
}

TEST(Decode, WholeDataHasNoGapWhateverTheCauseFieldSays) {
  wire_data data{header_of(WIRE_DATA), 0, 4};
  data.header.kept = 4;
  data.header.rest = WIRE_REST_SNAP;
  const auto record = bytes_of(data, "abcd");
  const Decoded decoded = decode(record);
  EXPECT_EQ(std::get<FlowData>(std::get<DecodedEvent>(decoded).event.body).rest, GapCause::none);
}

TEST(Decode, RingPaddingBehindThePayloadIsIgnored) {
  wire_data data{header_of(WIRE_DATA), 0, 3};
  data.header.kept = 3;
  const auto record = bytes_of(data, "abc\0\0\0\0\0");
  const Decoded decoded = decode(record);
  EXPECT_EQ(as_text(std::get<FlowData>(std::get<DecodedEvent>(decoded).event.body).bytes), "abc");
}

TEST(Decode, OpenHasAddressesInHostOrderAndOnlyWhatIsFlagged) {
  wire_open open{};
  open.header = header_of(WIRE_OPEN);
  open.local_address[10] = open.local_address[11] = 0xff;
  open.local_address[12] = 127;
  open.local_address[15] = 1;
  open.local_port = 0x901f;  // 8080 in network order
  open.role = WIRE_ROLE_SERVER;
  open.flags = WIRE_FLAG_LOCAL | WIRE_FLAG_OFFSETS | WIRE_FLAG_PREEXISTING;
  open.tx_offset = 5;
  open.rx_offset = 6;
  open.network_namespace = 99;
  const auto record = bytes_of(open);
  const Decoded decoded = decode(record);
  const auto& body = std::get<FlowOpened>(std::get<DecodedEvent>(decoded).event.body);
  ASSERT_TRUE(body.local.has_value());
  EXPECT_EQ(body.local->port, 8080);
  EXPECT_EQ(body.local->address[12], 127);
  EXPECT_FALSE(body.remote.has_value());
  EXPECT_EQ(body.role, Role::server);
  EXPECT_TRUE(body.preexisting);
  EXPECT_EQ(body.offset_source, OffsetSource::sequence);
  EXPECT_EQ(body.tx_offset, 5u);
  EXPECT_EQ(body.rx_offset, 6u);
  EXPECT_EQ(body.network_namespace, 99u);
}

TEST(Decode, ClosedWithoutWitnessHasNone) {
  wire_end end{};
  end.header = header_of(WIRE_CLOSE);
  end.flags = WIRE_END_TX;
  end.tx_end = 77;
  const auto record = bytes_of(end);
  const Decoded decoded = decode(record);
  const auto& body = std::get<FlowClosed>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.tx_end, 77u);
  EXPECT_FALSE(body.rx_end.has_value());
  EXPECT_FALSE(body.kernel_tx_bytes.has_value());
}

TEST(Decode, StreamEndNamesItsDirection) {
  wire_end end{};
  end.header = header_of(WIRE_END);
  end.header.direction = WIRE_RX;
  end.flags = WIRE_END_RX;
  end.rx_end = 12;
  const auto record = bytes_of(end);
  const Decoded decoded = decode(record);
  const auto& body = std::get<StreamEnded>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.direction, Direction::rx);
  EXPECT_EQ(body.end, 12u);
}

TEST(Decode, ProcessTextIsBorrowedFromTheRecord) {
  wire_process process{};
  process.header = header_of(WIRE_EXEC);
  process.header.kept = 8;
  std::memcpy(process.comm, "a-name-of-16-byt", WIRE_COMM_SIZE);  // no terminator: all 16 used
  const auto record = bytes_of(process, "/bin/cat");
  const Decoded decoded = decode(record);
  const auto& body = std::get<ProcessStarted>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.executable, "/bin/cat");
  EXPECT_EQ(body.comm, "a-name-of-16-byt");
  EXPECT_GE(body.comm.data(), as_text(record).data());
  EXPECT_LT(body.comm.data(), as_text(record).data() + record.size());
}

TEST(Decode, AnExecNamesTheParent) {
  wire_process process{};
  process.header = header_of(WIRE_EXEC);
  process.parent = 17;
  process.gid = 18;
  process.uid = 19;
  const auto record = bytes_of(process);
  const Decoded decoded = decode(record);
  const auto& body = std::get<ProcessStarted>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.parent_tgid, 17u);
  EXPECT_EQ(body.gid, 18u);
  EXPECT_EQ(body.uid, 19u);
  EXPECT_TRUE(body.arguments.empty());
  EXPECT_FALSE(body.arguments_cut);
}

TEST(Decode, TheArgumentsOfAnExecLieBehindItsPath) {
  using namespace std::string_literals;
  wire_process process{};
  process.header = header_of(WIRE_EXEC);
  process.header.kept = 8;
  process.arguments = 7;
  process.flags = WIRE_EXEC_CUT;
  const auto record = bytes_of(process, "/bin/catcat\0-n\0padding"s);
  const Decoded decoded = decode(record);
  const auto& body = std::get<ProcessStarted>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.executable, "/bin/cat");
  EXPECT_EQ(body.arguments, "cat\0-n\0"s);
  EXPECT_TRUE(body.arguments_cut);
  process.arguments = 0xfffffff8;  // with the path it is 0 again
  EXPECT_TRUE(std::holds_alternative<Malformed>(decode(bytes_of(process, "/bin/catcat"))));
}

wire_file file_of(std::string_view path) {
  wire_file file{};
  file.header = header_of(WIRE_FILE);
  file.header.kept = static_cast<__u32>(path.size());
  file.open_flags = 0x241;
  file.uid = 33;
  file.directory_fd = WIRE_FILE_AT_CWD;
  return file;
}

FileOpened opened(const std::vector<std::byte>& record) {
  const Decoded decoded = decode(record);
  return std::get<FileOpened>(std::get<DecodedEvent>(decoded).event.body);
}

TEST(Decode, AnOpenCarriesPathFlagsAndResult) {
  const auto record = bytes_of(file_of("/etc/x.pem"), "/etc/x.pem");
  const FileOpened body = opened(record);
  EXPECT_EQ(body.path, "/etc/x.pem");
  EXPECT_EQ(body.path.data(), as_text(record).data() + sizeof(wire_file));
  EXPECT_EQ(body.flags, 0x241u);
  EXPECT_EQ(body.error, 0);
  EXPECT_EQ(body.directory_fd, std::nullopt);
  EXPECT_FALSE(body.path_inferred);
  EXPECT_EQ(body.uid, 33u);
}

TEST(Decode, AnOpenThatFailedHasItsErrno) {
  wire_file file = file_of("x");
  for (const int error : {1, 2, 13, 4095}) {
    file.result = -error;
    EXPECT_EQ(opened(bytes_of(file, "x")).error, error);
  }
  file.result = 3;
  EXPECT_EQ(opened(bytes_of(file, "x")).error, 0);
  for (const __s32 nonsense : {-4096, std::numeric_limits<__s32>::min()}) {
    file.result = nonsense;
    EXPECT_TRUE(std::holds_alternative<Malformed>(decode(bytes_of(file, "x"))));
  }
}

TEST(Decode, ACallThatASignalEndedIsInterrupted) {
  wire_file file = file_of("x");
  for (const auto& [told, seen] : {std::pair{512, 4}, {516, 4}, {511, 511}, {517, 517}}) {
    file.result = -told;
    EXPECT_EQ(opened(bytes_of(file, "x")).error, seen);
  }
}

TEST(Decode, APathThatWasCutSaysSo) {
  wire_file file = file_of("/x");
  EXPECT_FALSE(opened(bytes_of(file, "/x")).path_cut);
  file.flags = WIRE_FILE_CUT;
  EXPECT_TRUE(opened(bytes_of(file, "/x")).path_cut);
}

TEST(Decode, TheDirectoryMattersOnlyToARelativePath) {
  wire_file file = file_of("x");
  EXPECT_EQ(opened(bytes_of(file, "x")).directory_fd, std::nullopt);
  file.directory_fd = 7;
  EXPECT_EQ(opened(bytes_of(file, "x")).directory_fd, 7);
  EXPECT_EQ(opened(bytes_of(file, "/")).directory_fd, std::nullopt);
  file.flags = WIRE_FILE_NO_MODE;
  EXPECT_EQ(opened(bytes_of(file, "x")).flags, std::nullopt);
}

wire_map map_of(std::string_view path) {
  wire_map map{};
  map.header = header_of(WIRE_MAP);
  map.header.kept = static_cast<__u32>(path.size());
  map.address = 0x7f0012340000;
  map.fd = 3;
  map.directory_fd = WIRE_FILE_AT_CWD;
  return map;
}

TEST(Decode, AMappingHasThePathOfItsOpen) {
  for (const std::string_view path : {"/usr/lib/libssl.so.3", "./libssl.so.3"}) {
    const auto record = bytes_of(map_of(path), path);
    const Decoded decoded = decode(record);
    const auto& body = std::get<LibraryMapped>(std::get<DecodedEvent>(decoded).event.body);
    EXPECT_EQ(body.path, path);
    EXPECT_FALSE(body.path_inferred);
  }
}

TEST(Decode, AMappingOfNoKnownFileMustBeLookedUp) {
  wire_map cut = map_of("/x"), below = map_of("x");
  cut.flags = WIRE_FILE_CUT;
  below.directory_fd = 7;
  for (const auto& record : {bytes_of(map_of("")), bytes_of(cut, "/x"), bytes_of(below, "x")}) {
    const Decoded decoded = decode(record);
    const auto* note = std::get_if<MappingNote>(&decoded);
    ASSERT_NE(note, nullptr);
    EXPECT_EQ(note->address, 0x7f0012340000u);
    EXPECT_EQ(note->who, (ProcessRef{41, 42}));
    EXPECT_EQ(note->at.ns, 1000u);
  }
}

TEST(Decode, AnExitIsByCodeBySignalOrUnknown) {
  const auto exit_with = [](int status) {
    wire_process process{};
    process.header = header_of(WIRE_EXIT);
    process.exit_code = status;
    const auto record = bytes_of(process);
    return std::get<ProcessExited>(std::get<DecodedEvent>(decode(record)).event.body);
  };
  EXPECT_EQ(exit_with(3 << 8).exit_code, 3);
  EXPECT_FALSE(exit_with(3 << 8).signal.has_value());
  EXPECT_EQ(exit_with(0).exit_code, 0);
  EXPECT_EQ(exit_with(9 | 0x80).signal, 9);
  EXPECT_FALSE(exit_with(9).exit_code.has_value());
  EXPECT_FALSE(exit_with(WIRE_EXIT_UNKNOWN).exit_code.has_value());
  EXPECT_FALSE(exit_with(WIRE_EXIT_UNKNOWN).signal.has_value());
}

TEST(Decode, OwnerComesWithWhatTheKernelSaidOfIt) {
  wire_process process{};
  process.header = header_of(WIRE_OWNER);
  process.uid = 1000;
  std::memcpy(process.comm, "curl", 4);
  const auto record = bytes_of(process);
  const Decoded decoded = decode(record);
  const auto& body = std::get<FlowUpdated>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.owner, (ProcessRef{41, 42}));
  EXPECT_EQ(body.owner_comm, "curl");
  EXPECT_EQ(body.owner_uid, 1000u);
}

TEST(Decode, PlaintextBelongsToItsSession) {
  wire_data data{header_of(WIRE_PLAIN), 12, 6};
  data.header.flow = 1ull << 63 | 5;
  data.header.kept = 3;
  data.header.rest = WIRE_REST_SNAP;
  // Such records are of few sizes, and longer than what they hold.
  const auto record = bytes_of(data, "abc, and what was there before");
  const Decoded decoded = decode(record);
  const auto& body = std::get<FlowData>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.flow.value, 1ull << 63 | 5);
  EXPECT_EQ(body.layer, Layer::tls_plaintext);
  EXPECT_EQ(body.offset, 12u);
  EXPECT_EQ(body.moved, 6u);
  EXPECT_EQ(as_text(body.bytes), "abc");
  EXPECT_EQ(body.rest, GapCause::snap_length);
}

TEST(Decode, ASessionHasItsConnectionAndOnlyWhatIsKnown) {
  const auto opened = [](std::uint64_t carrier, std::uint32_t flags, std::int32_t fd) {
    const wire_plain plain{header_of(WIRE_PLAIN_OPEN), carrier, flags, fd};
    const Decoded decoded = decode(bytes_of(plain));
    return std::get<PlaintextOpened>(std::get<DecodedEvent>(decoded).event.body);
  };
  const PlaintextOpened known = opened(9, WIRE_PLAIN_FROM_START, 0);
  EXPECT_EQ(known.session.value, 7u);
  EXPECT_EQ(known.flow.value, 9u);
  EXPECT_TRUE(known.from_start);
  EXPECT_EQ(known.fd, 0);
  const PlaintextOpened unknown = opened(0, 0, -1);
  EXPECT_EQ(unknown.flow.value, 0u);
  EXPECT_FALSE(unknown.from_start);
  EXPECT_EQ(unknown.fd, std::nullopt);
}

TEST(Decode, TheEndOfASessionHasNoWitness) {
  const Decoded decoded = decode(bytes_of(header_of(WIRE_PLAIN_CLOSE)));
  const auto& body = std::get<FlowClosed>(std::get<DecodedEvent>(decoded).event.body);
  EXPECT_EQ(body.flow.value, 7u);
  EXPECT_EQ(body.kernel_tx_bytes, std::nullopt);
  EXPECT_EQ(body.tx_end, std::nullopt);
}

TEST(Decode, EveryTruncationIsMalformedNotACrash) {
  wire_data data{header_of(WIRE_DATA), 0, 4};
  data.header.kept = 4;
  for (const auto& whole :
       {bytes_of(data, "abcd"), bytes_of(record_of<wire_process>(header_of(WIRE_EXEC))),
        bytes_of(record_of<wire_open>(header_of(WIRE_OPEN))), bytes_of(record_of<wire_end>(header_of(WIRE_CLOSE))),
        bytes_of(record_of<wire_fd>(header_of(WIRE_FD))), bytes_of(file_of("/a"), "/a"), bytes_of(map_of("/a"), "/a")})
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_TRUE(std::holds_alternative<Malformed>(decode(Bytes(whole).first(size)))) << size;
}

TEST(Decode, ContradictionsAreMalformed) {
  wire_data more_kept_than_moved{header_of(WIRE_DATA), 0, 2};
  more_kept_than_moved.header.kept = 4;
  EXPECT_TRUE(std::holds_alternative<Malformed>(decode(bytes_of(more_kept_than_moved, "abcd"))));
  wire_data nothing_moved{header_of(WIRE_DATA), 0, 0};
  EXPECT_TRUE(std::holds_alternative<Malformed>(decode(bytes_of(nothing_moved))));
  wire_header unknown = header_of(WIRE_DATA);
  unknown.kind = 999;
  EXPECT_TRUE(std::holds_alternative<Malformed>(decode(bytes_of(unknown))));
}

}  // namespace
}  // namespace tracer
