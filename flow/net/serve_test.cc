// How connections are served, and how each of them ends (P1, P5, P11; case
// L.72).

#include "flow/net/serve.h"

#include <pthread.h>
#include <signal.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/net/serve_test_support.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::CancelToken;
using flow::ErrorKind;
using flow::Flow;
using flow::ServeOptions;
using flow::Server;
using flow::ServerConnection;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(ServeTest, ServesManyClientsAtOnce) {
  const ShortTempDir folder;
  for (const std::string& where :
       {std::string("tcp:127.0.0.1:0"), "unix:" + folder.Path("s")}) {
    absl::StatusOr<flow::Listener> listener = flow::Listen(where);
    ASSERT_THAT(listener, IsOk());
    Server server = MustServe(Echo, {}, *std::move(listener));
    std::vector<Flow> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(MustDial(server));
    // All are there at once; the last is served while the first waits.
    for (int i = 49; i >= 0; --i) {
      ExpectEcho(clients[static_cast<size_t>(i)], absl::StrCat("client ", i));
    }
    EXPECT_EQ(server.GetStats().active, 50);
    for (Flow& client : clients) {
      EXPECT_THAT(client.CloseGracefully({}), IsOk());
    }
    Await([&] { return server.GetStats().active == 0; });
    EXPECT_EQ(server.GetStats().completed, 50u);
    EXPECT_EQ(server.GetStats().max_active, 50);
    EXPECT_THAT(server.Stop(), IsOk());
  }
}

// P11: each address of a listener is served, though it has no one descriptor.
TEST(ServeTest, AListenerOnSeveralAddressesIsServedAtEach) {
  const ShortTempDir folder;
  absl::StatusOr<flow::Listener> listener =
      flow::ListenAll({"tcp:127.0.0.1:0", "unix:" + folder.Path("s")});
  ASSERT_THAT(listener, IsOk());
  const std::vector<std::string> addresses = listener->addresses();
  ASSERT_EQ(addresses.size(), 2u);
  Server server = MustServe(Echo, {}, *std::move(listener));
  for (const std::string& address : addresses) {
    absl::StatusOr<Flow> client = flow::Dial(address);
    ASSERT_THAT(client, IsOk());
    ExpectEcho(*client, address);
  }
}

TEST(ServeTest, AClosedListenerIsRefused) {
  const ShortTempDir folder;
  for (const std::vector<std::string>& where :
       {std::vector<std::string>{"tcp:127.0.0.1:0"},
        {"tcp:127.0.0.1:0", "unix:" + folder.Path("s")}}) {
    absl::StatusOr<flow::Listener> listener = flow::ListenAll(where);
    ASSERT_THAT(listener, IsOk());
    EXPECT_THAT(listener->Close(), IsOk());
    EXPECT_THAT(Server::Start(*std::move(listener), Echo),
                IsKind(ErrorKind::kClosedLocally));
  }
}

