// Sleeper on a kernel of the test's: what it polls, for how long, what it reads
// the clock for. Time is simulated; nothing here waits.

#include "flow/sleeper.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/limits.h"
#include "flow/signal.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace internal {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

constexpr int kFd = 1000;  // never touched: polls are the test's own
constexpr int kIntMax = std::numeric_limits<int>::max();

// A kernel whose clock moves only while somebody polls.
class FakeKernel : public Syscalls {
 public:
  MonoTime Now() override {
    ++clock_reads;
    return now;
  }
  MonoTime CoarseNow() override {
    ++coarse_reads;
    return now - coarse_lag;
  }
  int Eventfd() override {
    ++eventfds;
    if (blind) {
      errno = EMFILE;
      return -1;
    }
    return Syscalls::Eventfd();
  }
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    timeouts.push_back(timeout_ms);
    polled.emplace_back(fds, fds + count);
    for (nfds_t i = 0; i < count; ++i) fds[i].revents = 0;
    if (on_poll) return on_poll(fds, count, timeout_ms);
    return SleepThrough(timeout_ms);
  }

  int SleepThrough(int timeout_ms) {
    EXPECT_GE(timeout_ms, 0) << "sleeps for ever";
    now = now + absl::Milliseconds(std::max(timeout_ms, 0));
    return 0;
  }
  // The answer of a poll in which the descriptor at `i` is ready.
  static int Ready(pollfd* fds, nfds_t i) {
    fds[i].revents = fds[i].events;
    return 1;
  }
  MonoTime In(absl::Duration d) const { return now + d; }

  std::function<int(pollfd*, nfds_t, int)> on_poll;
  MonoTime now = MonoTime::FromNanos(1'000'000'000'000);
  absl::Duration coarse_lag = absl::Milliseconds(4);
  bool blind = false;
  int clock_reads = 0, coarse_reads = 0, eventfds = 0;
  std::vector<int> timeouts;
  std::vector<std::vector<pollfd>> polled;
};

const Wait kOnFd = Wait::ForFd(kFd, POLLIN);

// ------------------------------------------------------------------- the polls

// "The first sleep polls its fd alone for at most 20 ms, re-reads word and
// token, and only then links the waker and polls both."
TEST(SleeperTest, TheDescriptorIsPolledAloneFor20MsAndThenWithTheWaker) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (count == 1) return kernel.SleepThrough(timeout_ms);
    EXPECT_EQ(timeout_ms, -1);
    EXPECT_EQ(fds[1].events, POLLIN);
    return FakeKernel::Ready(fds, 0);
  };
  const Limits none;
  Signal owner;
  Sleeper sleeper(&kernel, none, &owner);
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre(20, -1));
  EXPECT_EQ(kernel.polled[0].size(), 1u);
  EXPECT_EQ(kernel.polled[0][0].fd, kFd);
  EXPECT_EQ(kernel.polled[1][0].fd, kFd);
  EXPECT_NE(kernel.polled[1][1].fd, kFd);
}

TEST(SleeperTest, AShortWaitNeedsOnePollAndNoWaker) {
  FakeKernel kernel;
  kernel.on_poll = [](pollfd* fds, nfds_t, int) {
    return FakeKernel::Ready(fds, 0);
  };
  const Limits none;
  Signal owner;
  std::thread([&] {  // whose waker has not been made by another test
    Sleeper sleeper(&kernel, none, &owner);
    EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  })
      .join();
  EXPECT_THAT(kernel.timeouts, ElementsAre(20));
  EXPECT_EQ(kernel.eventfds, 0);
}

TEST(SleeperTest, WhoWaitsForAThreadIsWakeableAtOnce) {
  FakeKernel kernel;
  kernel.on_poll = [](pollfd* fds, nfds_t, int) {
    return FakeKernel::Ready(fds, 0);
  };
  const Limits none;
  Signal transport;
  Sleeper sleeper(&kernel, none, nullptr);
  EXPECT_EQ(sleeper.Sleep(Wait::For(&transport, transport.seq())),
            Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre(-1));
  EXPECT_EQ(kernel.polled[0].size(), 1u);
}

