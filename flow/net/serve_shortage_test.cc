// A server survives any shortage, and no client pays for it (P5, P11; cases
// L.72, L.75).

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/net_test_support.h"
#include "flow/net/serve.h"
#include "flow/net/serve_test_support.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Flow;
using flow::MonoTime;
using flow::ServeOptions;
using flow::Server;

// L.75: at EMFILE, ENFILE, ENOMEM, with 50 clients in the queue, 100 times: all
// are served in the end, and no descriptor is left.
TEST(ServeShortageTest, HundredShortagesCostNoClient) {
  const int fds = CountOpenFds();
  FailingAccept sys;
  flow::ListenOptions listening;
  listening.sys = &sys;
  Server server = MustServe(Echo, {}, Loopback(listening));
  constexpr int kCycles = 100;
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    {
      absl::MutexLock lock(&sys.mu);
      sys.errors.push_back(cycle % 3 == 0   ? EMFILE
                           : cycle % 3 == 1 ? ENFILE
                                            : ENOMEM);
    }
    std::vector<Flow> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(MustDial(server));
    for (Flow& client : clients) ASSERT_THAT(client.Write("ping"), IsOk());
    for (Flow& client : clients) ASSERT_THAT(client.Read(), IsData("ping"));
  }
  Await([&] { return server.GetStats().active == 0; });
  const flow::ServeStats stats = server.GetStats();
  EXPECT_EQ(stats.completed, 50u * kCycles);
  EXPECT_EQ(stats.listener.shortages, uint64_t{kCycles});
  EXPECT_THAT(server.Stop(), IsOk());
  EXPECT_LE(CountOpenFds(), fds + 1);  // this thread's alarm clock
}

// L.72, with a real limit: nothing is asked of the kernel in a loop, and the
// clients are served as soon as there are descriptors again.
TEST(ServeShortageTest, AtTheFdLimitClientsWaitAndAreServedAfterwards) {
  FailingAccept sys;  // counts
  flow::ListenOptions listening;
  listening.sys = &sys;
  {
    absl::StatusOr<std::pair<Flow, Flow>> silent = flow::Pipe();
    ASSERT_THAT(silent, IsOk());
    EXPECT_THAT(silent->first.Read(absl::Milliseconds(50)),
                StatusIs(StatusCode::kDeadlineExceeded));
  }
  const int fds = CountOpenFds();  // with this thread's alarm clock
  Server server = MustServe(Echo, {}, Loopback(listening));
  std::vector<Flow> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(MustDial(server));
  for (Flow& client : clients) ExpectEcho(client, "x");
  // The listener, both ends, and the alarm clock of each thread that sleeps:
  // those that serve and the one that accepts.
  Await([&] { return CountOpenFds() == fds + 1 + 2 * 10 + 10 + 1; });
  for (int cycle = 0; cycle < 3; ++cycle) {
    const int lowest_free = dup(0);
    close(lowest_free);
    rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    // Just enough for the client.
    rlimit one = before;
    one.rlim_cur = static_cast<rlim_t>(lowest_free + 1);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &one), 0);
    const int calls = sys.calls;
    const MonoTime begin = MonoTime::Now();
    absl::StatusOr<Flow> extra = flow::Dial(server.address());
    const bool dialled = extra.ok() && extra->Write("ping").ok();
    absl::Status answer;
    if (dialled) answer = extra->Read(absl::Milliseconds(400)).status();
    const double seconds = absl::ToDoubleSeconds(MonoTime::Now() - begin);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_TRUE(dialled) << extra.status();
    EXPECT_THAT(answer, StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_LE(sys.calls - calls, 20 * seconds + 2);
    EXPECT_THAT(extra->Read(absl::Seconds(30)), IsData("ping"));
    EXPECT_THAT(extra->CloseGracefully({}), IsOk());
    Await([&] { return server.GetStats().active == 10; });
  }
  EXPECT_GE(server.GetStats().listener.shortages, 3u);
}

// A system that has no thread to give, as long as it is told so.
class NoThreads : public flow::Syscalls {
 public:
  int StartThread(pthread_t* thread, void* (*body)(void*),
                  void* argument) override {
    ++asked;
    if (asked > given) return EAGAIN;
    return Syscalls::StartThread(thread, body, argument);
  }
  std::atomic<int> asked{0};
  std::atomic<int> given{0};
};

TEST(ServeShortageTest, WithoutThreadsClientsWaitAndAreServedAfterwards) {
  NoThreads sys;
  sys.given = 2;  // one that accepts, one that serves
  ServeOptions options;
  options.sys = &sys;
  const MonoTime begin = MonoTime::Now();
  Server server = MustServe(Echo, options);
  Flow first = MustDial(server);
  ExpectEcho(first, "x");
  Flow second = MustDial(server);
  ASSERT_THAT(second.Write("ping"), IsOk());
  Await([&] { return server.GetStats().thread_failures >= 3; });
  EXPECT_GE(MonoTime::Now() - begin, absl::Milliseconds(200));  // no spin: P4
  EXPECT_EQ(server.GetStats().accepted, 1u);
  // The thread that is there serves the second when it is done with the first.
  EXPECT_THAT(first.Close(), IsOk());
  EXPECT_THAT(second.Read(), IsData("ping"));
  // And when there are threads again, there are threads again.
  sys.given = 1'000'000;
  Flow third = MustDial(server);
  ExpectEcho(third, "x");
  EXPECT_EQ(server.GetStats().failed, 0u);
}

TEST(ServeShortageTest, StopIsHeardWhileThereAreNoThreads) {
  NoThreads sys;
  sys.given = 1;
  ServeOptions options;
  options.sys = &sys;
  Server server = MustServe(Echo, options);
  Await([&] { return server.GetStats().thread_failures >= 1; });
  EXPECT_THAT(server.Stop(), IsOk());
}

// P3, P4: a token that has fired ends every pause at once; the server with it.
TEST(ServeShortageTest, TheTokenIsHeardWhileThereAreNoThreads) {
  for (const bool by_deadline : {false, true}) {
    NoThreads sys;
    sys.given = 1;
    flow::CancelSource stop;
    ServeOptions options;
    options.sys = &sys;
    options.stop = stop.token();
    Server server = MustServe(Echo, options);
    Await([&] { return server.GetStats().thread_failures >= 1; });
    by_deadline ? stop.SetDeadline(MonoTime::Past()) : stop.Cancel();
    EXPECT_THAT(server.Wait(absl::Seconds(20)), IsOk());
    EXPECT_LE(server.GetStats().thread_failures, 100u);
  }
}

TEST(ServeShortageTest, ServerWithoutAnyThreadIsRefused) {
  for (const int given : {0, 1}) {
    NoThreads sys;
    sys.given = given;
    ServeOptions options;
    options.sys = &sys;
    options.total_limit = absl::Seconds(1);  // needs a thread of its own
    flow::Listener listener = Loopback();
    const std::string address = listener.address();
    EXPECT_THAT(Server::Start(std::move(listener), Echo, options),
                StatusIs(StatusCode::kResourceExhausted));
    EXPECT_THAT(flow::Dial(address), StatusIs(StatusCode::kUnavailable));
  }
}

}  // namespace
}  // namespace flow_testing
