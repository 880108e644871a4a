#include "cli/filters.h"
#include "core/base/glob.h"

#include <gtest/gtest.h>

#include "cli/values.h"

namespace tracer::cli {
namespace {

std::shared_ptr<const ProcessFacts> process(std::uint32_t pid, std::string comm, std::string executable) {
  auto facts = std::make_shared<ProcessFacts>();
  facts->tgid = pid + 1000;  // numbered differently outside
  facts->local_pid = pid;
  facts->comm = std::move(comm);
  facts->executable = std::move(executable);
  return facts;
}

Endpoint endpoint(std::string_view address, std::uint16_t port) {
  return {parse_address_range(address)->address, port};
}

TextSlice append(HttpMessage& message, std::string_view text) {
  const TextSlice slice{static_cast<std::uint32_t>(message.text.size()), static_cast<std::uint32_t>(text.size())};
  message.text += text;
  return slice;
}

// curl (pid 10, 10.1.1.1) asks nginx (pid 20, [2001:db8::1]:8080).
Record transaction(std::string_view target = "/api/v1/users?token=/x", std::string_view host = "Example.org:8080",
                   std::uint16_t status = 503, std::string_view method = "GET") {
  HttpTransaction http;
  http.flow.client = {endpoint("10.1.1.1", 40000), process(10, "curl", "/usr/bin/curl")};
  http.flow.server = {endpoint("2001:db8::1", 8080), process(20, "nginx", "/usr/sbin/nginx")};
  http.request.present = true;
  http.request.method = append(http.request, method);
  http.request.url = append(http.request, target);
  if (!host.empty()) http.request.headers.push_back({append(http.request, "Host"), append(http.request, host)});
  http.response.present = status != 0;
  http.response.status_code = status;
  Record record;
  record.body = std::move(http);
  return record;
}

bool passes(FilterOptions options, const Record& record = transaction()) {
  return Filters(std::move(options)).pass(record);
}

FilterOptions host(std::string value) { return {.hosts = {std::move(value)}}; }
FilterOptions path(std::string value) { return {.paths = {std::move(value)}}; }

TEST(Filters, WithoutAnyEverythingPasses) { EXPECT_TRUE(passes({})); }

TEST(Filters, AProcessByItselfHasNoAddressToMatch) {
  Record record;
  record.body = ProcessExit{process(10, "curl", "/usr/bin/curl"), 0, {}};
  EXPECT_TRUE(passes({}, record));
  EXPECT_TRUE(passes({.pids = {10}}, record));
  EXPECT_FALSE(passes({.pids = {20}}, record));
  EXPECT_TRUE(passes({.names = {"curl"}}, record));
  EXPECT_FALSE(passes({.ports = {8080}}, record));
  EXPECT_FALSE(passes(path("/"), record));
}

TEST(Filters, PidIsThatOfEitherEndAsTheUserSeesIt) {
  EXPECT_TRUE(passes({.pids = {10}}));
  EXPECT_TRUE(passes({.pids = {20}}));
  EXPECT_TRUE(passes({.pids = {1, 20}}));
  EXPECT_FALSE(passes({.pids = {30}}));
  EXPECT_FALSE(passes({.pids = {1020}})) << "a number of another pid namespace";
}

TEST(Filters, NameIsPartOfCommOrExecutableInAnyCase) {
  EXPECT_TRUE(passes({.names = {"url"}}));
  EXPECT_TRUE(passes({.names = {"/sbin/ng"}}));
  EXPECT_FALSE(passes({.names = {"apache"}}));
  Record record = transaction();
  std::get<HttpTransaction>(record.body).flow.client.process = process(1, "MyClient", "/opt/App");
  EXPECT_TRUE(passes({.names = {"myclient"}}, record));
  EXPECT_TRUE(passes({.names = {"/app"}}, record));
}

TEST(Filters, PortIsTheServers) {
  EXPECT_TRUE(passes({.ports = {8080}}));
  EXPECT_FALSE(passes({.ports = {40000}}));
}

TEST(Filters, AddressIsThatOfEitherEnd) {
  EXPECT_TRUE(passes({.addresses = {*parse_address_range("10.0.0.0/8")}}));
  EXPECT_TRUE(passes({.addresses = {*parse_address_range("2001:db8::/32")}}));
  EXPECT_FALSE(passes({.addresses = {*parse_address_range("192.168.0.0/16")}}));
}

TEST(Filters, HostIsTheAuthority) {
  EXPECT_TRUE(passes(host("example.org")));
  EXPECT_TRUE(passes(host("example.org:8080")));
  EXPECT_FALSE(passes(host("example.org:80")));
  EXPECT_TRUE(passes(host("*.org")));
  EXPECT_FALSE(passes(host("example")));
  EXPECT_TRUE(passes(host("other.net"), transaction("http://other.net/x"))) << "absolute-form wins over Host";
  EXPECT_FALSE(passes(host("example.org"), transaction("http://other.net/x")));
  EXPECT_TRUE(passes(host("::1"), transaction("/", "[::1]:80")));
  EXPECT_TRUE(passes(host("[::1]"), transaction("/", "[::1]:80")));
  EXPECT_FALSE(passes(host("[::1]:81"), transaction("/", "[::1]:80")));
  EXPECT_FALSE(passes(host("*"), transaction("/", ""))) << "what is not known does not match";
  EXPECT_TRUE(passes(host("proxy.net"), transaction("proxy.net:443", "", 200, "CONNECT")));
}

TEST(Filters, PathIsWithoutTheQuery) {
  EXPECT_TRUE(passes(path("/api/v1/users")));
  EXPECT_TRUE(passes(path("/api/*")));
  EXPECT_TRUE(passes(path("*users"))) << "the star crosses slashes";
  EXPECT_FALSE(passes(path("*x"))) << "the query is not part of it";
  EXPECT_TRUE(passes(path("/a"), transaction("http://h/a?b")));
  EXPECT_TRUE(passes(path("/"), transaction("http://h")));
  EXPECT_FALSE(passes(path("*"), transaction("h:443", "", 200, "CONNECT")));
}

TEST(Filters, Status) {
  EXPECT_TRUE(passes({.statuses = {{500, 599}}}));
  EXPECT_TRUE(passes({.statuses = {{404, 404}, {503, 503}}}));
  EXPECT_FALSE(passes({.statuses = {{400, 499}}}));
  EXPECT_FALSE(passes({.statuses = {{100, 999}}}, transaction("/", "h", 0))) << "no response";
}

// Redaction comes after: a user may look for what is not shown to him.
TEST(Filters, SeeRawValues) {
  const Record record = transaction("/home/alice/secret", "user:password@example.org");
  EXPECT_TRUE(passes(path("/home/alice/*"), record));
  EXPECT_TRUE(passes(host("example.org"), record));
}

TEST(Filters, AllMustHold) {
  const FilterOptions both{.pids = {10}, .statuses = {{500, 599}}};
  EXPECT_TRUE(passes(both));
  EXPECT_FALSE(passes(both, transaction("/", "h", 200)));
}

TEST(Filters, ConnectionsHaveEndsButNoTransaction) {
  Record record;
  ConnectionSummary connection;
  connection.flow.server = {endpoint("127.0.0.1", 443), process(20, "nginx", "/usr/sbin/nginx")};
  record.body = connection;
  EXPECT_TRUE(passes({.names = {"nginx"}}, record));
  EXPECT_TRUE(passes({.ports = {443}}, record));
  EXPECT_FALSE(passes(path("*"), record));
  EXPECT_FALSE(passes({.statuses = {{200, 200}}}, record));
}

// Read in clear through a memory BIO: who is known, and from where to where not.
TEST(Filters, WithoutAddressesOnlyFiltersThatAskForSomeRefuse) {
  Record record = transaction();
  auto& http = std::get<HttpTransaction>(record.body);
  http.flow.client.endpoint.reset();
  http.flow.server = {};
  EXPECT_TRUE(passes({.pids = {10}}, record));
  EXPECT_TRUE(passes({.names = {"curl"}}, record));
  EXPECT_TRUE(passes(host("example.org"), record));
  EXPECT_TRUE(passes({.statuses = {{500, 599}}}, record));
  EXPECT_FALSE(passes({.ports = {8080}}, record));
  EXPECT_FALSE(passes({.addresses = {*parse_address_range("0.0.0.0/0")}}, record));
}

TEST(Filters, UnknownEndsDoNotHold) {
  Record record;
  record.body = ConnectionSummary{};
  EXPECT_FALSE(passes({.pids = {1}}, record));
  EXPECT_FALSE(passes({.names = {"a"}}, record));
  EXPECT_FALSE(passes({.ports = {80}}, record));
  EXPECT_FALSE(passes({.addresses = {*parse_address_range("::/0")}}, record));
}

TEST(Filters, RecordsAboutTheTraceAlwaysPassAndAreNotCounted) {
  Filters filters({.pids = {1}});
  Record record;
  record.body = TraceEnd{};
  EXPECT_TRUE(filters.pass(record));
  EXPECT_EQ(filters.counts().seen, 0u);
}

TEST(Filters, NameTheFilterAtWhichEveryRecordDies) {
  Filters filters({.ports = {8080}, .statuses = {{404, 404}}});
  EXPECT_FALSE(filters.culprit()) << "nothing was seen";
  EXPECT_FALSE(filters.pass(transaction()));
  EXPECT_FALSE(filters.pass(transaction("/", "h", 200)));
  EXPECT_EQ(filters.counts().seen, 2u);
  EXPECT_EQ(filters.counts().dropped, 2u);
  ASSERT_TRUE(filters.culprit());
  EXPECT_EQ(option_of(*filters.culprit()), "--status");
  EXPECT_TRUE(filters.pass(transaction("/", "h", 404)));
  EXPECT_FALSE(filters.culprit());
  EXPECT_EQ(filters.counts().dropped, 2u);
}

struct GlobCase {
  std::string_view pattern, text;
  bool matches;
};

TEST(Glob, Table) {
  const GlobCase cases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a/b", true},
      {"a", "a", true},
      {"a", "b", false},
      {"a*c", "abbc", true},
      {"a*c", "abcd", false},
      {"*a*b", "xaxaxb", true},
      {"?", "a", true},
      {"?", "", false},
      {"/?/b", "/a/b", true},
      {"[ab]c", "bc", true},
      {"[!ab]c", "bc", false},
      {"[^ab]c", "cc", true},
      {"[a-c]", "b", true},
      {"[a-c]", "d", false},
      {"[]]", "]", true},
      {"[a", "[a", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"a\\", "a\\", true},
      {"**", "abc", true},
      {"*.js", "/a/b.js", true},
      {"*.js", "/a/b.jsx", false},
      {"[a-]", "-", true},
  };
  for (const GlobCase& test : cases)
    EXPECT_EQ(glob_match(test.pattern, test.text), test.matches) << test.pattern << " on " << test.text;
}

TEST(Glob, HostilePatternsEnd) {
  const std::string text(2000, 'a');
  EXPECT_FALSE(glob_match("*a*a*a*a*a*a*a*a*a*a*b", text));
}

Record of_body(decltype(Record::body) body) {
  Record record;
  record.body = std::move(body);
  return record;
}

TEST(Filters, LibrariesByPartOfTheirPathOrByGlob) {
  const auto passes = [](std::string wanted, std::string path) {
    FilterOptions options;
    options.libraries = {std::move(wanted)};
    LibLoad load;
    load.library = path;
    ApiCall call;
    call.library = path;
    Filters filters(std::move(options));
    const bool loaded = filters.pass(of_body(load));
    EXPECT_EQ(filters.pass(of_body(call)), loaded);
    EXPECT_FALSE(filters.pass(of_body(FileOpen{}))) << "a file is no library";
    return loaded;
  };
  EXPECT_TRUE(passes("libssl", "/lib/libssl.so.3"));
  EXPECT_TRUE(passes("/lib/", "/lib/libssl.so.3"));
  EXPECT_FALSE(passes("libcrypto", "/lib/libssl.so.3"));
  EXPECT_TRUE(passes("libssl.so.?", "/lib/libssl.so.3")) << "a glob may be of the name";
  EXPECT_TRUE(passes("/lib/*", "/lib/libssl.so.3")) << "or of the path";
  EXPECT_FALSE(passes("ssl.*", "/lib/libssl.so.3")) << "but of all of it";
}

TEST(Filters, FilesByThePathAsGivenAndTheOneItLedTo) {
  FilterOptions options;
  options.files = {"/etc/ssl/*"};
  Filters filters(std::move(options));
  FileOpen open;
  open.file = "/etc/ssl/a/b.pem";
  EXPECT_TRUE(filters.pass(of_body(open))) << "* crosses /";
  open.file = "b.pem";
  EXPECT_FALSE(filters.pass(of_body(open)));
  open.finding.path = "/etc/ssl/b.pem";
  EXPECT_TRUE(filters.pass(of_body(open)));
  EXPECT_FALSE(filters.pass(of_body(ProcessExec{})));
  EXPECT_EQ(filters.culprit(), std::nullopt);
}

TEST(Filters, ADocumentKeepsItsProcesses) {
  FilterOptions options;
  options.files = {"*.pem"};
  options.libraries = {"libssl"};
  options.keep_processes = true;
  Filters filters(std::move(options));
  EXPECT_TRUE(filters.pass(of_body(ProcessExec{})));
  EXPECT_TRUE(filters.pass(of_body(ProcessExit{})));
  EXPECT_FALSE(filters.pass(of_body(LibLoad{})));
}

TEST(Filters, AHostIsAlsoTheNameInAHandshake) {
  FilterOptions options;
  options.hosts = {"*.example.org"};
  Filters filters(std::move(options));
  TlsHandshake handshake;
  EXPECT_FALSE(filters.pass(of_body(handshake)));
  handshake.sni = "WWW.example.org";
  EXPECT_TRUE(filters.pass(of_body(handshake)));
  handshake.sni = "example.com";
  EXPECT_FALSE(filters.pass(of_body(handshake)));
  FilterOptions path;
  path.paths = {"*"};
  EXPECT_FALSE(Filters(std::move(path)).pass(of_body(handshake))) << "it has none";
}

TEST(Filters, SilenceNamesTheFilterOfFiles) {
  FilterOptions options;
  options.files = {"*.pem"};
  Filters filters(std::move(options));
  FileOpen open;
  open.file = "/x.key";
  (void)filters.pass(of_body(open));
  EXPECT_EQ(filters.culprit(), FilterKind::file);
  EXPECT_EQ(option_of(FilterKind::file), "--file");
  EXPECT_EQ(option_of(FilterKind::library), "--library");
}

}  // namespace
}  // namespace tracer::cli
