// Who may include whom, as docs/architecture.md says, checked by reading every #include of the tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {
namespace {

namespace fs = std::filesystem;
using Prefixes = std::vector<std::string_view>;

bool begins_with_any(std::string_view text, const Prefixes& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
}

// A folder and what of the project its files may include, besides that folder itself. The first row that fits a file
// counts.
struct Area {
  std::string_view folder;
  Prefixes may_include;
};
// Headers that lie directly in core/, by leaving out its folders with a rule of their own.
constexpr std::string_view core_contracts = "core/*.h";

const std::vector<Area>& areas() {
  static const std::vector<Area> list{
      {"core/base/", {core_contracts}},
      {"core/records/", {"core/base/", core_contracts}},
      {"core/asn1/", {"core/base/", "core/records/", core_contracts}},
      {"core/analyzers/tls/", {"core/base/", "core/records/", "core/asn1/", core_contracts}},
      {"core/analyzers/crypto/", {"core/base/", "core/records/", "core/asn1/", core_contracts}},
      {"core/analyzers/", {"core/base/", "core/records/", core_contracts}},
      {"core/sinks/", {"core/base/", "core/records/", core_contracts}},
      {"core/inventory/", {"core/base/", "core/records/", core_contracts}},
      {"core/exporters/", {"core/base/", "core/records/", "core/inventory/", "core/sinks/", core_contracts}},
      {"core/", {"core/"}},
      {"backends/bpf/", {"core/base/", core_contracts}},
      {"backends/ebpf/", {"core/base/", core_contracts, "backends/bpf/"}},
      {"backends/tracepoint/", {"core/base/", core_contracts, "backends/bpf/"}},
      {"backends/pcap/", {"core/base/", core_contracts}},
      {"backends/procfs/", {"core/base/", core_contracts}},
      {"probe-matrix/", {"core/base/", "core/capability.h", "core/backend.h", "core/records/trace_records.h"}},
      {"cli/", {"core/", "backends/", "probe-matrix/"}},
      {"bench/", {"core/", "backends/", "probe-matrix/", "tests/"}},
      {"tests/", {"core/", "backends/", "probe-matrix/", "cli/"}},
  };
  return list;
}

// A library and the folders that may see it. BPF C is not C++: it includes <bpf/bpf_helpers.h> wherever it lives.
struct Library {
  Prefixes headers;
  Prefixes users;
};
const std::vector<Library>& libraries() {
  static const std::vector<Library> list{
      {{"bpf/"}, {"backends/bpf/"}},
      {{"netlink/"}, {"backends/procfs/"}},
      {{"pcap.h", "pcap/"}, {"backends/pcap/"}},
      {{"nlohmann/"}, {"probe-matrix/", "cli/", "core/exporters/", "core/analyzers/crypto/", "bench/", "tests/"}},
      {{"openssl/"}, {"core/asn1/", "core/analyzers/tls/", "bench/", "tests/"}},
      {{"boost/program_options", "boost/asio"}, {"cli/", "bench/", "tests/"}},
      {{"boost/beast"}, {"tests/", "bench/"}},
      {{"gtest/", "gmock/"}, {"tests/"}},
      {{"benchmark/"}, {"bench/", "tests/"}},
  };
  return list;
}

bool is_bpf_source(std::string_view file) { return file.ends_with(".bpf.c") || file.ends_with(".bpf.h"); }

bool fits(std::string_view included, std::string_view allowed) {
  if (allowed != core_contracts) return included.starts_with(allowed);
  constexpr std::string_view folder = "core/";
  return included.starts_with(folder) && included.find('/', folder.size()) == std::string_view::npos;
}

// Why `file` may not include `included`; nothing if it may.
std::optional<std::string> objection(std::string_view file, std::string_view included, bool quoted) {
  if (!quoted) {
    if (is_bpf_source(file)) return std::nullopt;
    for (const Library& library : libraries())
      if (begins_with_any(included, library.headers) && !begins_with_any(file, library.users))
        return "this library belongs to other folders";
    return std::nullopt;
  }
  for (const Area& area : areas()) {
    if (!file.starts_with(area.folder)) continue;
    if (included.starts_with(area.folder)) return std::nullopt;
    if (std::ranges::any_of(area.may_include, [&](std::string_view allowed) { return fits(included, allowed); }))
      return std::nullopt;
    return "not in the list of what " + std::string(area.folder) + " may include";
  }
  return "this folder has no rule yet";
}

struct Include {
  std::string name;
  bool quoted = false;
};

std::optional<Include> parse_include(std::string_view line) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  constexpr std::string_view keyword = "include";
  if (!line.starts_with(keyword)) return std::nullopt;
  line.remove_prefix(keyword.size());
  skip_blanks();
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return std::nullopt;
  const bool quoted = line.front() == '"';
  line.remove_prefix(1);
  return Include{std::string(line.substr(0, line.find(quoted ? '"' : '>'))), quoted};
}

std::vector<fs::path> source_files(const fs::path& root) {
  std::vector<fs::path> files;
  for (const char* top : {"core", "backends", "probe-matrix", "cli", "bench", "tests"}) {
    if (!fs::exists(root / top)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension().string();
      if (entry.is_regular_file() && (extension == ".h" || extension == ".cpp" || extension == ".c"))
        files.push_back(entry.path());
    }
  }
  return files;
}

