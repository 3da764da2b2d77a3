// Listeners survive clients and shortages, are woken by Close, and touch no
// file but their own (P3, P5, P6, P7, P11; cases D.20, K.63, K.65, L.71-73,
// L.75, R.117).

#include "flow/net/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/barrier.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/net/dial.h"
#include "flow/net/net_test_support.h"
#include "flow/status.h"
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
using flow::Listener;
using flow::ListenOptions;
using flow::UniqueFd;
using ::testing::HasSubstr;
using ::testing::StartsWith;

ListenOptions With(flow::Syscalls* sys) {
  ListenOptions options;
  options.sys = sys;
  return options;
}

bool Exists(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}

TEST(ListenerTest, AddressIsCanonicalAndHasTheRealPort) {
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  EXPECT_NE(listener->port(), 0);
  EXPECT_EQ(listener->address(),
            "tcp:127.0.0.1:" + std::to_string(listener->port()));
  EXPECT_THAT(listener->ToString(), StartsWith("listener tcp:127.0.0.1:"));
  EXPECT_TRUE(FdFlags(listener->native_handle()) & FD_CLOEXEC);
}

TEST(ListenerTest, DeadClientsArePassedOver) {  // L.71
  FailingAccept sys;
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0", With(&sys));
  ASSERT_THAT(listener, IsOk());
  sys.errors = {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EINTR};
  absl::StatusOr<Flow> client = Dial(listener->address());
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(listener->Accept(), IsOk());
  EXPECT_EQ(listener->GetStats().transient_errors, 4u);
  EXPECT_EQ(listener->GetStats().accepted, 1u);
}

TEST(ListenerTest, StormOfDeadClientsDoesNotOutlastALimit) {
  FailingAccept sys;
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0", With(&sys));
  ASSERT_THAT(listener, IsOk());
  sys.errors.assign(10000, ECONNABORTED);
  EXPECT_THAT(listener->Accept(absl::Milliseconds(50)),
              StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(ListenerTest, ShortageIsWaitedOutAndTheClientServed) {  // L.72
  FailingAccept sys;
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0", With(&sys));
  ASSERT_THAT(listener, IsOk());
  sys.errors = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
  absl::StatusOr<Flow> client = Dial(listener->address());
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(listener->Accept(), IsOk());
  EXPECT_EQ(listener->GetStats().shortages, 4u);
}

TEST(ListenerTest, AtTheFdLimitAcceptAsksAtMost20TimesASecond) {  // L.72, P11
  FailingAccept sys;
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0", With(&sys));
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<Flow> client = Dial(listener->address());
  ASSERT_THAT(client, IsOk());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // The lowest free number: with the limit there, nothing can be opened.
  const int lowest_free = dup(0);
  close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::StatusOr<Flow> starved = listener->Accept(absl::Seconds(1));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(starved, StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_LE(sys.calls, 20);
  EXPECT_GE(listener->GetStats().shortages, 2u);
  EXPECT_THAT(listener->Accept(absl::Seconds(5)), IsOk());
}

// Short of descriptors, of files or of memory again and again, with a queue
// full of clients: all are served in the end, nothing leaks, nobody spins.
TEST(ListenerTest, AServeLoopOutlivesEveryShortage) {  // L.75, P11, P4
  class Short : public SimSyscalls {
   public:
    int Accept(int fd, sockaddr* address, socklen_t* length,
               int flags) override {
      ++calls;
      if (errors.empty()) {
        return SimSyscalls::Accept(fd, address, length, flags);
      }
      errno = errors.front();
      errors.pop_front();
      return -1;
    }
    int calls = 0;
    std::deque<int> errors;
  };
  Short sys;
  sys.AutoAdvance(1);
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0", With(&sys));
  ASSERT_THAT(listener, IsOk());
  constexpr int kCycles = 100;
  constexpr int kClients = 50;
  const int before = CountOpenFds();
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    sys.errors.assign(30, std::vector<int>{EMFILE, ENFILE, ENOMEM}[cycle % 3]);
    std::vector<absl::StatusOr<Flow>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(Dial(listener->address()));
    }
    const flow::MonoTime start = sys.Now();
    sys.calls = 0;
    ASSERT_THAT(listener->Accept(), IsOk());
    EXPECT_LE(sys.calls - 1, 10 * absl::ToDoubleSeconds(sys.Now() - start) + 1);
    for (int i = 1; i < kClients; ++i) {
      ASSERT_THAT(listener->Accept(), IsOk());
    }
  }
  EXPECT_LE(CountOpenFds(), before + 1);
  EXPECT_EQ(listener->GetStats().accepted, uint64_t{kCycles * kClients});
  EXPECT_EQ(listener->GetStats().shortages, uint64_t{kCycles * 30});
}

TEST(ListenerTest, CloseWakesEveryAcceptor) {  // L.73, D.20
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  constexpr int kThreads = 8;
  std::atomic<int> started{0};
  std::atomic<int> cancelled{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      ++started;
      const absl::StatusOr<Flow> f = listener->Accept();
      if (absl::IsCancelled(f.status())) ++cancelled;
    });
  }
  while (started < kThreads) std::this_thread::yield();
  // All are in Accept, or about to be, once one of them has waited for a while.
  EXPECT_THAT(listener->Accept(absl::Milliseconds(100)),
              StatusIs(StatusCode::kDeadlineExceeded));
  const flow::MonoTime start = flow::MonoTime::Now();
  EXPECT_THAT(listener->Close(), IsOk());
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(flow::MonoTime::Now() - start, absl::Milliseconds(200));
  EXPECT_EQ(cancelled, kThreads);
  EXPECT_THAT(listener->Close(), IsOk());
  EXPECT_THAT(listener->Accept(), IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(listener->Accept(), StatusIs(StatusCode::kFailedPrecondition));
}

