// Limits: what the ways to write one mean.

#include "flow/limits.h"

#include <sstream>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/sys/mono_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::testing::HasSubstr;

TEST(LimitsTest, ByDefaultThereIsNone) {
  const Limits limits;
  EXPECT_TRUE(limits.deadline.is_never());
  EXPECT_EQ(limits.stall_timeout, absl::InfiniteDuration());
  EXPECT_FALSE(limits.cancel.has_source());
}

// "A deadline is stored as a monotonic instant made when the object is built":
// one Limits used for several calls is one total.
TEST(LimitsTest, ADurationCountsFromNow) {
  const MonoTime before = MonoTime::Now();
  const Limits limits = absl::Seconds(5);
  EXPECT_GE(limits.deadline, before + absl::Seconds(5));
  EXPECT_LE(limits.deadline, MonoTime::Now() + absl::Seconds(5));
}

TEST(LimitsTest, AWallTimeIsTakenOverOnce) {
  const MonoTime before = MonoTime::Now();
  const absl::Time wall = absl::Now() + absl::Seconds(5);
  const Limits limits = wall;
  // The two clocks are read one after the other; never early.
  EXPECT_GE(limits.deadline, before + absl::Seconds(5));
  EXPECT_LE(limits.deadline, MonoTime::Now() + absl::Seconds(6));
}

// "never -1 = for ever".
TEST(LimitsTest, EndlessIsNoLimitAndNegativeHasPassed) {
  EXPECT_TRUE(Limits(absl::InfiniteDuration()).deadline.is_never());
  EXPECT_TRUE(Limits(absl::InfiniteFuture()).deadline.is_never());
  EXPECT_TRUE(Limits(kNever).deadline.is_never());
  for (const Limits& past :
       {Limits(absl::ZeroDuration()), Limits(absl::Seconds(-1)),
        Limits(-absl::InfiniteDuration()), Limits(absl::InfinitePast()),
        Limits(absl::UnixEpoch()), Limits(MonoTime::Past())}) {
    EXPECT_LE(past.deadline, MonoTime::Now());
  }
}

TEST(LimitsTest, WithinBringsTheDeadlineForwardOnly) {
  CancelSource source;
  Limits limits = MonoTime::FromNanos(1000);
  limits.stall_timeout = absl::Seconds(3);
  limits.cancel = source.token();
  EXPECT_EQ(limits.Within(MonoTime::FromNanos(500)).deadline.nanos(), 500);
  EXPECT_EQ(limits.Within(MonoTime::FromNanos(1500)).deadline.nanos(), 1000);
  EXPECT_EQ(limits.Within(kNever).deadline.nanos(), 1000);
  EXPECT_EQ(Limits().Within(kNever).deadline, kNever);
  const Limits nearer = limits.Within(MonoTime::Past());
  EXPECT_EQ(nearer.stall_timeout, absl::Seconds(3));
  EXPECT_TRUE(nearer.cancel.has_source());
}

TEST(LimitsTest, PrintsItsParts) {
  CancelSource source;
  source.Cancel();
  Limits limits = source.token();
  limits.stall_timeout = absl::Seconds(2);
  std::ostringstream os;
  os << limits;
  EXPECT_THAT(os.str(), HasSubstr("deadline never"));
  EXPECT_THAT(os.str(), HasSubstr("stall_timeout 2s"));
  EXPECT_THAT(os.str(), HasSubstr("cancelled"));
}

}  // namespace
}  // namespace flow