TEST(IncludeDirection, TheTreeFollowsTheRules) {
  const fs::path root(TRACER_SOURCE_DIR);
  const std::vector<fs::path> files = source_files(root);
  ASSERT_GT(files.size(), 20U) << "is " << root << " the project?";
  std::size_t seen = 0;
  for (const fs::path& path : files) {
    const std::string file = fs::relative(path, root).generic_string();
    std::ifstream stream(path);
    std::string line;
    for (std::size_t number = 1; std::getline(stream, line); ++number) {
      const std::optional<Include> include = parse_include(line);
      if (!include) continue;
      ++seen;
      if (const auto why = objection(file, include->name, include->quoted))
        ADD_FAILURE() << file << ":" << number << ": may not include " << include->name << ": " << *why;
      const fs::path target = root / include->name;
      const bool exists = fs::exists(target) || fs::exists(target.string() + ".in");  // made by CMake from a template
      EXPECT_TRUE(!include->quoted || exists)
          << file << ":" << number << ": " << include->name << " is not a path from the project's root";
    }
  }
  EXPECT_GT(seen, 50U);
}

struct Case {
  std::string_view file, included;
  bool quoted, allowed;
};

TEST(IncludeDirection, TheRulesSayWhatTheDesignSays) {
  constexpr bool quoted = true, angled = false, yes = true, no = false;
  for (const Case& one : std::initializer_list<Case>{
           {"core/pipeline.cpp", "core/analyzers/http/http_analyzer.h", quoted, yes},
           {"core/pipeline.cpp", "backends/bpf/loader.h", quoted, no},
           {"core/pipeline.cpp", "cli/options.h", quoted, no},
           {"core/pipeline.cpp", "probe-matrix/planner.h", quoted, no},
           {"core/base/names.cpp", "core/capability.h", quoted, yes},
           {"core/base/names.cpp", "core/sinks/json.h", quoted, no},
           {"core/sinks/json.cpp", "core/records/record.h", quoted, yes},
           {"core/sinks/json.cpp", "core/analyzers/http/http_parser.h", quoted, no},
           {"core/exporters/har.cpp", "core/analyzers/http/http_parser.h", quoted, no},
           {"core/analyzers/http/http_analyzer.cpp", "core/analyzer.h", quoted, yes},
           {"core/analyzers/http/http_analyzer.cpp", "core/sinks/json.h", quoted, no},
           {"core/analyzers/http/http_analyzer.cpp", "core/asn1/der.h", quoted, no},
           {"core/analyzers/crypto/registry.cpp", "core/asn1/der.h", quoted, yes},
           {"core/analyzers/crypto/registry.cpp", "core/analyzers/http/http_parser.h", quoted, no},
           {"core/analyzers/crypto/registry.cpp", "backends/procfs/file_source.h", quoted, no},
           {"core/asn1/x509.cpp", "core/analyzers/crypto/registry.h", quoted, no},
           {"core/exporters/profile.cpp", "core/inventory/inventory.h", quoted, yes},
           {"core/inventory/inventory.cpp", "core/exporters/profile.h", quoted, no},
           {"backends/tracepoint/open.cpp", "backends/bpf/loader.h", quoted, yes},
           {"backends/tracepoint/open.cpp", "backends/procfs/sockets.h", quoted, no},
           {"backends/tracepoint/open.cpp", "core/ownership.h", quoted, yes},
           {"backends/tracepoint/open.cpp", "core/analyzers/http/http_parser.h", quoted, no},
           {"backends/bpf/loader.cpp", "backends/tracepoint/open.h", quoted, no},
           {"backends/procfs/sockets.cpp", "cli/options.h", quoted, no},
           {"probe-matrix/planner.cpp", "core/capability.h", quoted, yes},
           {"probe-matrix/planner.cpp", "backends/bpf/loader.h", quoted, no},
           {"probe-matrix/planner.cpp", "core/event.h", quoted, no},
           {"cli/main.cpp", "backends/procfs/sockets.h", quoted, yes},
           {"vendored/x.cpp", "core/event.h", quoted, no},
           {"backends/bpf/loader.cpp", "bpf/libbpf.h", angled, yes},
           {"backends/tracepoint/open.cpp", "bpf/libbpf.h", angled, no},
           {"backends/tracepoint/floor.bpf.c", "bpf/bpf_helpers.h", angled, yes},
           {"probe-matrix/prober.cpp", "bpf/bpf.h", angled, no},
           {"backends/procfs/sockets.cpp", "netlink/netlink.h", angled, yes},
           {"probe-matrix/prober.cpp", "netlink/netlink.h", angled, no},
           {"backends/procfs/x.cpp", "pcap.h", angled, no},
           {"backends/pcap/live.cpp", "pcap/pcap.h", angled, yes},
           {"core/sinks/json.cpp", "nlohmann/json.hpp", angled, no},
           {"core/analyzers/crypto/registry_json.cpp", "nlohmann/json.hpp", angled, yes},
           {"core/analyzers/http/http_parser.cpp", "nlohmann/json.hpp", angled, no},
           {"core/asn1/digest.cpp", "openssl/sha.h", angled, yes},
           {"core/sinks/json.cpp", "openssl/sha.h", angled, no},
           {"probe-matrix/report_json.cpp", "nlohmann/json.hpp", angled, yes},
           {"core/pipeline.cpp", "boost/asio.hpp", angled, no},
           {"core/pipeline.cpp", "vector", angled, yes},
       })
    EXPECT_EQ(!objection(one.file, one.included, one.quoted).has_value(), one.allowed)
        << one.file << " → " << one.included;
}

TEST(IncludeDirection, ReadsDirectives) {
  EXPECT_EQ(parse_include("  #  include \"a/b.h\"  // why")->name, "a/b.h");
  EXPECT_FALSE(parse_include("#include <vector>")->quoted);
  EXPECT_FALSE(parse_include("// #include \"a.h\""));
  EXPECT_FALSE(parse_include("#define X"));
  EXPECT_FALSE(parse_include("#include MACRO"));
}

}  // namespace
}  // namespace tracer
