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
      "       tracer replay FILE [OPTION]...\n"
      "       tracer doctor [OPTION]...\n"
      "       tracer help [COMMAND] | version | licenses\n"
      "\n"
      "Shows the HTTP transactions of every process on this machine, live, by the\n"
      "best capture method that this kernel and these privileges allow.\n"
      "\n"
      "Examples:\n"
      "  sudo tracer                             everything, one line each\n"
      "  sudo tracer --name nginx --status 5xx   what nginx answers with an error\n"
      "  sudo tracer -d 10 -f json-stream -o trace.json\n"
      "                                          ten seconds as JSON, into a file\n"
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

}  // namespace

std::string help_text(std::string_view topic) {
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
        "which record fields that can never fill, why nothing better is here, and what\n"
        "could be done. Options that choose how to capture work as in a trace: with them\n"
        "it says what would be. Exit status: 0 something works, 4 nothing does.\n";
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
