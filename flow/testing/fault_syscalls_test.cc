#include "flow/testing/fault_syscalls.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/sim_syscalls.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

// Two connected sockets, made and closed by the real kernel.
struct TestPair {
  explicit TestPair(int type = SOCK_STREAM | SOCK_NONBLOCK) {
    int fds[2];
    EXPECT_EQ(flow::Syscalls::Real()->Socketpair(AF_UNIX, type, 0, fds), 0);
    a = flow::UniqueFd(fds[0]);
    b = flow::UniqueFd(fds[1]);
  }
  flow::UniqueFd a;
  flow::UniqueFd b;
};

// The errno of a failed call, 0 of one that succeeded.
int ErrnoAfter(int64_t result) { return result < 0 ? errno : 0; }

int SendByte(FaultSyscalls* sys, int fd) {
  return ErrnoAfter(sys->Send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}
int RecvByte(FaultSyscalls* sys, int fd) {
  char c;
  return ErrnoAfter(sys->Recv(fd, &c, 1, MSG_DONTWAIT));
}

// A bad day of each kind, on a pair of sockets.
FaultOptions Everything(uint64_t seed) {
  FaultOptions options;
  options.seed = seed;
  options.max_transfer = 5;
  options.cut = 0.7;
  options.interrupted = 0.2;
  options.not_yet = 0.2;
  options.no_buffers = 0.2;
  options.close_fails = 0.5;
  options.reset_after_read = 300;
  return options;
}

// Some operations whose outcomes depend on the faults alone.
std::string TraceOfARun(const FaultOptions& options) {
  FaultSyscalls sys(options);
  for (int round = 0; round < 3; ++round) {
    TestPair pair;
    char buffer[64];
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(sys.Send(pair.a.get(), "0123456789", 10, MSG_NOSIGNAL));
      pollfd p = {pair.b.get(), POLLIN, 0};
      static_cast<void>(sys.Poll(&p, 1, 0));
      static_cast<void>(sys.Recv(pair.b.get(), buffer, sizeof(buffer), 0));
    }
    static_cast<void>(sys.Close(pair.a.release()));
    static_cast<void>(sys.Close(pair.b.release()));
  }
  return sys.TraceString();
}

// P2, case 112: the same seed gives the same trace, byte for byte, also when
// the kernel hands out other descriptors.
TEST(FaultSyscallsTest, SameSeedGivesTheSameTrace) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string first = TraceOfARun(Everything(seed));
    const TestPair shifts_the_numbers;
    EXPECT_EQ(first, TraceOfARun(Everything(seed))) << "seed " << seed;
  }
}

// The generator is the standard's: a seed in a bug report means the same faults
// on every machine. (A changed trace here makes all reported seeds worthless.)
TEST(FaultSyscallsTest, SeedsMeanTheSameEverywhere) {
  FaultOptions options;
  options.seed = 42;
  options.max_transfer = 4;
  options.interrupted = 0.3;
  FaultSyscalls sys(options);
  TestPair pair;
  for (int i = 0; i < 6; ++i) sys.Send(pair.a.get(), "abcdef", 6, 0);
  EXPECT_EQ(sys.TraceString(),
            "send(#1, 6) = 3 [cut]\n"
            "send(#1, 6) = -1 EINTR [fault]\n"
            "send(#1, 6) = 1 [cut]\n"
            "send(#1, 6) = 2 [cut]\n"
            "send(#1, 6) = -1 EINTR [fault]\n"
            "send(#1, 6) = 3 [cut]\n");
}

TEST(FaultSyscallsTest, OtherSeedsGiveOtherFaults) {
  EXPECT_NE(TraceOfARun(Everything(1)), TraceOfARun(Everything(2)));
}

// P2, case 52: capped transfers are short, never empty, and lose nothing.
TEST(FaultSyscallsTest, CutTransfersAreShortAndExact) {
  FaultOptions options;
  options.max_transfer = 7;
  FaultSyscalls sys(options);
  SCOPED_TRACE(sys.ToString());
  TestPair pair;
  const std::string sent = "the quick brown fox jumps over the lazy dog";
  std::string got;
  for (size_t done = 0; done < sent.size();) {
    const ssize_t n =
        sys.Send(pair.a.get(), &sent[done], sent.size() - done, 0);
    ASSERT_GE(n, 1);
    ASSERT_LE(n, 7);
    done += static_cast<size_t>(n);
  }
  while (got.size() < sent.size()) {
    char buffer[100];
    const ssize_t n = sys.Recv(pair.b.get(), buffer, sizeof(buffer), 0);
    ASSERT_GE(n, 1);
    ASSERT_LE(n, 7);
    got.append(buffer, static_cast<size_t>(n));
  }
  EXPECT_EQ(got, sent);
  EXPECT_GT(sys.faults(), 0);
}