// A layer waits for its fd, and now and then for its other direction.
TEST(SleeperTest, ARareSignalLetsTheDescriptorBePolledAloneFirst) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (count == 1) return kernel.SleepThrough(timeout_ms);
    return FakeKernel::Ready(fds, 0);
  };
  const Limits none;
  Signal owner;
  Signal rare;
  Sleeper sleeper(&kernel, none, &owner);
  Wait wait = kOnFd;
  wait.signal = &rare;
  wait.seq = rare.seq();
  wait.signal_is_rare = true;
  EXPECT_EQ(sleeper.Sleep(wait), Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre(20, -1));
  // What came in the slice ends the sleep after it.
  kernel.timeouts.clear();
  kernel.on_poll = [&](pollfd*, nfds_t, int timeout_ms) {
    rare.Notify();
    return kernel.SleepThrough(timeout_ms);
  };
  EXPECT_EQ(sleeper.Sleep(wait), Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre(20));
}

TEST(SleeperTest, ANotificationThatCameBeforeIsNotSleptOver) {
  FakeKernel kernel;
  CancelSource source;
  const Limits limits(source.token());
  Signal owner, transport;
  Sleeper sleeper(&kernel, limits, &owner);
  const uint64_t seq = transport.seq();
  transport.Notify();
  EXPECT_EQ(sleeper.Sleep(Wait::For(&transport, seq)), Woke::kRetry);
  sleeper.Arm();
  owner.Notify();
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  sleeper.Arm();
  source.SetDeadline(kernel.In(absl::Hours(1)));
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre());
}

// P3: a Cancel after the look at the token that ended one sleep, but before the
// Arm of the next, has moved the signal too early to be seen as a change.
TEST(SleeperTest, ACancelBetweenTwoSleepsIsNotSleptOver) {
  FakeKernel kernel;
  CancelSource source;
  const Limits limits(source.token());
  Signal owner;
  Sleeper sleeper(&kernel, limits, &owner);
  source.Cancel();
  sleeper.Arm();
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kCancelled);
  EXPECT_THAT(kernel.timeouts, ElementsAre());
}

TEST(SleeperTest, ANotificationInTheFirstSliceEndsTheSleepAfterIt) {
  FakeKernel kernel;
  Signal owner;
  kernel.on_poll = [&](pollfd*, nfds_t, int timeout_ms) {
    owner.Notify();
    return kernel.SleepThrough(timeout_ms);
  };
  const Limits none;
  Sleeper sleeper(&kernel, none, &owner);
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre(20));
}

// P7: "EINTR never reaches the caller"; and no try is made for it.
TEST(SleeperTest, AnInterruptedPollGoesOnWithWhatIsLeft) {
  FakeKernel kernel;
  int interrupts = 3;
  kernel.on_poll = [&](pollfd*, nfds_t, int timeout_ms) {
    if (interrupts-- > 0) {
      kernel.now = kernel.now + absl::Milliseconds(2);
      errno = EINTR;
      return -1;
    }
    return kernel.SleepThrough(timeout_ms);
  };
  const Limits limits(kernel.In(absl::Milliseconds(10)));
  Sleeper sleeper(&kernel, limits, nullptr);
  EXPECT_EQ(sleeper.Sleep(Wait()), Woke::kDeadline);
  EXPECT_THAT(kernel.timeouts, ElementsAre(10, 8, 6, 4));
}

TEST(SleeperTest, AnInterruptedPollSeesWhatTheHandlerNotified) {
  FakeKernel kernel;
  Signal owner;
  kernel.on_poll = [&](pollfd*, nfds_t, int) {
    owner.Notify();
    errno = EINTR;
    return -1;
  };
  const Limits none;
  Sleeper sleeper(&kernel, none, &owner);
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  EXPECT_EQ(kernel.timeouts.size(), 1u);
}

// ------------------------------------------------------------------- the
// limits