// "OK: the flow, if still open, is closed in order": nothing that was written
// is lost, also if the client's bytes were not read.
TEST(ServeTest, WhatWasWrittenArrivesThoughInputIsUnread) {
  Server server = MustServe([](Flow& f, const CancelToken&) {
    return f.Write(std::string(400'000, 'x'));
  });
  Flow client = MustDial(server);
  ASSERT_THAT(client.Write("never read"), IsOk());
  EXPECT_THAT(ReadToEnd(client), IsOkAndHolds(std::string(400'000, 'x')));
}

TEST(ServeTest, HandlersErrorIsShownToTheClientAndTold) {
  absl::Notification told;
  absl::Status why;
  ServeOptions options;
  options.on_failure = [&](const flow::Endpoint& peer,
                           const absl::Status& status) {
    EXPECT_FALSE(peer.ToString().empty());
    why = status;
    told.Notify();
  };
  Server server = MustServe(
      [](Flow& f, const CancelToken&) {
        EXPECT_THAT(f.Read(), IsData());
        return absl::DataLossError("not what I was told");
      },
      options);
  Flow client = MustDial(server);
  ASSERT_THAT(client.Write("hello"), IsOk());
  EXPECT_THAT(client.Read(), IsKind(ErrorKind::kReset));
  told.WaitForNotification();
  EXPECT_THAT(why, StatusIs(StatusCode::kDataLoss));
  Await([&] { return server.GetStats().failed == 1; });
}

// P11: exceptions cost one connection, never the server.
TEST(ServeTest, ExceptionsCostOneConnection) {
  absl::Mutex mu;
  std::vector<std::string> told;
  ServeOptions options;
  options.on_failure = [&](const flow::Endpoint&, const absl::Status& status) {
    absl::MutexLock lock(&mu);
    told.emplace_back(status.message());
    throw std::runtime_error("the hook throws, too");
  };
  Server server = MustServe(
      [](ServerConnection& c) -> absl::Status {
        // So that the client is connected when it is over.
        if (c.id() <= 2) c.flow().Read().IgnoreError();
        if (c.id() == 1) throw std::runtime_error("oh no");
        if (c.id() == 2) throw 17;
        return Echo(c.flow(), c.cut());
      },
      options);
  for (int i = 0; i < 2; ++i) {
    Flow client = MustDial(server);
    ASSERT_THAT(client.Write("x"), IsOk());
    EXPECT_THAT(client.Read(), IsKind(ErrorKind::kReset));
  }
  Flow client = MustDial(server);
  ExpectEcho(client, "all is well");
  // A client sees the reset before its failure is told and counted, in threads
  // of their own.
  Await([&] { return server.GetStats().threw == 2; });
  absl::MutexLock lock(&mu);
  EXPECT_THAT(told, testing::UnorderedElementsAre("the handler threw: oh no",
                                                  "the handler threw: not a "
                                                  "std::exception"));
}

// serve.h: "connection 3: flow tcp 127.0.0.1:80 -> ...".
TEST(ServeTest, AConnectionTellsItsNumberAndItsFlow) {
  Server server = MustServe([](ServerConnection& c) -> absl::Status {
    return c.flow().Write(c.ToString());
  });
  Flow client = MustDial(server);
  const auto got = client.Read();
  ASSERT_THAT(got, IsOk());
  ASSERT_FALSE(got->is_eof());
  EXPECT_THAT(got->data().ToString(),
              testing::StartsWith("connection 1: flow "));
}

// "One whose last Write was cut in the middle is aborted": the peer must not
// take the piece for the whole (P1).
TEST(ServeTest, SealedFlowIsAborted) {
  const std::string much(64 << 20, 'x');
  Server server = MustServe([&much](Flow& f, const CancelToken&) {
    const absl::Status cut = f.Write(much, absl::Milliseconds(200));
    EXPECT_GT(flow::BytesDone(cut), 0u);
    return absl::OkStatus();  // it doesn't care
  });
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().completed == 1; });
  EXPECT_THAT(ReadToEnd(client), IsKind(ErrorKind::kReset));
}

TEST(ServeTest, FlowThatTheHandlerMovedAwayLivesOn) {
  Flow kept;
  absl::Notification moved;
  Server server = MustServe([&](Flow& f, const CancelToken&) {
    kept = std::move(f);
    return absl::OkStatus();
  });
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().completed == 1; });
  EXPECT_THAT(server.Stop(), IsOk());
  ASSERT_THAT(kept.Write("still here"), IsOk());
  EXPECT_THAT(client.Read(), IsData("still here"));
}

// "A client that dawdles over a handshake is in nobody's way."
TEST(ServeTest, PreparesInTheConnectionsThread) {
  ServeOptions options;
  options.prepare = [](Flow f,
                       const flow::Limits& limits) -> absl::StatusOr<Flow> {
    auto got = f.Read(limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::UnauthenticatedError("said nothing");
    absl::Status welcomed = f.Write("welcome");
    if (!welcomed.ok()) return welcomed;
    return f;
  };
  Server server = MustServe(Echo, options);
  Flow dawdles = MustDial(server);
  Flow refused = MustDial(server);
  EXPECT_THAT(refused.CloseGracefully(absl::Seconds(30)), IsOk());
  Flow client = MustDial(server);
  ASSERT_THAT(client.Write("password"), IsOk());
  ASSERT_THAT(client.Read(), IsData("welcome"));
  Await([&] { return server.GetStats().failed == 1; });
  EXPECT_EQ(server.GetStats().active, 2);
  ExpectEcho(client, "hello");
}

// L.72 at the server: "beyond max_connections clients queue in the kernel".
TEST(ServeTest, ClientsBeyondTheMostWaitInTheKernel) {
  ServeOptions options;
  options.max_connections = 2;
  Server server = MustServe(Echo, options);
  Flow first = MustDial(server);
  Flow second = MustDial(server);
  ExpectEcho(first, "first");
  ExpectEcho(second, "second");
  Flow third = MustDial(server);
  ASSERT_THAT(third.Write("third"), IsOk());
  EXPECT_THAT(third.Read(absl::Milliseconds(100)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_EQ(server.GetStats().accepted, 2u);
  EXPECT_THAT(first.Close(), IsOk());
  EXPECT_THAT(third.Read(), IsData("third"));
  EXPECT_EQ(server.GetStats().max_active, 2);
}

TEST(ServeTest, ThreadsAreUsedAgainAndEndWhenTheyAreNot) {
  ServeOptions options;
  options.thread_linger = absl::Milliseconds(200);
  Server server = MustServe(Echo, options);
  for (int i = 0; i < 20; ++i) {
    Flow client = MustDial(server);
    ExpectEcho(client, "x");
    EXPECT_THAT(client.CloseGracefully({}), IsOk());
  }
  // One serves, one waits for the next; and one more each time that one was
  // not yet back when the next was wanted.
  EXPECT_LT(server.GetStats().threads, 20);
  Await([&] { return server.GetStats().threads == 1; });
}

TEST(ServeTest, ThreadLingerOfNoneMakesOneForEach) {
  ServeOptions options;
  options.thread_linger = absl::ZeroDuration();
  Server server = MustServe(Echo, options);
  for (int i = 0; i < 20; ++i) {
    Flow client = MustDial(server);
    ExpectEcho(client, "x");
  }
  Await([&] { return server.GetStats().completed == 20; });
  EXPECT_THAT(server.Stop(), IsOk());
  EXPECT_EQ(server.GetStats().threads, 0);
}

// "All signals are blocked in them, so that the user's threads get them" (P6).
TEST(ServeTest, SignalsAreLeftToTheUsersThreads) {
  absl::Notification done;
  sigset_t before;
  sigset_t after;
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  Server server = MustServe([&](Flow&, const CancelToken&) {
    sigset_t mask;
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &mask), 0);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) {
      EXPECT_EQ(sigismember(&mask, signal), 1) << signal;
    }
    // A crash is still told to whoever wants to know.
    EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
    done.Notify();
    return absl::OkStatus();
  });
  Flow client = MustDial(server);
  done.WaitForNotification();
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  for (int signal = 1; signal < 32; ++signal) {
    EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal));
  }
}

