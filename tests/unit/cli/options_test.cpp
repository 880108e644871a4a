#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/option_table.h"
#include "cli/suggest.h"
#include "cli/values.h"

namespace tracer::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Result<Options> parse(std::vector<std::string> args) { return parse_options(args); }

Options good(std::vector<std::string> args) {
  auto parsed = parse(std::move(args));
  EXPECT_TRUE(parsed) << parsed.error().context;
  return parsed.value_or(Options{});
}

struct BadCase {
  std::vector<std::string> args;
  std::string what;        // part of the message
  std::string suggestion;  // exactly
};

TEST(Options, DefaultsTraceWhatIsInPlaintextAndEncrypted) {
  const Options options = good({});
  EXPECT_EQ(options.command, Command::trace);
  EXPECT_THAT(options.show, ElementsAre(Facet::http, Facet::tls, Facet::https));
  EXPECT_FALSE(options.show_given);
  EXPECT_FALSE(options.format);
  EXPECT_FALSE(options.duration);
  EXPECT_FALSE(options.count);
  EXPECT_FALSE(options.ring_kib);
  EXPECT_TRUE(options.meta);
  EXPECT_TRUE(options.redact);
  EXPECT_FALSE(options.strict || options.fail_on_loss || options.quiet || options.verbose);
  EXPECT_THAT(options.backends, IsEmpty());
  EXPECT_THAT(options.filters.pids, IsEmpty());
}

TEST(Options, AutoIsTheDefaultSpelledOut) { EXPECT_EQ(good({"--auto"}).command, Command::trace); }

TEST(Options, Choice) {
  const Options options =
      good({"--backend", "tracepoint,pcap", "--mechanism=tp-btf", "--without", "btf,bpf_ring_buffer",
            "--without=kprobe", "--strict", "--require", "http=tracepoint", "--require", "tls", "--show", "http,file"});
  EXPECT_THAT(options.backends, ElementsAre(BackendKind::tracepoint, BackendKind::pcap));
  EXPECT_EQ(options.mechanism, Mechanism::tp_btf);
  EXPECT_THAT(options.without, ElementsAre(Capability::btf, Capability::bpf_ring_buffer, Capability::kprobe));
  EXPECT_TRUE(options.strict);
  ASSERT_EQ(options.required.size(), 2u);
  EXPECT_EQ(options.required[0].facet, Facet::http);
  EXPECT_EQ(options.required[0].backend, BackendKind::tracepoint);
  EXPECT_EQ(options.required[1].facet, Facet::tls);
  EXPECT_FALSE(options.required[1].backend);
  EXPECT_THAT(options.show, ElementsAre(Facet::http, Facet::file));
  EXPECT_TRUE(options.show_given);
  EXPECT_EQ(good({"--show", "all"}).show.size(), facet_count);
}

TEST(Options, Filters) {
  const FilterOptions filters =
      good({"-p", "1", "-p2,3", "-n", "NGinx", "--port", "80,8080", "--addr", "10.0.0.0/8", "--addr=::1", "--host",
            "Example.ORG", "--path", "/a*", "--path", "*.js", "--status", "5xx,404"})
          .filters;
  EXPECT_THAT(filters.pids, ElementsAre(1, 2, 3));
  EXPECT_THAT(filters.names, ElementsAre("nginx"));
  EXPECT_THAT(filters.ports, ElementsAre(80, 8080));
  EXPECT_THAT(filters.hosts, ElementsAre("example.org"));
  EXPECT_THAT(filters.paths, ElementsAre("/a*", "*.js"));
  EXPECT_THAT(filters.statuses, ElementsAre(StatusRange{500, 599}, StatusRange{404, 404}));
  ASSERT_EQ(filters.addresses.size(), 2u);
  EXPECT_EQ(filters.addresses[0].prefix_bits, 104u);
  EXPECT_EQ(filters.addresses[1].prefix_bits, 128u);
}

