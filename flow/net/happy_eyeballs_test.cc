// Dialling a name that stands for several addresses: in which order they are
// tried and when, who wins, and what is left of the others (RFC 8305; P3, P5;
// case L.74). Instants are those of simulated time.

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/endpoint.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"
#include "flow/net/interleave.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/net/resolver.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::Milliseconds;
using absl::StatusCode;
using flow::Dial;
using flow::Flow;
using flow::Limits;
using flow::Listener;
using flow::NetOptions;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// A name on simulated time: some of its addresses refuse at once, as a route
// that is not there does; the rest are as the kernel has them. Notes who was
// tried when.
class SimNames : public SimSyscalls {
 public:
  int GetAddrInfo(const char* node, const char* service, const addrinfo* hints,
                  addrinfo** result) override {
    names.at_once = true;
    return names.GetAddrInfo(node, service, hints, result);
  }
  void FreeAddrInfo(addrinfo* result) override { names.FreeAddrInfo(result); }
  int Socket(int domain, int type, int protocol) override {
    if (open_now >= sockets_allowed) {
      errno = EMFILE;
      return -1;
    }
    const int fd = SimSyscalls::Socket(domain, type, protocol);
    open_now += fd >= 0 ? 1 : 0;
    sockets.insert(fd);
    return fd;
  }
  int Close(int fd) override {
    open_now -= static_cast<int>(sockets.erase(fd));
    return SimSyscalls::Close(fd);
  }
  int EpollCreate() override {
    if (!no_epoll) return SimSyscalls::EpollCreate();
    errno = EMFILE;
    return -1;
  }
  int Connect(int fd, const sockaddr* address, socklen_t length) override {
    const flow::Endpoint to = flow::Endpoint::FromSockaddr(address, length);
    if (tried_fds.insert(fd).second || tried.empty() ||
        tried.back().first != to.port()) {
      tried.emplace_back(to.port(), elapsed());
    }
    if (unreachable.count(to.port()) != 0) {
      tried_fds.erase(fd);
      errno = ENETUNREACH;
      return -1;
    }
    return SimSyscalls::Connect(fd, address, length);
  }

  FakeNames names;
  std::set<uint16_t> unreachable;
  int sockets_allowed = 1000;
  bool no_epoll = false;
  int open_now = 0;
  std::set<int> sockets;
  std::set<int> tried_fds;
  std::vector<std::pair<uint16_t, absl::Duration>> tried;
};

NetOptions With(flow::Syscalls* sys) {
  NetOptions options;
  options.sys = sys;
  return options;
}

uint16_t PortOf(const std::string& address) {
  return static_cast<uint16_t>(
      std::stoi(address.substr(address.rfind(':') + 1)));
}

flow::internal::SocketAddress At(int family, uint16_t port) {
  flow::internal::SocketAddress at;
  at.storage.ss_family = static_cast<sa_family_t>(family);
  at.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  // In the same place for both.
  reinterpret_cast<sockaddr_in*>(&at.storage)->sin_port = htons(port);
  return at;
}

TEST(InterleavedTest, FamiliesComeByTurnsAndTheFirstOnesFirst) {
  constexpr int k4 = AF_INET;
  constexpr int k6 = AF_INET6;
  std::vector<std::string> order;
  for (const auto& at :
       flow::internal::Interleaved({At(k6, 1), At(k6, 2), At(k6, 1), At(k6, 3),
                                    At(k4, 4), At(k4, 4), At(k4, 5)})) {
    order.push_back(at.name().ToString());
  }
  EXPECT_THAT(order, ElementsAre("[::]:1", "0.0.0.0:4", "[::]:2", "0.0.0.0:5",
                                 "[::]:3"));
  EXPECT_EQ(flow::internal::Interleaved({At(k4, 1), At(k6, 2)})[0].family(),
            k4);
  EXPECT_TRUE(flow::internal::Interleaved({}).empty());
}

// The next after 250 ms of silence, the first that connects wins, and of the
// others nothing is left open.
TEST(HappyEyeballsTest, ASilentFirstAddressCostsAGoodSecond250Milliseconds) {
  const BlackHole hole(AF_INET);
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  SimNames sys;
  sys.AutoAdvance(1);
  sys.names.Add(hole.address());
  sys.names.Add(listener->address());
  absl::StatusOr<Flow> f = Dial("tcp:server.test:1", {}, With(&sys));
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(f->peer().port(), listener->port());
  EXPECT_THAT(sys.tried,
              ElementsAre(Pair(PortOf(hole.address()), absl::ZeroDuration()),
                          Pair(listener->port(), Milliseconds(250))));
  EXPECT_EQ(sys.open_now, 1);  // the winner's
}