TEST(ServeTest, RefusesWhatMakesNoSense) {
  const auto refused = [](ServeOptions options) {
    return Server::Start(Loopback(), Echo, std::move(options)).status();
  };
  ServeOptions options;
  options.max_connections = 0;
  EXPECT_THAT(refused(options), StatusIs(StatusCode::kInvalidArgument,
                                         HasSubstr("max_connections")));
  options = {};
  options.total_limit = absl::ZeroDuration();
  EXPECT_THAT(refused(options), StatusIs(StatusCode::kInvalidArgument));
  options = {};
  options.idle_limit = -absl::Seconds(1);
  EXPECT_THAT(refused(options), StatusIs(StatusCode::kInvalidArgument));
  options = {};
  options.idle_bytes = 0;
  EXPECT_THAT(refused(options), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Server::Start(Loopback(), flow::ServeHandler()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("handler")));
  EXPECT_THAT(Server::Start(flow::Listener(), Echo),
              IsKind(ErrorKind::kClosedLocally));
}

TEST(ServeTest, SaysWhatItIsAndDoes) {
  Server server = MustServe(Echo);
  EXPECT_THAT(server.address(), StartsWith("tcp:127.0.0.1:"));
  EXPECT_NE(server.port(), 0);
  Flow client = MustDial(server);
  ExpectEcho(client, "x");
  Await([&] { return server.GetStats().threads == 2; });  // one to come
  EXPECT_EQ(server.ToString(),
            absl::StrCat("server ", server.address(),
                         ", 1 active (at most 1), 1 accepted, 0 completed, 0 "
                         "failed, 0 threw, cut: 0 total, 0 idle, 0 drain, 2 "
                         "threads, 0 thread failures, 0 shortages"));
}

TEST(ServeTest, NoServerHasStopped) {
  Server none;
  EXPECT_TRUE(none.ended());
  EXPECT_THAT(none.Stop(), IsOk());
  EXPECT_THAT(none.Wait(), IsOk());
  EXPECT_EQ(none.address(), "");
  EXPECT_EQ(none.ToString(), "no server");
  Server server = MustServe(Echo);
  const std::string address = server.address();
  Server moved = std::move(server);
  EXPECT_EQ(moved.address(), address);
  EXPECT_THAT(server.Stop(), IsOk());  // NOLINT(bugprone-use-after-move)
  moved = Server();
  EXPECT_THAT(flow::Dial(address), Not(IsOk()));
}

}  // namespace
}  // namespace flow_testing