// P7: EAGAIN is only for calls that may not block: by flag, or by description.
TEST(FaultSyscallsTest, NotYetIsSaidOnlyToCallsThatMayNotBlock) {
  FaultOptions options;
  options.not_yet = 1;
  FaultSyscalls sys(options);
  TestPair blocking(SOCK_STREAM);
  EXPECT_EQ(ErrnoAfter(sys.Send(blocking.a.get(), "x", 1, 0)), 0);
  EXPECT_EQ(SendByte(&sys, blocking.a.get()), EAGAIN);
  TestPair not_blocking;
  EXPECT_EQ(ErrnoAfter(sys.Send(not_blocking.a.get(), "x", 1, 0)), EAGAIN);
}

// P7: only sends run out of buffers.
TEST(FaultSyscallsTest, BuffersRunOutForSendsAlone) {
  FaultOptions options;
  options.no_buffers = 1;
  FaultSyscalls sys(options);
  TestPair pair;
  bool seen[2] = {false, false};
  for (int i = 0; i < 64; ++i) {
    const int error = SendByte(&sys, pair.a.get());
    ASSERT_TRUE(error == ENOBUFS || error == ENOMEM) << error;
    seen[error == ENOMEM] = true;
  }
  EXPECT_TRUE(seen[0] && seen[1]);
  EXPECT_EQ(ErrnoAfter(sys.Write(pair.a.get(), "x", 1)), 0);
  EXPECT_EQ(RecvByte(&sys, pair.b.get()), 0);
}

// P7: a poll that only looks is never interrupted (poll(2)), one that waits is.
TEST(FaultSyscallsTest, PollsThatWaitAreInterrupted) {
  FaultOptions options;
  options.interrupted = 1;
  FaultSyscalls sys(options);
  EXPECT_EQ(sys.Poll(nullptr, 0, 0), 0);
  EXPECT_EQ(ErrnoAfter(sys.Poll(nullptr, 0, 1)), EINTR);
}

// P1: a reset is reported once, then reads give 0 and writes EPIPE, as on
// Linux: just what makes a careless reader take it for the end of the stream.
TEST(FaultSyscallsTest, ResetIsReportedOnceAfterExactBytes) {
  FaultOptions options;
  options.reset_after_read = 5;
  FaultSyscalls sys(options);
  TestPair pair;
  ASSERT_EQ(flow::Syscalls::Real()->Send(pair.a.get(), "0123456789", 10, 0),
            10);
  char buffer[10];
  EXPECT_EQ(sys.Recv(pair.b.get(), buffer, 3, 0), 3);
  EXPECT_EQ(sys.Recv(pair.b.get(), buffer, 10, 0), 2);
  EXPECT_EQ(RecvByte(&sys, pair.b.get()), ECONNRESET);
  EXPECT_EQ(sys.Recv(pair.b.get(), buffer, 10, 0), 0);
  EXPECT_EQ(sys.Recv(pair.b.get(), buffer, 10, 0), 0);
  EXPECT_EQ(SendByte(&sys, pair.b.get()), EPIPE);
  EXPECT_EQ(ErrnoAfter(sys.Shutdown(pair.b.get(), SHUT_WR)), ENOTCONN);
}

// P1: the writer may be the one who is told; the reader then sees a bare 0.
TEST(FaultSyscallsTest, ResetIsToldToWhoeverAsksFirst) {
  FaultOptions options;
  options.reset_after_written = 1;
  FaultSyscalls sys(options);
  TestPair pair;
  EXPECT_EQ(SendByte(&sys, pair.a.get()), 0);
  EXPECT_EQ(SendByte(&sys, pair.a.get()), ECONNRESET);
  EXPECT_EQ(SendByte(&sys, pair.a.get()), EPIPE);
  char c;
  EXPECT_EQ(sys.Recv(pair.a.get(), &c, 1, 0), 0);
}

