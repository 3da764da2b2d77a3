// Reads that spin before they sleep: when they do, when they stop, and that
// nothing but their cost depends on it (flow/adaptive_reads.h). P4.

#include "flow/spin.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/read_habit.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/processors.h"
#include "flow/testing/intercepting_syscalls.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::MonoTime;
using flow::internal::ReadHabit;
using flow::internal::Spin;

constexpr int64_t kMicro = 1'000;

// ---- The habit: pure, a table of what it has seen and what it says.

ReadHabit AfterAWaitOf(int64_t ns) {
  ReadHabit habit;
  habit.Slept(ns);
  return habit;
}

TEST(ReadHabitTest, OnlyAShortWaitIsFollowedByASpinOfTwiceItsLength) {
  EXPECT_FALSE(ReadHabit().spins_next());
  EXPECT_EQ(AfterAWaitOf(20 * kMicro).spin_ns(), 40 * kMicro);
  EXPECT_EQ(AfterAWaitOf(200 * kMicro).spin_ns(), 300 * kMicro);
  EXPECT_EQ(AfterAWaitOf(250 * kMicro).spin_ns(), 300 * kMicro);
  // An idle flow never spins.
  EXPECT_FALSE(AfterAWaitOf(251 * kMicro).spins_next());
  EXPECT_FALSE(AfterAWaitOf(1'000'000'000).spins_next());
  // Nor is a clock that stands still evidence of anything.
  EXPECT_FALSE(AfterAWaitOf(0).spins_next());
  EXPECT_FALSE(AfterAWaitOf(2 * kMicro).spins_next());
}

// Spins in vain until it is measured again, and says how many waits were passed
// over.
int SkipsAfterASpinInVain(ReadHabit& habit) {
  habit.Slept(10 * kMicro);
  EXPECT_TRUE(habit.spins_next());
  habit.Spun(/*paid=*/false, 20 * kMicro);
  int skips = 0;
  for (; !habit.measures(); ++skips) {
    EXPECT_FALSE(habit.spins_next());
    habit.SleptUnmeasured();
  }
  return skips;
}

TEST(ReadHabitTest, ASpinInVainIsRememberedFourTimesAsLongEachTime) {
  ReadHabit habit;
  for (const int skips : {4, 16, 64, 256, 1'024, 4'096, 4'096, 4'096}) {
    EXPECT_EQ(SkipsAfterASpinInVain(habit), skips);
  }
  // Each one that pays takes a step back.
  habit.Slept(10 * kMicro);
  habit.Spun(/*paid=*/true, 5 * kMicro);
  EXPECT_TRUE(habit.spins_next());
  EXPECT_EQ(SkipsAfterASpinInVain(habit), 1'024);
  habit.Slept(10 * kMicro);
  for (int i = 0; i < 10; ++i) habit.Spun(/*paid=*/true, 5 * kMicro);
  EXPECT_EQ(SkipsAfterASpinInVain(habit), 4);
}

TEST(ReadHabitTest, AnswersThatTakeLongEndTheSpinning) {
  ReadHabit habit = AfterAWaitOf(150 * kMicro);
  // The first may take as long as the peer takes to wake up.
  habit.Spun(true, 140 * kMicro);
  EXPECT_TRUE(habit.spins_next());
  habit.Spun(true, 4 * kMicro);
  for (int i = 0; i < 3; ++i) {
    habit.Spun(true, 60 * kMicro);
    EXPECT_TRUE(habit.spins_next());
  }
  habit.Spun(true, 51 * kMicro);
  EXPECT_FALSE(habit.spins_next());
}

// "the answers take longer than 50 us time and again": the slow ones before the
// last must not have it forgotten.
TEST(ReadHabitTest, SlowAnswersAreRememberedLongerEachTime) {
  ReadHabit habit;
  // How many waits are passed over, and how many slow answers led to that.
  const std::pair<int, int> rounds[] = {{4, 4},    {16, 4},     {64, 8},
                                        {256, 16}, {1'024, 16}, {4'096, 16}};
  for (const auto& [skips, slow] : rounds) {
    habit.Slept(80 * kMicro);
    for (int i = 0; i < slow; ++i) {
      EXPECT_TRUE(habit.spins_next());
      habit.Spun(/*paid=*/true, 80 * kMicro);
    }
    EXPECT_FALSE(habit.spins_next());
    int skipped = 0;
    for (; !habit.measures(); ++skipped) habit.SleptUnmeasured();
    EXPECT_EQ(skipped, skips);
  }
}

// Both sides of a ping-pong have lost a spin, one of them `late` rounds later.
// An answer is quick if the one who gives it spun, too. How many rounds it
// takes until both spin again; -1: more than 300.
int RoundsUntilBothSpin(int late) {
  ReadHabit habits[2];
  for (int round = 0; round < 300; ++round) {
    const bool spun[2] = {habits[0].spins_next(), habits[1].spins_next()};
    if (round > late && spun[0] && spun[1]) return round;
    for (int side = 0; side < 2; ++side) {
      ReadHabit& habit = habits[side];
      const int64_t ns = (spun[1 - side] ? 5 : 70) * kMicro;
      const bool disturbed = round == (side == 0 ? 1 : 1 + late);
      if (spun[side]) {
        habit.Spun(/*paid=*/!disturbed, disturbed ? 140 * kMicro : ns);
      } else if (habit.measures()) {
        habit.Slept(70 * kMicro);
      } else {
        habit.SleptUnmeasured();
      }
    }
  }
  return -1;
}

TEST(ReadHabitTest, TwoSidesThatGaveUpOneAfterTheOtherMeetAgain) {
  for (int late = 0; late <= 10; ++late) {
    EXPECT_NE(RoundsUntilBothSpin(late), -1) << late;
  }
}

TEST(ReadHabitTest, AnAnswerIsWhatFollowsAWrite) {
  ReadHabit habit;
  EXPECT_FALSE(habit.AwaitsAnswer(0));
  EXPECT_TRUE(habit.AwaitsAnswer(1));
  EXPECT_FALSE(habit.AwaitsAnswer(1));
  EXPECT_TRUE(habit.AwaitsAnswer(3));
}

TEST(ReadHabitTest, WhoSpinsDoesNotWaitFirst) {
  ReadHabit habit;
  habit.Waited(5);
  habit.Waited(5);
  EXPECT_EQ(habit.WaitFirst(), 5);
  habit.Slept(10 * kMicro);
  EXPECT_EQ(habit.WaitFirst(), -1);
}

// ---- One spin.

// A clock that goes on by so much each time that it is read.
class TickingClock : public InterceptingSyscalls {
 public:
  explicit TickingClock(absl::Duration tick) : tick_(tick) {}
  MonoTime Now() override { return now_ = now_ + tick_; }
  // What it said last.
  MonoTime last() const { return now_; }

 protected:
  int64_t OnCall(const Request&, Real real) override {
    return real(Request::kAllBytes);
  }

 private:
  const absl::Duration tick_;
  MonoTime now_ = MonoTime::FromNanos(1'000'000'000);
};

int PausesOf(absl::Duration tick, int64_t most_ns) {
  TickingClock sys(tick);
  Spin spin(&sys, most_ns, flow::kNever);
  int pauses = 0;
  while (spin.Pause()) ++pauses;
  return pauses;
}

// P4: with them a call makes fewer than 20 system calls in its first second.
TEST(SpinTest, HasTwelveTriesAtMost) {
  EXPECT_EQ(PausesOf(absl::Nanoseconds(30), ReadHabit::kLongestSpinNs), 12);
  // Also where the clock stands still, as in a simulation.
  EXPECT_EQ(PausesOf(absl::ZeroDuration(), ReadHabit::kLongestSpinNs), 12);
}

TEST(SpinTest, EndsWithItsTime) {
  const int pauses = PausesOf(absl::Nanoseconds(30), 10 * kMicro);
  EXPECT_GT(pauses, 3);
  EXPECT_LT(pauses, 8);
  EXPECT_EQ(PausesOf(absl::Microseconds(400), 300 * kMicro), 0);
}

TEST(SpinTest, EndsBeforeTheLimitOfItsCall) {
  TickingClock sys(absl::Nanoseconds(30));
  const MonoTime limit = sys.Now() + absl::Microseconds(10);
  Spin spin(&sys, ReadHabit::kLongestSpinNs, limit);
  int pauses = 0;
  for (; spin.Pause(); ++pauses) EXPECT_LT(sys.last(), limit);
  EXPECT_GT(pauses, 3);
  EXPECT_LT(pauses, 8);
}

// What stands in for the kernel need not have its time or its processors.
TEST(SpinTest, IsForTheRealKernelAlone) {
  EXPECT_GE(flow::Processors(), 1);
  EXPECT_EQ(flow::Syscalls::Real()->SpinningHelps(), flow::Processors() > 1);
  const TickingClock sys(absl::Nanoseconds(30));
  EXPECT_FALSE(sys.SpinningHelps());
}

// ---- A flow that has the habit, on a clock where each poll takes 10 us.

class CountingKernel : public InterceptingSyscalls {
 public:
  MonoTime Now() override {
    return MonoTime::FromNanos(now_.fetch_add(30) + 30);
  }
  MonoTime CoarseNow() override { return Now(); }
  bool SpinningHelps() const override { return helps_; }
  void SpinningHelpsNot() { helps_ = false; }
  void PollsTake(int64_t ns) { poll_ns_ = ns; }
  int vain_reads() const { return vain_reads_; }
  int polls() const { return polls_; }
  // What is done after each read in vain.
  void AfterEachVainRead(std::function<void()> hook) {
    after_vain_read_ = std::move(hook);
  }
  // What happens before the so-manieth read in vain from now on.
  void FeedAtVainRead(int count, Flow* peer, size_t bytes) {
    feed_at_ = vain_reads_ + count;
    feed_ = bytes;
    peer_ = peer;
  }

 protected:
  int64_t OnCall(const Request& request, Real real) override {
    if (request.call == Call::kPoll) {
      ++polls_;
      now_ += poll_ns_;
      if (peer_ != nullptr && peer_->Write(std::string(feed_, 'x')).ok())
        peer_ = nullptr;
    }
    const int64_t result = real(Request::kAllBytes);
    if (request.call == Call::kRecv && result < 0) {
      ++vain_reads_;
      if (after_vain_read_) after_vain_read_();
      if (peer_ != nullptr && vain_reads_ == feed_at_ &&
          peer_->Write(std::string(feed_, 'x')).ok()) {
        peer_ = nullptr;
      }
    }
    return result;
  }

 private:
  bool helps_ = true;
  int64_t poll_ns_ = 10 * kMicro;
  std::atomic<int64_t> now_{1'000'000'000};
  std::atomic<int> vain_reads_{0};
  std::atomic<int> polls_{0};
  std::function<void()> after_vain_read_;
  int feed_at_ = 0;
  size_t feed_ = 0;
  Flow* peer_ = nullptr;
};

struct SpinningPair {
  explicit SpinningPair(bool spins = true, bool waits_first = false) {
    RawPair raw = RawSocketPair();
    flow::FdOptions options;
    options.sys = &sys;
    options.adaptive.spins = spins;
    options.adaptive.waits_first = waits_first;
    near = flow::Adopt(std::move(raw.first), options).value();
    far = flow::Adopt(std::move(raw.second)).value();
  }
  // A read whose byte arrives while it spins, or is fed to its poll: at the
  // `count`th read in vain. How many reads in vain it made.
  int ReadFedAt(int count, size_t fed = 1, size_t room = 64) {
    const int before = sys.vain_reads();
    sys.FeedAtVainRead(count, &far, fed);
    std::string into(room, '\0');
    EXPECT_TRUE(
        near.ReadInto(absl::MakeSpan(&into[0], room), absl::Seconds(20)).ok());
    return sys.vain_reads() - before;
  }

  CountingKernel sys;
  Flow near;
  Flow far;
};

constexpr int kNever = 1'000;

TEST(SpinningReadTest, FindsTheAnswerWithoutSleeping) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);  // sleeps, for 10 us
  const int polls = pair.sys.polls();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pair.near.Write("ask").ok());
    EXPECT_EQ(pair.ReadFedAt(3), 3) << i;
  }
  EXPECT_EQ(pair.sys.polls(), polls);
}

// P4: at most 13 tries before the first sleep, and none beside it afterwards.
TEST(SpinningReadTest, ThatIsInVainSleepsAfterABoundedNumberOfTries) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  const int tries = pair.ReadFedAt(kNever);
  EXPECT_GT(tries, 3);
  EXPECT_LE(tries, 13);
  // Remembered.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pair.ReadFedAt(kNever), 1) << i;
}

