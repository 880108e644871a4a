// Where fields lie on kernels of other times, by tests/fixtures/event-formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "backends/tracepoint/ring_page.h"
#include "backends/tracepoint/trace_layout.h"
#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

// By the name of the event; "header_page" is among them.
std::map<std::string, std::string> read_shapes(const std::string& kernel) {
  std::ifstream file(TRACER_EVENT_FORMATS "/" + kernel + ".txt");
  std::map<std::string, std::string> shapes;
  std::string name;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("== "))
      name = line.substr(3);
    else
      shapes[name] += line + "\n";
  }
  return shapes;
}

struct Kernel {
  const char* name;
  std::uint32_t begin = 8;  // where the first field of an event lies that may lie anywhere
  bool socket_states = true;
  bool syscalls = true;
  std::uint32_t remote_address = 56;  // daddr_v6
  std::uint32_t protocol_size = 2;
};

void PrintTo(const Kernel& kernel, std::ostream* out) { *out << kernel.name; }

class EventShapes : public testing::TestWithParam<Kernel> {
 protected:
  // The id is the row's place.
  bool add(std::string_view event) {
    const auto found = shapes_.find(std::string(event));
    if (found == shapes_.end()) return false;
    const auto format = parse_event_format(found->second);
    EXPECT_TRUE(format) << event;
    std::uint16_t id = 0;
    for (const TraceEventRow& row : trace_events()) {
      ++id;
      if (row.name == event && format) return layout_.add(row, id, *format);
    }
    return false;
  }
  static std::uint16_t id_of(std::string_view event) {
    std::uint16_t id = 1;
    for (const TraceEventRow& row : trace_events()) {
      if (row.name == event) break;
      ++id;
    }
    return id;
  }
  const TraceEvent* event(std::string_view name) { return layout_.find(ByteWriter().put(id_of(name)).bytes()); }
  std::uint32_t offset(std::string_view name, std::size_t field) {
    const TraceEvent* found = event(name);
    return found != nullptr && found->fields[field] ? found->fields[field]->offset : 0;
  }

  const std::map<std::string, std::string> shapes_ = read_shapes(GetParam().name);
  TraceLayout layout_;
};

TEST_P(EventShapes, ProcessesAreTold) {
  ASSERT_TRUE(add("sched/sched_process_exec"));
  ASSERT_TRUE(add("sched/sched_process_exit"));
  ASSERT_TRUE(add("task/task_newtask"));
  EXPECT_EQ(offset("sched/sched_process_exec", exec_filename), GetParam().begin);
  EXPECT_EQ(offset("sched/sched_process_exit", exit_tid), GetParam().begin + 16);
  EXPECT_EQ(offset("task/task_newtask", new_task_tid), GetParam().begin);
  EXPECT_EQ(event("task/task_newtask")->fields[new_task_flags]->size, 8U);
  EXPECT_FALSE(event("sched/sched_process_exit")->fields[exit_group_dead]);  // 6.16
}

TEST_P(EventShapes, AnExecutablesNameIsFoundInARecord) {
  ASSERT_TRUE(add("sched/sched_process_exec"));
  ByteWriter raw;
  raw.put(id_of("sched/sched_process_exec")).put(std::uint16_t{0}).put(std::uint32_t{77});
  while (raw.size() < GetParam().begin) raw.put(std::uint8_t{0xa5});  // padding of real-time kernels
  const auto text_at = static_cast<std::uint32_t>(raw.size() + 12);
  raw.put(text_at | 8U << 16U).put(std::uint32_t{77}).put(std::uint32_t{77}).put_text(std::string_view("/bin/sh\0", 8));
  EXPECT_EQ(event("sched/sched_process_exec")->text(raw.bytes(), exec_filename), "/bin/sh");
  EXPECT_EQ(common_tid(raw.bytes()), 77U);
}

TEST_P(EventShapes, OpenedFilesAreToldWhereSystemCallsAreEvents) {
  EXPECT_EQ(add("syscalls/sys_enter_openat"), GetParam().syscalls);
  EXPECT_EQ(add("syscalls/sys_exit_openat"), GetParam().syscalls);
  EXPECT_TRUE(shapes_.contains("raw_syscalls/sys_enter"));
  if (!GetParam().syscalls) return;
  // Arguments have eight bytes each, whatever their type is.
  EXPECT_EQ(offset("syscalls/sys_enter_openat", open_flags), 32U);
  EXPECT_EQ(event("syscalls/sys_enter_openat")->fields[open_flags]->size, 8U);
  EXPECT_EQ(offset("syscalls/sys_exit_openat", open_result), 16U);
  EXPECT_FALSE(event("syscalls/sys_enter_openat")->fields[open_path]);  // 6.19
  const auto read = parse_event_format(shapes_.at("syscalls/sys_enter_read"));
  ASSERT_TRUE(read);
  for (const auto& [name, at] : {std::pair{"fd", 16U}, {"buf", 24U}, {"count", 32U}}) {
    ASSERT_NE(read->find(name), nullptr) << name;
    EXPECT_EQ(read->find(name)->offset, at);
    EXPECT_EQ(read->find(name)->size, 8U);
  }
}

TEST_P(EventShapes, SocketStatesAreToldFrom4_16On) {
  constexpr std::string_view name = "sock/inet_sock_set_state";
  ASSERT_EQ(add(name), GetParam().socket_states);
  EXPECT_EQ(shapes_.contains("tcp/tcp_destroy_sock"), GetParam().socket_states);
  if (!GetParam().socket_states) return;
  EXPECT_EQ(event(name)->fields[state_protocol]->size, GetParam().protocol_size);
  EXPECT_EQ(offset(name, state_remote), GetParam().remote_address);
  ByteWriter raw;
  raw.put(id_of(name));
  while (raw.size() < GetParam().remote_address + 16) raw.put(static_cast<std::uint8_t>(raw.size()));
  const auto address = event(name)->bytes(raw.bytes(), state_remote);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->size(), 16U);
  EXPECT_EQ(std::to_integer<std::uint32_t>(address->front()), GetParam().remote_address);
  const std::uint64_t protocol = *event(name)->number(raw.bytes(), state_protocol);
  const std::uint32_t at = offset(name, state_protocol);
  EXPECT_EQ(protocol, GetParam().protocol_size == 1 ? at : at | (at + 1) << 8U);
}

TEST_P(EventShapes, PagesOfTheBufferHaveOneLayout) {
  const auto layout = parse_ring_page_layout(shapes_.at("header_page"));
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->data, 16U);
  EXPECT_EQ(layout->commit_size, 8U);
  EXPECT_EQ(layout->page, 4096U);
}

const Kernel kernels[] = {
    {.name = "3.10", .socket_states = false},
    {.name = "4.14", .socket_states = false},
    {.name = "4.18", .remote_address = 55, .protocol_size = 1},
    {.name = "4.18-no-ftrace-syscalls", .syscalls = false, .remote_address = 55, .protocol_size = 1},
    {.name = "5.10-cloud"},
    {.name = "5.10-rt", .begin = 12, .remote_address = 64},
    {.name = "6.1-rt", .begin = 12, .remote_address = 64},
};

std::string name_of(const testing::TestParamInfo<Kernel>& info) {
  std::string name = "k" + std::string(info.param.name);
  for (char& each : name)
    if (each == '.' || each == '-') each = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(On, EventShapes, testing::ValuesIn(kernels), name_of);

}  // namespace
}  // namespace tracer