// "Waits: poll(), milliseconds rounded up": never early.
TEST(SleeperTest, TimeOutsAreRoundedUp) {
  for (const int64_t ns : {int64_t{1}, int64_t{999'999}, int64_t{1'000'000},
                           int64_t{1'000'001}, int64_t{19'000'001}}) {
    FakeKernel kernel;
    const Limits limits(kernel.In(absl::Nanoseconds(ns)));
    Sleeper sleeper(&kernel, limits, nullptr);
    EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kDeadline);
    EXPECT_THAT(kernel.timeouts, ElementsAre((ns + 999'999) / 1'000'000));
  }
}

TEST(SleeperTest, APollThatReturnsTooEarlyIsNoDeadline) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd*, nfds_t, int timeout_ms) {
    kernel.now =
        kernel.now + absl::Milliseconds(timeout_ms) - absl::Microseconds(600);
    return 0;
  };
  const MonoTime deadline = kernel.In(absl::Milliseconds(5));
  const Limits limits(deadline);
  Sleeper sleeper(&kernel, limits, nullptr);
  Woke woke = Woke::kRetry;
  while (woke == Woke::kRetry) {
    woke = sleeper.Sleep(Wait());
    EXPECT_EQ(woke == Woke::kDeadline, kernel.now >= deadline);
  }
}

TEST(SleeperTest, ATimeOutTooLongForPollIsSleptInParts) {
  FakeKernel kernel;
  const MonoTime deadline = kernel.In(absl::Hours(24 * 60));
  const Limits limits(deadline);
  Sleeper sleeper(&kernel, limits, nullptr);
  EXPECT_EQ(sleeper.Sleep(Wait()), Woke::kDeadline);
  ASSERT_EQ(kernel.timeouts.size(), 3u);
  EXPECT_EQ(kernel.timeouts[0], kIntMax);
  EXPECT_EQ(kernel.timeouts[1], kIntMax);
  EXPECT_LT(kernel.timeouts[2], kIntMax);
  EXPECT_GE(kernel.now, deadline);
}

TEST(SleeperTest, AnInstantOfTheTransportEndsTheSleepForAnotherTry) {
  FakeKernel kernel;
  const Limits limits(kernel.In(absl::Seconds(9)));
  Sleeper sleeper(&kernel, limits, nullptr);
  EXPECT_EQ(sleeper.Sleep(Wait::Until(kernel.In(absl::Milliseconds(70)))),
            Woke::kRetry);
  EXPECT_THAT(kernel.timeouts, ElementsAre(70));
}

TEST(SleeperTest, ADeadlineThatIsMovedDuringTheSleepCounts) {
  for (const bool forward : {true, false}) {
    FakeKernel kernel;
    CancelSource source;
    source.SetDeadline(kernel.In(absl::Seconds(10)));
    kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
      kernel.now = kernel.now + absl::Milliseconds(timeout_ms);
      if (count == 1) return 0;
      source.SetDeadline(
          kernel.In(forward ? absl::ZeroDuration() : absl::Hours(1)));
      return FakeKernel::Ready(fds, 1);
    };
    const Limits limits(source.token());
    Sleeper sleeper(&kernel, limits, nullptr);
    sleeper.Arm();
    EXPECT_EQ(sleeper.Sleep(kOnFd), forward ? Woke::kDeadline : Woke::kRetry);
  }
}

// "Past it: DEADLINE_EXCEEDED": also if it was moved there while the descriptor
// was polled alone, before that became ready.
TEST(SleeperTest, ADeadlineThatIsMovedDuringTheFirstSliceCounts) {
  FakeKernel kernel;
  CancelSource source;
  kernel.on_poll = [&](pollfd* fds, nfds_t, int) {
    source.SetDeadline(kernel.now);
    return FakeKernel::Ready(fds, 0);
  };
  const Limits limits(source.token());
  Sleeper sleeper(&kernel, limits, nullptr);
  sleeper.Arm();
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kDeadline);
}

// "stall_timeout (longest time without progress)".
TEST(SleeperTest, TheStallLimitBeginsAnewWithEachByte) {
  FakeKernel kernel;
  Limits limits(kernel.In(absl::Hours(1)));
  limits.stall_timeout = absl::Seconds(2);
  Sleeper sleeper(&kernel, limits, nullptr);
  for (int i = 0; i < 3; ++i) {
    const Wait half = Wait::Until(kernel.In(absl::Milliseconds(1500)));
    EXPECT_EQ(sleeper.Sleep(half), Woke::kRetry);
    sleeper.SawProgress();
  }
  EXPECT_EQ(sleeper.Sleep(Wait::Until(kernel.In(absl::Milliseconds(1500)))),
            Woke::kRetry);
  EXPECT_EQ(sleeper.Sleep(Wait()), Woke::kStalled);
  EXPECT_EQ(kernel.timeouts.back(), 500);
}

TEST(SleeperTest, TheEarlierOfDeadlineAndStallIsTold) {
  FakeKernel kernel;
  Limits limits(kernel.In(absl::Seconds(1)));
  limits.stall_timeout = absl::Seconds(2);
  Sleeper sleeper(&kernel, limits, nullptr);
  EXPECT_EQ(sleeper.Sleep(Wait()), Woke::kDeadline);
}

// "cancelled and past: CANCELLED".
TEST(SleeperTest, CancelledIsSaidBeforeTheDeadline) {
  FakeKernel kernel;
  CancelSource source;
  Limits limits(kernel.In(absl::ZeroDuration()));
  limits.cancel = source.token();
  Sleeper sleeper(&kernel, limits, nullptr);
  EXPECT_EQ(sleeper.Check(), Woke::kDeadline);
  EXPECT_EQ(sleeper.PassedLimit(), Woke::kDeadline);
  source.Cancel();
  EXPECT_EQ(sleeper.PassedLimit(), Woke::kCancelled);
  EXPECT_EQ(sleeper.Check(), Woke::kCancelled);
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kCancelled);
}

