// AsyncDial: the answers of Dial, and no thread held for any of them (P3, P5,
// P8; cases H.46, L.74, N.82).

#include "flow/net/async_dial.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/executor.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::AsyncContext;
using flow::AsyncDial;
using flow::AsyncFlow;
using flow::CancelSource;
using flow::ErrorKind;
using flow::Flow;
using flow::Limits;
using flow::Listener;
using flow::NetOptions;
using ::testing::AllOf;
using ::testing::HasSubstr;

using Result = absl::StatusOr<AsyncFlow>;

NetOptions With(flow::Syscalls* sys) {
  NetOptions options;
  options.sys = sys;
  return options;
}

TEST(AsyncDialTest, ReachesAListenerOverTcpAndUnix) {
  ShortTempDir dir;
  AsyncContext context;
  for (const std::string& where :
       {std::string("tcp:127.0.0.1:0"), "unix:" + dir.Path("s")}) {
    absl::StatusOr<Listener> listener = flow::Listen(where);
    ASSERT_THAT(listener, IsOk());
    Result client = AsyncDial(listener->address(), context).get();
    ASSERT_THAT(client, IsOk());
    absl::StatusOr<Flow> server = listener->Accept();
    ASSERT_THAT(server, IsOk());
    auto pong = client->Read();
    EXPECT_THAT(client->Write(std::string("ping")).get(), IsOk());
    EXPECT_THAT(server->Read(), IsData("ping"));
    EXPECT_THAT(server->Write("pong"), IsOk());
    EXPECT_THAT(pong.get(), IsData("pong"));
    EXPECT_EQ(client->peer(), server->local());
    EXPECT_EQ(client->local(), server->peer());
    EXPECT_TRUE(FdFlags(client->native_handle()) & FD_CLOEXEC);
    EXPECT_TRUE(StatusFlags(client->native_handle()) & O_NONBLOCK);
  }
}

// One state machine for both: each address fails in the same words.
TEST(AsyncDialTest, SaysWhatDialSays) {
  ShortTempDir dir;
  auto [bound, dead] = DeadAddress();
  FakeNames names;
  names.Add(dead);
  names.Add(dead);
  NoSockets no_sockets;
  AsyncContext context;
  const std::vector<std::pair<std::string, NetOptions>> calls = {
      {"nonsense", {}},
      {"tcp:127.0.0.1:0", {}},
      {"unix:" + dir.Path("none"), {}},
      {"unix:" + std::string(200, 'x'), {}},
      {dead, {}},
      {"tcp:no-such-host.invalid:80", {}},
      {"tcp:server.test:1", With(&names)},
      {"tcp:127.0.0.1:1", With(&no_sockets)},
  };
  for (const auto& [address, options] : calls) {
    const absl::Status blocking = flow::Dial(address, {}, options).status();
    const absl::Status async =
        AsyncDial(address, context, {}, options).get().status();
    EXPECT_FALSE(blocking.ok());
    EXPECT_EQ(async, blocking);
  }
}

TEST(AsyncDialTest, RefusedLeavesNothingOpen) {  // L.74, P5
  auto [bound, address] = DeadAddress();
  AsyncContext context;
  const int before = CountOpenFds();
  for (int i = 0; i < 500; ++i) {
    ASSERT_THAT(AsyncDial(address, context).get(),
                StatusIs(StatusCode::kUnavailable, HasSubstr("refused")));
  }
  EXPECT_LE(CountOpenFds(), before + 1);  // one: this thread's alarm clock
}

// "0: not at all": no socket is made, though somebody listens.
TEST(AsyncDialTest, PassedLimitsAreToldBeforeAnythingIsTried) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  class Counting : public flow::Syscalls {
   public:
    int Socket(int domain, int type, int protocol) override {
      ++sockets;
      return Syscalls::Socket(domain, type, protocol);
    }
    std::atomic<int> sockets{0};
  };
  Counting sys;
  AsyncContext context;
  const std::string address = listener->address();
  EXPECT_THAT(
      AsyncDial(address, context, absl::ZeroDuration(), With(&sys)).get(),
      IsKind(ErrorKind::kDeadline));
  CancelSource stop;
  stop.Cancel();
  EXPECT_THAT(AsyncDial(address, context, stop.token(), With(&sys)).get(),
              IsKind(ErrorKind::kCancelled));
  Limits bad;
  bad.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(AsyncDial(address, context, bad, With(&sys)).get(),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(sys.sockets, 0);
}

