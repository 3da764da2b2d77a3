// Dial: it reaches who listens, ends in time, says why not, and leaves nothing
// open (P3, P5, P7; cases D.23, K.66, L.74, M.80).

#include "flow/net/dial.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/net/socket_options.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Dial;
using flow::Flow;
using flow::Listener;
using flow::NetOptions;
using ::testing::AllOf;
using ::testing::HasSubstr;

NetOptions With(flow::Syscalls* sys) {
  NetOptions options;
  options.sys = sys;
  return options;
}

TEST(DialTest, ReachesAListenerOverTcpAndUnix) {
  ShortTempDir dir;
  for (const std::string& where :
       {std::string("tcp:127.0.0.1:0"), "unix:" + dir.Path("s")}) {
    absl::StatusOr<Listener> listener = flow::Listen(where);
    ASSERT_THAT(listener, IsOk());
    absl::StatusOr<Flow> client = Dial(listener->address());
    ASSERT_THAT(client, IsOk());
    absl::StatusOr<Flow> server = listener->Accept();
    ASSERT_THAT(server, IsOk());
    EXPECT_THAT(client->Write("ping"), IsOk());
    EXPECT_THAT(server->Read(), IsData("ping"));
    EXPECT_THAT(server->Write("pong"), IsOk());
    EXPECT_THAT(client->Read(), IsData("pong"));
    EXPECT_EQ(client->peer(), server->local());
    EXPECT_EQ(client->local(), server->peer());
    // M.80, and non-blocking on both sides.
    for (const Flow* f : {&*client, &*server}) {
      EXPECT_TRUE(FdFlags(f->native_handle()) & FD_CLOEXEC);
      EXPECT_TRUE(StatusFlags(f->native_handle()) & O_NONBLOCK);
    }
  }
}

TEST(DialTest, RefusedIsUnavailableAndLeavesNothingOpen) {  // L.74, D.23
  auto [bound, address] = DeadAddress();
  const int before = CountOpenFds();
  for (int i = 0; i < 2000; ++i) {
    const absl::StatusOr<Flow> f = Dial(address);
    ASSERT_THAT(f, StatusIs(StatusCode::kUnavailable, HasSubstr("refused")));
    ASSERT_EQ(flow::ErrnoOf(f.status()), ECONNREFUSED);
  }
  EXPECT_LE(CountOpenFds(), before + 1);  // one: the thread's alarm clock
}

TEST(DialTest, MissingPathIsNotFound) {  // K.66
  ShortTempDir dir;
  EXPECT_THAT(Dial("unix:" + dir.Path("none")),
              StatusIs(StatusCode::kNotFound, HasSubstr("none")));
}

