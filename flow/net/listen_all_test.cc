// A listener on several addresses: all of a name's, or as told; served by
// turns, closed together, all or none (P4, P5, P11; cases D.20, L.73), and what
// is set on its sockets.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/net/socket_options.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Dial;
using flow::Flow;
using flow::Listen;
using flow::ListenAll;
using flow::Listener;
using flow::ListenOptions;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kSecondHost = INADDR_LOOPBACK + 1;  // 127.0.0.2

ListenOptions With(flow::Syscalls* sys) {
  ListenOptions options;
  options.sys = sys;
  return options;
}

bool Exists(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}

// The mode of what is at `path`.
mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(lstat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

// Empty, or why there is no IPv6.
std::string NoIpv6() {
  const absl::Status status = Listen("tcp:[::1]:0").status();
  return status.ok() ? ""
                     : absl::StrCat("kernel lacks IPv6: ", status.message());
}

TEST(ListenAllTest, ANameIsListenedOnAtAllItsAddressesOnOnePort) {
  FakeNames names;
  names.Add(":0");
  names.Add(":0", kSecondHost);
  absl::StatusOr<Listener> listener =
      Listen("tcp:server.test:echo", With(&names));
  ASSERT_THAT(listener, IsOk());
  EXPECT_NE(listener->port(), 0);
  EXPECT_THAT(listener->addresses(),
              ElementsAre(absl::StrCat("tcp:127.0.0.1:", listener->port()),
                          absl::StrCat("tcp:127.0.0.2:", listener->port())));
  EXPECT_EQ(listener->address(), listener->addresses()[0]);
  EXPECT_THAT(listener->ToString(),
              AllOf(HasSubstr("tcp:127.0.0.1:"), HasSubstr(" tcp:127.0.0.2:"),
                    HasSubstr(", 0 accepted")));
  for (const std::string& address : listener->addresses()) {
    absl::StatusOr<Flow> client = Dial(address);
    ASSERT_THAT(client, IsOk());
    absl::StatusOr<Flow> server = listener->Accept();
    ASSERT_THAT(server, IsOk());
    EXPECT_EQ(server->local(), client->peer());
    EXPECT_EQ(server->peer(), client->local());
  }
}

// Whatever this machine makes of the name.
TEST(ListenAllTest, LocalhostIsReachedAtEachOfItsAddresses) {
  absl::StatusOr<Listener> listener = Listen("tcp:localhost:0");
  ASSERT_THAT(listener, IsOk());
  for (const std::string& address : listener->addresses()) {
    EXPECT_THAT(Dial(address), IsOk());
    EXPECT_THAT(listener->Accept(), IsOk());
  }
  EXPECT_THAT(Dial(absl::StrCat("tcp:localhost:", listener->port())), IsOk());
}

// What the machine doesn't have is passed over, as long as there is another.
TEST(ListenAllTest, AnAddressThatTheMachineLacksIsPassedOver) {
  FakeNames names;
  names.Add(":0", 0xc0000201);  // 192.0.2.1, of nobody (RFC 5737)
  names.Add(":0");
  absl::StatusOr<Listener> listener = Listen("tcp:server.test:1", With(&names));
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ(listener->addresses().size(), 1u);
  names.addresses.pop_back();
  EXPECT_THAT(Listen("tcp:server.test:1", With(&names)),
              StatusIs(StatusCode::kUnavailable, HasSubstr("192.0.2.1")));
}

// The port that the system has chosen may be taken at the second address.
TEST(ListenAllTest, AnotherPortIsChosenIfOneIsTakenAtOneAddress) {
  class Taken : public FakeNames {
   public:
    int Bind(int fd, const sockaddr* address, socklen_t length) override {
      if (++binds != 2) return Syscalls::Bind(fd, address, length);
      errno = EADDRINUSE;
      return -1;
    }
    int binds = 0;
  };
  Taken names;
  names.Add(":0");
  names.Add(":0", kSecondHost);
  const int before = CountOpenFds();
  absl::StatusOr<Listener> listener = Listen("tcp:server.test:1", With(&names));
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ(names.binds, 4);
  EXPECT_EQ(listener->addresses().size(), 2u);
  EXPECT_EQ(CountOpenFds(), before + 3);  // two sockets and their group's
}

TEST(ListenAllTest, BothFamiliesMayHaveOnePort) {
  if (const std::string reason = NoIpv6(); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  absl::StatusOr<Listener> v4 = Listen("tcp:0.0.0.0:0");
  ASSERT_THAT(v4, IsOk());
  const std::string port = absl::StrCat(v4->port());
  ASSERT_THAT(v4->Close(), IsOk());
  absl::StatusOr<Listener> both =
      ListenAll({"tcp:0.0.0.0:" + port, "tcp:[::]:" + port});
  ASSERT_THAT(both, IsOk());
  for (const std::string host : {"127.0.0.1", "[::1]"}) {
    EXPECT_THAT(Dial(absl::StrCat("tcp:", host, ":", port)), IsOk());
    EXPECT_THAT(both->Accept(), IsOk());
  }
}

TEST(ListenAllTest, V6onlyIsHonoured) {
  if (const std::string reason = NoIpv6(); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  absl::StatusOr<Listener> listener = Listen("tcp-listen:[::]:0,v6only=yes");
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(Dial(absl::StrCat("tcp:[::1]:", listener->port())), IsOk());
  EXPECT_THAT(Dial(absl::StrCat("tcp:127.0.0.1:", listener->port())),
              StatusIs(StatusCode::kUnavailable));
  absl::StatusOr<Listener> dual = Listen("tcp-listen:[::]:0,v6only=no");
  ASSERT_THAT(dual, IsOk());
  EXPECT_THAT(Dial(absl::StrCat("tcp:127.0.0.1:", dual->port())), IsOk());
}

TEST(ListenAllTest, TcpAndUnixMayBeMixed) {
  ShortTempDir dir;
  absl::StatusOr<Listener> listener =
      ListenAll({"tcp:127.0.0.1:0", "unix:" + dir.Path("s"),
                 "unix-listen:" + dir.Path("t") + ",mode=0660"});
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ(ModeOf(dir.Path("s")), 0600u);
  for (const std::string& address : listener->addresses()) {
    absl::StatusOr<Flow> client = Dial(address);
    ASSERT_THAT(client, IsOk());
    absl::StatusOr<Flow> server = listener->Accept();
    ASSERT_THAT(server, IsOk());
    EXPECT_EQ(server->local(), client->peer());
    EXPECT_THAT(client->Write("hello"), IsOk());
    EXPECT_THAT(server->Read(), IsData("hello"));
  }
  EXPECT_THAT(listener->Close(), IsOk());
  EXPECT_FALSE(Exists(dir.Path("s")));
  EXPECT_FALSE(Exists(dir.Path("t")));
}

// None, if one of them can't be had; nothing is left.
TEST(ListenAllTest, AllOrNone) {
  ShortTempDir dir;
  absl::StatusOr<Listener> taken = Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(taken, IsOk());
  const int before = CountOpenFds();
  EXPECT_THAT(ListenAll({"unix:" + dir.Path("s"), taken->address()}),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_FALSE(Exists(dir.Path("s")));
  EXPECT_EQ(CountOpenFds(), before);
  EXPECT_THAT(ListenAll({}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ListenAll({"unix:" + dir.Path("s"), "nonsense"}),
              StatusIs(StatusCode::kInvalidArgument));
}

// A flood at the first socket doesn't keep the second's client waiting.
TEST(ListenAllTest, SocketsAreServedByTurns) {
  absl::StatusOr<Listener> listener =
      ListenAll({"tcp:127.0.0.1:0", "tcp:127.0.0.1:0"});
  ASSERT_THAT(listener, IsOk());
  const std::vector<std::string> addresses = listener->addresses();
  std::vector<absl::StatusOr<Flow>> flood;
  for (int i = 0; i < 10; ++i) flood.push_back(Dial(addresses[0]));
  absl::StatusOr<Flow> other = Dial(addresses[1]);
  ASSERT_THAT(other, IsOk());
  absl::StatusOr<Flow> first = listener->Accept();
  absl::StatusOr<Flow> second = listener->Accept();
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_TRUE(first->peer() == other->local() ||
              second->peer() == other->local());
}

// With an epoll descriptor, and where there is none to be had.
class WaitingTest : public testing::TestWithParam<bool> {
 protected:
  class Kernel : public SimSyscalls {
   public:
    explicit Kernel(bool with_epoll) : with_epoll_(with_epoll) {}
    int EpollCreate() override {
      if (with_epoll_) return SimSyscalls::EpollCreate();
      errno = EMFILE;
      return -1;
    }

   private:
    const bool with_epoll_;
  };
};

TEST_P(WaitingTest, WhoWaitsIsWokenByEachSocketAndDoesNotSpin) {  // P4
  Kernel sys(GetParam());
  absl::StatusOr<Listener> listener = ListenAll(
      {"tcp:127.0.0.1:0", "tcp:127.0.0.1:0", "tcp:127.0.0.1:0"}, With(&sys));
  ASSERT_THAT(listener, IsOk());
  for (const std::string& address : listener->addresses()) {
    absl::StatusOr<Flow> server;
    std::thread acceptor([&] { server = listener->Accept(); });
    sys.WaitForSleepers(1);
    absl::StatusOr<Flow> client = Dial(address);
    EXPECT_THAT(client, IsOk());
    // The clock moves for who has to look (no epoll).
    sys.AutoAdvance(1);
    acceptor.join();
    sys.AutoAdvance(0);
    ASSERT_THAT(server, IsOk());
    EXPECT_EQ(server->peer(), client->local());
  }
  sys.AutoAdvance(1);
  const int64_t before = sys.poll_calls();
  EXPECT_THAT(listener->Accept(sys.In(absl::Seconds(10))),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_LE(sys.poll_calls() - before, 10 * 10);
}
INSTANTIATE_TEST_SUITE_P(Epoll, WaitingTest, testing::Bool());

TEST(ListenAllTest, CloseWakesEveryAcceptor) {  // L.73, D.20
  SimSyscalls sys;
  absl::StatusOr<Listener> listener =
      ListenAll({"tcp:127.0.0.1:0", "tcp:127.0.0.1:0"}, With(&sys));
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ(listener->native_handle(), -1);
  std::vector<std::thread> threads;
  std::vector<absl::Status> got(4);
  for (absl::Status& status : got) {
    threads.emplace_back([&] { status = listener->Accept().status(); });
  }
  sys.WaitForSleepers(4);
  sys.Advance(absl::Milliseconds(20));  // past the part on the fd alone
  sys.WaitForSleepers(4);
  EXPECT_THAT(listener->Close(), IsOk());
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : got) {
    EXPECT_THAT(status, StatusIs(StatusCode::kCancelled));
  }
  EXPECT_THAT(listener->Close(), IsOk());
  EXPECT_THAT(listener->Accept(), IsKind(flow::ErrorKind::kClosedLocally));
}

// A child that closes what it has inherited takes nothing from its parent's
// set ([run] EPOLL_CTL_DEL in a child removes the parent's registration).
TEST(ListenAllTest, AForkedChildTakesNothingFromItsParent) {
  ShortTempDir dir;
  absl::StatusOr<Listener> listener =
      ListenAll({"tcp:127.0.0.1:0", "unix:" + dir.Path("s")});
  ASSERT_THAT(listener, IsOk());
  const pid_t child = fork();
  if (child == 0) {
    *listener = Listener();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const std::string& address : listener->addresses()) {
    absl::StatusOr<Flow> server;
    std::thread acceptor([&] { server = listener->Accept(absl::Seconds(20)); });
    EXPECT_THAT(Dial(address), IsOk());
    acceptor.join();
    EXPECT_THAT(server, IsOk());
  }
}

// ------------------------------------------------------------------- options

TEST(ListenAllTest, OptionsAreOnWhatIsAcceptedAndThoseOfTheAddressWin) {
  ListenOptions options;
  options.socket.nodelay = false;
  options.socket.keepalive = flow::Keepalive{true, absl::Seconds(60)};
  absl::StatusOr<Listener> listener =
      Listen("tcp-listen:127.0.0.1:0,keepalive=70s", options);
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<Flow> client = Dial(listener->address());
  absl::StatusOr<Flow> server = listener->Accept();
  ASSERT_THAT(client, IsOk());
  ASSERT_THAT(server, IsOk());
  const absl::StatusOr<flow::SocketOptions> set =
      flow::GetSocketOptions(*server);
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->nodelay, false);
  EXPECT_EQ(set->keepalive->idle, absl::Seconds(70));
}

TEST(ListenAllTest, BuffersAreOnWhatAUnixListenerAccepts) {
  ShortTempDir dir;
  absl::StatusOr<Listener> listener =
      Listen("unix-listen:" + dir.Path("s") + ",send-buffer=8k");
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<Flow> client = Dial("unix:" + dir.Path("s"));
  absl::StatusOr<Flow> server = listener->Accept();
  ASSERT_THAT(client, IsOk());
  ASSERT_THAT(server, IsOk());
  const absl::StatusOr<flow::SocketOptions> set =
      flow::GetSocketOptions(*server);
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->send_buffer, 2 * 8192);
}

TEST(ListenAllTest, OptionsThatAreNotForItAreRefused) {
  ListenOptions options;
  options.socket.mode = 0600;
  EXPECT_THAT(Listen("tcp:127.0.0.1:0", options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("mode")));
  EXPECT_THAT(Listen("tcp:127.0.0.1:0,bind=127.0.0.2:0"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("bind")));
  EXPECT_THAT(Listen("fd:3"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ListenAllTest, AnAbstractNameMakesNoFile) {
  const std::string name = absl::StrCat("unix-abstract:flow-test-", getpid());
  absl::StatusOr<Listener> listener = Listen(name);
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ(listener->address(), name);
  EXPECT_THAT(Listen(name), StatusIs(StatusCode::kFailedPrecondition));
  absl::StatusOr<Flow> client = Dial(name);
  ASSERT_THAT(client, IsOk());
  absl::StatusOr<Flow> server = listener->Accept();
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ(server->local(), client->peer());
  EXPECT_THAT(client->peer().ToString(), HasSubstr("@flow-test-"));
  EXPECT_THAT(listener->Close(), IsOk());
  EXPECT_THAT(Dial(name), StatusIs(StatusCode::kUnavailable));
}

TEST(ListenAllTest, StatisticsHaveWords) {
  flow::ListenerStats stats;
  stats.accepted = 12;
  stats.transient_errors = 1;
  EXPECT_EQ(stats.ToString(), "12 accepted, 1 gone before that, 0 shortages");
  std::ostringstream os;
  os << stats;
  EXPECT_EQ(os.str(), stats.ToString());
}

}  // namespace
}  // namespace flow_testing
