#include "backends/bpf/decode.h"

#include <gtest/gtest.h>

#include <cstring>
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
  const auto record = bytes_of(process);
  EXPECT_EQ(std::get<ProcessStarted>(std::get<DecodedEvent>(decode(record)).event.body).parent_tgid, 17u);
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

TEST(Decode, EveryTruncationIsMalformedNotACrash) {
  wire_data data{header_of(WIRE_DATA), 0, 4};
  data.header.kept = 4;
  for (const auto& whole :
       {bytes_of(data, "abcd"), bytes_of(record_of<wire_process>(header_of(WIRE_EXEC))),
        bytes_of(record_of<wire_open>(header_of(WIRE_OPEN))), bytes_of(record_of<wire_end>(header_of(WIRE_CLOSE))),
        bytes_of(record_of<wire_fd>(header_of(WIRE_FD)))})
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