TEST(Options, OutputAndTalk) {
  const Options options = good({"-f", "json-lines", "-o", "x.json", "-d", "1.5", "--count", "7", "--no-meta",
                                "--no-redact", "--fail-on-loss", "--ring-kib", "64", "-q"});
  EXPECT_EQ(options.format, Format::json_stream);
  EXPECT_EQ(options.output_path, "x.json");
  EXPECT_EQ(options.duration, std::chrono::milliseconds(1500));
  EXPECT_EQ(options.count, 7u);
  EXPECT_FALSE(options.meta);
  EXPECT_FALSE(options.redact);
  EXPECT_TRUE(options.fail_on_loss);
  EXPECT_EQ(options.ring_kib, 64u);
  EXPECT_TRUE(options.quiet);
  EXPECT_TRUE(good({"-v"}).verbose);
  EXPECT_EQ(good({"-ftext"}).format, Format::text);
  EXPECT_EQ(good({"--format=json-stream"}).format, Format::json_stream);
  EXPECT_EQ(good({"-o", "-"}).output_path, "");
  EXPECT_FALSE(good({"-d0"}).duration) << "0 means for ever";
  EXPECT_EQ(good({"-d", "0.0001"}).duration, std::chrono::milliseconds(1)) << "never rounded down to for ever";
}

TEST(Options, Commands) {
  EXPECT_EQ(good({"help"}).command, Command::help);
  EXPECT_EQ(good({"help", "licenses"}).help_topic, "licenses");
  EXPECT_EQ(good({"-h"}).command, Command::help);
  EXPECT_EQ(good({"--help"}).command, Command::help);
  EXPECT_EQ(good({"version"}).command, Command::version);
  EXPECT_EQ(good({"-V"}).command, Command::version);
  EXPECT_EQ(good({"licenses"}).command, Command::licenses);
  EXPECT_EQ(good({"-q", "version"}).command, Command::version);
  EXPECT_EQ(good({"-h", "--no-such-option"}).command, Command::help) << "help wins over what comes after it";
}

TEST(Options, HelpBehindACommandIsAboutThatCommand) {
  const Options options = good({"files", "--file", "x", "-h", "--qqq"});
  EXPECT_EQ(options.command, Command::help);
  EXPECT_EQ(options.help_topic, "files");
  EXPECT_EQ(good({"--help"}).help_topic, "");
  EXPECT_EQ(good({"help", "libs"}).help_topic, "libs");
  EXPECT_EQ(good({"help", "--help"}).help_topic, "");
}

// A filter needs one facet that it can choose among; records of the others do not pass it.
TEST(Options, AFilterIsForSomeOfWhatIsShown) {
  EXPECT_EQ(good({"monitor", "--port", "443"}).filters.ports.size(), 1u);
  EXPECT_EQ(good({"--show", "http,file", "-F", "*.pem"}).filters.files.size(), 1u);
  EXPECT_EQ(good({"--show", "connection", "--addr", "::1"}).filters.addresses.size(), 1u);
  EXPECT_EQ(good({"replay", "x", "--status", "5xx"}).filters.statuses.size(), 1u);
}

TEST(Options, CommandsOfTheCryptoSideShowTheirOwn) {
  EXPECT_THAT(good({"monitor"}).show, ElementsAre(Facet::tls, Facet::file, Facet::library, Facet::crypto_api));
  EXPECT_THAT(good({"profile", "-p", "1"}).show,
              ElementsAre(Facet::tls, Facet::file, Facet::library, Facet::crypto_api, Facet::process));
  EXPECT_THAT(good({"snapshot"}).show, ElementsAre(Facet::process, Facet::file, Facet::library));
  EXPECT_THAT(good({"libs"}).show, ElementsAre(Facet::library));
  EXPECT_THAT(good({"files"}).show, ElementsAre(Facet::file));
  EXPECT_THAT(good({"monitor", "--show", "process,file"}).show, ElementsAre(Facet::process, Facet::file));
  EXPECT_EQ(good({"monitor"}).command, Command::monitor);
  EXPECT_EQ(good({"-d", "1", "snapshot"}).command, Command::snapshot);
  EXPECT_FALSE(good({"monitor"}).duration);
}

