// Descriptors under the futures driver: what is in the set and when it leaves,
// what happens when the kernel has nothing more to give, and that nothing
// spins.

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/fd/fd.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;
using ::flow::Attempt;
using ::flow::CancelSource;
using ::flow::ErrorKind;
using ::flow::Flow;
using ::flow::MonoTime;
using ::flow::ShutdownMode;
using ::flow::Wait;

// Two flows on a socket pair, whose calls `kernel` sees.
AsyncPair SocketsOn(AsyncContext& context, TestKernel& kernel) {
  flow::FdOptions options;
  options.sys = &kernel;
  auto pair = flow::SocketPair(options);
  EXPECT_THAT(pair, IsOk());
  AsyncPair flows;
  flows.first = On(context, std::move(pair->first));
  flows.second = On(context, std::move(pair->second));
  return flows;
}

// ------------------------------------------------------------------ wake-ups

// A notification that comes while the poller drains its eventfd must not
// silence those that follow it.
TEST(AsyncWakeUps, NoneIsLostWhileTheEventfdIsDrained) {
  TestKernel kernel;
  CancelSource first, during, after;
  std::atomic<bool> once{false};
  kernel.before_read = [&] {
    if (once.exchange(true)) return;
    std::thread([&] { during.Cancel(); }).join();
  };
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  auto [a, b] = MemoryOn(context);
  auto [c, d] = MemoryOn(context);
  auto [e, f] = MemoryOn(context);
  auto read_first = b.Read(first.token());
  auto read_during = d.Read(during.token());
  auto read_after = f.Read(after.token());
  first.Cancel();
  EXPECT_THAT(read_first.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_THAT(read_during.get(), IsKind(ErrorKind::kCancelled));
  after.Cancel();
  EXPECT_THAT(read_after.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_TRUE(once);
}

// "Whoever waits wakes nobody": a read that is parked with a limit no earlier
// than the one before it leaves the poller asleep, whose alarm it need not
// change. A try in vain, the arming, epoll_wait and the read, F9.
TEST(AsyncWakeUps, ParkingWithALaterLimitWakesNobody) {
  TestKernel kernel;
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  auto [a, b] = SocketsOn(context, kernel);
  const auto rounds = [&, a = &a, b = &b](int count) {
    for (int i = 0; i < count; ++i) {
      auto read = b->Read(absl::Hours(1));
      EXPECT_THAT(a->Write(std::string("x")).get(), IsOk());
      EXPECT_THAT(read.get(), IsData("x"));
    }
  };
  rounds(1);
  kernel.writes = 0;
  kernel.calls = 0;
  rounds(50);
  EXPECT_EQ(kernel.writes, 0);
  EXPECT_LE(kernel.calls, 50 * 4);
}

// But one with an earlier limit wakes it: P3. (As does the one after it, whose
// limit is that of the first.)
TEST(AsyncWakeUps, ParkingWithAnEarlierLimitSetsTheAlarmAnew) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context);
  auto [c, d] = MemoryOn(context);
  auto late = a.Read(absl::Hours(1));
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(c.Read(absl::Milliseconds(1)).get(),
                IsKind(ErrorKind::kDeadline));
    EXPECT_FALSE(IsReady(late));
  }
}

// ------------------------------------------------- shortages, and no spin (P4)

struct Lack {
  const char* name;
  bool no_epoll;
  bool no_eventfd;
  int fail_adds;  // the first is the eventfd's own
};
std::ostream& operator<<(std::ostream& os, const Lack& lack) {
  return os << lack.name;
}

class ShortageTest : public testing::TestWithParam<Lack> {
 protected:
  ShortageTest() {
    kernel_.no_epoll = GetParam().no_epoll;
    kernel_.no_eventfd = GetParam().no_eventfd;
    kernel_.fail_adds = GetParam().fail_adds;
    context_ = std::make_unique<AsyncContext>(executor_, &kernel_);
    std::tie(a_, b_) = SocketsOn(*context_, kernel_);
  }

