// AsyncListener: the answers of Listener, and no thread held for any of them
// (P3, P5, P7, P8, P11; cases D.20, H.46, L.71-73, N.82).

#include "flow/net/async_listener.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/executor.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/async_dial.h"
#include "flow/net/dial.h"
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
using flow::AsyncListener;
using flow::CancelSource;
using flow::Dial;
using flow::ErrorKind;
using flow::Flow;
using flow::Listener;
using ::testing::HasSubstr;

using Result = AsyncListener::AcceptResult;

// A listener on `context`, whose calls `sys` makes.
AsyncListener ListenOn(AsyncContext& context,
                       const std::string& address = "tcp:127.0.0.1:0",
                       flow::Syscalls* sys = nullptr) {
  flow::ListenOptions options;
  options.sys = sys;
  absl::StatusOr<Listener> listener = flow::Listen(address, options);
  EXPECT_THAT(listener, IsOk());
  absl::StatusOr<AsyncListener> async =
      AsyncListener::From(*std::move(listener), context);
  EXPECT_THAT(async, IsOk());
  return *std::move(async);
}

bool Exists(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}

TEST(AsyncListenerTest, AcceptsOverTcpAndUnix) {
  ShortTempDir dir;
  AsyncContext context;
  for (const std::string& where :
       {std::string("tcp:127.0.0.1:0"), "unix:" + dir.Path("s")}) {
    AsyncListener listener = ListenOn(context, where);
    auto parked = listener.Accept();
    EXPECT_FALSE(IsReady(parked));
    absl::StatusOr<Flow> client = Dial(listener.address());
    ASSERT_THAT(client, IsOk());
    Result server = parked.get();
    ASSERT_THAT(server, IsOk());
    EXPECT_EQ(client->peer(), server->local());
    EXPECT_EQ(client->local(), server->peer());
    auto read = server->Read();
    EXPECT_THAT(client->Write("ping"), IsOk());
    EXPECT_THAT(read.get(), IsData("ping"));
    // One that has come already is accepted at once.
    ASSERT_THAT(Dial(listener.address()), IsOk());
    EXPECT_THAT(listener.Accept().get(), IsOk());
    EXPECT_EQ(listener.GetStats().accepted, 2u);
    EXPECT_THAT(listener.ToString(), HasSubstr(", 2 accepted"));
  }
}

TEST(AsyncListenerTest, AcceptsAreServedFirstComeFirstServed) {
  AsyncContext context;
  AsyncListener listener = ListenOn(context);
  std::vector<std::future<Result>> accepts;
  for (int i = 0; i < 10; ++i) accepts.push_back(listener.Accept());
  for (size_t i = 0; i < accepts.size(); ++i) {
    absl::StatusOr<Flow> client = Dial(listener.address());
    ASSERT_THAT(client, IsOk());
    Result server = accepts[i].get();
    ASSERT_THAT(server, IsOk());
    EXPECT_EQ(server->peer(), client->local());
    for (size_t k = i + 1; k < accepts.size(); ++k) {
      EXPECT_FALSE(IsReady(accepts[k]));
    }
  }
}

// "0: not at all", though somebody has come.
TEST(AsyncListenerTest, APassedLimitTakesNobody) {
  AsyncContext context;
  AsyncListener listener = ListenOn(context);
  ASSERT_THAT(Dial(listener.address()), IsOk());
  EXPECT_THAT(listener.Accept(absl::ZeroDuration()).get(),
              IsKind(ErrorKind::kDeadline));
  CancelSource stop;
  stop.Cancel();
  EXPECT_THAT(listener.Accept(stop.token()).get(),
              IsKind(ErrorKind::kCancelled));
  EXPECT_EQ(listener.GetStats().accepted, 0u);
  EXPECT_THAT(listener.Accept().get(), IsOk());
}

TEST(AsyncListenerTest, LimitsEndAnAcceptAndTheListenerGoesOn) {  // H.46
  AsyncContext context;
  AsyncListener listener = ListenOn(context);
  CancelSource stop;
  auto cancelled = listener.Accept(stop.token());
  auto late = listener.Accept(absl::Milliseconds(50));  // behind the first
  auto last = listener.Accept();
  EXPECT_THAT(late.get(), IsKind(ErrorKind::kDeadline));
  stop.Cancel();
  EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
  ASSERT_THAT(Dial(listener.address()), IsOk());
  EXPECT_THAT(last.get(), IsOk());
}