TEST(ListenerTest, TokenEndsAcceptAndTheListenerGoesOn) {  // H.46
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  flow::CancelSource stop;
  std::thread canceller([&] { stop.Cancel(); });
  EXPECT_THAT(listener->Accept(stop.token()), StatusIs(StatusCode::kCancelled));
  canceller.join();
  absl::StatusOr<Flow> client = Dial(listener->address());
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(listener->Accept(), IsOk());
}

TEST(ListenerTest, NothingLeaksWhenAcceptsRaceWithClose) {  // P5
  const int before = CountOpenFds();
  for (int round = 0; round < 200; ++round) {
    absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0");
    ASSERT_THAT(listener, IsOk());
    const std::string address = listener->address();
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] { Dial(address).IgnoreError(); });
      threads.emplace_back([&] { listener->Accept().IgnoreError(); });
    }
    EXPECT_THAT(listener->Close(), IsOk());
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_LE(CountOpenFds(), before + 1);
}

TEST(ListenerTest, AcceptedTcpFlowsHaveNoDelay) {
  absl::StatusOr<Listener> listener = Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<Flow> client = Dial(listener->address());
  absl::StatusOr<Flow> server = listener->Accept();
  ASSERT_THAT(client, IsOk());
  ASSERT_THAT(server, IsOk());
  for (const Flow* f : {&*client, &*server}) {
    int on = 0;
    socklen_t length = sizeof(on);
    ASSERT_EQ(getsockopt(f->native_handle(), 6 /*TCP*/, 1 /*TCP_NODELAY*/, &on,
                         &length),
              0);
    EXPECT_EQ(on, 1);
  }
}

TEST(ListenerTest, AddressInUseIsFailedPrecondition) {
  absl::StatusOr<Listener> first = Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Listen(first->address()),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in use")));
  EXPECT_THAT(Listen("tcp:192.0.2.1:0"), StatusIs(StatusCode::kUnavailable));
}

