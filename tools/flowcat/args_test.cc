#include "tools/flowcat/args.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/net/schemes.h"
#include "flow/testing/matchers.h"
#include "flow/tls/tls_schemes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

ABSL_FLAG(absl::Duration, test_time_limit, absl::ZeroDuration(), "");
ABSL_FLAG(bool, test_switch, false, "");

namespace flow_tools {
namespace {

using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<std::vector<std::string>> WordsOf(
    absl::Span<const char* const> args) {
  const absl::StatusOr<CommandLine> parsed = ParseFlags(args);
  if (!parsed.ok()) return parsed.status();
  return parsed->words;
}

TEST(ParseEndTest, AnAddressIsAnEndAndKeepsItsSpelling) {
  const struct {
    const char* text;
    const char* address;
  } kCases[] = {
      {"-", "stdio:"},
      {"tcp:localhost:080", "tcp:localhost:80"},
      {"tcp-listen:127.0.0.1:0", "tcp-listen:127.0.0.1:0"},
      {"unix:a b", "unix:a b"},
      {"unix-listen:/x,mode=660", "unix-listen:/x,mode=0660"},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<End> end = ParseEnd(c.text);
    ASSERT_THAT(end, IsOk());
    EXPECT_EQ(end->address.ToString(), c.address);
    EXPECT_EQ(end->name, c.text);
  }
}

TEST(ParseEndTest, AddedSchemesAreUnderstood) {
  flow::Schemes schemes;
  ASSERT_THAT(flow::AddTlsSchemes(schemes), IsOk());
  EXPECT_THAT(ParseEnd("tls:a:1,min=1.3", &schemes), IsOk());
  EXPECT_THAT(ParseEnd("tls:a:1"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("unknown scheme \"tls\"")));
}

TEST(ParseEndTest, NonsenseIsNamedInTheMessage) {
  for (const absl::string_view text :
       {"x", "", "tcp", "tcp:", "tcp:a", "tcp:a:b:", "tcp-listen:a", "unix:",
        "unix-listen:", "UNIX:a", "tcp:127.0.0.1:0", "--", "tcp:a:1,b"}) {
    EXPECT_THAT(ParseEnd(text), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr(std::string(text))));
  }
  EXPECT_THAT(ParseEnd("\x1b[2J"), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("\\x1b[2J")));
}

TEST(ParseEndsTest, StdioCanBeOnlyOne) {
  EXPECT_THAT(ParseEnds({"-", "-"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_THAT(ParseEnds({"stdio:", "-"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_THAT(ParseEnds({"-", "unix:x"}), IsOk());
  EXPECT_THAT(ParseEnds({"unix:x", "-"}), IsOk());
}

TEST(ParseEndsTest, TwoAreNeeded) {
  EXPECT_THAT(ParseEnds({}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseEnds({"-"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"-\"")));
  EXPECT_THAT(ParseEnds({"-", "unix:x", "third"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("third")));
}

TEST(ParseFlagsTest, AllSpellingsOfAFlagAreUnderstood) {
  const std::vector<std::vector<const char*>> spellings = {
      {"--test_time_limit=3s"},
      {"--test-time-limit=3s"},
      {"--test-time-limit", "3s"}};
  for (const std::vector<const char*>& spelling : spellings) {
    absl::SetFlag(&FLAGS_test_time_limit, absl::ZeroDuration());
    EXPECT_THAT(WordsOf(spelling), IsOkAndHolds(ElementsAre()));
    EXPECT_EQ(absl::GetFlag(FLAGS_test_time_limit), absl::Seconds(3));
  }
  EXPECT_THAT(WordsOf({"--test-switch", "word"}),
              IsOkAndHolds(ElementsAre("word")));
  EXPECT_TRUE(absl::GetFlag(FLAGS_test_switch));
  EXPECT_THAT(WordsOf({"--notest-switch"}), IsOkAndHolds(ElementsAre()));
  EXPECT_FALSE(absl::GetFlag(FLAGS_test_switch));
}

TEST(ParseFlagsTest, WordsKeepTheirOrderAndADashIsOne) {
  EXPECT_THAT(WordsOf({"-", "--test-switch", "b", "--", "--c"}),
              IsOkAndHolds(ElementsAre("-", "b", "--c")));
}

TEST(ParseFlagsTest, WhatIsNoFlagIsNamed) {
  EXPECT_THAT(
      WordsOf({"--no-such"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"--no-such\"")));
  EXPECT_THAT(WordsOf({"-v"}), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("\"-v\"")));
  EXPECT_THAT(WordsOf({"--notest-time-limit"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(WordsOf({"--test-time-limit=x"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"x\"")));
  EXPECT_THAT(
      WordsOf({"--test-time-limit"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("needs a value")));
}

}  // namespace
}  // namespace flow_tools
