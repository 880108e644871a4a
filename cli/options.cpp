#include "cli/options.h"

#include <algorithm>
#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>

#include "cli/option_table.h"
#include "cli/suggest.h"

namespace tracer::cli {
namespace {

namespace po = boost::program_options;
using Args = std::span<const std::string>;

// Boost.Program_options only cuts the words apart. Its typed values stay unused: they compare type_info objects, which
// the library was built with and this program is built without.
po::options_description boost_description() {
  po::options_description description;
  for (const OptionRow& row : option_rows()) {
    std::string names(row.name);
    if (row.letter != 0) names += std::string(",") + row.letter;
    description.add_options()(names.c_str(), new po::untyped_value(row.argument.empty()), "");
  }
  return description;
}

std::unexpected<Error> usage_error(std::string context, std::string suggestion = "tracer --help") {
  return fail(Errc::invalid_argument, std::move(context), std::move(suggestion));
}

// The command line as typed, with the option spelled `wrong` spelled `right`.
std::string corrected_line(Args args, std::string_view wrong, std::string_view right) {
  std::string line = "tracer";
  for (const std::string& arg : args) {
    const std::string_view option = std::string_view(arg).substr(0, arg.find('='));
    line += ' ';
    line += shell_quoted(option == wrong ? std::string(right) + arg.substr(option.size()) : arg);
  }
  return line;
}

std::unexpected<Error> unknown_option(Args args, std::string_view key) {
  if (key.starts_with("-")) {  // the parser keeps the dash of an unknown letter
    const std::string letter(key.substr(0, 2));
    if (letter == "-l" || letter == "-F") return usage_error("option '" + letter + "' is not in this version");
    return usage_error("unknown option '" + letter + "'");
  }
  const std::string typed = "--" + std::string(key);
  if (std::ranges::find(later_options(), key) != later_options().end()) {
    return usage_error("option '" + typed + "' is not in this version");
  }
  std::vector<std::string_view> names;
  for (const OptionRow& row : option_rows()) names.push_back(row.name);
  const std::string_view near = nearest(key, names);
  if (near.empty()) return usage_error("unknown option '" + typed + "'");
  const std::string meant = "--" + std::string(near);
  return usage_error("unknown option '" + typed + "'; did you mean '" + meant + "'?",
                     corrected_line(args, typed, meant));
}

std::string spelled(const OptionRow& row) { return "--" + std::string(row.name); }

std::string example_of(const OptionRow& row) {
  return "tracer " + spelled(row) + (row.argument.empty() ? "" : " " + std::string(row.example));
}

std::unexpected<Error> value_error(const OptionRow& row, const Error& error) {
  const std::string better =
      error.suggestion.empty() ? example_of(row) : "tracer " + spelled(row) + " " + shell_quoted(error.suggestion);
  return usage_error("option '" + spelled(row) + "': " + error.context, better);
}

// What boost says about a known option: its value is missing, or it has one and takes none.
std::unexpected<Error> syntax_error(const po::error_with_option_name& error) {
  const std::string typed = error.get_option_name();
  const OptionRow* row = find_option(typed.substr(std::min(typed.find_first_not_of('-'), typed.size())));
  if (row == nullptr) return usage_error(error.what());
  if (row->argument.empty()) return usage_error("option '" + spelled(*row) + "' takes no value", example_of(*row));
  return usage_error("option '" + spelled(*row) + "' needs a value: " + std::string(row->argument), example_of(*row));
}

std::unexpected<Error> unknown_command(std::string_view word) {
  if (std::ranges::find(later_commands(), word) != later_commands().end()) {
    return usage_error("command '" + std::string(word) + "' is not in this version", "tracer --auto");
  }
  if (find_option(word) != nullptr) {
    return usage_error("unknown command '" + std::string(word) + "'; it is an option", "tracer --" + std::string(word));
  }
  std::string near(nearest(word, commands()));
  if (near.empty()) return usage_error("unknown command '" + std::string(word) + "'");
  return usage_error("unknown command '" + std::string(word) + "'; did you mean '" + near + "'?", "tracer " + near);
}

Result<void> apply_word(Options& options, std::size_t position, const std::string& word) {
  if (position == 0) {
    if (word == "help") {
      options.command = Command::help;
    } else if (word == "replay") {
      options.command = Command::replay;
    } else if (word == "doctor") {
      options.command = Command::doctor;
    } else if (word == "version") {
      options.command = Command::version;
    } else if (word == "licenses") {
      options.command = Command::licenses;
    } else {
      return unknown_command(word);
    }
    return {};
  }
  if (position == 1 && options.command == Command::help) {
    options.help_topic = word;
    const bool known = std::ranges::find(commands(), std::string_view(word)) != commands().end();
    return known ? Result<void>() : unknown_command(word);
  }
  if (position == 1 && options.command == Command::replay && !word.empty()) {
    options.input_path = word;
    return {};
  }
  return usage_error("unexpected word '" + word + "'");
}

Result<void> check_doctor(const Options& options, std::span<const OptionRow* const> given) {
  const auto of_doctor =
      std::ranges::find_if(given, [](const OptionRow* row) { return row->section == Section::doctor; });
  if (options.command != Command::doctor && of_doctor != given.end())
    return usage_error("option '" + spelled(**of_doctor) + "' is for 'doctor'",
                       "tracer doctor " + spelled(**of_doctor) +
                           ((*of_doctor)->example.empty() ? "" : " " + std::string((*of_doctor)->example)));
  if (!options.from_path.empty() && (options.verify || !options.bundle_path.empty())) {
    return usage_error("option '--from' plans for another machine: '--verify' and '--bundle' need this one",
                       "tracer doctor --from " + shell_quoted(options.from_path));
  }
  return {};
}

// What cannot be together, or not with the command.
Result<void> check(Options& options, std::span<const OptionRow* const> given) {
  if (options.quiet && options.verbose) {
    return usage_error("options '--quiet' and '--verbose' exclude each other", "tracer --verbose");
  }
  if (options.command == Command::replay) {
    if (options.input_path.empty()) return usage_error("'replay' needs a file", "tracer replay capture.pcap");
    const auto live = std::ranges::find_if(given, [](const OptionRow* row) { return is_live_only(*row); });
    if (live != given.end()) {
      return usage_error("option '" + spelled(**live) + "' is for live capture; a file holds what it holds",
                         "tracer replay " + shell_quoted(options.input_path));
    }
  }
  if (auto checked = check_doctor(options, given); !checked) return checked;
  if (!options.interface.empty()) {
    if (options.backends.empty()) options.backends = {BackendKind::pcap};
    const bool by_packets = std::ranges::none_of(options.backends, [](BackendKind kind) {
      return kind == BackendKind::ebpf || kind == BackendKind::tracepoint;
    });
    if (!by_packets) {
      return usage_error("option '--interface' is for packets, not for '--backend " +
                             std::string(to_string(options.backends.front())) + "'",
                         "tracer --backend pcap --interface " + shell_quoted(options.interface));
    }
  }
  return {};
}

Result<Options> interpret(Args args, const po::parsed_options& parsed) {
  Options options;
  std::vector<const OptionRow*> given;
  std::size_t words = 0;
  for (const po::option& option : parsed.options) {
    if (option.string_key.empty()) {
      for (const std::string& word : option.value) {
        if (auto applied = apply_word(options, words++, word); !applied) return std::unexpected(applied.error());
      }
      continue;
    }
    const OptionRow* row = option.unregistered ? nullptr : find_option(option.string_key);
    if (row == nullptr) return unknown_option(args, option.string_key);
    const std::string_view value = option.value.empty() ? std::string_view() : std::string_view(option.value.front());
    given.push_back(row);
    if (auto applied = row->apply(options, value); !applied) return value_error(*row, applied.error());
    if (row->name == "help" || row->name == "version") return options;  // whatever else is wrong
  }
  if (auto checked = check(options, given); !checked) return std::unexpected(checked.error());
  return options;
}

}  // namespace

Result<Options> parse_options(std::span<const std::string> args) {
  // A command of the design that is not built yet has options of its own: answer for the command.
  if (!args.empty() && !args[0].starts_with('-')) {
    Options ignored;
    if (auto applied = apply_word(ignored, 0, args[0]); !applied) return std::unexpected(applied.error());
  }
  try {
    const po::options_description description = boost_description();
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    return interpret(args, po::command_line_parser(std::vector<std::string>(args.begin(), args.end()))
                               .options(description)
                               .style(style)
                               .allow_unregistered()
                               .run());
  } catch (const po::error_with_option_name& error) {
    return syntax_error(error);
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
}

}  // namespace tracer::cli