TEST(Options, AProfileIsAboutProcessesOrACommand) {
  using std::chrono::seconds;
  const Options by_name = good({"profile", "--name", "sleep", "--duration", "2"});
  EXPECT_EQ(by_name.command, Command::profile);
  EXPECT_EQ(by_name.duration, seconds(2));
  EXPECT_FALSE(by_name.follow_children);
  EXPECT_EQ(good({"profile", "--pid", "1"}).duration, seconds(30)) << "unless told otherwise";
  EXPECT_FALSE(good({"profile", "--pid", "1", "-d", "0"}).duration) << "0 means for ever";
  const Options command = good({"profile", "-o", "x", "--", "curl", "--name", "-p", "--", "x"});
  EXPECT_THAT(command.run, ElementsAre("curl", "--name", "-p", "--", "x")) << "what follows -- is the command's own";
  EXPECT_TRUE(command.follow_children);
  EXPECT_FALSE(command.duration);
  EXPECT_THAT(command.filters.names, IsEmpty());
  EXPECT_EQ(command.output_path, "x");
}

TEST(Options, ASnapshotIgnoresWhoAndHowLong) {
  const Options options =
      good({"snapshot", "-p", "1", "--name", "x", "-d", "3", "--backend", "ebpf", "--file", "*.pem", "--show", "http"});
  EXPECT_THAT(options.ignored, ElementsAre("--pid", "--name", "--duration", "--backend", "--show"));
  EXPECT_THAT(options.filters.pids, IsEmpty());
  EXPECT_THAT(options.filters.names, IsEmpty());
  EXPECT_FALSE(options.duration);
  EXPECT_FALSE(options.filters.files.empty());
  EXPECT_THAT(options.show, ElementsAre(Facet::process, Facet::file, Facet::library));
  EXPECT_THAT(good({"snapshot", "-o", "x", "-f", "summary", "--no-redact"}).ignored, IsEmpty());
}

TEST(Options, LibrariesAndFiles) {
  const FilterOptions filters = good({"monitor", "-l", "libssl", "--library", "*/libnss3.so", "-F", "*.pem", "--file",
                                      "/etc/ssl/", "-F", "server.key"})
                                    .filters;
  EXPECT_THAT(filters.libraries, ElementsAre("libssl", "*/libnss3.so"));
  EXPECT_THAT(filters.files, ElementsAre("*.pem", "/etc/ssl/*", "*/server.key", "server.key"))
      << "a folder is all that is in it, a bare name is one in any folder";
  EXPECT_TRUE(good({"files", "-n", "x", "--follow-children"}).follow_children);
  EXPECT_THAT(good({"monitor", "--registry", "a.json", "--registry=b.json"}).registry_paths,
              ElementsAre("a.json", "b.json"));
}

TEST(Options, WhichOutputIsOneDocument) {
  EXPECT_TRUE(is_document(good({"profile", "-p", "1"})));
  EXPECT_TRUE(is_document(good({"snapshot", "-f", "json-stream"})));
  EXPECT_TRUE(is_document(good({"monitor", "-f", "cyclonedx"})));
  EXPECT_TRUE(is_document(good({"replay", "x", "-f", "summary"})));
  EXPECT_FALSE(is_document(good({"profile", "-p", "1", "-f", "text"})));
  EXPECT_FALSE(is_document(good({"monitor", "-f", "json-array"})));
  EXPECT_FALSE(is_document(good({})));
}

TEST(Options, ReplayTakesAFileAndNoOptionOfLiveCapture) {
  EXPECT_EQ(good({"replay", "x.pcap"}).command, Command::replay);
  EXPECT_EQ(good({"replay", "x.pcap"}).input_path, "x.pcap");
  EXPECT_EQ(good({"--status", "5xx", "replay", "-"}).input_path, "-");
  EXPECT_FALSE(parse({"replay"}));
  EXPECT_FALSE(parse({"replay", ""}));
  EXPECT_FALSE(parse({"replay", "a", "b"}));
  for (const std::vector<std::string>& live : {std::vector<std::string>{"--backend", "pcap"},
                                               {"--strict"},
                                               {"--require", "http"},
                                               {"-i", "lo"},
                                               {"--max-overhead", "5"},
                                               {"--without", "btf"},
                                               {"-p", "1"},
                                               {"-n", "x"},
                                               {"-F", "x"},
                                               {"-l", "x"},
                                               {"--follow-children"},
                                               {"--registry", "x"},
                                               {"--ring-kib", "64"},
                                               {"--auto"}}) {
    std::vector<std::string> args{"replay", "x.pcap"};
    args.insert(args.end(), live.begin(), live.end());
    const auto refused = parse(args);
    ASSERT_FALSE(refused) << live.front();
    EXPECT_NE(refused.error().context.find("is for live capture"), std::string::npos) << refused.error().context;
    EXPECT_EQ(refused.error().suggestion, "tracer replay x.pcap");
  }
}

