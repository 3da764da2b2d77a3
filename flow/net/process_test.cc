// What flows do to the process they are in, and it to them: signals, what a
// child inherits (cases A.1, M.80). What many connections leave behind:
// churn_test.cc.

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"
#include "flow/net/serve_test_support.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::Listener;
using testing::IsSubsetOf;

// A TCP connection over loopback: who dialled, who accepted.
std::pair<Flow, Flow> TcpPair() {
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  EXPECT_THAT(listener, IsOk());
  absl::StatusOr<Flow> client = flow::Dial(listener->address());
  absl::StatusOr<Flow> server = listener->Accept();
  EXPECT_THAT(client, IsOk());
  EXPECT_THAT(server, IsOk());
  return {*std::move(client), *std::move(server)};
}

// Interrupts threads, each a thousand times a second. The handler stays: a
// thread that gets no processor meets its last signal after all this is over.
class Interrupter {
 public:
  Interrupter() {
    // No SA_RESTART: every call that waits fails with EINTR.
    struct sigaction action = {};
    action.sa_handler = [](int) { ++handled; };
    sigaction(SIGUSR1, &action, nullptr);
  }
  ~Interrupter() {
    stop_ = true;
    thread_.join();
  }
  // The threads outlive this.
  void Start(std::vector<pthread_t> threads) {
    thread_ = std::thread([this, threads = std::move(threads)] {
      while (!stop_) {
        for (const pthread_t thread : threads) pthread_kill(thread, SIGUSR1);
        // The rate: nothing ever comes out of this pipe.
        EXPECT_THAT(silent_->first.Read(absl::Milliseconds(1)),
                    IsKind(flow::ErrorKind::kDeadline));
      }
    });
  }

  static std::atomic<int> handled;

 private:
  absl::StatusOr<std::pair<Flow, Flow>> silent_ = flow::Pipe();
  std::atomic<bool> stop_{false};
  std::thread thread_;
};
std::atomic<int> Interrupter::handled{0};

// P7, case A.1: a signal handler without SA_RESTART, run all the time in both
// threads, while 64 MiB cross: every call is OK, and every byte is right.
TEST(ProcessTest, SignalsDoNotDisturbAStream) {
  constexpr size_t kPiece = 1 << 20;
  constexpr int kPieces = 64;
  const std::string piece = Pattern(kPiece);
  auto [from, to] = TcpPair();
  Flow& source = from;
  Flow& sink = to;
  std::atomic<bool> done{false};
  int wrong = 0;
  std::thread reader([&] {
    std::string got(kPiece, '\0');
    for (int i = 0; i < kPieces; ++i) {
      size_t have = 0;
      while (have < kPiece) {
        const auto n = sink.ReadInto({&got[have], kPiece - have});
        ASSERT_THAT(n, IsOk());
        ASSERT_FALSE(n->is_eof());
        have += n->data();
      }
      if (got != piece) ++wrong;
    }
    while (!done) std::this_thread::yield();
  });
  std::thread writer([&] {
    for (int i = 0; i < kPieces; ++i) ASSERT_THAT(source.Write(piece), IsOk());
    while (!done) std::this_thread::yield();
  });
  {
    Interrupter interrupter;
    interrupter.Start({reader.native_handle(), writer.native_handle()});
    while (sink.GetStats().bytes_read < kPiece * kPieces && !HasFailure()) {
      std::this_thread::yield();
    }
    while (Interrupter::handled == 0) std::this_thread::yield();
  }
  done = true;
  reader.join();
  writer.join();
  EXPECT_EQ(wrong, 0);
}

// The descriptors that a program started from here finds open.
std::set<std::string> SeenByAChild() {
  RawPair out = RawPipe(O_CLOEXEC);
  const pid_t child = fork();
  if (child == 0) {
    // Async-signal-safe calls alone: other threads may hold any lock.
    dup2(out.second.get(), STDOUT_FILENO);
    execl("/bin/ls", "ls", "/proc/self/fd", nullptr);
    _exit(127);
  }
  out.second.reset();
  const std::string names = DrainRaw(out.first.get());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "no ls?";
  return absl::StrSplit(names, '\n');
}

// P5, case M.80: "an exec'd child sees only 0-2", and what it saw without us.
TEST(ProcessTest, AProgramStartedFromHereInheritsNothingOfOurs) {
  const std::set<std::string> before = SeenByAChild();
  const ShortTempDir folder;
  auto [a, b] = TcpPair();
  absl::StatusOr<Listener> listener =
      flow::Listen(absl::StrCat("unix:", folder.Path("s")));
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<Flow> client = flow::Dial(listener->address());
  absl::StatusOr<Flow> server = listener->Accept();
  auto sockets = flow::SocketPair();
  auto pipe = flow::Pipe();
  ASSERT_THAT(sockets, IsOk());
  ASSERT_THAT(pipe, IsOk());
  // A thread's alarm clock, the poller's, and a duplicate for a second flow on
  // one descriptor.
  EXPECT_THAT(a.Read(absl::Milliseconds(30)), testing::Not(IsOk()));
  flow::AsyncContext context;
  const int shared = sockets->first.native_handle();
  std::vector<flow::AsyncFlow> twice;
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<Flow> borrowed = flow::Borrow(shared);
    ASSERT_THAT(borrowed, IsOk());
    auto async = flow::AsyncFlow::From(*std::move(borrowed), context);
    ASSERT_THAT(async, IsOk());
    twice.push_back(*std::move(async));
  }
  // A server, its threads' alarm clocks, and a connection that is served.
  flow::ServeOptions serving;
  serving.idle_limit = absl::Minutes(1);
  flow::Server served = MustServe(Echo, serving);
  Flow guest = MustDial(served);
  ExpectEcho(guest, "x");
  auto one = twice[0].Read(absl::Seconds(30));
  auto two = twice[1].Read(absl::Seconds(30));
  EXPECT_THAT(SeenByAChild(), IsSubsetOf(before));
  twice.clear();
}

}  // namespace
}  // namespace flow_testing
