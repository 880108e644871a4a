#include "backends/ebpf/kernel_functions.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/btf_ids.h"

namespace tracer {
namespace {

// Type information that knows these functions, with so many parameters each.
std::string types_with(const std::vector<std::pair<std::string_view, std::uint32_t>>& functions) {
  constexpr std::uint32_t function_kind = 12u << 24, prototype_kind = 13u << 24, parameter_words = 2;
  std::string strings(1, '\0');
  std::vector<std::uint32_t> types;
  std::uint32_t id = 0;
  for (const auto& [name, parameters] : functions) {
    types.insert(types.end(), {0, prototype_kind | parameters, 0});
    types.insert(types.end(), parameter_words * parameters, 0);
    ++id;
    types.insert(types.end(), {static_cast<std::uint32_t>(strings.size()), function_kind, id});
    ++id;
    strings.append(name).push_back('\0');
  }
  const auto type_bytes = static_cast<std::uint32_t>(types.size() * sizeof(std::uint32_t));
  const std::uint32_t header[] = {0x0001eb9f, 24,         0,
                                  type_bytes, type_bytes, static_cast<std::uint32_t>(strings.size())};
  std::string image(reinterpret_cast<const char*>(header), sizeof header);
  image.append(reinterpret_cast<const char*>(types.data()), type_bytes);
  return image + strings;
}

Result<KernelFunctions> functions_of(const std::vector<std::pair<std::string_view, std::uint32_t>>& functions) {
  const std::string image = types_with(functions);
  return find_kernel_functions(as_bytes(image));
}

TEST(KernelFunctions, TheFormsThatTcpRecvmsgHasHad) {
  EXPECT_EQ(receive_flags_argument(6), 4U);  // until 5.18
  EXPECT_EQ(receive_flags_argument(5), 3U);  // until 7.0
  EXPECT_EQ(receive_flags_argument(4), 3U);
  for (const std::uint32_t unknown : {0U, 3U, 7U, 65535U}) EXPECT_FALSE(receive_flags_argument(unknown)) << unknown;
}

TEST(KernelFunctions, AnOldKernelHasSendpage) {
  const auto old = functions_of({{"tcp_sendmsg_locked", 3}, {"tcp_recvmsg", 6}, {"tcp_sendpage", 5}});
  ASSERT_TRUE(old) << old.error().context;
  EXPECT_TRUE(old->sendpage);
  EXPECT_FALSE(old->rdonly_cast);
  EXPECT_EQ(old->receive_flags_argument, 4U);
  const auto fresh =
      functions_of({{"tcp_recvmsg", 4}, {"tcp_sendmsg_locked", 3}, {"tcp_sendpage_x", 5}, {"bpf_rdonly_cast", 2}});
  ASSERT_TRUE(fresh) << fresh.error().context;
  EXPECT_FALSE(fresh->sendpage);
  EXPECT_TRUE(fresh->rdonly_cast);
  EXPECT_EQ(fresh->receive_flags_argument, 3U);
}

TEST(KernelFunctions, WhatIsNotThereIsNamed) {
  const auto no_send = functions_of({{"tcp_recvmsg", 5}});
  ASSERT_FALSE(no_send);
  EXPECT_EQ(no_send.error().code, Errc::not_supported);
  EXPECT_NE(no_send.error().context.find("tcp_sendmsg_locked"), std::string::npos) << no_send.error().context;
  const auto shape = functions_of({{"tcp_recvmsg", 9}, {"tcp_sendmsg_locked", 3}});
  ASSERT_FALSE(shape);
  EXPECT_EQ(shape.error().code, Errc::not_supported);
  EXPECT_NE(shape.error().context.find("takes 9 parameters"), std::string::npos) << shape.error().context;
  EXPECT_EQ(find_kernel_functions({}).error().code, Errc::malformed);
}

TEST(KernelFunctions, OfThisMachine) {
  std::ifstream file(kernel_types_path, std::ios::binary);
  if (!file) GTEST_SKIP() << "this kernel carries no type information";
  const std::string image((std::istreambuf_iterator<char>(file)), {});
  const auto found = find_kernel_functions(as_bytes(image));
  ASSERT_TRUE(found) << found.error().context;
  EXPECT_TRUE(found->receive_flags_argument == 3 || found->receive_flags_argument == 4);
}

}  // namespace
}  // namespace tracer