// A stream that comes in pieces is better read later: nothing was written that
// they could answer, and they don't fill the memory.
TEST(SpinningReadTest, GivesUpOnAStreamOfSmallPieces) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  EXPECT_EQ(pair.ReadFedAt(2), 2);  // found, and not worth it
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pair.ReadFedAt(kNever), 1) << i;
}

// Nor is each small chunk worth the processor, if it does fill the memory ...
TEST(SpinningReadTest, GivesUpOnAStreamOfSmallChunks) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  EXPECT_EQ(pair.ReadFedAt(2, 1024, 1024), 2);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pair.ReadFedAt(kNever), 1) << i;
}

// ... but a large one is: two processors hand it over without a sleep.
TEST(SpinningReadTest, GoesOnForAStreamOfLargeChunks) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pair.ReadFedAt(2, 16 << 10, 16 << 10), 2) << i;
  }
}

TEST(SpinningReadTest, CanBeTurnedOff) {
  SpinningPair pair(/*spins=*/false);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(pair.near.Write("ask").ok());
    EXPECT_EQ(pair.ReadFedAt(kNever), 1) << i;
  }
}

// A short wait is no reason to try before the next where nothing would be spun
// for after the try: with one processor, and with what stands in for the
// kernel, what system calls are made does not depend on how long they took. F1.
TEST(SpinningReadTest, ThatCannotHelpDoesNotKeepReadsFromWaitingFirst) {
  SpinningPair pair(/*spins=*/true, /*waits_first=*/true);
  pair.sys.SpinningHelpsNot();
  pair.sys.PollsTake(1'000 * kMicro);
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  pair.sys.PollsTake(10 * kMicro);
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  for (int i = 2; i < 8; ++i) EXPECT_EQ(pair.ReadFedAt(kNever), 0) << i;
}

// What `pair.near` is told next, which is not waited for.
std::string NextOf(SpinningPair& pair) {
  EXPECT_TRUE(pair.far.Shutdown(flow::ShutdownMode::kWrite).ok());
  const auto got = pair.near.Read();
  if (!got.ok()) return got.status().ToString();
  return got->is_eof() ? "Eof" : got->data().ToString();
}

// Has a byte come, in the middle of a spin, after `ending`; then reads, within
// `limits`.
absl::StatusOr<flow::OrEof<size_t>> ReadWhoseSpinMeets(
    SpinningPair& pair, const flow::Limits& limits,
    const std::function<void()>& ending) {
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  int vain_reads = 0;
  pair.sys.AfterEachVainRead([&] {
    if (++vain_reads != 3) return;
    ending();
    EXPECT_TRUE(pair.far.Write("late").ok());
  });
  char into[64];
  auto got = pair.near.ReadInto(absl::MakeSpan(into), limits);
  EXPECT_GE(vain_reads, 3);
  pair.sys.AfterEachVainRead(nullptr);
  return got;
}

// "CANCELLED by a token (the caller gave up; nothing was consumed)": what comes
// after the token's Cancel has returned is the next call's.
TEST(SpinningReadTest, TakesNothingThatComesAfterItsTokenIsCancelled) {
  SpinningPair pair;
  flow::CancelSource source;
  flow::Limits limits;
  limits.cancel = source.token();
  EXPECT_EQ(ReadWhoseSpinMeets(pair, limits, [&] { source.Cancel(); })
                .status()
                .code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(NextOf(pair), "late");
}

// "read: shut (also a Read that is blocked right now): Eof [...] even if data
// comes later".
TEST(SpinningReadTest, TakesNothingThatComesAfterAShutdown) {
  SpinningPair pair;
  const auto got = ReadWhoseSpinMeets(pair, {}, [&] {
    EXPECT_TRUE(pair.near.Shutdown(flow::ShutdownMode::kRead).ok());
  });
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(got->is_eof());
}

// P3: deadlines are totals.
TEST(SpinningReadTest, TakesNothingThatComesAfterItsDeadline) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  const MonoTime deadline = pair.sys.Now() + absl::Microseconds(5);
  bool fed = false;
  pair.sys.AfterEachVainRead([&] {
    if (fed || pair.sys.Now() + absl::Microseconds(1) < deadline) return;
    while (pair.sys.Now() < deadline) {
    }
    fed = pair.far.Write("late").ok();
  });
  char into[64];
  const auto got = pair.near.ReadInto(absl::MakeSpan(into), deadline);
  pair.sys.AfterEachVainRead(nullptr);
  EXPECT_EQ(got.status().code(), absl::StatusCode::kDeadlineExceeded);
  if (!fed) {
    EXPECT_TRUE(pair.far.Write("late").ok());
  }
  EXPECT_EQ(NextOf(pair), "late");
}

// P3: a spin is over long before anybody could notice that it does not look.
TEST(SpinningReadTest, IsCutByAClose) {
  SpinningPair pair;
  EXPECT_EQ(pair.ReadFedAt(kNever), 1);
  std::thread reader([&pair] {
    char into[64];
    EXPECT_FALSE(pair.near.ReadInto(into).ok());
  });
  EXPECT_TRUE(pair.near.Close().ok());
  reader.join();
}

}  // namespace
}  // namespace flow_testing