// The whole deadline is everybody's: no share of it belongs to one address.
TEST(HappyEyeballsTest, AllAreTriedByTurnsUntilTheDeadline) {
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  const BlackHole three(AF_INET);
  SimNames sys;
  sys.AutoAdvance(1);
  for (const BlackHole* hole : {&one, &two, &three}) {
    sys.names.Add(hole->address());
  }
  NetOptions options = With(&sys);
  options.attempt_delay = Milliseconds(100);
  const absl::StatusOr<Flow> f =
      Dial("tcp:server.test:1", sys.In(absl::Seconds(3)), options);
  EXPECT_THAT(
      f,
      StatusIs(StatusCode::kDeadlineExceeded,
               AllOf(HasSubstr("server.test"),
                     HasSubstr("no answer from tcp " + one.address().substr(4)),
                     HasSubstr("no answer from tcp " + two.address().substr(4)),
                     HasSubstr(three.address().substr(4)))));
  EXPECT_THAT(sys.tried,
              ElementsAre(Pair(PortOf(one.address()), absl::ZeroDuration()),
                          Pair(PortOf(two.address()), Milliseconds(100)),
                          Pair(PortOf(three.address()), Milliseconds(200))));
  EXPECT_EQ(sys.elapsed(), absl::Seconds(3));
  EXPECT_EQ(sys.open_now, 0);
}

TEST(HappyEyeballsTest, AFailedOneBeginsTheNextAtOnce) {
  const BlackHole hole(AF_INET);
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  SimNames sys;
  sys.AutoAdvance(1);
  sys.unreachable = {1, 2, 3};
  sys.names.Add(":1");
  sys.names.Add(hole.address());
  sys.names.Add(":2");
  sys.names.Add(":3");
  sys.names.Add(listener->address());
  EXPECT_THAT(Dial("tcp:server.test:1", {}, With(&sys)), IsOk());
  EXPECT_THAT(
      sys.tried,
      ElementsAre(Pair(1, absl::ZeroDuration()),
                  Pair(PortOf(hole.address()), absl::ZeroDuration()),
                  Pair(2, Milliseconds(250)), Pair(3, Milliseconds(250)),
                  Pair(listener->port(), Milliseconds(250))));
}

// The same where the failure comes later, as a refusal does: with a delay that
// never ends only a failure begins the next.
TEST(HappyEyeballsTest, WithoutADelayOnlyAFailureBeginsTheNext) {
  auto [bound, dead] = DeadAddress();
  const BlackHole hole(AF_INET);
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  SimNames sys;
  sys.names.Add(dead);
  sys.names.Add(hole.address());
  sys.names.Add(listener->address());
  NetOptions options = With(&sys);
  options.attempt_delay = absl::InfiniteDuration();
  sys.AutoAdvance(1);
  EXPECT_THAT(Dial("tcp:server.test:1", sys.In(absl::Hours(1)), options),
              StatusIs(StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("refused"),
                             HasSubstr(hole.address().substr(4)))));
  EXPECT_EQ(sys.tried.size(), 2u);
}

TEST(HappyEyeballsTest, TheDelayIsNeverLessThan10Milliseconds) {
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  SimNames sys;
  sys.AutoAdvance(1);
  sys.names.Add(one.address());
  sys.names.Add(two.address());
  NetOptions options = With(&sys);
  options.attempt_delay = absl::ZeroDuration();
  EXPECT_THAT(Dial("tcp:server.test:1", sys.In(absl::Seconds(1)), options),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(sys.tried,
              ElementsAre(Pair(PortOf(one.address()), absl::ZeroDuration()),
                          Pair(PortOf(two.address()), Milliseconds(10))));
}

// A stall limit that is shorter than the delay doesn't hide the rest.
TEST(HappyEyeballsTest, AStallBeginsTheNextAndThenEndsIt) {
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  SimNames sys;
  sys.AutoAdvance(1);
  sys.names.Add(one.address());
  sys.names.Add(two.address());
  Limits limits;
  limits.stall_timeout = Milliseconds(50);
  EXPECT_THAT(Dial("tcp:server.test:1", limits, With(&sys)),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("stall")));
  EXPECT_THAT(sys.tried,
              ElementsAre(Pair(PortOf(one.address()), absl::ZeroDuration()),
                          Pair(PortOf(two.address()), Milliseconds(50))));
  EXPECT_EQ(sys.elapsed(), Milliseconds(100));
}

