// What flows do to the process they are in, and it to them: signals, what a
// child inherits, what ten thousand connections leave behind (cases A.1, D.22,
// M.80).

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
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

// The number in a line of /proc/self/status: "Threads:", "VmRSS:" (in kB).
int64_t OfProcess(absl::string_view key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(std::string(key), 0) == 0) {
      return std::stoll(line.substr(key.size()));
    }
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

void DialAndEcho(const std::string& address, int times) {
  for (int i = 0; i < times; ++i) {
    absl::StatusOr<Flow> f = flow::Dial(address);
    ASSERT_THAT(f, IsOk());
    ASSERT_THAT(f->Write("ping"), IsOk());
    ASSERT_THAT(f->Read(), IsData("ping"));
    ASSERT_THAT(f->Close(), IsOk());
  }
}

// P5, case D.22: 10,000 x dial, echo, close: descriptors, threads and memory
// are what they were.
TEST(ProcessTest, TenThousandConnectionsLeaveNothingBehind) {
  for (const char* where : {"tcp:127.0.0.1:0", "unix:"}) {
    const ShortTempDir folder;
    const bool is_unix = absl::string_view(where) == "unix:";
    absl::StatusOr<Listener> listener =
        flow::Listen(is_unix ? absl::StrCat(where, folder.Path("s")) : where);
    ASSERT_THAT(listener, IsOk());
    std::thread server([&listener] {
      for (;;) {
        absl::StatusOr<Flow> f = listener->Accept();
        if (!f.ok()) return;
        auto got = f->Read();
        if (got.ok() && !got->is_eof()) {
          EXPECT_THAT(f->Write(got->data().view()), IsOk());
        }
      }
    });
    DialAndEcho(listener->address(), 1000);  // what is made once is made
    const int fds = CountOpenFds();
    const int64_t threads = OfProcess("Threads:");
    const int64_t resident = OfProcess("VmRSS:");
    DialAndEcho(listener->address(), is_unix ? 1000 : 9000);
    // The server may have one more in hand, and each of the two threads makes
    // the descriptor that wakes it when it first sleeps for long.
    EXPECT_LE(CountOpenFds(), fds + 3);
    EXPECT_EQ(OfProcess("Threads:"), threads);
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && \
    !defined(ABSL_HAVE_THREAD_SANITIZER)
    // (A sanitizer keeps what was freed.)
    EXPECT_LE(OfProcess("VmRSS:"), resident + 2048);
#else
    static_cast<void>(resident);
#endif
    EXPECT_THAT(listener->Close(), IsOk());
    server.join();
  }
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
  auto one = twice[0].Read(absl::Seconds(30));
  auto two = twice[1].Read(absl::Seconds(30));
  EXPECT_THAT(SeenByAChild(), IsSubsetOf(before));
  twice.clear();
}

}  // namespace
}  // namespace flow_testing