// P3: a flow that waits is woken by a reset, like by a real one.
TEST(FaultSyscallsTest, PollReportsAReset) {
  FaultOptions options;
  options.reset_after_written = 1;
  FaultSyscalls sys(options);
  TestPair pair;
  EXPECT_EQ(SendByte(&sys, pair.a.get()), 0);
  pollfd fds[] = {{pair.b.get(), POLLIN, 0}, {pair.a.get(), POLLIN, 0}};
  EXPECT_EQ(sys.Poll(fds, 2, -1), 1);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_EQ(fds[1].revents, POLLIN | POLLERR | POLLHUP);
  EXPECT_EQ(RecvByte(&sys, pair.a.get()), ECONNRESET);
  EXPECT_EQ(sys.Poll(&fds[1], 1, -1), 1);
  EXPECT_EQ(fds[1].revents, POLLIN | POLLHUP);
}

// P5: the next owner of a number does not inherit its predecessor's reset.
TEST(FaultSyscallsTest, ResetEndsWithItsDescriptor) {
  FaultOptions options;
  options.reset_after_written = 1;
  FaultSyscalls sys(options);
  TestPair pair;
  EXPECT_EQ(SendByte(&sys, pair.a.get()), 0);
  const int number = pair.a.release();
  EXPECT_EQ(sys.Close(number), 0);
  TestPair next;  // takes the lowest free number
  ASSERT_EQ(next.a.get(), number);
  EXPECT_EQ(SendByte(&sys, next.a.get()), 0);
}

// P5: a close that fails has closed; the number is free.
TEST(FaultSyscallsTest, FailingCloseClosesAllTheSame) {
  FaultOptions options;
  options.close_fails = 1;
  FaultSyscalls sys(options);
  TestPair pair;
  const int number = pair.a.release();
  EXPECT_EQ(ErrnoAfter(sys.Close(number)), EIO);
  EXPECT_EQ(ErrnoAfter(::fcntl(number, F_GETFD)), EBADF);
}

// P7, case 71: accept fails for a client that is gone; the next one is served.
TEST(FaultSyscallsTest, FailingAcceptLeavesTheQueueAlone) {
  FaultOptions options;
  options.nth.push_back({1, ECONNABORTED, 2, {Call::kAccept}});
  FaultSyscalls sys(options);
  flow::UniqueFd listener(sys.Socket(AF_INET, SOCK_STREAM, 0), &sys);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof(address);
  ASSERT_EQ(sys.Bind(listener.get(), generic, length), 0);
  ASSERT_EQ(sys.Listen(listener.get(), 4), 0);
  ASSERT_EQ(sys.Getsockname(listener.get(), generic, &length), 0);
  flow::UniqueFd client(sys.Socket(AF_INET, SOCK_STREAM, 0), &sys);
  ASSERT_EQ(sys.Connect(client.get(), generic, length), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ErrnoAfter(sys.Accept(listener.get(), nullptr, nullptr, 0)),
              ECONNABORTED);
  }
  flow::UniqueFd served(sys.Accept(listener.get(), nullptr, nullptr, 0), &sys);
  EXPECT_TRUE(served.valid());
}

// P2, case 113: the k-th call fails, once.
TEST(FaultSyscallsTest, TransientFaultStrikesOnce) {
  FaultSyscalls sys(FaultOptions::FailNth(3, EIO));
  TestPair pair;
  for (int call = 1; call <= 6; ++call) {
    EXPECT_EQ(SendByte(&sys, pair.a.get()), call == 3 ? EIO : 0) << call;
  }
  EXPECT_EQ(sys.nth_faults(), 1);
}

// P2, case 113: the k-th call fails, and all that follow it.
TEST(FaultSyscallsTest, PersistentFaultGoesOn) {
  FaultSyscalls sys(FaultOptions::FailNth(3, EIO, NthFault::kForever));
  TestPair pair;
  for (int call = 1; call <= 6; ++call) {
    EXPECT_EQ(SendByte(&sys, pair.a.get()), call >= 3 ? EIO : 0) << call;
  }
}

// P2: rules count only their own calls, and several may be in force.
TEST(FaultSyscallsTest, EachRuleCountsItsOwnCalls) {
  FaultOptions options;
  options.nth.push_back({2, ENOBUFS, 1, {Call::kSend}});
  options.nth.push_back({1, EINTR, 2, {Call::kRecv}});
  FaultSyscalls sys(options);
  TestPair pair;
  EXPECT_EQ(RecvByte(&sys, pair.b.get()), EINTR);
  EXPECT_EQ(SendByte(&sys, pair.a.get()), 0);
  EXPECT_EQ(RecvByte(&sys, pair.b.get()), EINTR);
  EXPECT_EQ(SendByte(&sys, pair.a.get()), ENOBUFS);
  EXPECT_EQ(RecvByte(&sys, pair.b.get()), 0);
  EXPECT_EQ(sys.nth_faults(), 3);
}