TEST(ListenerTest, LivePathIsRefusedAndLeftAlone) {  // K.63
  ShortTempDir dir;
  const std::string path = dir.Path("s");
  absl::StatusOr<Listener> first = Listen("unix:" + path);
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Listen("unix:" + path),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(Dial("unix:" + path), IsOk());
  EXPECT_THAT(first->Accept(), IsOk());
}

TEST(ListenerTest, FilesThatAreNotOursAreNeverRemoved) {  // K.65
  ShortTempDir dir;
  const std::string file = dir.Path("file");
  UniqueFd(open(file.c_str(), O_CREAT | O_WRONLY, 0600)).reset();
  EXPECT_THAT(Listen("unix:" + file),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_TRUE(Exists(file));
  const std::string link = dir.Path("link");
  ASSERT_EQ(symlink(dir.Path("nowhere").c_str(), link.c_str()), 0);
  EXPECT_THAT(Listen("unix:" + link),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_TRUE(Exists(link));
  EXPECT_FALSE(Exists(dir.Path("nowhere")));
  EXPECT_THAT(Listen("unix:" + dir.Path("no/such/folder")),
              StatusIs(StatusCode::kNotFound));

  const std::string replaced = dir.Path("replaced");
  absl::StatusOr<Listener> first = Listen("unix:" + replaced);
  ASSERT_THAT(first, IsOk());
  ASSERT_EQ(unlink(replaced.c_str()), 0);
  absl::StatusOr<Listener> second = Listen("unix:" + replaced);
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(first->Close(), IsOk());
  EXPECT_TRUE(Exists(replaced));
  EXPECT_THAT(second->Close(), IsOk());
  EXPECT_FALSE(Exists(replaced));
}

// As bind makes it, and before anybody can connect; the umask is the caller's
// and stays what it is, but for being asked by this test.
TEST(ListenerTest, PathHasItsModeFromTheStart) {  // R.117, P6
  class Watching : public flow::Syscalls {
   public:
    int Bind(int fd, const sockaddr* address, socklen_t length) override {
      const int result = Syscalls::Bind(fd, address, length);
      struct stat made = {};
      EXPECT_EQ(
          lstat(reinterpret_cast<const sockaddr_un*>(address)->sun_path, &made),
          0);
      at_birth.push_back(made.st_mode & 0777);
      return result;
    }
    std::vector<mode_t> at_birth;
  };
  ShortTempDir dir;
  Watching sys;
  const mode_t before = umask(0);
  absl::StatusOr<Listener> mine =
      Listen("unix:" + dir.Path("mine"), With(&sys));
  ListenOptions options = With(&sys);
  options.socket.mode = 0660;
  absl::StatusOr<Listener> ours = Listen("unix:" + dir.Path("ours"), options);
  EXPECT_EQ(umask(077), 0u);
  absl::StatusOr<Listener> masked =
      Listen("unix:" + dir.Path("masked"), options);
  EXPECT_EQ(umask(before), 077u);
  for (const auto* listener : {&mine, &ours, &masked}) {
    ASSERT_THAT(*listener, IsOk());
  }
  EXPECT_THAT(sys.at_birth, testing::ElementsAre(0600u, 0660u, 0600u));
}

TEST(ListenerTest, ForkedChildLeavesThePathToItsParent) {
  ShortTempDir dir;
  const std::string path = dir.Path("s");
  absl::StatusOr<Listener> listener = Listen("unix:" + path);
  ASSERT_THAT(listener, IsOk());
  const pid_t child = fork();
  if (child == 0) {
    *listener = Listener();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(Dial("unix:" + path), IsOk());
}

TEST(ListenerTest, DefaultListenerIsClosed) {
  Listener none;
  EXPECT_THAT(none.Accept(), IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(none.Close(), IsOk());
  EXPECT_EQ(none.address(), "");
  EXPECT_EQ(none.port(), 0);
}

}  // namespace
}  // namespace flow_testing
