// The manual and the flags are of one mind, and each form of it is well-formed.

#include "tools/flowcat/manual.h"

#include <set>
#include <string>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/flowcat/settings.h"

namespace flow_tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ManualTest, HasEveryFlagAndNoOther) {
  ASSERT_TRUE(SettingsFromFlags().ok());  // so that they are linked in
  std::set<std::string> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), "tools/flowcat/settings.cc")) {
      flags.insert(absl::StrReplaceAll(name, {{"_", "-"}}));
    }
  }
  std::set<std::string> told;
  for (const FlagText& flag : Flags()) told.insert(flag.name);
  EXPECT_EQ(told, flags);
}

TEST(ManualTest, EveryFlagIsOfSomeCommandAndFoundByItsName) {
  for (const FlagText& flag : Flags()) {
    EXPECT_NE(flag.commands & kAll, 0u) << flag.name;
    EXPECT_EQ(FindFlagText(absl::StrReplaceAll(flag.name, {{"-", "_"}})),
              &flag);
  }
  EXPECT_EQ(FindFlagText("no-such"), nullptr);
  EXPECT_EQ(FindCommand(""), nullptr);
}

TEST(ManualTest, EachFormTellsAllOfIt) {
  const std::string help = HelpText(kRelay);
  const std::string man =
      absl::StrReplaceAll(ManPage(), {{"\\-", "-"}, {"\\fB", ""}});
  const std::string completion = BashCompletion();
  for (const FlagText& flag : Flags()) {
    const std::string name = absl::StrCat("--", flag.name);
    EXPECT_THAT(help, HasSubstr(name));
    EXPECT_THAT(man, HasSubstr(name));
    EXPECT_THAT(completion, HasSubstr(name));
  }
  for (const CommandText& command : Commands()) {
    EXPECT_THAT(help, HasSubstr(absl::StrCat("flowcat ", command.name)));
    EXPECT_THAT(man, HasSubstr(absl::StrCat("flowcat ", command.name)));
    EXPECT_THAT(completion, HasSubstr(command.name));
  }
}

TEST(ManualTest, HelpFitsATerminal) {
  std::string help = HelpText(kRelay);
  for (const CommandText& command : Commands()) {
    help += HelpText(command.command);
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(help, '\n');
  for (const absl::string_view line : lines) {
    // An example is one line, to be copied.
    if (absl::StartsWith(line, "  ") && absl::StrContains(line, "flowcat ")) {
      continue;
    }
    EXPECT_LE(line.size(), 80u) << line;
    EXPECT_FALSE(absl::EndsWith(line, " ")) << line;
  }
}

TEST(ManualTest, OfACommandHelpHasItsFlagsAlone) {
  EXPECT_THAT(HelpText(kChaos), HasSubstr("--corrupt"));
  EXPECT_THAT(HelpText(kEcho), Not(HasSubstr("--corrupt")));
}

TEST(ManualTest, NoLineOfTheManPageIsARequestByAccident) {
  const std::string page = ManPage();
  const std::vector<absl::string_view> lines = absl::StrSplit(page, '\n');
  const std::set<std::string> kRequests = {".TH", ".SH", ".SS", ".TP",
                                           ".B",  ".br", ".PP", ".\\\""};
  for (const absl::string_view line : lines) {
    if (!absl::StartsWith(line, ".")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    EXPECT_EQ(kRequests.count(words[0]), 1u) << line;
  }
}

}  // namespace
}  // namespace flow_tools