// "Past-deadline check: coarse clock first, the fine one only within 100 ms".
TEST(SleeperTest, CheckReadsNoClockThatItDoesNotNeed) {
  FakeKernel kernel;
  const Limits none;
  EXPECT_EQ(Sleeper(&kernel, none, nullptr).Check(), Woke::kRetry);
  EXPECT_EQ(kernel.coarse_reads + kernel.clock_reads, 0);

  const Limits far(kernel.In(absl::Milliseconds(150)));
  EXPECT_EQ(Sleeper(&kernel, far, nullptr).Check(), Woke::kRetry);
  EXPECT_EQ(kernel.coarse_reads, 1);
  EXPECT_EQ(kernel.clock_reads, 0);

  const Limits near(kernel.In(absl::Milliseconds(50)));
  EXPECT_EQ(Sleeper(&kernel, near, nullptr).Check(), Woke::kRetry);
  EXPECT_EQ(kernel.clock_reads, 1);

  // The coarse clock is behind: it alone would let this one through.
  const Limits now(kernel.now);
  EXPECT_EQ(Sleeper(&kernel, now, nullptr).Check(), Woke::kDeadline);
  const Limits past{MonoTime::Past()};
  EXPECT_EQ(Sleeper(&kernel, past, nullptr).Check(), Woke::kDeadline);
}

TEST(SleeperTest, AStallLimitOfNothingIsInvalid) {
  FakeKernel kernel;
  for (const absl::Duration bad :
       {absl::ZeroDuration(), absl::Seconds(-1), -absl::InfiniteDuration()}) {
    Limits limits;
    limits.stall_timeout = bad;
    EXPECT_EQ(Sleeper(&kernel, limits, nullptr).Check(), Woke::kInvalid);
  }
}

// --------------------------------------------------------------------- no spin

// A blocked call: tries, and sleeps, until its limit of one second. Returns how
// many system calls that made, tries included.
int CallsInOneSecond(FakeKernel& kernel, const Wait& wait) {
  Signal owner;
  const Limits limits(kernel.In(absl::Seconds(1)));
  Sleeper sleeper(&kernel, limits, &owner);
  int tries = 1;
  while (sleeper.Sleep(wait) == Woke::kRetry) {
    sleeper.Arm();
    ++tries;
    if (tries > 1000) break;
  }
  return tries + static_cast<int>(kernel.timeouts.size()) + kernel.eventfds;
}

// P4: "a blocked operation makes at most 20 system calls per second". (The
// clock is no system call: the vDSO reads it.)
TEST(SleeperTest, ABlockedCallMakesFewSystemCalls) {
  FakeKernel kernel;
  EXPECT_LE(CallsInOneSecond(kernel, kOnFd), 4);
}

// DESIGN 2.1: "Only where no eventfd can be had (EMFILE) the thread polls in
// slices of 60 ms and re-reads the word (17 calls a second keep P3 and P4)."
TEST(SleeperTest, WithoutAnEventfdASleepIsSlicesOf60Ms) {
  FakeKernel kernel;
  kernel.blind = true;
  std::thread([&] { EXPECT_LE(CallsInOneSecond(kernel, kOnFd), 20); }).join();
  EXPECT_THAT(kernel.timeouts, Each(AllOf(Ge(0), Le(60))));
}

// P3: "Close/Cancel frees every waiter within 100 ms", without an eventfd too.
TEST(SleeperTest, WithoutAnEventfdANotificationIsSeenAfterTheSlice) {
  FakeKernel kernel;
  kernel.blind = true;
  Signal owner;
  MonoTime notified;
  kernel.on_poll = [&](pollfd*, nfds_t, int timeout_ms) {
    if (kernel.timeouts.size() == 4) {
      owner.Notify();
      notified = kernel.now;
    }
    return kernel.SleepThrough(timeout_ms);
  };
  std::thread([&] {
    const Limits none;
    Sleeper sleeper(&kernel, none, &owner);
    while (owner.seq() == 0) EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  }).join();
  EXPECT_LE(kernel.now - notified, absl::Milliseconds(60));
}