  TestKernel kernel_;
  flow::InlineExecutor executor_;
  std::unique_ptr<AsyncContext> context_;
  AsyncFlow a_;
  AsyncFlow b_;
};

TEST_P(ShortageTest, BytesArrive) {
  for (int i = 0; i < 5; ++i) {
    auto read = b_.Read();
    EXPECT_THAT(a_.Write(std::string("x")).get(), IsOk());
    EXPECT_THAT(read.get(), IsData("x"));
  }
}

// P3: "Close/Cancel frees every waiter within 100 ms."
TEST_P(ShortageTest, CancelAndCloseAreInTime) {
  CancelSource stop;
  auto cancelled = b_.Read(stop.token());
  auto closed = a_.Read();
  const MonoTime begin = MonoTime::Now();
  stop.Cancel();
  EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_LT(MonoTime::Now() - begin, absl::Milliseconds(100 + 1000));
  EXPECT_THAT(a_.Close().get(), IsOk());
  EXPECT_THAT(closed.get(), IsKind(ErrorKind::kClosedLocally));
}

// P4: "a blocked operation makes at most 20 system calls per second".
TEST_P(ShortageTest, ABlockedReadDoesNotSpin) {
  auto settled = b_.Read(absl::Milliseconds(10));
  EXPECT_THAT(settled.get(), IsKind(ErrorKind::kDeadline));
  const int before = kernel_.calls;
  auto read = b_.Read(absl::Seconds(1));
  EXPECT_THAT(read.get(), IsKind(ErrorKind::kDeadline));
  EXPECT_LE(kernel_.calls - before, 20 + 5);  // and what begins and ends it
}

// "EMFILE at birth" is not for ever: what is parked is taken over, and from
// then on nobody is late and an idle poller asks nothing.
TEST_P(ShortageTest, IsMadeUpForOnceThereIsWhatWasLacking) {
  auto [c, d] = SocketsOn(*context_, kernel_);
  auto before = b_.Read();
  auto settled = a_.Read(absl::Milliseconds(1));  // and so is watched no more
  EXPECT_THAT(settled.get(), IsKind(ErrorKind::kDeadline));
  const std::string much(4 << 20, 'x');
  auto both_ways = c.Write(much);
  auto c_reads = c.Read();
  kernel_.no_epoll = false;
  kernel_.no_eventfd = false;
  ASSERT_TRUE(Eventually([&] { return kernel_.endless_waits > 0; }));
  // Pokes are heard.
  CancelSource stop;
  auto cancelled = a_.Read(stop.token());
  stop.Cancel();
  EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
  // What was parked before is watched, in both directions.
  EXPECT_THAT(a_.Write(std::string("y")).get(), IsOk());
  EXPECT_THAT(before.get(), IsData("y"));
  EXPECT_THAT(d.Write(std::string("z")).get(), IsOk());
  EXPECT_THAT(c_reads.get(), IsData("z"));
  for (size_t got = 0; got < much.size();) {
    auto part = d.Read().get();
    ASSERT_THAT(part, IsData());
    got += part->data().size();
  }
  EXPECT_THAT(both_ways.get(), IsOk());
  const int calls = kernel_.calls;
  EXPECT_THAT(a_.Read(absl::Seconds(1)).get(), IsKind(ErrorKind::kDeadline));
  EXPECT_LE(kernel_.calls - calls, 6);
}

// While others park, are woken and give up: nobody is forgotten.
TEST_P(ShortageTest, IsMadeUpForUnderTraffic) {
  std::atomic<bool> mended{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      auto [c, d] = SocketsOn(*context_, kernel_);
      for (int more = 20; more > 0; more -= mended ? 1 : 0) {
        CancelSource stop;
        auto read = d.Read();
        auto cancelled = c.Read(stop.token());
        EXPECT_THAT(c.Write(std::string("x")).get(), IsOk());
        EXPECT_THAT(read.get(), IsData("x"));
        stop.Cancel();
        EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
      }
    });
  }
  auto parked = b_.Read();
  kernel_.no_epoll = false;
  kernel_.no_eventfd = false;
  EXPECT_TRUE(Eventually([&] { return kernel_.endless_waits > 0; }));
  mended = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(a_.Write(std::string("y")).get(), IsOk());
  EXPECT_THAT(parked.get(), IsData("y"));
}

