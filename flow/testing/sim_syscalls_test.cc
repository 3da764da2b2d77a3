#include "flow/testing/sim_syscalls.h"

#include <poll.h>
#include <sys/epoll.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::testing::HasSubstr;

// A pipe: `read_end` becomes ready when something is written.
struct TestPipe {
  TestPipe() {
    int fds[2];
    EXPECT_EQ(flow::Syscalls::Real()->Pipe(fds, 0), 0);
    read_end = flow::UniqueFd(fds[0]);
    write_end = flow::UniqueFd(fds[1]);
  }
  void Fill() { flow::Syscalls::Real()->Write(write_end.get(), "x", 1); }
  void Empty() {
    char c;
    flow::Syscalls::Real()->Read(read_end.get(), &c, 1);
  }
  pollfd AsPollfd() const { return {read_end.get(), POLLIN, 0}; }

  flow::UniqueFd read_end;
  flow::UniqueFd write_end;
};

// P3: a deadline on simulated time is met to the millisecond, in no time.
TEST(SimSyscallsTest, TimeJumpsToTheTimeoutWhenTheOnlyThreadSleeps) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  TestPipe pipe;
  pollfd p = pipe.AsPollfd();
  EXPECT_EQ(sim.Poll(&p, 1, 3'600'000), 0);
  EXPECT_EQ(p.revents, 0);
  EXPECT_EQ(sim.elapsed(), absl::Hours(1));
}

// P3: readiness wins over time, and moves no time.
TEST(SimSyscallsTest, ReadyDescriptorEndsAPollAtOnce) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  TestPipe pipe;
  pipe.Fill();
  pollfd p = pipe.AsPollfd();
  EXPECT_EQ(sim.Poll(&p, 1, 1000), 1);
  EXPECT_EQ(p.revents, POLLIN);
  EXPECT_EQ(sim.elapsed(), absl::ZeroDuration());
}

// P3: a poll that only looks takes no simulated time either.
TEST(SimSyscallsTest, PollWithZeroTimeoutOnlyLooks) {
  SimSyscalls sim;
  TestPipe pipe;
  pollfd p = pipe.AsPollfd();
  EXPECT_EQ(sim.Poll(&p, 1, 0), 0);
  EXPECT_EQ(sim.elapsed(), absl::ZeroDuration());
}

// P4: the calls are counted, so that a test can see a spin.
TEST(SimSyscallsTest, CountsPolls) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sim.Poll(nullptr, 0, 10), 0);
  EXPECT_EQ(sim.poll_calls(), 5);
}

// P3: moved by hand, time ends a sleep when it is due and not before.
TEST(SimSyscallsTest, AdvanceWakesExactlyThoseWhoAreDue) {
  SimSyscalls sim;
  std::atomic<int> early{0};
  std::atomic<int> late{0};
  std::thread first([&] {
    sim.Poll(nullptr, 0, 100);
    ++early;
  });
  std::thread second([&] {
    sim.Poll(nullptr, 0, 200);
    ++late;
  });
  ASSERT_TRUE(sim.WaitForSleepers(2));
  sim.Advance(absl::Milliseconds(99));
  ASSERT_TRUE(sim.WaitForSleepers(2));
  EXPECT_EQ(sim.next_wake(), SimSyscalls::kStart + absl::Milliseconds(100));
  sim.Advance(absl::Milliseconds(1));
  first.join();
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 0);
  EXPECT_EQ(sim.sleepers(), 1);
  sim.AdvanceTo(SimSyscalls::kStart + absl::Milliseconds(200));
  second.join();
}

// P3: a real descriptor wakes a sleeper while simulated time stands still.
TEST(SimSyscallsTest, ReadinessWakesASleeperWithoutTime) {
  SimSyscalls sim;
  TestPipe pipe;
  pollfd p = pipe.AsPollfd();
  int ready = -1;
  std::thread sleeper([&] { ready = sim.Poll(&p, 1, -1); });
  ASSERT_TRUE(sim.WaitForSleepers(1));
  EXPECT_EQ(sim.next_wake(), flow::kNever);
  pipe.Fill();
  sleeper.join();
  EXPECT_EQ(ready, 1);
  EXPECT_EQ(p.revents, POLLIN);
  EXPECT_EQ(sim.elapsed(), absl::ZeroDuration());
}

