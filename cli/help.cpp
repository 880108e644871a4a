#include "cli/help.h"

#include "cli/option_table.h"
#include "cli/version.h"

namespace tracer::cli {
namespace {

constexpr std::size_t text_column = 27;

// Appends `text`, broken between words, as a block that begins at text_column. `at`: where the line stands now.
void append_block(std::string& out, std::size_t at, std::string_view text) {
  const auto new_line = [&] {
    out += '\n';
    out.append(text_column, ' ');
    at = text_column;
  };
  if (at + 1 > text_column) {
    new_line();
  } else {
    out.append(text_column - at, ' ');
    at = text_column;
  }
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (at != text_column && at + 1 + word.size() > help_columns) new_line();
    if (at != text_column) {
      out += ' ';
      ++at;
    }
    out += word;
    at += word.size();
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  out += '\n';
}

void append_section(std::string& out, std::string_view title, Section section) {
  out += '\n';
  out += title;
  out += '\n';
  for (const OptionRow& row : option_rows()) {
    if (row.section != section) continue;
    std::string line = row.letter == 0 ? "      " : std::string("  -") + row.letter + ", ";
    line += "--" + std::string(row.name);
    if (!row.argument.empty()) line += " " + std::string(row.argument);
    out += line;
    append_block(out, line.size(), row.help);
  }
}

std::string overview() {
  std::string out =
      "Usage: tracer [--auto] [OPTION]...\n"
      "       tracer monitor | libs | files [OPTION]...\n"
      "       tracer profile --pid PID | --name NAME | -- COMMAND [ARGUMENT]...\n"
      "       tracer snapshot [OPTION]...\n"
      "       tracer replay FILE [OPTION]...\n"
      "       tracer doctor [OPTION]...\n"
      "       tracer help [COMMAND] | version | licenses\n"
      "\n"
      "Shows the HTTP transactions of every process on this machine, also inside of\n"
      "TLS, and the cryptography that they use, live, by the best capture method that\n"
      "this kernel and these privileges allow.\n"
      "\n"
      "Commands:\n"
      "  (none)     HTTP and HTTPS transactions, TLS handshakes\n"
      "  monitor    certificates, keys, libraries, calls, handshakes as they are used\n"
      "  profile    one document about the cryptography of one process or command\n"
      "  snapshot   one document about what is loaded and open now; needs no root\n"
      "  libs       cryptographic libraries as they are loaded, and those that are\n"
      "  files      certificates and keys as they are opened, also in vain\n"
      "  replay     the same out of a capture file\n"
      "  doctor     what works here, what not, and why\n"
      "\n"
      "Examples:\n"
      "  sudo tracer                             everything, one line each\n"
      "  sudo tracer --name nginx --status 5xx   what nginx answers with an error\n"
      "  sudo tracer -d 10 -f json-stream -o trace.json\n"
      "                                          ten seconds as JSON, into a file\n"
      "  sudo tracer files --name nginx          why nginx cannot read its key\n"
      "  sudo tracer profile -- curl https://localhost/\n"
      "                                          the cryptography of one command\n"
      "  tracer replay capture.pcap              what a capture file holds\n"
      "  sudo tracer doctor                      what works here, what not, and why\n";
  append_section(out, "What to capture, and how:", Section::choice);
  append_section(out, "Filters (values of one are alternatives; different ones must all hold):", Section::filter);
  append_section(out, "Output:", Section::output);
  append_section(out, "General:", Section::general);
  out +=
      "\n"
      "Data goes to standard output, everything else to standard error.\n"
      "Exit status: 0 done, 1 error or output not written, 2 wrong arguments,\n"
      "3 missing privileges, 4 the kernel cannot, 5 capture did not start,\n"
      "6 loss under --fail-on-loss, 130 interrupted, 143 terminated.\n"
      "\n"
      "`tracer help help` also lists the advanced options.\n";
  return out;
}

struct CommandHelp {
  std::string_view command, text;
};

constexpr CommandHelp crypto_commands[] = {
    {"monitor",
     "Usage: tracer monitor [OPTION]...\n"
     "\n"
     "Shows cryptography as it is used: TLS handshakes, opened certificates, keys and\n"
     "keystores (also those that could not be opened, with the reason), loaded\n"
     "cryptographic libraries, and the calls into them. What is open and loaded\n"
     "already comes first. `--show` chooses among tls, file, library, crypto_api and\n"
     "process.\n"
     "\n"
     "Examples:\n"
     "  sudo tracer monitor --name nginx\n"
     "  sudo tracer monitor --show file,process --follow-children --pid 811\n"
     "  sudo tracer monitor --duration 60 --format cyclonedx -o bom.json\n"
     "\n"
     "The calls cost the traced programs 1 to 30 us each: they are watched only here,\n"
     "by `profile`, and with `--show crypto_api`.\n"},
    {"profile",
     "Usage: tracer profile --pid PID | --name NAME [OPTION]...\n"
     "       tracer profile [OPTION]... -- COMMAND [ARGUMENT]...\n"
     "\n"
     "One document about the cryptography of certain processes: their libraries and\n"
     "files (those loaded and open already too), handshakes, calls, and who they are.\n"
     "\n"
     "  --pid      these processes; ends with them\n"
     "  --name     every process that fits, also those that start later\n"
     "  --         starts the command and watches it and its children from their first\n"
     "             instruction on; ends with them. Its output goes to standard error,\n"
     "             with -o FILE to standard output. Ctrl-C reaches both; a second one\n"
     "             ends the tracer whatever the command does\n"
     "\n"
     "It takes 30 s unless --duration says otherwise (a command: until it ends). With\n"
     "--follow-children what the processes start belongs to them. If nobody fits there\n"
     "is no document, and the exit status is 1.\n"
     "\n"
     "Examples:\n"
     "  sudo tracer profile --name nginx --duration 10\n"
     "  sudo tracer profile --pid 811 --follow-children --format summary\n"
     "  sudo tracer profile --format cyclonedx -o bom.json -- curl https://localhost/\n"},
    {"snapshot",
     "Usage: tracer snapshot [OPTION]...\n"
     "\n"
     "One document about this moment: which processes have cryptographic libraries\n"
     "loaded or certificates, keys and keystores open. Needs no privileges; processes\n"
     "that could not be looked at are counted in it. What chooses processes or a time\n"
     "is ignored, with a warning; --library and --file narrow it.\n"
     "\n"
     "Examples:\n"
     "  tracer snapshot --format summary\n"
     "  sudo tracer snapshot -o snapshot.json\n"
     "  sudo tracer snapshot --format cyclonedx -o bom.json\n"},
    {"libs",
     "Usage: tracer libs [OPTION]...\n"
     "\n"
     "Shows cryptographic libraries: those that processes have loaded, then those that\n"
     "they load, at their start or later.\n"
     "\n"
     "Examples:\n"
     "  sudo tracer libs --library libssl\n"
     "  sudo tracer libs --name nginx --duration 10\n"},
    {"files",
     "Usage: tracer files [OPTION]...\n"
     "\n"
     "Shows every attempt to open a certificate, key or keystore, with its result: by\n"
     "default files whose name is that of one (docs/registry.md), with --file those\n"
     "that fit, whatever they are. What a file is is read from its contents.\n"
     "\n"
     "Examples:\n"
     "  sudo tracer files --name nginx\n"
     "  sudo tracer files --file '/etc/ssl/*'\n"
     "  sudo tracer files --file '*.pem' --duration 10\n"},
};

}  // namespace

std::string help_text(std::string_view topic) {
  for (const CommandHelp& row : crypto_commands) {
    if (row.command != topic) continue;
    std::string out(row.text);
    append_section(out, "Filters:", Section::filter);
    append_section(out, "Output:", Section::output);
    return out;
  }
  if (topic == "help") {
    std::string out =
        "Usage: tracer help [COMMAND]\n"
        "\n"
        "Without a command: the overview of all options (also: tracer --help).\n";
    append_section(out, "Advanced options:", Section::advanced);
    return out;
  }
  if (topic == "doctor") {
    std::string out =
        "Usage: tracer doctor [OPTION]...\n"
        "\n"
        "Says what this kernel and these privileges allow, what a trace will take of it,\n"
        "which record fields that can never fill, why nothing better is here, what could\n"
        "be done, and which TLS libraries in running processes facet https can read.\n"
        "Options that choose how to capture work as in a trace: with them it says what\n"
        "would be. Exit status: 0 something works, 4 nothing does.\n";
    append_section(out, "Options:", Section::doctor);
    return out;
  }
  if (topic == "replay") {
    std::string out =
        "Usage: tracer replay FILE [OPTION]...\n"
        "\n"
        "Shows what a capture file holds (pcap or pcapng; `-`: standard input), without\n"
        "privileges. Filters and output options work as for live capture; those that\n"
        "choose how to capture, --pid and --name do not. A slow reader loses nothing.\n";
    append_section(out, "Output:", Section::output);
    return out;
  }
  if (topic == "version") return "Usage: tracer version\n\nPrints the version (also: tracer --version).\n";
  if (topic == "licenses") return "Usage: tracer licenses\n\nPrints the licences of everything inside this program.\n";
  return overview();
}

std::string version_text() { return "tracer " + std::string(version) + "\n"; }

}  // namespace tracer::cli