// Case 113: the loop of torture ends, when every call has failed once.
TEST(FaultSyscallsTest, TortureEndsWhenNoCallIsLeftToFail) {
  int k = 1;
  for (;; ++k) {
    FaultSyscalls sys(FaultOptions::FailNth(k, EIO));
    TestPair pair;
    for (int i = 0; i < 9; ++i) SendByte(&sys, pair.a.get());
    if (sys.nth_faults() == 0) break;
    ASSERT_LT(k, 100);
  }
  EXPECT_EQ(k, 10);
}

// flow's wake-ups are not bent, nor in the trace, unless a rule asks for it.
TEST(FaultSyscallsTest, EventfdIsLeftAloneUnlessNamed) {
  FaultSyscalls sys(FaultOptions::FailNth(1, EMFILE, NthFault::kForever));
  flow::UniqueFd fd(sys.Eventfd());
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(sys.TraceString(), "");
  FaultSyscalls none(
      FaultOptions::FailNth(1, EMFILE, NthFault::kForever, {Call::kEventfd}));
  EXPECT_EQ(ErrnoAfter(none.Eventfd()), EMFILE);
}

// P3: over simulated time, waits for faults to pass take none.
TEST(FaultSyscallsTest, WaitsAreOnTheClockOfTheBase) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  FaultSyscalls sys(FaultOptions::FailNth(1, EINTR), &sim);
  EXPECT_EQ(ErrnoAfter(sys.Poll(nullptr, 0, 60'000)), EINTR);
  EXPECT_EQ(sys.Poll(nullptr, 0, 60'000), 0);
  EXPECT_EQ(sys.Now(), sim.Now());
  EXPECT_EQ(sim.elapsed(), absl::Minutes(1));
}

// Case 112: a failing test prints what replays it.
TEST(FaultSyscallsTest, SaysItsSeedAndItsFaults) {
  FaultOptions options;
  options.seed = 99;
  options.max_transfer = 7;
  options.nth.push_back({2, EPIPE, NthFault::kForever, {Call::kSend}});
  EXPECT_EQ(FaultSyscalls(options).ToString(),
            "FaultSyscalls seed=99 max_transfer=7 nth={2 EPIPE forever send}; "
            "FLOW_TEST_SEED=99 replays it");
}

TEST(FaultSyscallsTest, SeedComesFromTheEnvironmentIfItIsThere) {
  ::unsetenv("FLOW_TEST_SEED");
  EXPECT_EQ(SeedOr(5), 5u);
  ::setenv("FLOW_TEST_SEED", "18446744073709551615", 1);
  EXPECT_EQ(SeedOr(5), UINT64_MAX);
  ::setenv("FLOW_TEST_SEED", "soon", 1);
  EXPECT_EQ(SeedOr(5), 5u);
  ::unsetenv("FLOW_TEST_SEED");
}

// The trace marks what was not the kernel's answer.
TEST(FaultSyscallsTest, TraceTellsFaultsFromAnswers) {
  FaultSyscalls sys(FaultOptions::FailNth(2, EINTR));
  TestPair pair;
  SendByte(&sys, pair.a.get());
  RecvByte(&sys, pair.b.get());
  RecvByte(&sys, pair.b.get());
  EXPECT_EQ(sys.TraceString(),
            "send(#1, 1) = 1\n"
            "recv(#2, 1) = -1 EINTR [fault]\n"
            "recv(#2, 1) = 1\n");
}

// May be called from any thread: nothing is lost (and TSan is content).
TEST(FaultSyscallsTest, ThreadsShareOneObject) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  FaultOptions options = Everything(SeedOr(3));
  options.reset_after_read.reset();
  FaultSyscalls sys(options);
  SCOPED_TRACE(sys.ToString());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&sys] {
      TestPair pair;
      for (int i = 0; i < kCalls; ++i) {
        SendByte(&sys, pair.a.get());
        RecvByte(&sys, pair.b.get());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sys.trace().count(Call::kSend), kThreads * kCalls);
  EXPECT_EQ(sys.trace().count(), 2 * kThreads * kCalls);
}

}  // namespace
}  // namespace flow_testing