TEST(DialTest, PathOf107BytesWorks) {  // K.66
  ShortTempDir dir;
  std::string path = dir.Path("");
  path.append(107 - path.size(), 'x');
  absl::StatusOr<Listener> listener = flow::Listen("unix:" + path);
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(Dial("unix:" + path), IsOk());
  EXPECT_THAT(Dial("unix:" + path + "x"),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(DialTest, PortZeroIsInvalidArgument) {
  EXPECT_THAT(Dial("tcp:127.0.0.1:0"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("port 0")));
}

TEST(DialTest, PassedLimitsAreToldBeforeAnythingIsTried) {
  auto [bound, address] = DeadAddress();
  EXPECT_THAT(Dial(address, absl::ZeroDuration()),
              AllOf(StatusIs(StatusCode::kDeadlineExceeded),
                    IsKind(flow::ErrorKind::kDeadline)));
  flow::CancelSource stop;
  stop.Cancel();
  EXPECT_THAT(Dial(address, stop.token()), StatusIs(StatusCode::kCancelled));
}

TEST(DialTest, BlackHoleEndsAtTheDeadlineAndByTheToken) {  // L.74, H.46
  ShortTempDir dir;
  for (const int family : {AF_INET, AF_UNIX}) {
    const BlackHole hole(family, dir.Path("hole"));
    const int before = CountOpenFds();
    const flow::MonoTime start = flow::MonoTime::Now();
    EXPECT_THAT(Dial(hole.address(), absl::Milliseconds(200)),
                StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_GE(flow::MonoTime::Now() - start, absl::Milliseconds(200));
    flow::CancelSource stop;
    std::thread canceller([&] { stop.Cancel(); });
    EXPECT_THAT(Dial(hole.address(), stop.token()),
                StatusIs(StatusCode::kCancelled));
    canceller.join();
    EXPECT_LE(CountOpenFds(), before + 1);
  }
}

TEST(DialTest, FullUnixQueueIsWaitedOut) {  // P7
  ShortTempDir dir;
  const BlackHole hole(AF_UNIX, dir.Path("hole"));
  Draining sys(hole.fd());
  EXPECT_THAT(Dial(hole.address(), absl::Seconds(20), With(&sys)), IsOk());
  EXPECT_EQ(sys.refused, 3);
}

TEST(DialTest, DeadFirstAddressDoesNotHideAGoodSecond) {  // L.74
  auto [bound, dead] = DeadAddress();
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  FakeNames names;
  names.Add(dead);
  names.Add(listener->address());
  absl::StatusOr<Flow> f = Dial("tcp:server.test:echo", {}, With(&names));
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(names.asked, "server.test/echo");
  EXPECT_EQ(f->peer().port(), listener->port());
}

TEST(DialTest, EveryAddressIsInTheMessageWhenAllFail) {
  auto [one, first] = DeadAddress();
  auto [two, second] = DeadAddress();
  FakeNames names;
  names.Add(first);
  names.Add(second);
  EXPECT_THAT(
      Dial("tcp:server.test:1", {}, With(&names)),
      StatusIs(StatusCode::kUnavailable,
               AllOf(HasSubstr(first.substr(4)), HasSubstr(second.substr(4)),
                     HasSubstr("server.test"))));
}

TEST(DialTest, UnknownNameIsUnavailable) {
  EXPECT_THAT(
      Dial("tcp:no-such-host.invalid:80", absl::Seconds(20)),
      StatusIs(StatusCode::kUnavailable, HasSubstr("no-such-host.invalid")));
}

TEST(DialTest, StuckResolverDoesNotMakeDialLate) {  // P3
  StuckNames names;
  names.Add(":1");
  flow::CancelSource stop;
  std::thread canceller([&] {
    names.asked_now.WaitForNotification();
    stop.Cancel();
  });
  EXPECT_THAT(Dial("tcp:stuck.test:1", stop.token(), With(&names)),
              StatusIs(StatusCode::kCancelled));
  canceller.join();
  names.go_on.Notify();
  names.freed.WaitForNotification();  // what was left behind ends by itself
}

TEST(DialTest, AStuckResolverEndsAtTheDeadline) {  // P3
  StuckNames names;
  names.Add(":1");
  const flow::MonoTime start = flow::MonoTime::Now();
  EXPECT_THAT(Dial("tcp:stuck.test:1", absl::Milliseconds(50), With(&names)),
              StatusIs(StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("lookup"), HasSubstr("stuck.test"))));
  EXPECT_GE(flow::MonoTime::Now() - start, absl::Milliseconds(50));
  names.go_on.Notify();
  names.freed.WaitForNotification();
}

// Whose resolver answers nobody before it is let go on.
class HungNames : public FakeNames {
 public:
  int GetAddrInfo(const char* node, const char* service, const addrinfo* hints,
                  addrinfo** result) override {
    if ((hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
    ++begun;
    go_on.WaitForNotification();
    const absl::MutexLock lock(&mu_);
    return FakeNames::GetAddrInfo(node, service, hints, result);
  }
  void FreeAddrInfo(addrinfo* result) override {
    FakeNames::FreeAddrInfo(result);
    ++freed;
  }

  // Dials, and gives each up at once, until it is told something else. (A
  // deadline may have passed before the look-up began.)
  absl::Status UseUp() {
    absl::Status s;
    for (int i = 0; i < 1000; ++i) {
      s = Dial("tcp:hung.test:1", absl::Milliseconds(1), With(this)).status();
      if (!absl::IsDeadlineExceeded(s)) break;
    }
    return s;
  }
  // The helpers that were left behind come to their end.
  void LetAllEnd() {
    go_on.Notify();
    while (freed < begun) std::this_thread::yield();
  }

  absl::Notification go_on;
  std::atomic<int> begun{0};
  std::atomic<int> freed{0};

 private:
  absl::Mutex mu_;
};

// "At most 256 names are looked up at once in a process", whoever has given up
// on them: each keeps a thread.
TEST(DialTest, AHungResolverKeepsABoundedNumberOfThreads) {
  HungNames names;
  const auto [bound, dead] = DeadAddress();
  names.Add(dead);
  EXPECT_THAT(names.UseUp(),
              StatusIs(StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("256"), HasSubstr("hung.test"))));
  while (names.begun < 256) std::this_thread::yield();
  EXPECT_THAT(Dial("tcp:hung.test:1", absl::Seconds(30), With(&names)),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(names.begun, 256);
  // Whoever needs no look-up goes on.
  EXPECT_THAT(Dial(dead), StatusIs(StatusCode::kUnavailable));
  names.LetAllEnd();
  // And all do, when it answers again.
  absl::Status again;
  do {
    again = Dial("tcp:hung.test:1", absl::Seconds(30), With(&names)).status();
  } while (absl::IsResourceExhausted(again));  // the last are leaving
  EXPECT_THAT(again, StatusIs(StatusCode::kUnavailable));
  while (names.freed < names.begun) std::this_thread::yield();
}

// In a forked child there are none of the parent's look-ups. (Which TSan lets
// start no threads.)
#if !defined(ABSL_HAVE_THREAD_SANITIZER)
TEST(DialTest, AForkedChildMayLookUpAsManyNamesAgain) {
  HungNames names;
  const auto [bound, dead] = DeadAddress();
  names.Add(dead);
  ASSERT_THAT(names.UseUp(), StatusIs(StatusCode::kResourceExhausted));
  // None of them is on its way any more, with a lock that the child would find
  // held for ever.
  while (names.begun < 256) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) {
    const absl::Status there =
        Dial("tcp:hung.test:1", absl::Milliseconds(100), With(&names)).status();
    _exit(absl::IsDeadlineExceeded(there) ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  names.LetAllEnd();
}
#endif

TEST(DialTest, NeverConnectedToItself) {  // P11
  // A socket that is bound to the port it connects to meets itself (tcp(7)).
  class BindsFirst : public flow::Syscalls {
   public:
    int Connect(int fd, const sockaddr* address, socklen_t length) override {
      bind(fd, address, length);
      return Syscalls::Connect(fd, address, length);
    }
  };
  std::string port;
  {
    auto [bound, dead] = DeadAddress();
    port = dead.substr(dead.rfind(':'));
  }
  BindsFirst sys;
  // A connect to no address in particular goes to this machine (ip(7)).
  for (const absl::string_view host : {"127.0.0.1", "0.0.0.0"}) {
    EXPECT_THAT(Dial(absl::StrCat("tcp:", host, port), {}, With(&sys)),
                StatusIs(StatusCode::kUnavailable, HasSubstr("to itself")))
        << host;
  }
}

// It has met itself, and is gone at once: the port's server can be started, and
// the next try reaches it.
TEST(DialTest, HavingMetItselfItTriesAgainAndLeavesThePortFree) {
  class MeetsItselfOnce : public flow::Syscalls {
   public:
    int Connect(int fd, const sockaddr* address, socklen_t length) override {
      if (first_fd < 0) {
        first_fd = fd;
        EXPECT_EQ(bind(fd, address, length), 0);
      } else if (sockets == 2 && !server.valid()) {
        // Without SO_REUSEADDR, which TIME_WAIT would be in the way of.
        server = flow::UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_EQ(bind(server.get(), address, length), 0);
        EXPECT_EQ(listen(server.get(), 1), 0);
      }
      return Syscalls::Connect(fd, address, length);
    }
    int Socket(int domain, int type, int protocol) override {
      ++sockets;
      return Syscalls::Socket(domain, type, protocol);
    }
    int first_fd = -1;
    int sockets = 0;
    flow::UniqueFd server;
  };
  std::string address;
  {
    auto [bound, dead] = DeadAddress();
    address = dead;
  }
  MeetsItselfOnce sys;
  absl::StatusOr<Flow> f = Dial(address, absl::Seconds(20), With(&sys));
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(sys.sockets, 2);
  EXPECT_NE(f->local(), f->peer());
}

// What is behind the address wins over NetOptions::socket, and both over the
// defaults.
TEST(DialTest, OptionsAreSetAndThoseOfTheAddressWin) {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  NetOptions options;
  options.socket.nodelay = false;
  options.socket.keepalive = flow::Keepalive{true, absl::Seconds(60)};
  options.socket.bind = flow::BindAddress{"127.0.0.2", 0};
  absl::StatusOr<Flow> f =
      Dial(listener->address() + ",nodelay=yes,keepalive=70s", {}, options);
  ASSERT_THAT(f, IsOk());
  const absl::StatusOr<flow::SocketOptions> set = flow::GetSocketOptions(*f);
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->nodelay, true);
  EXPECT_EQ(set->keepalive->idle, absl::Seconds(70));
  EXPECT_THAT(f->local().ToString(), HasSubstr("127.0.0.2:"));
  absl::StatusOr<Flow> server = listener->Accept();
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ(server->peer(), f->local());
}

TEST(DialTest, OptionsThatAreNotForItAreRefusedBeforeAnythingIsTried) {
  NoSockets sys;
  NetOptions options = With(&sys);
  options.socket.mode = 0600;
  EXPECT_THAT(Dial("tcp:127.0.0.1:1", {}, options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("mode")));
  options = With(&sys);
  options.socket.nodelay = true;
  EXPECT_THAT(Dial("unix:/nowhere", {}, options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("nodelay")));
  options = With(&sys);
  options.socket.send_buffer = -1;
  EXPECT_THAT(Dial("tcp:127.0.0.1:1", {}, options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("send-buffer")));
  EXPECT_THAT(Dial("tcp-listen:127.0.0.1:1", {}, With(&sys)),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(DialTest, AnAddressThatIsNoneOfOursCantBeBoundTo) {
  auto [bound, address] = DeadAddress();
  EXPECT_THAT(
      Dial(address + ",bind=192.0.2.1:0"),
      StatusIs(StatusCode::kUnavailable, HasSubstr("bind=192.0.2.1:0")));
}

TEST(DialTest, FailureOfAnyCallLeavesNothingOpen) {  // P5
  NoSockets sys;
  EXPECT_THAT(Dial("tcp:127.0.0.1:1", {}, With(&sys)),
              StatusIs(StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace flow_testing
