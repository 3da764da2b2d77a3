// How a server stops: asks, cuts at the deadline, joins, whoever says so (P3,
// P5, P8, P11; cases H.46, H.49, O.93).

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/net/serve.h"
#include "flow/net/serve_test_support.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::CancelToken;
using flow::ErrorKind;
using flow::Flow;
using flow::MonoTime;
using flow::ServeOptions;
using flow::Server;
using flow::ServerConnection;
using flow::ServeStats;
using testing::AllOf;
using testing::Not;

// Reads, without its token, what never comes.
absl::Status Stuck(Flow& f, const CancelToken&) { return f.Read().status(); }

TEST(ServeStopTest, HandlersThatFinishInTimeAreWaitedFor) {
  Server server = MustServe([](ServerConnection& c) -> absl::Status {
    // An idle connection: waits for the next request, or for the end.
    auto got = c.flow().Read(c.stopping());
    if (absl::IsCancelled(got.status())) return c.flow().Write("good-bye");
    return got.status();
  });
  std::vector<Flow> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(MustDial(server));
  Await([&] { return server.GetStats().active == 20; });
  std::vector<std::thread> readers;
  for (Flow& client : clients) {
    readers.emplace_back([&client] {
      EXPECT_THAT(ReadToEnd(client), IsOkAndHolds("good-bye"));
      EXPECT_THAT(client.Close(), IsOk());
    });
  }
  EXPECT_THAT(server.Stop(absl::Minutes(1)), IsOk());
  EXPECT_EQ(server.GetStats().completed, 20u);
  EXPECT_EQ(server.GetStats().active, 0);
  for (std::thread& reader : readers) reader.join();
}

// H.49: one deadline, 64 flows blocked in 64 threads without looking at
// anything: all are free soon after it, none before.
TEST(ServeStopTest, WhoHasNotFinishedAtTheDeadlineIsCut) {
  Server server = MustServe(Stuck);
  std::vector<Flow> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(MustDial(server));
  Await([&] { return server.GetStats().active == 64; });
  const MonoTime begin = MonoTime::Now();
  EXPECT_THAT(server.Stop(absl::Milliseconds(200)),
              AllOf(StatusIs(StatusCode::kDeadlineExceeded),
                    IsKind(ErrorKind::kDeadline)));
  const absl::Duration took = MonoTime::Now() - begin;
  EXPECT_GE(took, absl::Milliseconds(200));
  EXPECT_LE(took, absl::Seconds(10));  // 300 ms on an idle machine
  EXPECT_EQ(server.GetStats().cut_drain, 64u);
  EXPECT_EQ(server.GetStats().threads, 0);
  for (Flow& client : clients) {
    EXPECT_THAT(client.Read(), IsKind(ErrorKind::kReset));
  }
  // "Later calls return the same."
  EXPECT_THAT(server.Stop(), StatusIs(StatusCode::kDeadlineExceeded));
}