// Several sockets: each wakes who waits, in the order in which they came.
TEST(AsyncListenerTest, AcceptsFromSeveralAddresses) {
  ShortTempDir dir;
  AsyncContext context;
  absl::StatusOr<Listener> blocking = flow::ListenAll(
      {"tcp:127.0.0.1:0", "tcp:127.0.0.1:0", "unix:" + dir.Path("s")});
  ASSERT_THAT(blocking, IsOk());
  const std::vector<std::string> addresses = blocking->addresses();
  absl::StatusOr<AsyncListener> listener =
      AsyncListener::From(*std::move(blocking), context);
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ(listener->addresses(), addresses);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::future<Result>> accepts;
    for (size_t i = 0; i < addresses.size(); ++i) {
      accepts.push_back(listener->Accept());
    }
    for (size_t i = 0; i < addresses.size(); ++i) {
      EXPECT_FALSE(IsReady(accepts[i]));
      absl::StatusOr<Flow> client = Dial(addresses[i]);
      ASSERT_THAT(client, IsOk());
      Result server = accepts[i].get();
      ASSERT_THAT(server, IsOk());
      EXPECT_EQ(server->local(), client->peer());
    }
  }
  auto last = listener->Accept();
  EXPECT_THAT(listener->Close().get(), IsOk());
  EXPECT_THAT(last.get(), StatusIs(StatusCode::kCancelled));
  EXPECT_FALSE(Exists(dir.Path("s")));
}

