// Every enum that a person may print prints in words.

#include <initializer_list>
#include <set>
#include <sstream>
#include <string>

#include "flow/stats.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

template <typename Enum>
std::string Print(Enum value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

// All of `values` print as something, no two as the same.
template <typename Enum>
void ExpectWords(std::initializer_list<Enum> values) {
  std::set<std::string> words;
  for (const Enum value : values) words.insert(Print(value));
  EXPECT_EQ(words.size(), values.size());
  EXPECT_EQ(words.count("unknown"), 0u);
  EXPECT_EQ(words.count(""), 0u);
  EXPECT_EQ(Print(static_cast<Enum>(99)), "unknown");
}

TEST(NamesTest, EnumsPrintInWords) {
  ExpectWords({Activity::kIdle, Activity::kTrying, Activity::kFd,
               Activity::kSignal, Activity::kTime});
  ExpectWords(
      {ShutdownMode::kRead, ShutdownMode::kWrite, ShutdownMode::kReadWrite});
  ExpectWords({PeerEnd::kFinished, PeerEnd::kGone});
}

}  // namespace
}  // namespace flow