// The token fires first, so that the handler can say good-bye.
TEST(ServeStopTest, TokenOfACutHandlerSaysCancelledAndGoodByeArrives) {
  ServeOptions options;
  options.cut_grace = absl::Seconds(30);
  Server server = MustServe(
      [](Flow& f, const CancelToken& cut) -> absl::Status {
        EXPECT_THAT(f.Read(cut), StatusIs(StatusCode::kCancelled));
        return f.Write("good-bye");
      },
      options);
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().active == 1; });
  std::thread reader([&client] {
    EXPECT_THAT(ReadToEnd(client), IsOkAndHolds("good-bye"));
    EXPECT_THAT(client.Close(), IsOk());
  });
  EXPECT_THAT(server.Stop(absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_EQ(server.GetStats().cut_drain, 1u);
  reader.join();
}

// "end_reads_at_stop: Read says Eof, at once": the plain echo ends in order,
// and what was sent before arrives.
TEST(ServeStopTest, EndingReadsEndsHandlersThatReadUpToTheEnd) {
  ServeOptions options;
  options.end_reads_at_stop = true;
  Server server = MustServe(Echo, options);
  Flow client = MustDial(server);
  ExpectEcho(client, "hello");
  std::thread reader([&client] {
    EXPECT_THAT(ReadToEnd(client), IsOkAndHolds(""));
    EXPECT_THAT(client.Close(), IsOk());
  });
  EXPECT_THAT(server.Stop(absl::Minutes(1)), IsOk());
  reader.join();
}

TEST(ServeStopTest, MayBeSaidBySeveralAtOnceAndTheEarliestDeadlineCounts) {
  Server server = MustServe(Stuck);
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().active == 1; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&server, i] {
      EXPECT_THAT(
          server.Stop(i == 7 ? absl::Milliseconds(50) : absl::Minutes(5)),
          StatusIs(StatusCode::kDeadlineExceeded));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(server.ended());
}

// P3: no deadline is no deadline, not one that has passed.
TEST(ServeStopTest, AnInfiniteDrainWaitsForTheHandlers) {
  absl::Notification asked;
  Server server = MustServe([&](ServerConnection& c) -> absl::Status {
    EXPECT_THAT(c.flow().Read(c.stopping()), StatusIs(StatusCode::kCancelled));
    asked.Notify();
    auto got = c.flow().Read(c.cut());
    return got.ok() ? c.flow().Write("done") : got.status();
  });
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().active == 1; });
  std::thread stopping(
      [&] { EXPECT_THAT(server.Stop(absl::InfiniteDuration()), IsOk()); });
  asked.WaitForNotification();
  EXPECT_THAT(client.Write("go"), IsOk());
  EXPECT_THAT(client.Read(), IsData("done"));
  EXPECT_THAT(client.Close(), IsOk());
  stopping.join();
  EXPECT_EQ(server.GetStats().completed, 1u);
  EXPECT_EQ(server.GetStats().cut_drain, 0u);
}