TEST(AsyncListenerTest, CloseEndsEveryAccept) {  // L.73, D.20
  ShortTempDir dir;
  AsyncContext context;
  AsyncListener listener = ListenOn(context, "unix:" + dir.Path("s"));
  std::vector<std::future<Result>> accepts;
  for (int i = 0; i < 8; ++i) accepts.push_back(listener.Accept());
  const flow::MonoTime start = flow::MonoTime::Now();
  EXPECT_THAT(listener.Close().get(), IsOk());
  for (auto& accept : accepts) {
    const Result got = accept.get();
    EXPECT_THAT(got, StatusIs(StatusCode::kCancelled));
    EXPECT_THAT(got, IsKind(ErrorKind::kClosedLocally));
  }
  EXPECT_LE(flow::MonoTime::Now() - start, absl::Milliseconds(100 + 1000));
  EXPECT_FALSE(Exists(dir.Path("s")));
  EXPECT_THAT(listener.Close().get(), IsOk());
  const Result after = listener.Accept().get();
  EXPECT_THAT(after, StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(after, IsKind(ErrorKind::kClosedLocally));
}

TEST(AsyncListenerTest, DestroyingTheListenerEndsEveryAccept) {
  ShortTempDir dir;
  AsyncContext context;
  const int before = CountOpenFds();
  std::future<Result> accept;
  {
    AsyncListener listener = ListenOn(context, "unix:" + dir.Path("s"));
    accept = listener.Accept();
  }
  EXPECT_THAT(accept.get(), StatusIs(StatusCode::kCancelled));
  EXPECT_TRUE(Eventually([&] { return !Exists(dir.Path("s")); }));
  EXPECT_TRUE(Eventually([&] { return CountOpenFds() <= before; }));
}

// Case 82; and the listener outlives its context.
TEST(AsyncListenerTest, DestroyingTheContextEndsEveryAccept) {
  auto context = std::make_unique<AsyncContext>();
  AsyncListener listener = ListenOn(*context);
  std::vector<std::future<Result>> accepts;
  for (int i = 0; i < 8; ++i) accepts.push_back(listener.Accept());
  context.reset();
  for (auto& accept : accepts) {
    EXPECT_TRUE(IsReady(accept));
    const Result got = accept.get();
    EXPECT_THAT(got, StatusIs(StatusCode::kCancelled));
    EXPECT_THAT(got, IsKind(ErrorKind::kCancelled));
  }
  EXPECT_THAT(listener.Accept().get(),
              StatusIs(StatusCode::kFailedPrecondition));
  absl::StatusOr<Listener> blocking = listener.Release();
  ASSERT_THAT(blocking, IsOk());
  ASSERT_THAT(Dial(blocking->address()), IsOk());
  EXPECT_THAT(blocking->Accept(), IsOk());
}

TEST(AsyncListenerTest, DeadClientsArePassedOver) {  // L.71
  FailingAccept sys;
  AsyncContext context;
  AsyncListener listener = ListenOn(context, "tcp:127.0.0.1:0", &sys);
  {
    absl::MutexLock lock(&sys.mu);
    sys.errors = {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EINTR};
  }
  ASSERT_THAT(Dial(listener.address()), IsOk());
  EXPECT_THAT(listener.Accept().get(), IsOk());
  EXPECT_EQ(listener.GetStats().transient_errors, 4u);
}

TEST(AsyncListenerTest, AShortageIsWaitedOutAndTheClientServed) {  // L.72
  FailingAccept sys;
  AsyncContext context;
  AsyncListener listener = ListenOn(context, "tcp:127.0.0.1:0", &sys);
  auto accept = listener.Accept();
  {
    absl::MutexLock lock(&sys.mu);
    sys.errors = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
  }
  ASSERT_THAT(Dial(listener.address()), IsOk());
  EXPECT_THAT(accept.get(), IsOk());
  EXPECT_EQ(listener.GetStats().shortages, 4u);
}

TEST(AsyncListenerTest, AtTheFdLimitAcceptAsksAtMost20TimesASecond) {  // P11
  FailingAccept sys;
  AsyncContext context;
  AsyncListener listener = ListenOn(context, "tcp:127.0.0.1:0", &sys);
  absl::StatusOr<Flow> client = Dial(listener.address());
  ASSERT_THAT(client, IsOk());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // The lowest free number: with the limit there, nothing can be opened.
  const int lowest_free = dup(0);
  close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Result starved = listener.Accept(absl::Seconds(1)).get();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(starved, StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_LE(sys.calls, 20);
  EXPECT_GE(listener.GetStats().shortages, 2u);
  EXPECT_THAT(listener.Accept(absl::Seconds(5)).get(), IsOk());
}

// A thousand Accepts need no more threads than none, and are in nobody's way.
TEST(AsyncListenerTest, WaitingAcceptsHoldNoThread) {
  flow::ThreadPool pool(1);
  AsyncContext context(pool);
  const int before = CountThreads();
  AsyncListener idle = ListenOn(context);
  AsyncListener busy = ListenOn(context);
  std::vector<std::future<Result>> accepts;
  for (int i = 0; i < 1000; ++i) accepts.push_back(idle.Accept());
  auto accept = busy.Accept();
  ASSERT_THAT(flow::AsyncDial(busy.address(), context).get(), IsOk());
  EXPECT_THAT(accept.get(), IsOk());
  EXPECT_EQ(CountThreads(), before);
  EXPECT_THAT(idle.Close().get(), IsOk());
  for (auto& each : accepts) {
    EXPECT_THAT(each.get(), StatusIs(StatusCode::kCancelled));
  }
}

TEST(AsyncListenerTest, NothingLeaksWhenAcceptsRaceWithClose) {  // P5
  AsyncContext context;
  EXPECT_THAT(Dial("unix:/nowhere"), StatusIs(StatusCode::kNotFound));
  const int before = CountOpenFds();
  for (int round = 0; round < 100; ++round) {
    AsyncListener listener = ListenOn(context);
    std::vector<std::future<Result>> all;
    for (int i = 0; i < 4; ++i) {
      all.push_back(flow::AsyncDial(listener.address(), context));
      all.push_back(listener.Accept());
    }
    auto closed = listener.Close();
    for (auto& each : all) static_cast<void>(each.get());
    EXPECT_THAT(closed.get(), IsOk());
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFds() <= before; }));
}

