#include "cli/options.h"

#include <algorithm>
#include <array>
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

// "tracer", and the command that the option needs, if it means nothing without one.
std::string program_for(const OptionRow& row) {
  if (row.name == "file") return "tracer files ";
  if (row.name == "library") return "tracer libs ";
  return "tracer ";
}

std::string example_of(const OptionRow& row) {
  return program_for(row) + spelled(row) + (row.argument.empty() ? "" : " " + std::string(row.example));
}

std::unexpected<Error> value_error(const OptionRow& row, const Error& error) {
  const std::string better = error.suggestion.empty()
                                 ? example_of(row)
                                 : program_for(row) + spelled(row) + " " + shell_quoted(error.suggestion);
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

constexpr std::array command_words{
    std::pair{std::string_view("monitor"), Command::monitor},
    std::pair{std::string_view("profile"), Command::profile},
    std::pair{std::string_view("snapshot"), Command::snapshot},
    std::pair{std::string_view("libs"), Command::libs},
    std::pair{std::string_view("files"), Command::files},
    std::pair{std::string_view("replay"), Command::replay},
    std::pair{std::string_view("doctor"), Command::doctor},
    std::pair{std::string_view("help"), Command::help},
    std::pair{std::string_view("version"), Command::version},
    std::pair{std::string_view("licenses"), Command::licenses},
};

Result<void> apply_word(Options& options, std::size_t position, const std::string& word) {
  if (position == 0) {
    const auto* command =
        std::ranges::find(command_words, std::string_view(word), &decltype(command_words)::value_type::first);
    if (command == command_words.end()) return unknown_command(word);
    options.command = command->second;
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

bool was_given(std::span<const OptionRow* const> given, std::string_view name) {
  return std::ranges::find(given, name, [](const OptionRow* row) { return row->name; }) != given.end();
}

constexpr std::string_view name_of(Command command) {
  const auto* row = std::ranges::find(command_words, command, &decltype(command_words)::value_type::second);
  return row == command_words.end() ? std::string_view() : row->first;
}

// What a command shows unless --show says otherwise.
std::vector<Facet> facets_of(Command command) {
  switch (command) {
    case Command::monitor:
      return {Facet::tls, Facet::file, Facet::library, Facet::crypto_api};
    case Command::profile:
      return {Facet::tls, Facet::file, Facet::library, Facet::crypto_api, Facet::process};
    case Command::snapshot:
      return {Facet::process, Facet::file, Facet::library};
    case Command::libs:
      return {Facet::library};
    case Command::files:
      return {Facet::file};
    default:
      return {Facet::http, Facet::tls, Facet::https};
  }
}

Result<void> check_profile(Options& options, std::span<const OptionRow* const> given) {
  const bool by_filter = !options.filters.pids.empty() || !options.filters.names.empty();
  if (options.run.empty() && !by_filter)
    return usage_error("'profile' needs a process: --pid, --name, or a command after '--'",
                       "tracer profile --name nginx --duration 10");
  if (!options.run.empty() && by_filter)
    return usage_error("'profile' takes a process or a command, not both",
                       "tracer profile -- " + shell_quoted(options.run.front()));
  constexpr std::chrono::seconds duration{30};
  if (options.run.empty() && !was_given(given, "duration")) options.duration = duration;
  if (!options.run.empty()) options.follow_children = true;
  return {};
}

// A look at what is there has no end to be told and chooses nobody.
void ignore_in_snapshot(Options& options, std::span<const OptionRow* const> given) {
  for (const OptionRow* row : given) {
    const bool means_something = row->name == "library" || row->name == "file" || row->name == "registry";
    if ((is_live_only(*row) && !means_something) || row->name == "duration" || row->name == "show")
      options.ignored.push_back(spelled(*row));
  }
  options.filters.pids.clear();
  options.filters.names.clear();
  options.duration.reset();
  options.required.clear();
  options.strict = options.follow_children = options.show_given = false;
}

Result<void> check_crypto(Options& options, std::span<const OptionRow* const> given) {
  const bool one_facet = options.command == Command::libs || options.command == Command::files;
  if (one_facet && options.show_given)
    return usage_error("'" + std::string(name_of(options.command)) + "' shows one thing; '--show' is for 'monitor'",
                       "tracer monitor --show file,library");
  if (options.command == Command::snapshot) ignore_in_snapshot(options, given);
  if (!options.show_given) options.show = facets_of(options.command);
  if (options.command == Command::profile)
    if (auto checked = check_profile(options, given); !checked) return checked;
  if (!options.run.empty() && options.command != Command::profile)
    return usage_error("unexpected word '" + options.run.front() + "'; a command after '--' is for 'profile'",
                       "tracer profile -- " + shell_quoted(options.run.front()));
  if (options.follow_children && options.run.empty() && options.filters.pids.empty() && options.filters.names.empty())
    return usage_error("option '--follow-children' needs '--pid' or '--name'",
                       "tracer profile --name nginx --follow-children");
  options.filters.keep_processes = is_document(options);
  const bool inventory = options.format == Format::summary || options.format == Format::cyclonedx;
  constexpr std::array collecting{Command::monitor, Command::profile, Command::snapshot, Command::replay};
  if (inventory && std::ranges::find(collecting, options.command) == collecting.end()) {
    const std::string format = options.format == Format::summary ? "summary" : "cyclonedx";
    return usage_error("format '" + format + "' is for 'monitor', 'profile', 'snapshot' and 'replay'",
                       "tracer monitor --duration 10 --format " + format);
  }
  return {};
}

// A filter that lets no record pass of those that are shown would print nothing, which looks like an answer.
Result<void> check_filters(const Options& options, std::span<const OptionRow* const> given) {
  if (options.command == Command::doctor || options.command == Command::licenses) return {};
  for (const OptionRow* row : given) {
    const auto fitting = facets_with(*row);
    const auto is_shown = [&](Facet facet) { return std::ranges::find(options.show, facet) != options.show.end(); };
    if (fitting.empty() || std::ranges::any_of(fitting, is_shown)) continue;
    std::string names;
    for (const Facet facet : fitting) names += (names.empty() ? "" : ", ") + std::string(to_string(facet));
    return usage_error(
        "option '" + spelled(*row) + "' chooses among records of " + names + "; none of them is shown" +
            (name_of(options.command).empty() ? "" : " by '" + std::string(name_of(options.command)) + "'"),
        example_of(*row));
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
  if (auto checked = check_crypto(options, given); !checked) return checked;
  if (auto checked = check_filters(options, given); !checked) return checked;
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

Result<Options> interpret(Args args, const po::parsed_options& parsed, std::vector<std::string> command_line) {
  Options options;
  options.run = std::move(command_line);
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
    if (row->name == "help" && options.command != Command::help) options.help_topic = name_of(options.command);
    if (auto applied = row->apply(options, value); !applied) return value_error(*row, applied.error());
    if (row->name == "help" || row->name == "version") return options;  // whatever else is wrong
  }
  if (auto checked = check(options, given); !checked) return std::unexpected(checked.error());
  return options;
}

}  // namespace

bool is_document(const Options& options) {
  if (options.format == Format::summary || options.format == Format::cyclonedx) return true;
  return (options.command == Command::profile || options.command == Command::snapshot) &&
         options.format != Format::text;
}

Result<Options> parse_options(std::span<const std::string> args) {
  // A command of the design that is not built yet has options of its own: answer for the command.
  if (!args.empty() && !args[0].starts_with('-')) {
    Options ignored;
    if (auto applied = apply_word(ignored, 0, args[0]); !applied) return std::unexpected(applied.error());
  }
  // What follows "--" is another program's.
  const auto end = std::ranges::find(args, "--");
  std::vector<std::string> command_line;
  if (end != args.end()) command_line.assign(end + 1, args.end());
  args = args.first(static_cast<std::size_t>(end - args.begin()));
  try {
    const po::options_description description = boost_description();
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    return interpret(args,
                     po::command_line_parser(std::vector<std::string>(args.begin(), args.end()))
                         .options(description)
                         .style(style)
                         .allow_unregistered()
                         .run(),
                     std::move(command_line));
  } catch (const po::error_with_option_name& error) {
    return syntax_error(error);
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
}

}  // namespace tracer::cli
