// Signal and Waker: no notification is lost (DESIGN 2), and nothing is needed
// of a machine that has no eventfd left.

#include "flow/signal.h"

#include <poll.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "flow/driver_test.h"
#include "flow/limits.h"
#include "flow/sleeper.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::SleepCounter;

bool Readable(int fd) {
  pollfd one = {fd, POLLIN, 0};
  return Syscalls::Real()->Poll(&one, 1, 0) == 1;
}

class NoEventfd : public Syscalls {
 public:
  int Eventfd() override {
    ++asked;
    errno = EMFILE;
    return -1;
  }
  int asked = 0;
};

TEST(SignalTest, NotifyCounts) {
  Signal signal;
  EXPECT_EQ(signal.seq(), 0u);
  signal.Notify();
  signal.Notify();
  EXPECT_EQ(signal.seq(), 2u);
}

TEST(SignalTest, PokesALinkedWakerOnceUntilItIsDrained) {
  Signal signal;
  Waker& waker = Waker::ForThisThread(Syscalls::Real());
  {
    const WakerLink link(&signal, &waker);
    EXPECT_FALSE(Readable(waker.fd()));
    signal.Notify();
    signal.Notify();
    EXPECT_TRUE(Readable(waker.fd()));
  }
  waker.Drain();
  EXPECT_FALSE(Readable(waker.fd()));
  waker.Drain();
  const WakerLink again(&signal, &waker);
  signal.Notify();
  EXPECT_TRUE(Readable(waker.fd())) << "a drained waker can be poked again";
  waker.Drain();
}

// "Poke only under the mutex under which it unlinks, so that a waker that has
// left can't be poked."
TEST(SignalTest, AnUnlinkedWakerIsNotPoked) {
  Signal signal;
  Waker& waker = Waker::ForThisThread(Syscalls::Real());
  { const WakerLink link(&signal, &waker); }
  signal.Notify();
  EXPECT_FALSE(Readable(waker.fd()));
}

TEST(SignalTest, LinksComeAndGoInAnyOrder) {
  Signal signal;
  Waker& waker = Waker::ForThisThread(Syscalls::Real());
  for (int first = 0; first < 3; ++first) {
    for (int second = 0; second < 3; ++second) {
      std::unique_ptr<WakerLink> links[3];
      for (auto& link : links) {
        link = std::make_unique<WakerLink>(&signal, &waker);
      }
      links[first].reset();
      links[second].reset();
      signal.Notify();
      EXPECT_TRUE(Readable(waker.fd()));
      for (auto& link : links) link.reset();
      waker.Drain();
      signal.Notify();
      EXPECT_FALSE(Readable(waker.fd()));
    }
  }
}

TEST(SignalTest, ANullSignalLinksNothing) {
  Waker& waker = Waker::ForThisThread(Syscalls::Real());
  const WakerLink link(nullptr, &waker);
  EXPECT_FALSE(Readable(waker.fd()));
}

TEST(SignalTest, AThreadHasOneWaker) {
  Waker* const mine = &Waker::ForThisThread(Syscalls::Real());
  EXPECT_EQ(mine, &Waker::ForThisThread(Syscalls::Real()));
  std::thread([mine] {
    EXPECT_NE(mine, &Waker::ForThisThread(Syscalls::Real()));
    EXPECT_NE(mine->fd(), Waker::ForThisThread(Syscalls::Real()).fd());
  }).join();
}

// EMFILE: the thread is blind, pokes only move the number; and it asks again
// when it next sleeps, for the shortage may be over.
TEST(SignalTest, WithoutAnEventfdPokesHarmNobody) {
  std::thread([] {
    NoEventfd sys;
    Signal signal;
    errno = 0;
    Waker& waker = Waker::ForThisThread(&sys);
    EXPECT_EQ(waker.fd(), -1);
    EXPECT_EQ(errno, 0) << "errno is the caller's";
    const WakerLink link(&signal, &waker);
    signal.Notify();
    EXPECT_EQ(signal.seq(), 1u);
    waker.Drain();
    EXPECT_EQ(Waker::ForThisThread(&sys).fd(), -1);
    EXPECT_EQ(sys.asked, 2);
    EXPECT_GE(Waker::ForThisThread(Syscalls::Real()).fd(), 0);
  }).join();
}

TEST(SignalTest, PokesLeaveErrnoAlone) {
  Signal signal;
  Waker& waker = Waker::ForThisThread(Syscalls::Real());
  const WakerLink link(&signal, &waker);
  errno = ENOENT;
  signal.Notify();
  waker.Drain();
  EXPECT_EQ(errno, ENOENT);
}

// Two threads hand a ball to and fro, each asleep until the other has notified:
// one notification lost is a hang, which the limit turns into a failure.
TEST(SignalTest, NoNotificationIsLost) {
  constexpr uint64_t kRounds = 20'000;
  Signal ping, pong;
  std::atomic<uint64_t> pings{0}, pongs{0};
  const Limits limits = absl::Seconds(50);
  const auto wait_for = [&](Signal& signal, const std::atomic<uint64_t>& count,
                            uint64_t goal) {
    internal::Sleeper sleeper(Syscalls::Real(), limits, nullptr);
    for (;;) {
      const uint64_t seq = signal.seq();
      if (count.load(std::memory_order_relaxed) >= goal) return true;
      const Wait wait = Wait::For(&signal, seq);
      if (sleeper.Sleep(wait) != internal::Woke::kRetry) return false;
    }
  };
  std::thread other([&] {
    for (uint64_t i = 1; i <= kRounds && wait_for(ping, pings, i); ++i) {
      pongs.store(i, std::memory_order_relaxed);
      pong.Notify();
    }
  });
  uint64_t done = 0;
  while (done < kRounds) {
    pings.store(done + 1, std::memory_order_relaxed);
    ping.Notify();
    if (!wait_for(pong, pongs, done + 1)) break;
    ++done;
  }
  EXPECT_EQ(done, kRounds);
  other.join();
}

// One notifier, many sleepers: each of them is woken, each time.
TEST(SignalTest, EverySleeperIsWoken) {
  constexpr int kSleepers = 8;
  constexpr int kRounds = 50;
  SleepCounter sys;
  Signal signal;
  std::atomic<int> round{0};
  std::atomic<int> woken{0};
  const Limits limits = absl::Seconds(50);
  std::vector<std::thread> sleepers;
  for (int i = 0; i < kSleepers; ++i) {
    sleepers.emplace_back([&] {
      for (int r = 0; r < kRounds; ++r) {
        internal::Sleeper sleeper(&sys, limits, nullptr);
        for (;;) {
          const uint64_t seq = signal.seq();
          if (round > r) break;
          const Wait wait = Wait::For(&signal, seq);
          if (sleeper.Sleep(wait) != internal::Woke::kRetry) return;
        }
        ++woken;
      }
    });
  }
  for (int r = 1; r <= kRounds; ++r) {
    EXPECT_TRUE(sys.WaitFor(kSleepers));
    round = r;
    signal.Notify();
    EXPECT_TRUE(
        flow_testing::Eventually([&] { return woken == r * kSleepers; }));
  }
  for (std::thread& sleeper : sleepers) sleeper.join();
}

}  // namespace
}  // namespace flow