TEST(Options, AnInterfaceMeansPackets) {
  EXPECT_EQ(good({"-i", "eth0"}).backends, std::vector{BackendKind::pcap});
  EXPECT_EQ(good({"-i", "eth0", "--backend", "pcap,procfs"}).interface, "eth0");
  EXPECT_FALSE(parse({"-i", "eth0", "--backend", "tracepoint,pcap"}));
  EXPECT_FALSE(parse({"-i", ""}));
}

TEST(Options, PercentagesHaveARange) {
  EXPECT_EQ(good({"--max-overhead", "2.5"}).overhead_percent_max, 2.5);
  EXPECT_EQ(good({"--loss-threshold", "100"}).loss_percent_max, 100);
  for (const char* wrong : {"0", "100.1", "-1", "five", "", "1e1"})
    EXPECT_FALSE(parse({"--max-overhead", wrong})) << wrong;
}

TEST(Options, EveryOptionOfTheTableParsesWithItsExample) {
  for (const OptionRow& row : option_rows()) {
    std::string example(row.example);
    std::erase(example, '\'');  // as the shell does
    EXPECT_EQ(row.argument.empty(), row.example.empty()) << row.name;
    std::vector<std::string> args;
    if (row.section == Section::doctor) args.emplace_back("doctor");
    if (row.name == "follow-children") args = {"-p", "1"};
    if (row.name == "file" || row.name == "library") args = {"monitor"};
    args.push_back("--" + std::string(row.name));
    if (!row.argument.empty()) args.push_back(example);
    EXPECT_TRUE(parse(args)) << row.name << ": " << parse(args).error().context;
    if (row.letter != 0) {
      args[args.size() - 1 - (row.argument.empty() ? 0 : 1)] = std::string("-") + row.letter;
      EXPECT_TRUE(parse(args)) << row.letter;
    }
  }
}

TEST(Options, EveryOptionRefusesAMissingOrUnwantedValue) {
  for (const OptionRow& row : option_rows()) {
    const std::string option = "--" + std::string(row.name);
    const auto parsed = parse({row.argument.empty() ? option + "=1" : option});
    ASSERT_FALSE(parsed) << option;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
    EXPECT_THAT(parsed.error().context, HasSubstr(option));
    EXPECT_THAT(parsed.error().context, HasSubstr(row.argument.empty() ? "takes no value" : "needs a value"));
    EXPECT_THAT(parsed.error().suggestion, AllOf(StartsWith("tracer "), HasSubstr(" " + option)));
  }
}

