#include "cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/option_table.h"
#include "cli/options.h"

namespace tracer::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Help, FitsATerminal) {
  for (const std::string_view topic :
       {"", "monitor", "profile", "snapshot", "libs", "files", "replay", "doctor", "help", "version", "licenses"}) {
    std::istringstream lines(help_text(topic));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), help_columns) << line;
  }
}

TEST(Help, ListsEveryVisibleOption) {
  const std::string text = help_text("");
  for (const OptionRow& row : option_rows()) {
    std::string spelled = "--" + std::string(row.name);
    if (!row.argument.empty()) spelled += " " + std::string(row.argument);
    if (row.letter != 0) spelled = std::string("-") + row.letter + ", " + spelled;
    if (row.section == Section::advanced) {
      EXPECT_THAT(text, Not(HasSubstr(spelled)));
      EXPECT_THAT(help_text("help"), HasSubstr(spelled));
    } else if (row.section == Section::doctor) {
      EXPECT_THAT(text, Not(HasSubstr(spelled)));
      EXPECT_THAT(help_text("doctor"), HasSubstr(spelled));
    } else {
      EXPECT_THAT(text, HasSubstr(spelled));
    }
  }
}

TEST(Help, PromisesNothingThatIsNotBuilt) {
  const std::string text = help_text("");
  for (const std::string_view option : later_options())
    EXPECT_THAT(text, Not(HasSubstr("--" + std::string(option)))) << option;
  for (const std::string_view command : later_commands()) {
    EXPECT_THAT(text, Not(HasSubstr("tracer " + std::string(command)))) << command;
  }
  EXPECT_THAT(text, Not(HasSubstr(" har")));
}

TEST(Help, ItsExamplesAreAccepted) {
  int examples = 0;
  for (const std::string_view topic : {"", "monitor", "profile", "snapshot", "libs", "files"}) {
    std::istringstream lines(help_text(topic));
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("  sudo tracer") && !line.starts_with("  tracer ")) continue;
      ++examples;
      const std::string rest = line.substr(line.find("tracer") + 6);
      std::istringstream words(rest.substr(0, rest.find("   ")));
      std::vector<std::string> args;
      for (std::string word; words >> word;) {
        std::erase(word, '\'');  // as the shell does
        args.push_back(word);
      }
      EXPECT_TRUE(parse_options(args)) << line;
    }
  }
  EXPECT_EQ(examples, 7 + 3 + 3 + 3 + 2 + 3);
}

TEST(Help, VersionAndLicences) {
  EXPECT_THAT(version_text(), ::testing::MatchesRegex("tracer [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_FALSE(licenses_text().empty());
}

}  // namespace
}  // namespace tracer::cli