// A thread with something to do is no sleeper: WaitForSleepers returns when it
// has done it and sleeps again.
TEST(SimSyscallsTest, WaitForSleepersSeesThroughWorkUnderWay) {
  SimSyscalls sim;
  TestPipe pipe;
  int rounds = 0;
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    for (;;) {
      pollfd p = pipe.AsPollfd();
      sim.Poll(&p, 1, -1);
      if (stop) return;
      pipe.Empty();
      ++rounds;
    }
  });
  for (int i = 1; i <= 200; ++i) {
    ASSERT_TRUE(sim.WaitForSleepers(1));
    EXPECT_EQ(rounds, i - 1);  // what the sleeper did is visible
    pipe.Fill();
  }
  ASSERT_TRUE(sim.WaitForSleepers(1));
  stop = true;
  pipe.Fill();
  worker.join();
  EXPECT_EQ(rounds, 200);
}

// Somebody else may take what a sleeper was woken for; whoever waits for it to
// sleep is told all the same.
TEST(SimSyscallsTest, SleeperWhoseWakeUpWasTakenSleepsOn) {
  SimSyscalls sim;
  TestPipe pipe;
  std::atomic<bool> stop{false};
  std::thread sleeper([&] {
    while (!stop) {
      pollfd p = pipe.AsPollfd();
      sim.Poll(&p, 1, -1);
    }
  });
  for (int i = 0; i < 500; ++i) {
    pipe.Fill();
    pipe.Empty();
    ASSERT_TRUE(sim.WaitForSleepers(1));
  }
  stop = true;
  pipe.Fill();
  sleeper.join();
}

// P3: with several threads on one clock, time moves only when all of them
// sleep, and then to the earliest time-out; each wakes at its own instant.
TEST(SimSyscallsTest, TimeWaitsForAllThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  SimSyscalls sim;
  sim.AutoAdvance(kThreads);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 1; t <= kThreads; ++t) {
    threads.emplace_back([&, t] {
      flow::MonoTime expected = sim.Now();
      for (int i = 0; i < kRounds; ++i) {
        expected = expected + absl::Milliseconds(t);
        sim.Poll(nullptr, 0, t);
        if (sim.Now() != expected) ++wrong;
      }
      // The others go on without this one.
      sim.Poll(nullptr, 0, kThreads * kRounds - t * kRounds);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(sim.elapsed(), absl::Milliseconds(kThreads * kRounds));
}

// P3: simulated instants lie beyond all real ones, so that a deadline of the
// real clock has passed already instead of never coming.
TEST(SimSyscallsTest, RealDeadlinesHavePassedOnThisClock) {
  SimSyscalls sim;
  EXPECT_LT(flow::MonoTime::In(absl::Hours(24 * 365)), sim.Now());
  EXPECT_EQ(sim.In(absl::Seconds(5)) - sim.Now(), absl::Seconds(5));
  EXPECT_EQ(sim.CoarseNow(), sim.Now());
}

// P3: an epoll set waits on simulated time like a poll.
TEST(SimSyscallsTest, EpollWaitsOnSimulatedTime) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  TestPipe pipe;
  flow::UniqueFd epoll(sim.EpollCreate());
  epoll_event event = {};
  event.events = EPOLLIN;
  ASSERT_EQ(
      sim.EpollCtl(epoll.get(), EPOLL_CTL_ADD, pipe.read_end.get(), &event), 0);
  EXPECT_EQ(sim.EpollWait(epoll.get(), &event, 1, 60'000), 0);
  EXPECT_EQ(sim.elapsed(), absl::Minutes(1));
  pipe.Fill();
  EXPECT_EQ(sim.EpollWait(epoll.get(), &event, 1, 60'000), 1);
  EXPECT_EQ(sim.elapsed(), absl::Minutes(1));
}

// Time never goes back.
TEST(SimSyscallsTest, AdvanceToAPastInstantMovesNothing) {
  SimSyscalls sim;
  sim.Advance(absl::Seconds(2));
  sim.AdvanceTo(SimSyscalls::kStart + absl::Seconds(1));
  sim.Advance(-absl::Seconds(1));
  EXPECT_EQ(sim.elapsed(), absl::Seconds(2));
}

// A hang can be read: who sleeps on what, until when.
TEST(SimSyscallsTest, NamesItsSleepers) {
  SimSyscalls sim;
  TestPipe pipe;
  std::thread sleeper([&] {
    pollfd p = pipe.AsPollfd();
    sim.Poll(&p, 1, 1500);
  });
  ASSERT_TRUE(sim.WaitForSleepers(1));
  EXPECT_THAT(sim.ToString(),
              HasSubstr("[fds " + std::to_string(pipe.read_end.get()) +
                        ", until +1.5s]"));
  sim.Advance(absl::Seconds(2));
  sleeper.join();
}

}  // namespace
}  // namespace flow_testing
