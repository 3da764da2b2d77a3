// What many connections, one after the other, leave behind in the process:
// nothing (P5; case D.22).
//
//   churn_test --rounds=200000     // the long form; prints its figures
//
// Beside it a loop of plain calls with a std::thread for each connection does
// the same, for comparison of the times.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"
#include "flow/net/serve_test_support.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr int kDefaultRounds = 1500;
#else
constexpr int kDefaultRounds = 5000;
#endif
ABSL_FLAG(int, rounds, kDefaultRounds, "connections of each churn");
ABSL_FLAG(int, clients, 2, "threads that dial, each one at a time");

namespace flow_testing {
namespace {

using flow::Flow;
using flow::MonoTime;
using flow::Server;

// The number in a line of /proc/self/status: "Threads:", "VmRSS:" (in kB).
int64_t OfProcess(absl::string_view key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, key)) return std::stoll(line.substr(key.size()));
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

struct Footprint {
  int fds = CountOpenFds();
  int64_t threads = OfProcess("Threads:");
  int64_t resident_kb = OfProcess("VmRSS:");

  friend std::ostream& operator<<(std::ostream& os, const Footprint& f) {
    return os << f.fds << " fds, " << f.threads << " threads, " << f.resident_kb
              << " kB resident";
  }
};

// As soon as no thread is on its way out: one that was joined is still counted
// for a moment.
Footprint Settled() {
  Footprint now;
  for (int same = 0; same < 20;) {
    absl::Notification().WaitForNotificationWithTimeout(absl::Milliseconds(1));
    const Footprint next;
    same = next.threads == now.threads ? same + 1 : 0;
    now = next;
  }
  return now;
}

// Runs `once` so many times, on as many threads as there are to be clients.
template <typename Once>
absl::Duration Repeat(int times, Once once) {
  const MonoTime begin = MonoTime::Now();
  std::atomic<int> left{times};
  std::vector<std::thread> threads;
  for (int i = 0; i < absl::GetFlag(FLAGS_clients); ++i) {
    threads.emplace_back([&] {
      while (--left >= 0 && !testing::Test::HasFailure()) once();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return MonoTime::Now() - begin;
}

void DialAndEcho(const std::string& address) {
  absl::StatusOr<Flow> f = flow::Dial(address);
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(f->Write("ping"), IsOk());
  ASSERT_THAT(f->Read(), IsData("ping"));
  ASSERT_THAT(f->Close(), IsOk());
}

std::string PerSecond(int times, absl::Duration took) {
  return absl::StrCat(static_cast<int>(times / absl::ToDoubleSeconds(took)),
                      " connections/s");
}

void Churn(const std::string& where, int rounds) {
  const int fds_at_first = CountOpenFds();
  flow::ServeOptions options;
  options.total_limit = absl::Minutes(10);  // limits are kept all the time
  options.idle_limit = absl::Minutes(1);
  options.thread_linger = absl::Milliseconds(100);
  absl::StatusOr<flow::Listener> listener = flow::Listen(where);
  ASSERT_THAT(listener, IsOk());
  Server server = MustServe(Echo, options, *std::move(listener));
  // Until nothing runs but the thread that waits for the next connection.
  const auto quiet = [&server] {
    const flow::ServeStats stats = server.GetStats();
    return stats.active == 0 && stats.threads == 1;
  };
  // What is made once is made.
  Repeat(1000, [&] { DialAndEcho(server.address()); });
  Await(quiet);
  const Footprint before = Settled();
  const absl::Duration took =
      Repeat(rounds, [&] { DialAndEcho(server.address()); });
  Await(quiet);
  const Footprint after = Settled();
  std::cout << where << ": " << PerSecond(rounds, took)
            << "\n  before: " << before << "\n  after:  " << after << std::endl;
  // The thread that waits has had to sleep on a flow, or it has not.
  EXPECT_LE(after.fds, before.fds + 1);
  EXPECT_LE(after.threads, before.threads);
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && \
    !defined(ABSL_HAVE_THREAD_SANITIZER)
  // (A sanitizer keeps what was freed.)
  EXPECT_LT(after.resident_kb, before.resident_kb + 1024);
#endif
  EXPECT_EQ(server.GetStats().completed, static_cast<uint64_t>(rounds) + 1000);
  EXPECT_THAT(server.Stop(), IsOk());
  EXPECT_LE(CountOpenFds(), fds_at_first + 1);  // this thread's alarm clock
}

TEST(ChurnTest, ManyTcpConnectionsLeaveNothingBehind) {
  Churn("tcp:127.0.0.1:0", absl::GetFlag(FLAGS_rounds));
}

TEST(ChurnTest, ManyUnixConnectionsLeaveNothingBehind) {
  const ShortTempDir folder;
  Churn("unix:" + folder.Path("s"), absl::GetFlag(FLAGS_rounds));
}

// The plain server: a new thread for each, blocking calls.
void RawEcho(int fd) {
  char bytes[4096];
  for (;;) {
    const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n <= 0 || send(fd, bytes, static_cast<size_t>(n), MSG_NOSIGNAL) != n) {
      break;
    }
  }
  close(fd);
}

// Not a test of ours: the figure that ours is compared with.
TEST(ChurnTest, PlainLoopForComparison) {
  flow::UniqueFd listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listening.get(), generic, length), 0);
  ASSERT_EQ(listen(listening.get(), 4096), 0);
  ASSERT_EQ(getsockname(listening.get(), generic, &length), 0);
  const std::string where =
      absl::StrCat("tcp:127.0.0.1:", ntohs(address.sin_port));
  std::thread server([&listening] {
    for (;;) {
      const int fd = accept(listening.get(), nullptr, nullptr);
      if (fd < 0) return;
      std::thread(RawEcho, fd).detach();
    }
  });
  const int rounds = absl::GetFlag(FLAGS_rounds);
  Repeat(1000, [&] { DialAndEcho(where); });
  const absl::Duration took = Repeat(rounds, [&] { DialAndEcho(where); });
  std::cout << "plain loop: " << PerSecond(rounds, took) << std::endl;
  shutdown(listening.get(), SHUT_RDWR);  // wakes accept
  server.join();
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