// What epoll won't take over at once is parked anew.
class EpollShortageTest : public ShortageTest {};
TEST_P(EpollShortageTest, IsMadeUpForThoughWatchesAreShortThen) {
  auto read = b_.Read();
  auto other = a_.Read();
  kernel_.fail_adds = 2;
  kernel_.no_epoll = false;
  kernel_.no_eventfd = false;
  ASSERT_TRUE(Eventually([&] { return kernel_.fail_adds == 0; }));
  EXPECT_THAT(a_.Write(std::string("x")).get(), IsOk());
  EXPECT_THAT(read.get(), IsData("x"));
  EXPECT_THAT(b_.Write(std::string("y")).get(), IsOk());
  EXPECT_THAT(other.get(), IsData("y"));
}

INSTANTIATE_TEST_SUITE_P(Lacks, ShortageTest,
                         testing::Values(Lack{"Nothing", false, false, 0},
                                         Lack{"Epoll", true, false, 0},
                                         Lack{"Eventfd", false, true, 0},
                                         Lack{"Both", true, true, 0},
                                         Lack{"WatchOfTheEventfd", false, false,
                                              1}),
                         testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Lacks, EpollShortageTest,
                         testing::Values(Lack{"Epoll", true, false, 0},
                                         Lack{"Both", true, true, 0}),
                         testing::PrintToStringParamName());

// P4: a descriptor that is always "ready" while nothing can be done is asked
// ever more rarely.
TEST(AsyncNoSpin, ADescriptorThatIsReadyInVainIsAskedRarely) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  const flow::UniqueFd in(fds[0]), out(fds[1]);
  ASSERT_EQ(write(out.get(), "x", 1), 1);
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [&](absl::Span<const iovec>) {
    return Attempt::WouldBlock(Wait::ForFd(in.get(), POLLIN));
  };
  AsyncContext context;
  AsyncFlow f = On(context, FlowOn(hooks));
  EXPECT_THAT(f.Read(absl::Seconds(1)).get(), IsKind(ErrorKind::kDeadline));
  EXPECT_LE(hooks->reads, 10);
  // And so is one that can't be watched at all (EPERM).
  hooks->reads = 0;
  const flow::UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  hooks->read = [&](absl::Span<const iovec>) {
    return Attempt::WouldBlock(Wait::ForFd(file.get(), POLLIN));
  };
  EXPECT_THAT(f.Read(absl::Seconds(1)).get(), IsKind(ErrorKind::kDeadline));
  EXPECT_LE(hooks->reads, 10);
}

// ----------------------------------------------------- one descriptor, shared

// Both directions of a flow are one registration: each is told of its own.
TEST(AsyncDescriptors, ReadAndWriteShareOneRegistration) {
  TestKernel kernel;
  std::atomic<int> adds{0};
  kernel.on_epoll_ctl = [&](int operation, int) {
    if (operation == EPOLL_CTL_ADD) ++adds;
  };
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  auto [a, b] = SocketsOn(context, kernel);
  adds = 0;
  const std::string much(4 << 20, 'x');
  auto write = a.Write(much);
  auto read = a.Read();
  EXPECT_THAT(b.Write(std::string("y")).get(), IsOk());
  EXPECT_THAT(read.get(), IsData("y"));
  EXPECT_FALSE(IsReady(write));
  size_t got = 0;
  while (got < much.size()) {
    auto part = b.Read().get();
    ASSERT_THAT(part, IsData());
    got += part->data().size();
  }
  EXPECT_THAT(write.get(), IsOk());
  EXPECT_LE(adds, 2);  // one for each flow
}