TEST(Options, EveryErrorSaysWhatAndWhyAndWhatToTry) {
  const std::vector<BadCase> cases{
      {{"--statsu", "5xx"}, "unknown option '--statsu'; did you mean '--status'?", "tracer --status 5xx"},
      {{"-d", "5", "--statsu=5xx"}, "unknown option '--statsu'", "tracer -d 5 --status=5xx"},
      {{"--prot", "80", "--path", "/a*"}, "did you mean '--port'?", "tracer --port 80 --path '/a*'"},
      {{"--qqqqqqqq"}, "unknown option '--qqqqqqqq'", "tracer --help"},
      {{"-z"}, "unknown option '-z'", "tracer --help"},
      {{"-qz"}, "unknown option '-z'", "tracer --help"},
      {{"--durat"}, "unknown option '--durat'", "tracer --duration"},
      {{"--container", "x"}, "option '--container' is not in this version", "tracer --help"},
      {{"--library="}, "needs a value", "tracer libs --library libssl"},
      {{"-l", ""}, "the value is empty", "tracer libs --library libssl"},
      {{"-F", ""}, "the value is empty", "tracer files --file '*.pem'"},
      {{"--registry", ""}, "the value is empty", "tracer --registry rules.json"},
      {{"--liberry", "x"}, "did you mean '--library'?", "tracer --library x"},
      {{"profile"},
       "needs a process: --pid, --name, or a command after '--'",
       "tracer profile --name nginx --duration 10"},
      {{"profile", "--"}, "needs a process", "tracer profile --name nginx --duration 10"},
      {{"profile", "nginx"}, "unexpected word 'nginx'", "tracer --help"},
      {{"profile", "-p", "1", "--", "ls", "-l"}, "a process or a command, not both", "tracer profile -- ls"},
      {{"monitor", "--", "ls"}, "a command after '--' is for 'profile'", "tracer profile -- ls"},
      {{"--", "ls"}, "a command after '--' is for 'profile'", "tracer profile -- ls"},
      {{"libs", "--show", "file"}, "'libs' shows one thing", "tracer monitor --show file,library"},
      {{"monitor", "--follow-children"}, "needs '--pid' or '--name'", "tracer profile --name nginx --follow-children"},
      {{"libs", "-f", "summary"}, "format 'summary' is for", "tracer monitor --duration 10 --format summary"},
      {{"-f", "cyclonedx"}, "format 'cyclonedx' is for", "tracer monitor --duration 10 --format cyclonedx"},
      {{"montior"}, "did you mean 'monitor'?", "tracer monitor"},
      {{"snapshots"}, "did you mean 'snapshot'?", "tracer snapshot"},
      {{"--bodies"}, "not in this version", "tracer --help"},
      {{"files", "--status", "404"},
       "option '--status' chooses among records of http, https; none of them is shown by 'files'",
       "tracer --status 5xx"},
      {{"snapshot", "--port", "80"}, "none of them is shown by 'snapshot'", "tracer --port 8080"},
      {{"libs", "--host=a"}, "none of them is shown by 'libs'", "tracer --host localhost"},
      {{"profile", "-p", "1", "--path", "/"}, "none of them is shown by 'profile'", "tracer --path '/api/*'"},
      {{"-F", "*.pem"}, "chooses among records of file; none of them is shown", "tracer files --file '*.pem'"},
      {{"--show", "file", "-l", "x"}, "chooses among records of library, crypto_api", "tracer libs --library libssl"},
      {{"monitor", "--json"}, "option '--json' is for 'doctor'", "tracer doctor --json"},
      {{"run", "--", "ls", "-l"}, "command 'run' is not in this version", "tracer --auto"},
      {{"help", "run"}, "command 'run' is not in this version", "tracer --auto"},
      {{"auto"}, "unknown command 'auto'; it is an option", "tracer --auto"},
      {{"verison"}, "unknown command 'verison'; did you mean 'version'?", "tracer version"},
      {{"qqqq"}, "unknown command 'qqqq'", "tracer --help"},
      {{"version", "x"}, "unexpected word 'x'", "tracer --help"},
      {{"--quiet", "--verbose"}, "exclude each other", "tracer --verbose"},
      {{"-p", "0"}, "option '--pid': '0' is not a number from 1 to 4194304", "tracer --pid 1"},
      {{"-p", "nginx"}, "option '--pid'", "tracer --pid 1"},
      {{"-p", "1,,2"}, "an element of the list is empty", "tracer --pid 1"},
      {{"--port", "65536"}, "from 1 to 65535", "tracer --port 8080"},
      {{"--port", "-5"}, "from 1 to 65535", "tracer --port 8080"},
      {{"--port", "80x"}, "from 1 to 65535", "tracer --port 8080"},
      {{"--count", "0"}, "option '--count'", "tracer --count 100"},
      {{"--count", "99999999999999999999"}, "option '--count'", "tracer --count 100"},
      {{"-d", "-1"}, "option '--duration'", "tracer --duration 10"},
      {{"-d", "1e3"}, "option '--duration'", "tracer --duration 10"},
      {{"-d", "inf"}, "option '--duration'", "tracer --duration 10"},
      {{"-d", "40000000"}, "from 0 to 31536000", "tracer --duration 10"},
      {{"-d", "."}, "option '--duration'", "tracer --duration 10"},
      {{"--status", "6"}, "neither a status code (404) nor a class (5xx)", "tracer --status 5xx"},
      {{"--status", "0xx"}, "option '--status'", "tracer --status 5xx"},
      {{"--status", "5x4"}, "option '--status'", "tracer --status 5xx"},
      {{"--addr", "example.org"}, "names are not looked up", "tracer --addr 10.0.0.0/8"},
      {{"--addr", "10.0.0.0/33"}, "prefix length", "tracer --addr 10.0.0.0/8"},
      {{"--addr", "10.1.2.3/8"}, "bits set behind its prefix", "tracer --addr 10.0.0.0/8"},
      {{"--addr", "fe80::1/10"}, "bits set behind its prefix", "tracer --addr fe80::/10"},
      {{"--path", "api/*"}, "paths begin with '/'", "tracer --path '/api/*'"},
      {{"--name", ""}, "an element of the list is empty", "tracer --name nginx"},
      {{"--host="}, "needs a value", "tracer --host localhost"},
      {{"-f", "xml"}, "format 'xml' is unknown", "tracer --format json-stream"},
      {{"-f", "har"}, "format 'har' is not in this version", "tracer --format json-stream"},
      {{"--show", "htpp"}, "'htpp' is no facet; did you mean 'http'?", "tracer --show http"},
      {{"--show", "qqqqqq"}, "there are http, tls, https,", "tracer --show http"},
      {{"--backend", "tracepiont"}, "did you mean 'tracepoint'?", "tracer --backend tracepoint"},
      {{"--mechanism", "magic"}, "no mechanism", "tracer --mechanism syscall_tp"},
      {{"--without", "bft"}, "did you mean 'btf'?", "tracer --without btf"},
      {{"--require", "http=pcpa"}, "did you mean 'pcap'?", "tracer --require http=pcap"},
      {{"--ring-kib", "3"}, "from 4 to 1048576", "tracer --ring-kib 4096"},
      {{"--ring-kib", "100"}, "no power of two", "tracer --ring-kib 128"},
  };
  for (const BadCase& bad : cases) {
    const auto parsed = parse(bad.args);
    const std::string line = ::testing::PrintToString(bad.args);
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument) << line;
    EXPECT_THAT(parsed.error().context, HasSubstr(bad.what)) << line;
    EXPECT_EQ(parsed.error().suggestion, bad.suggestion) << line;
  }
}