TEST(AsyncDialTest, ABlackHoleEndsAtTheDeadlineByStallAndByTheToken) {  // H.46
  ShortTempDir dir;
  AsyncContext context;
  for (const int family : {AF_INET, AF_UNIX}) {
    const BlackHole hole(family, dir.Path("hole"));
    const int before = CountOpenFds();
    const flow::MonoTime start = flow::MonoTime::Now();
    auto late = AsyncDial(hole.address(), context, absl::Milliseconds(200));
    Limits stalls;
    stalls.stall_timeout = absl::Milliseconds(50);
    auto stalled = AsyncDial(hole.address(), context, stalls);
    CancelSource stop;
    auto cancelled = AsyncDial(hole.address(), context, stop.token());
    EXPECT_FALSE(IsReady(cancelled));
    stop.Cancel();
    EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
    EXPECT_THAT(late.get(), StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_GE(flow::MonoTime::Now() - start, absl::Milliseconds(200));
    EXPECT_THAT(stalled.get(), StatusIs(StatusCode::kDeadlineExceeded,
                                        HasSubstr("stall_timeout")));
    EXPECT_LE(CountOpenFds(), before + 1);
  }
}

// A hundred connects that come to nothing need no more threads than none, and
// are in nobody's way.
TEST(AsyncDialTest, WhatIsUnderWayHoldsNoThread) {
  const BlackHole hole(AF_INET);
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  flow::ThreadPool pool(1);
  AsyncContext context(pool);
  const int before = CountThreads();
  CancelSource stop;
  std::vector<std::future<Result>> dials;
  for (int i = 0; i < 100; ++i) {
    dials.push_back(AsyncDial(hole.address(), context, stop.token()));
  }
  EXPECT_THAT(AsyncDial(listener->address(), context).get(), IsOk());
  EXPECT_EQ(CountThreads(), before);
  stop.Cancel();
  for (auto& dial : dials) {
    EXPECT_THAT(dial.get(), IsKind(ErrorKind::kCancelled));
  }
}

// What the kernel decides in the background is told: TCP asks a full listener
// again after a second.
TEST(AsyncDialTest, AConnectThatWasParkedIsTold) {
  AsyncContext context;
  const BlackHole relents(AF_INET);
  auto gone = std::make_unique<BlackHole>(AF_INET);
  auto connected = AsyncDial(relents.address(), context, absl::Seconds(30));
  auto refused = AsyncDial(gone->address(), context, absl::Seconds(30));
  EXPECT_FALSE(IsReady(connected));
  EXPECT_FALSE(IsReady(refused));
  gone.reset();
  for (int i = 0; i < 2; ++i) {
    flow::UniqueFd(accept(relents.fd(), nullptr, nullptr)).reset();
  }
  EXPECT_THAT(connected.get(), IsOk());
  EXPECT_THAT(refused.get(), StatusIs(StatusCode::kUnavailable));
}

TEST(AsyncDialTest, AFullUnixQueueIsWaitedOut) {  // P7
  ShortTempDir dir;
  const BlackHole hole(AF_UNIX, dir.Path("hole"));
  Draining sys(hole.fd());
  AsyncContext context;
  EXPECT_THAT(
      AsyncDial(hole.address(), context, absl::Seconds(20), With(&sys)).get(),
      IsOk());
  EXPECT_EQ(sys.refused, 3);
}

TEST(AsyncDialTest, ADeadFirstAddressDoesNotHideAGoodSecond) {  // L.74
  auto [bound, dead] = DeadAddress();
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  FakeNames names;
  names.Add(dead);
  names.Add(listener->address());
  AsyncContext context;
  Result f = AsyncDial("tcp:server.test:echo", context, {}, With(&names)).get();
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(f->peer().port(), listener->port());
}

// A first address that swallows everything costs the second 250 ms, and its
// socket is gone once the dial is over.
TEST(AsyncDialTest, ASilentFirstAddressDoesNotHideAGoodSecond) {  // L.74
  const BlackHole hole(AF_INET);
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  FakeNames names;
  names.Add(hole.address());
  names.Add(listener->address());
  AsyncContext context;
  const int before = CountOpenFds();
  const flow::MonoTime start = flow::MonoTime::Now();
  Result f = AsyncDial("tcp:server.test:echo", context, {}, With(&names)).get();
  ASSERT_THAT(f, IsOk());
  EXPECT_GE(flow::MonoTime::Now() - start, absl::Milliseconds(250));
  EXPECT_EQ(f->peer().port(), listener->port());
  EXPECT_LE(CountOpenFds(), before + 2);  // the flow's; this thread's alarm
}

// The one that was asked first may answer while a second is under way, and a
// third that fails hurries nobody out.
TEST(AsyncDialTest, ALateAnswerWinsWhileOthersAreUnderWay) {
  class Names : public FakeNames {
   public:
    int Connect(int fd, const sockaddr* address, socklen_t length) override {
      const int result = Syscalls::Connect(fd, address, length);
      const int error = errno;
      if (++connects == 3) all_are_under_way.Notify();
      errno = error;
      return result;
    }
    std::atomic<int> connects{0};
    absl::Notification all_are_under_way;
  };
  const BlackHole relents(AF_INET);
  const BlackHole hole(AF_INET);
  auto [bound, dead] = DeadAddress();
  Names names;
  names.Add(relents.address());
  names.Add(hole.address());
  names.Add(dead);
  NetOptions options = With(&names);
  options.attempt_delay = absl::Milliseconds(10);
  AsyncContext context;
  auto dial =
      AsyncDial("tcp:server.test:1", context, absl::Seconds(30), options);
  names.all_are_under_way.WaitForNotification();
  // TCP asks a full listener again after a second.
  for (int i = 0; i < 2; ++i) {
    flow::UniqueFd(accept(relents.fd(), nullptr, nullptr)).reset();
  }
  Result f = dial.get();
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(absl::StrCat("tcp:", f->peer().ToString()), relents.address());
}

TEST(AsyncDialTest, SaysWhoHasNotAnsweredAndWhoHasFailed) {
  const BlackHole hole(AF_INET);
  auto [bound, dead] = DeadAddress();
  FakeNames names;
  names.at_once = true;
  names.Add(dead);
  names.Add(hole.address());
  AsyncContext context;
  EXPECT_THAT(AsyncDial("tcp:server.test:1", context, absl::Milliseconds(100),
                        With(&names))
                  .get(),
              StatusIs(StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("server.test"), HasSubstr("refused"),
                             HasSubstr(dead.substr(4)),
                             HasSubstr("no answer from tcp " +
                                       hole.address().substr(4)))));
}