// DESIGN 5: "EEXIST: register a close-on-exec dup".
TEST(AsyncDescriptors, TwoFlowsMayBorrowTheSameDescriptor) {
  auto pair = flow::SocketPair();
  ASSERT_THAT(pair, IsOk());
  const int fd = pair->first.native_handle();
  TestKernel kernel;
  std::atomic<int> foreign{-1};
  kernel.on_epoll_ctl = [&](int operation, int watched) {
    if (operation == EPOLL_CTL_ADD && watched != fd) foreign = watched;
  };
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  AsyncFlow one = On(context, *flow::Borrow(fd));
  AsyncFlow two = On(context, *flow::Borrow(fd));
  char x = 0, y = 0;
  auto read_one = one.ReadInto({&x, 1});
  foreign = -1;
  auto read_two = two.ReadInto({&y, 1});
  ASSERT_GE(foreign, 0);
  EXPECT_NE(fcntl(foreign, F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_THAT(pair->second.Write("a"), IsOk());
  ASSERT_THAT(pair->second.Write("b"), IsOk());
  EXPECT_THAT(read_one.get(), IsData(1));
  EXPECT_THAT(read_two.get(), IsData(1));
  EXPECT_EQ(x + y, 'a' + 'b');
  const int duplicate = foreign;
  two = AsyncFlow();
  EXPECT_TRUE(Eventually([&] { return fcntl(duplicate, F_GETFD) == -1; }));
  EXPECT_NE(fcntl(fd, F_GETFD), -1);
}

// EMFILE where a duplicate is wanted: looked at from time to time, within P4.
TEST(AsyncDescriptors, WithoutADuplicateTheSecondIsLookedAtFromTimeToTime) {
  auto pair = flow::SocketPair();
  ASSERT_THAT(pair, IsOk());
  TestKernel kernel;
  kernel.no_duplicates = true;
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  flow::FdOptions options;
  options.sys = &kernel;
  AsyncFlow one = On(context, *flow::Borrow(pair->first.native_handle()));
  AsyncFlow two =
      On(context, *flow::Borrow(pair->first.native_handle(), options));
  auto read_one = one.Read();
  const int before = kernel.calls;
  EXPECT_THAT(two.Read(absl::Seconds(1)).get(), IsKind(ErrorKind::kDeadline));
  EXPECT_LE(kernel.calls - before, 20 + 5);
  EXPECT_THAT(one.Close().get(), IsOk());
  auto read_two = two.Read();
  ASSERT_THAT(pair->second.Write("x"), IsOk());
  EXPECT_THAT(read_two.get(), IsData("x"));
}

// ------------------------------------------------------- DEL before close(2)

class HygieneTest : public testing::Test {
 protected:
  AsyncPair Pipe() {
    flow::FdOptions options;
    options.sys = &kernel_;
    auto pipe = flow::Pipe(options);
    EXPECT_THAT(pipe, IsOk());
    AsyncPair flows;
    flows.first = On(context_, std::move(pipe->first));
    flows.second = On(context_, std::move(pipe->second));
    return flows;
  }

  TestKernel kernel_;
  Watchman watchman_{kernel_};
  flow::InlineExecutor executor_;
  AsyncContext context_{executor_, &kernel_};
};

TEST_F(HygieneTest, CloseUnderAParkedRead) {
  auto [a, b] = SocketsOn(context_, kernel_);
  auto read = b.Read();
  EXPECT_THAT(b.Close().get(), IsOk());
  EXPECT_THAT(read.get(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_EQ(watchman_.closed(), 1);
}

TEST_F(HygieneTest, DestructionAfterADroppedRead) {
  {
    auto [a, b] = SocketsOn(context_, kernel_);
    static_cast<void>(b.Read());
    static_cast<void>(a.Read(absl::Milliseconds(1)).get());
  }
  EXPECT_TRUE(Eventually([&] { return watchman_.closed() == 2; }));
}

TEST_F(HygieneTest, ShutdownThatClosesOneEndOfAPipe) {
  auto [reads, writes] = Pipe();
  auto parked = reads.Read();
  EXPECT_THAT(reads.Shutdown(ShutdownMode::kRead).get(), IsOk());
  EXPECT_THAT(parked.get(), IsEof());
  // The write end is watched by nobody but who waits for the peer's end.
  auto peer_end = writes.WaitPeerEnd(flow::PeerEnd::kGone);
  EXPECT_THAT(peer_end.get(), IsOk());
}

TEST_F(HygieneTest, ShutdownUnderAWaitForThePeersEnd) {
  auto [reads, writes] = Pipe();
  auto peer_end = writes.WaitPeerEnd(flow::PeerEnd::kGone);
  EXPECT_FALSE(IsReady(peer_end));
  EXPECT_THAT(writes.Shutdown(ShutdownMode::kWrite).get(), IsOk());
  EXPECT_EQ(watchman_.closed(), 1);
  EXPECT_THAT(reads.Read().get(), IsEof());
  EXPECT_THAT(writes.Close().get(), IsOk());
  EXPECT_THAT(peer_end.get(), IsKind(ErrorKind::kClosedLocally));
}

// Whatever a transport closes in a Shutdown, and whoever waits for it.
TEST_F(HygieneTest, ShutdownThatClosesWhatIsWaitedFor) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  const flow::UniqueFd in(fds[0]);
  std::atomic<int> out{fds[1]};
  auto hooks = std::make_shared<Hooks>();
  hooks->peer_end = [&](flow::PeerEnd) {
    return Attempt::WouldBlock(out >= 0 ? Wait::ForFd(out, 0) : Wait());
  };
  hooks->shutdown = [&](ShutdownMode) {
    kernel_.Close(out.exchange(-1));
    return Attempt::Transferred(0);
  };
  AsyncFlow f = On(context_, FlowOn(hooks));
  auto peer_end = f.WaitPeerEnd(flow::PeerEnd::kGone);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite).get(), IsOk());
  EXPECT_EQ(watchman_.closed(), 1);
  EXPECT_THAT(f.Close().get(), IsOk());
  EXPECT_THAT(peer_end.get(), IsKind(ErrorKind::kClosedLocally));
}

// A released flow's descriptor is not in the set any more.
TEST_F(HygieneTest, ReleaseAndBlockingCalls) {
  auto [a, b] = SocketsOn(context_, kernel_);
  EXPECT_THAT(b.Read(absl::Milliseconds(1)).get(),
              IsKind(ErrorKind::kDeadline));
  absl::StatusOr<Flow> flow = b.Release();
  ASSERT_THAT(flow, IsOk());
  EXPECT_THAT(a.Write(std::string("x")).get(), IsOk());
  EXPECT_THAT(flow->Read(), IsData("x"));
  EXPECT_THAT(flow->Close(), IsOk());
  EXPECT_EQ(watchman_.closed(), 1);
}

// The number of a closed descriptor belongs to the next flow at once: what was
// under way for the old one hits nobody.
TEST_F(HygieneTest, NumbersAreUsedAgainAndAgain) {
  for (int i = 0; i < 300; ++i) {
    auto [a, b] = SocketsOn(context_, kernel_);
    auto read = b.Read();
    auto late = a.Read();
    EXPECT_THAT(a.Write(std::string("x")).get(), IsOk());
    if (i % 2 == 0) {
      EXPECT_THAT(read.get(), IsData("x"));
    } else {
      // Closed while the event may be under way.
      static_cast<void>(b.Close());
      static_cast<void>(read.get());
    }
  }
}

// Case 16: somebody else has closed our descriptor: an operation that begins
// is told, and nothing spins.
TEST(AsyncDescriptors, ADescriptorClosedBySomebodyElseIsTold) {
  AsyncContext context;
  auto pair = flow::SocketPair();
  ASSERT_THAT(pair, IsOk());
  const int fd = dup(pair->first.native_handle());
  AsyncFlow borrowed = On(context, *flow::Borrow(fd));
  EXPECT_THAT(borrowed.Read(absl::Milliseconds(1)).get(),
              IsKind(ErrorKind::kDeadline));
  close(fd);
  EXPECT_THAT(borrowed.Read(absl::Seconds(20)).get(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace flow_testing