// "One suggestion that can be pasted": then it must work. Words of one blank are enough for all but quoted paths.
TEST(Options, SuggestionsAreThemselvesAccepted) {
  for (const OptionRow& row : option_rows()) {
    if (row.argument.empty()) continue;
    const auto wrong = parse({"--" + std::string(row.name), ",,"});
    if (wrong) continue;  // any text is a value of this option
    std::istringstream words(wrong.error().suggestion);
    std::vector<std::string> args;
    for (std::string word; words >> word;) {
      std::erase(word, '\'');
      args.push_back(word);
    }
    ASSERT_GE(args.size(), 2u);
    args.erase(args.begin());
    EXPECT_TRUE(parse(args)) << wrong.error().suggestion;
  }
}

TEST(Suggest, DistanceCountsTypingErrors) {
  EXPECT_EQ(edit_distance("status", "status"), 0u);
  EXPECT_EQ(edit_distance("statsu", "status"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, QuotesForTheShell) {
  EXPECT_EQ(shell_quoted("a-b=c"), "a-b=c");
  EXPECT_EQ(shell_quoted("/a*"), "'/a*'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
}

TEST(Values, AddressRangesContainWhatTheyShould) {
  const auto endpoint = [](std::string_view text) { return Endpoint{parse_address_range(text)->address, 1}; };
  const auto ten = *parse_address_range("10.0.0.0/8");
  EXPECT_TRUE(ten.contains(endpoint("10.255.0.1")));
  EXPECT_FALSE(ten.contains(endpoint("11.0.0.1")));
  EXPECT_FALSE(ten.contains(endpoint("a00::1")));
  const auto odd = *parse_address_range("192.168.4.0/23");
  EXPECT_TRUE(odd.contains(endpoint("192.168.5.9")));
  EXPECT_FALSE(odd.contains(endpoint("192.168.6.0")));
  EXPECT_TRUE(parse_address_range("::/0")->contains(endpoint("1.2.3.4")));
  EXPECT_TRUE(parse_address_range("0.0.0.0/0")->contains(endpoint("1.2.3.4")));
  EXPECT_FALSE(parse_address_range("0.0.0.0/0")->contains(endpoint("::1")));
  EXPECT_TRUE(parse_address_range("::ffff:1.2.3.4")->contains(endpoint("1.2.3.4"))) << "one spelling inside";
}

}  // namespace
}  // namespace tracer::cli
