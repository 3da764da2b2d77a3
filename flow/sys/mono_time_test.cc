// MonoTime: arithmetic that saturates and is never early.

#include "flow/sys/mono_time.h"

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

std::string Print(MonoTime t) {
  std::ostringstream os;
  os << t;
  return os.str();
}

TEST(MonoTimeTest, SaturatesAtBothEnds) {
  const MonoTime late = MonoTime::FromNanos(kMax - 5);
  const MonoTime early = MonoTime::FromNanos(kMin + 5);
  EXPECT_EQ(late + absl::Nanoseconds(4), MonoTime::FromNanos(kMax - 1));
  EXPECT_EQ(late + absl::Nanoseconds(5), kNever);
  EXPECT_EQ(late + absl::Hours(1), kNever);
  EXPECT_EQ(late + absl::InfiniteDuration(), kNever);
  EXPECT_EQ(late - -absl::InfiniteDuration(), kNever);
  EXPECT_EQ(early - absl::Nanoseconds(5), MonoTime::Past());
  EXPECT_EQ(early - absl::Hours(1), MonoTime::Past());
  EXPECT_EQ(early - absl::InfiniteDuration(), MonoTime::Past());
  EXPECT_EQ(MonoTime() - absl::InfiniteDuration(), MonoTime::Past());
}

TEST(MonoTimeTest, TheEndsStayWhatTheyAre) {
  for (const absl::Duration d :
       {absl::Seconds(1), -absl::Seconds(1), absl::InfiniteDuration(),
        -absl::InfiniteDuration(), absl::ZeroDuration()}) {
    EXPECT_EQ(kNever + d, kNever);
    EXPECT_EQ(kNever - d, kNever);
    EXPECT_EQ(MonoTime::Past() + d, MonoTime::Past());
    EXPECT_EQ(MonoTime::Past() - d, MonoTime::Past());
  }
}

// "Never early": fractions of a nanosecond go up, before zero too.
TEST(MonoTimeTest, FractionsGoUp) {
  const MonoTime t = MonoTime::FromNanos(100);
  EXPECT_EQ((t + absl::Nanoseconds(1) / 4).nanos(), 101);
  EXPECT_EQ((t + absl::Nanoseconds(3) / 2).nanos(), 102);
  EXPECT_EQ((t - absl::Nanoseconds(1) / 4).nanos(), 100);
  EXPECT_EQ((MonoTime() - absl::Nanoseconds(3) / 2).nanos(), -1);
  EXPECT_EQ((t + absl::ZeroDuration()).nanos(), 100);
}

TEST(MonoTimeTest, TheSpanBetweenTwoInstants) {
  const MonoTime a = MonoTime::FromNanos(5);
  const MonoTime b = MonoTime::FromNanos(3);
  EXPECT_EQ(a - b, absl::Nanoseconds(2));
  EXPECT_EQ(b - a, absl::Nanoseconds(-2));
  EXPECT_EQ(kNever - a, absl::InfiniteDuration());
  EXPECT_EQ(a - kNever, -absl::InfiniteDuration());
  EXPECT_EQ(a - MonoTime::Past(), absl::InfiniteDuration());
  EXPECT_EQ(MonoTime::Past() - a, -absl::InfiniteDuration());
  EXPECT_EQ(kNever - MonoTime::Past(), absl::InfiniteDuration());
  EXPECT_EQ(kNever - kNever, absl::ZeroDuration());
  EXPECT_EQ(MonoTime::Past() - MonoTime::Past(), absl::ZeroDuration());
  EXPECT_EQ(MonoTime::FromNanos(kMax - 1) - MonoTime::FromNanos(kMin + 1),
            absl::Nanoseconds(kMax - 1) - absl::Nanoseconds(kMin + 1));
}

TEST(MonoTimeTest, InCountsFromNow) {
  const MonoTime before = MonoTime::Now();
  const MonoTime soon = MonoTime::In(absl::Seconds(5));
  EXPECT_GE(soon, before + absl::Seconds(5));
  EXPECT_LE(soon, MonoTime::Now() + absl::Seconds(5));
  EXPECT_EQ(MonoTime::In(absl::InfiniteDuration()), kNever);
  EXPECT_EQ(MonoTime::In(-absl::InfiniteDuration()), MonoTime::Past());
  const MonoTime past = MonoTime::In(-absl::Nanoseconds(1));
  EXPECT_LT(past, MonoTime::Now());
}

TEST(MonoTimeTest, AtIsTheSameInstantOfTheWallClock) {
  const MonoTime before = MonoTime::Now();
  const absl::Time wall = absl::Now() + absl::Seconds(5);
  const MonoTime at = MonoTime::At(wall);
  EXPECT_GE(at, before + absl::Seconds(5));
  EXPECT_LE(at, MonoTime::Now() + absl::Seconds(6));
  EXPECT_EQ(MonoTime::At(absl::InfiniteFuture()), kNever);
  EXPECT_EQ(MonoTime::At(absl::InfinitePast()), MonoTime::Past());
  EXPECT_LT(MonoTime::At(absl::UnixEpoch()), MonoTime::Now());
  EXPECT_EQ(MonoTime::At(absl::FromUnixSeconds(kMax / 4)), kNever);
}

TEST(MonoTimeTest, IsOrdered) {
  const MonoTime t = MonoTime::FromNanos(7);
  EXPECT_TRUE(MonoTime::Past() < t && t < kNever);
  EXPECT_TRUE(t <= t && t >= t && t == t && !(t != t));
  EXPECT_TRUE(kNever > t && kNever >= t && kNever != t);
  EXPECT_TRUE(kNever.is_never() && !t.is_never());
  EXPECT_GT(MonoTime::Now(), MonoTime());
}

TEST(MonoTimeTest, PrintsSeconds) {
  EXPECT_EQ(Print(kNever), "never");
  EXPECT_EQ(Print(MonoTime::Past()), "past");
  EXPECT_EQ(Print(MonoTime::FromNanos(12'345'000'000)), "12.345s");
}

}  // namespace
}  // namespace flow