// Three sockets under way: more than an operation may wait for by itself.
TEST(AsyncDialTest, AStallBeginsTheNextAndATokenEndsThemAll) {
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  const BlackHole three(AF_INET);
  FakeNames names;
  names.at_once = true;
  for (const BlackHole* hole : {&one, &two, &three}) names.Add(hole->address());
  AsyncContext context;
  const int before = CountOpenFds();
  Limits stalls;
  stalls.stall_timeout = absl::Milliseconds(20);
  EXPECT_THAT(
      AsyncDial("tcp:server.test:1", context, stalls, With(&names)).get(),
      StatusIs(StatusCode::kDeadlineExceeded,
               AllOf(HasSubstr("stall_timeout"),
                     HasSubstr(three.address().substr(4)))));
  CancelSource stop;
  auto cut =
      AsyncDial("tcp:server.test:1", context, stop.token(), With(&names));
  EXPECT_FALSE(IsReady(cut));
  stop.Cancel();
  EXPECT_THAT(cut.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_LE(CountOpenFds(), before + 1);
}

// P3: a resolver that is stuck holds neither the caller nor the poller.
TEST(AsyncDialTest, AStuckResolverHoldsNobody) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  StuckNames slow;
  StuckNames never;
  slow.Add(listener->address());
  never.Add(":1");
  AsyncContext context;
  CancelSource stop;
  auto late = AsyncDial("tcp:slow.test:1", context, {}, With(&slow));
  auto cut = AsyncDial("tcp:stuck.test:1", context, stop.token(), With(&never));
  slow.asked_now.WaitForNotification();
  never.asked_now.WaitForNotification();
  EXPECT_THAT(AsyncDial(listener->address(), context).get(), IsOk());
  stop.Cancel();
  EXPECT_THAT(cut.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_FALSE(IsReady(late));
  slow.go_on.Notify();
  EXPECT_THAT(late.get(), IsOk());
  never.go_on.Notify();
  never.freed.WaitForNotification();  // what was left behind ends by itself
}

// DESIGN 5: "DEL before close(2), always".
TEST(AsyncDialTest, ADescriptorLeavesThePollerBeforeItIsClosed) {
  TestKernel kernel;
  Watchman watchman(kernel);
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  const BlackHole hole(AF_INET);
  CancelSource stop;
  auto cut = AsyncDial(hole.address(), context, stop.token(), With(&kernel));
  auto late =
      AsyncDial(hole.address(), context, absl::Milliseconds(10), With(&kernel));
  stop.Cancel();
  EXPECT_THAT(cut.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_THAT(late.get(), IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(watchman.closed(), 2);
}

// The same of several sockets, and of the descriptor that stands for them.
TEST(AsyncDialTest, SeveralDescriptorsLeaveTheirSetsBeforeTheyAreClosed) {
  class Kernel : public TestKernel {
   public:
    int GetAddrInfo(const char* node, const char* service,
                    const addrinfo* hints, addrinfo** result) override {
      return names.GetAddrInfo(node, service, hints, result);
    }
    void FreeAddrInfo(addrinfo* result) override { names.FreeAddrInfo(result); }
    FakeNames names;
  };
  Kernel kernel;
  Watchman watchman(kernel);
  flow::InlineExecutor executor;
  AsyncContext context(executor, &kernel);
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  kernel.names.at_once = true;
  kernel.names.Add(one.address());
  kernel.names.Add(two.address());
  NetOptions options = With(&kernel);
  options.attempt_delay = absl::Milliseconds(10);
  EXPECT_THAT(
      AsyncDial("tcp:server.test:1", context, absl::Milliseconds(100), options)
          .get(),
      IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(watchman.closed(), 3);
}

// ------------------------------------------------- contexts, futures,
// callbacks

// Case 82.
TEST(AsyncDialTest, DestroyingTheContextCancels) {
  const BlackHole hole(AF_INET);
  StuckNames names;
  names.Add(":1");
  auto context = std::make_unique<AsyncContext>();
  const int before = CountOpenFds();
  auto connecting = AsyncDial(hole.address(), *context);
  auto looking_up = AsyncDial("tcp:stuck.test:1", *context, {}, With(&names));
  names.asked_now.WaitForNotification();
  context.reset();
  for (auto* dial : {&connecting, &looking_up}) {
    EXPECT_TRUE(IsReady(*dial));
    EXPECT_THAT(dial->get(), AllOf(StatusIs(StatusCode::kCancelled),
                                   IsKind(ErrorKind::kCancelled)));
  }
  EXPECT_LT(CountOpenFds(), before);
  names.go_on.Notify();
  names.freed.WaitForNotification();
}

TEST(AsyncDialTest, AForkedChildIsRefused) {
  AsyncContext context;
  auto [bound, address] = DeadAddress();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const Result f = AsyncDial(address, context).get();
    _exit(absl::IsFailedPrecondition(f.status()) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// The connection that nobody takes is closed.
TEST(AsyncDialTest, AFutureMayBeDroppedAtOnce) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  AsyncContext context;
  static_cast<void>(AsyncDial(listener->address(), context));
  absl::StatusOr<Flow> server = listener->Accept(absl::Seconds(20));
  ASSERT_THAT(server, IsOk());
  EXPECT_THAT(server->Read(absl::Seconds(20)), IsEof());
}

class AsyncDialCallbackTest : public testing::TestWithParam<int> {
 protected:
  AsyncDialCallbackTest() {
    if (GetParam() > 0) {
      executor_ = std::make_unique<flow::ThreadPool>(GetParam());
    } else {
      executor_ = std::make_unique<flow::InlineExecutor>();
    }
    context_ = std::make_unique<AsyncContext>(*executor_);
  }
  std::unique_ptr<flow::Executor> executor_;
  std::unique_ptr<AsyncContext> context_;
};

// "Never on the stack of the caller", also for what is over at once.
TEST_P(AsyncDialCallbackTest, IsCalledOnceAndElsewhere) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  auto [bound, dead] = DeadAddress();
  const std::thread::id here = std::this_thread::get_id();
  for (const std::string& address :
       {listener->address(), dead, std::string("nonsense")}) {
    std::promise<absl::Status> told;
    std::atomic<int> calls{0};
    AsyncDial(address, *context_, {}, [&](Result f) {
      EXPECT_NE(std::this_thread::get_id(), here);
      if (++calls == 1) told.set_value(f.status());
    });
    const absl::Status got = told.get_future().get();
    EXPECT_EQ(got.ok(), address == listener->address()) << got;
    EXPECT_EQ(calls, 1);
  }
}

// The flow and the context may go in the callback.
TEST_P(AsyncDialCallbackTest, MayDestroyTheContext) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  const BlackHole hole(AF_INET);
  auto under_way = AsyncDial(hole.address(), *context_);
  std::promise<void> done;
  AsyncDial(listener->address(), *context_, {}, [&](Result f) {
    EXPECT_THAT(f, IsOk());
    context_.reset();
    done.set_value();
  });
  done.get_future().get();
  EXPECT_THAT(under_way.get(), StatusIs(StatusCode::kCancelled));
}

// P8: each is told, whatever of context and executor goes meanwhile.
TEST_P(AsyncDialCallbackTest, AreAllCalledThoughTheContextGoes) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  std::atomic<int> told{0};
  int begun = 0;
  for (int i = 0; i < 200; ++i) {
    ++begun;
    AsyncDial(listener->address(), *context_, {}, [&](Result) { ++told; });
  }
  context_.reset();
  executor_.reset();
  EXPECT_EQ(told, begun);
}

INSTANTIATE_TEST_SUITE_P(Executors, AsyncDialCallbackTest,
                         testing::Values(0, 1, 4));

}  // namespace
}  // namespace flow_testing