// P3: "the earliest deadline counts", also after none.
TEST(ServeStopTest, ALaterStopShortensAnInfiniteDrain) {
  absl::Notification asked;
  ServeOptions options;
  options.cut_grace = absl::ZeroDuration();  // the time is all the drain's
  Server server = MustServe(
      [&](ServerConnection& c) {
        c.flow().Read(c.stopping()).IgnoreError();
        asked.Notify();
        return c.flow().Read().status();
      },
      options);
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().active == 1; });
  std::thread stopping([&] {
    EXPECT_THAT(server.Stop(absl::InfiniteDuration()),
                StatusIs(StatusCode::kDeadlineExceeded));
  });
  asked.WaitForNotification();
  const MonoTime begin = MonoTime::Now();
  EXPECT_THAT(server.Stop(absl::Milliseconds(50)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_GE(MonoTime::Now() - begin, absl::Milliseconds(50));
  stopping.join();
  EXPECT_EQ(server.GetStats().cut_drain, 1u);
}

TEST(ServeStopTest, HandlerMayStopItsOwnServer) {
  Server server;
  absl::Notification there;
  server = MustServe([&](Flow& f, const CancelToken&) -> absl::Status {
    there.WaitForNotification();
    EXPECT_THAT(server.Wait(), StatusIs(StatusCode::kFailedPrecondition));
    EXPECT_THAT(server.Stop(absl::Minutes(1)), IsOk());  // has begun
    return f.Write("the last");
  });
  Flow client = MustDial(server);
  there.Notify();
  EXPECT_THAT(client.Read(), IsData("the last"));
  EXPECT_THAT(client.Close(), IsOk());
  EXPECT_THAT(server.Wait(), IsOk());
}

TEST(ServeStopTest, HandlerMayDestroyItsOwnServer) {
  auto server = std::make_unique<Server>();
  absl::Notification there;
  absl::Notification gone;
  *server = MustServe([&](Flow& f, const CancelToken&) {
    there.WaitForNotification();
    server.reset();
    gone.Notify();
    return f.Read().status();  // until it is cut, which is now
  });
  Flow client = MustDial(*server);
  there.Notify();
  gone.WaitForNotification();
  EXPECT_THAT(client.Read(), Not(IsOk()));
}

// H.46: the token wakes a server that waits for a connection, and one that
// waits for a place.
TEST(ServeStopTest, TokenStopsTheServerWhateverItWaitsFor) {
  for (const int most : {1, 10}) {
    flow::CancelSource stop;
    ServeOptions options;
    options.stop = stop.token();
    options.end_reads_at_stop = true;
    options.max_connections = most;
    Server server = MustServe(Echo, options);
    Flow client = MustDial(server);
    ExpectEcho(client, "x");
    EXPECT_THAT(server.Wait(absl::Milliseconds(50)),
                StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_FALSE(server.ended());
    ExpectEcho(client, "still there");
    stop.Cancel();
    EXPECT_THAT(ReadToEnd(client), IsOkAndHolds(""));
    EXPECT_THAT(client.Close(), IsOk());
    EXPECT_THAT(server.Wait(), IsOk());
    EXPECT_TRUE(server.ended());
  }
}

TEST(ServeStopTest, BlockingFormReturnsWhenItsTokenFires) {
  flow::CancelSource stop;
  ServeOptions options;
  options.stop = stop.token();
  flow::Listener listener = Loopback();
  const std::string address = listener.address();
  absl::Status ended = absl::UnknownError("not yet");
  std::thread serving(
      [&] { ended = flow::Serve(std::move(listener), Echo, options); });
  absl::StatusOr<Flow> client = flow::Dial(address);
  ASSERT_THAT(client, IsOk());
  ExpectEcho(*client, "hello");
  EXPECT_THAT(client->CloseGracefully({}), IsOk());
  stop.Cancel();
  serving.join();
  EXPECT_THAT(ended, IsOk());
}

TEST(ServeStopTest, FailureOfTheListenerIsTheStatusAndHandlersAreDrained) {
  FailingAccept sys;
  flow::ListenOptions listening;
  listening.sys = &sys;
  ServeOptions options;
  options.end_reads_at_stop = true;
  Server server = MustServe(Echo, options, Loopback(listening));
  Flow client = MustDial(server);
  ExpectEcho(client, "x");
  {
    absl::MutexLock lock(&sys.mu);
    sys.errors = {EINVAL};
  }
  // Which may be reset before it is connected, for all it knows.
  const absl::StatusOr<Flow> trigger = flow::Dial(server.address());
  EXPECT_THAT(ReadToEnd(client), IsOkAndHolds(""));
  EXPECT_THAT(client.Close(), IsOk());
  EXPECT_THAT(server.Wait(), AllOf(Not(IsOk()), IsKind(ErrorKind::kSystem)));
  EXPECT_THAT(server.Stop(), IsKind(ErrorKind::kSystem));
}

// Clients come and go all the time; nothing is lost count of, and nothing is
// left.
TEST(ServeStopTest, UnderLoadEverythingIsJoinedAndClosed) {
  const int fds = CountOpenFds();
  for (int round = 0; round < 5; ++round) {
    Server server = MustServe(Echo);
    const std::string address = server.address();
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        while (!stop) {
          absl::StatusOr<Flow> f = flow::Dial(address, absl::Seconds(10));
          if (!f.ok()) continue;
          if (!f->Write("ping").ok()) continue;
          f->Read().IgnoreError();
        }
      });
    }
    Await([&] { return server.GetStats().completed >= 20; });
    server.Stop(absl::Milliseconds(20)).IgnoreError();
    const ServeStats stats = server.GetStats();
    EXPECT_EQ(stats.active, 0);
    EXPECT_EQ(stats.threads, 0);
    EXPECT_EQ(Ended(stats), stats.accepted) << stats;
    stop = true;
    for (std::thread& client : clients) client.join();
  }
  EXPECT_LE(CountOpenFds(), fds + 1);  // this thread's alarm clock
}

TEST(ServeStopTest, ForkedChildOnlyDestroysItsCopy) {
  Server server = MustServe(Echo);
  const pid_t child = fork();
  if (child == 0) {
    const bool refused = !server.Stop().ok() && !server.Wait().ok();
    server = Server();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  Flow client = MustDial(server);
  ExpectEcho(client, "the parent's");
}

int CountSockets() {
  int sockets = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat facts;
    if (fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode)) ++sockets;
  }
  return sockets;
}

// P5: "closes its listener and its connections there, and nobody notices".
TEST(ServeStopTest, ForkedChildClosesItsCopiesOfConnections) {
  const int before = CountSockets();
  Server server = MustServe(Echo);
  std::vector<Flow> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(MustDial(server));
    ExpectEcho(clients.back(), "here");
  }
  EXPECT_EQ(CountSockets(), before + 7);
  const pid_t child = fork();
  if (child == 0) {
    server = Server();
    clients.clear();
    _exit(CountSockets() - before);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  for (Flow& client : clients) ExpectEcho(client, "and still");
}

}  // namespace
}  // namespace flow_testing