// At most 16 at once; each that ends makes room.
TEST(HappyEyeballsTest, NoMoreThan16AreUnderWay) {
  std::vector<std::unique_ptr<BlackHole>> holes;
  SimNames sys;
  sys.AutoAdvance(1);
  for (int i = 0; i < 20; ++i) {
    holes.push_back(std::make_unique<BlackHole>(AF_INET));
    sys.names.Add(holes.back()->address());
  }
  EXPECT_THAT(Dial("tcp:server.test:1", sys.In(absl::Minutes(1)), With(&sys)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_EQ(sys.tried.size(), 16u);
  EXPECT_EQ(sys.elapsed(), absl::Minutes(1));
  // P4: two wakes, a look and what it takes to begin one, each 250 ms.
  EXPECT_LE(sys.poll_calls(), 16 * 4 + 4);
}

// Where descriptors are short: one after the other, and nobody is skipped.
TEST(HappyEyeballsTest, AtTheFdLimitTheyAreTriedOneAfterTheOther) {
  auto [bound, dead] = DeadAddress();
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  const BlackHole hole(AF_INET);
  SimNames sys;
  sys.AutoAdvance(1);
  sys.sockets_allowed = 1;
  sys.names.Add(dead);
  sys.names.Add(listener->address());
  EXPECT_THAT(Dial("tcp:server.test:1", {}, With(&sys)), IsOk());
  sys.names.addresses.clear();
  sys.tried.clear();
  sys.names.Add(hole.address());
  sys.names.Add(listener->address());
  EXPECT_THAT(Dial("tcp:server.test:1", sys.In(absl::Seconds(9)), With(&sys)),
              StatusIs(StatusCode::kDeadlineExceeded,
                       Not(HasSubstr("Too many open files"))));
  EXPECT_EQ(sys.tried.size(), 1u);
}

// Sockets to be had, but no epoll: the others are looked at rarely (P4).
TEST(HappyEyeballsTest, WithoutEpollNobodySpins) {
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  SimNames sys;
  sys.no_epoll = true;
  sys.names.Add(one.address());
  sys.names.Add(two.address());
  sys.AutoAdvance(1);
  EXPECT_THAT(Dial("tcp:server.test:1", sys.In(absl::Seconds(3)), With(&sys)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_EQ(sys.tried.size(), 2u);
  EXPECT_LE(sys.poll_calls(), 3 * 20);
  EXPECT_EQ(sys.open_now, 0);
}

// The first may have been asked long ago, and win all the same.
class LateAnswerTest : public testing::TestWithParam<bool> {};
TEST_P(LateAnswerTest, WinsWhileAnotherIsUnderWay) {
  class Names : public FakeNames {
   public:
    explicit Names(bool with_epoll) : with_epoll_(with_epoll) {}
    int EpollCreate() override {
      if (with_epoll_) return Syscalls::EpollCreate();
      errno = EMFILE;
      return -1;
    }
    int Connect(int fd, const sockaddr* address, socklen_t length) override {
      const int result = Syscalls::Connect(fd, address, length);
      const int error = errno;
      if (++connects == 2) both_are_under_way.Notify();
      errno = error;
      return result;
    }
    std::atomic<int> connects{0};
    absl::Notification both_are_under_way;

   private:
    const bool with_epoll_;
  };
  const BlackHole relents(AF_INET);
  const BlackHole hole(AF_INET);
  Names sys(GetParam());
  sys.Add(relents.address());
  sys.Add(hole.address());
  NetOptions options = With(&sys);
  options.attempt_delay = Milliseconds(10);
  const int before = CountOpenFds();
  absl::StatusOr<Flow> got;
  std::thread dialler(
      [&] { got = Dial("tcp:server.test:1", absl::Seconds(30), options); });
  sys.both_are_under_way.WaitForNotification();
  // TCP asks a full listener again after a second.
  for (int i = 0; i < 2; ++i) {
    flow::UniqueFd(accept(relents.fd(), nullptr, nullptr)).reset();
  }
  dialler.join();
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(got->peer().port(), PortOf(relents.address()));
  EXPECT_EQ(CountOpenFds(), before + 1);
}
INSTANTIATE_TEST_SUITE_P(Epoll, LateAnswerTest, testing::Bool());

TEST(HappyEyeballsTest, EachFailureIsInTheMessage) {
  auto [bound, dead] = DeadAddress();
  SimNames sys;
  sys.AutoAdvance(1);
  sys.unreachable = {1};
  sys.names.Add(":1");
  sys.names.Add(dead);
  EXPECT_THAT(Dial("tcp:server.test:1", {}, With(&sys)),
              StatusIs(StatusCode::kUnavailable,
                       AllOf(HasSubstr("all 2 addresses of tcp:server.test:1"),
                             HasSubstr("Network is unreachable"),
                             HasSubstr("127.0.0.1:1"), HasSubstr("refused"),
                             HasSubstr(dead.substr(4)))));
}

TEST(HappyEyeballsTest, ATokenEndsAllAndNothingIsLeftOpen) {  // H.46, P5
  const BlackHole one(AF_INET);
  const BlackHole two(AF_INET);
  SimNames sys;
  sys.names.Add(one.address());
  sys.names.Add(two.address());
  flow::CancelSource stop;
  absl::Status got;
  std::thread dialler([&] {
    got = Dial("tcp:server.test:1", stop.token(), With(&sys)).status();
  });
  sys.WaitForSleepers(1);
  sys.Advance(Milliseconds(20));  // past the part on the descriptor alone
  sys.WaitForSleepers(1);
  sys.Advance(Milliseconds(230));
  sys.WaitForSleepers(1);
  sys.Advance(Milliseconds(20));
  sys.WaitForSleepers(1);
  stop.Cancel();
  dialler.join();
  EXPECT_THAT(got, StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(sys.tried.size(), 2u);
  EXPECT_EQ(sys.open_now, 0);
}

}  // namespace
}  // namespace flow_testing