TEST(SleeperTest, WithoutAnEventfdReadinessAndInstantsEndTheSleepAsEver) {
  FakeKernel kernel;
  kernel.blind = true;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (kernel.timeouts.size() == 3) return FakeKernel::Ready(fds, 0);
    EXPECT_LE(count, 1u);
    return kernel.SleepThrough(timeout_ms);
  };
  std::thread([&] {
    const Limits none;
    Sleeper sleeper(&kernel, none, nullptr);
    while (kernel.timeouts.size() < 3) {
      EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
    }
    const MonoTime until = kernel.In(absl::Milliseconds(90));
    while (kernel.now < until) {
      EXPECT_EQ(sleeper.Sleep(Wait::Until(until)), Woke::kRetry);
    }
    EXPECT_EQ(kernel.now, until);
  }).join();
}

// P4 also for a descriptor that is "ready" without anything to be had.
TEST(SleeperTest, ADescriptorThatIsReadyForNothingIsAskedRarely) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (count > 0 && fds[0].fd == kFd) return FakeKernel::Ready(fds, 0);
    return kernel.SleepThrough(timeout_ms);
  };
  EXPECT_LE(CallsInOneSecond(kernel, kOnFd), 20);
}

TEST(SleeperTest, AfterProgressADescriptorIsBelievedAgain) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (count > 0 && fds[0].fd == kFd) return FakeKernel::Ready(fds, 0);
    return kernel.SleepThrough(timeout_ms);
  };
  const Limits none;
  Sleeper sleeper(&kernel, none, nullptr);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  EXPECT_NE(kernel.polled.back()[0].fd, kFd) << "still believed";
  sleeper.SawProgress();
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
  EXPECT_EQ(kernel.polled.back()[0].fd, kFd);
}

// Wait::moved: "what woke it was no false alarm". A TLS record comes in parts.
TEST(SleeperTest, ADescriptorWhoseTriesMovedSomethingIsBelieved) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (count > 0 && fds[0].fd == kFd) return FakeKernel::Ready(fds, 0);
    return kernel.SleepThrough(timeout_ms);
  };
  Wait wait = kOnFd;
  wait.moved = true;
  const Limits none;
  Sleeper sleeper(&kernel, none, nullptr);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(sleeper.Sleep(wait), Woke::kRetry);
    EXPECT_EQ(kernel.polled.back()[0].fd, kFd);
  }
}

TEST(SleeperTest, APauseDoesNotOutlastTheTransportsInstant) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd* fds, nfds_t count, int timeout_ms) {
    if (count > 0 && fds[0].fd == kFd) return FakeKernel::Ready(fds, 0);
    return kernel.SleepThrough(timeout_ms);
  };
  const Limits none;
  Sleeper sleeper(&kernel, none, nullptr);
  for (int i = 0; i < 8; ++i) {
    Wait wait = kOnFd;
    wait.until = kernel.In(absl::Milliseconds(20));
    EXPECT_EQ(sleeper.Sleep(wait), Woke::kRetry);
    EXPECT_LE(kernel.now, wait.until);
  }
}

// P4 also for a transport that waits for an instant that has come, or nearly.
TEST(SleeperTest, AnInstantThatHasComeIsNoSpin) {
  for (const absl::Duration in :
       {absl::ZeroDuration(), absl::Microseconds(10)}) {
    FakeKernel kernel;
    const Limits none;
    Sleeper sleeper(&kernel, none, nullptr);
    const MonoTime end = kernel.In(absl::Seconds(1));
    int tries = 0;
    while (kernel.now < end && tries < 1000) {
      ++tries;
      EXPECT_EQ(sleeper.Sleep(Wait::Until(kernel.now + in)), Woke::kRetry);
    }
    EXPECT_LE(tries, 12) << in;
  }
}

TEST(SleeperTest, APollThatFailsForWantOfMemoryIsNoSpin) {
  FakeKernel kernel;
  kernel.on_poll = [&](pollfd*, nfds_t count, int timeout_ms) {
    if (count == 0) return kernel.SleepThrough(timeout_ms);
    errno = ENOMEM;
    return -1;
  };
  EXPECT_LE(CallsInOneSecond(kernel, kOnFd), 20);
}

TEST(SleeperTest, APollThatAlwaysFailsReturns) {
  FakeKernel kernel;
  kernel.on_poll = [](pollfd*, nfds_t, int) {
    errno = EINVAL;
    return -1;
  };
  const Limits limits(kernel.In(absl::Seconds(1)));
  Sleeper sleeper(&kernel, limits, nullptr);
  EXPECT_EQ(sleeper.Sleep(kOnFd), Woke::kRetry);
}

}  // namespace
}  // namespace internal
}  // namespace flow