TEST(AsyncListenerTest, AConnectionThatNobodyTakesIsClosed) {
  AsyncContext context;
  AsyncListener listener = ListenOn(context);
  static_cast<void>(listener.Accept());
  absl::StatusOr<Flow> client = Dial(listener.address());
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(client->Read(absl::Seconds(20)), IsEof());
}

// From and Release: refused, and as it was, while an Accept is under way.
TEST(AsyncListenerTest, ChangesHandsOnlyAtRest) {
  AsyncContext context;
  {
    SleepCounter sys;
    flow::ListenOptions options;
    options.sys = &sys;
    absl::StatusOr<Listener> listener =
        flow::Listen("tcp:127.0.0.1:0", options);
    ASSERT_THAT(listener, IsOk());
    CancelSource stop;
    Background accept([&] { return listener->Accept(stop.token()); });
    ASSERT_TRUE(sys.WaitFor(1));
    EXPECT_THAT(AsyncListener::From(std::move(*listener), context),
                StatusIs(StatusCode::kFailedPrecondition));
    stop.Cancel();
    EXPECT_THAT(accept.Get(), IsKind(ErrorKind::kCancelled));
    ASSERT_THAT(Dial(listener->address()), IsOk());
    EXPECT_THAT(listener->Accept(), IsOk());
  }
  AsyncListener async = ListenOn(context);
  auto accept = async.Accept();
  EXPECT_THAT(async.Release(), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(Dial(async.address()), IsOk());
  EXPECT_THAT(accept.get(), IsOk());
  EXPECT_THAT(async.Release(), IsOk());
}

TEST(AsyncListenerTest, AForkedChildIsRefused) {
  AsyncContext context;
  AsyncListener listener = ListenOn(context);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const Result f = listener.Accept().get();
    _exit(absl::IsFailedPrecondition(f.status()) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(AsyncListenerTest, ADefaultListenerIsClosed) {
  AsyncListener none;
  EXPECT_THAT(none.Accept().get(), IsKind(ErrorKind::kClosedLocally));
  bool told = false;
  none.Accept({}, [&](Result got) { told = !got.ok(); });
  EXPECT_TRUE(told);
  EXPECT_THAT(none.Close().get(), IsOk());
  EXPECT_EQ(none.address(), "");
  EXPECT_EQ(none.port(), 0);
  EXPECT_EQ(none.ToString(), "no listener");
}

class AsyncListenerCallbackTest : public testing::TestWithParam<int> {
 protected:
  AsyncListenerCallbackTest() {
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

// The loop of a server: each callback begins the next Accept; Close ends it.
TEST_P(AsyncListenerCallbackTest, MayAcceptTheNext) {
  AsyncListener listener = ListenOn(*context_);
  std::atomic<int> accepted{0};
  std::promise<absl::Status> over;
  std::function<void()> next = [&] {
    listener.Accept({}, [&](Result got) {
      if (!got.ok()) return over.set_value(got.status());
      ++accepted;
      next();
    });
  };
  next();
  std::vector<std::future<Result>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(flow::AsyncDial(listener.address(), *context_));
  }
  for (auto& client : clients) EXPECT_THAT(client.get(), IsOk());
  EXPECT_TRUE(Eventually([&] { return accepted == 100; }));
  EXPECT_THAT(listener.Close().get(), IsOk());
  EXPECT_THAT(over.get_future().get(), IsKind(ErrorKind::kClosedLocally));
}

TEST_P(AsyncListenerCallbackTest, MayDestroyListenerAndContext) {
  auto listener = std::make_unique<AsyncListener>(ListenOn(*context_));
  const std::string address = listener->address();
  std::promise<void> done;
  listener->Accept({}, [&](Result got) {
    EXPECT_THAT(got, IsOk());
    listener.reset();
    context_.reset();
    done.set_value();
  });
  auto second = listener->Accept();
  absl::StatusOr<Flow> client = Dial(address);
  ASSERT_THAT(client, IsOk());
  done.get_future().get();
  EXPECT_THAT(second.get(), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(client->Read(absl::Seconds(20)), IsEof());
}

INSTANTIATE_TEST_SUITE_P(Executors, AsyncListenerCallbackTest,
                         testing::Values(0, 1, 4));

}  // namespace
}  // namespace flow_testing
