// Whichever system call fails while addresses are listened on, dialled and
// accepted: an answer comes in time, and nothing is left open (P3, P5; the
// k-th call fails, for each k).

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/sim_syscalls.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Dial;
using flow::Flow;
using flow::Listener;

// Simulated time, and a name that stands for what the test says.
class Base : public SimSyscalls {
 public:
  Base() { AutoAdvance(1); }
  int GetAddrInfo(const char* node, const char* service, const addrinfo* hints,
                  addrinfo** result) override {
    addrinfo plain = *hints;
    plain.ai_flags = 0;
    return names.GetAddrInfo(node, service, &plain, result);
  }
  void FreeAddrInfo(addrinfo* result) override { names.FreeAddrInfo(result); }
  FakeNames names;
};

class NetTortureTest : public testing::TestWithParam<int> {
 protected:
  // A unix socket that nobody listens on any more.
  void LeaveStale() const {
    unlink(path_.c_str());
    const flow::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un un = {};
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path_.c_str(), path_.size() + 1);
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&un), sizeof(un)), 0);
  }

  // Runs `step` with one more call let through each time, until none fails.
  template <typename Step>
  void Torture(Step step) {
    int k = 1;
    for (;; ++k) {
      ASSERT_LT(k, 1000);
      Base base;
      FaultSyscalls sys(FaultOptions::FailNth(k, GetParam()), &base);
      SCOPED_TRACE(absl::StrCat("k = ", k, "\n", sys.ToString()));
      const int before = CountOpenFds();
      step(base, sys);
      // One each: this thread's alarm clock, and the simulated one's.
      EXPECT_LE(CountOpenFds(), before + 2) << sys.TraceString();
      EXPECT_LE(base.elapsed(), absl::Seconds(60));
      if (sys.nth_faults() == 0) break;
    }
    EXPECT_GT(k, 10);
  }

  const ShortTempDir dir_;
  const std::string path_ = dir_.Path("s");
};

TEST_P(NetTortureTest, ListeningOnSeveralAddressesAndAccepting) {
  Torture([this](Base& base, FaultSyscalls& sys) {
    LeaveStale();
    base.names.Add(":0");
    flow::ListenOptions options;
    options.sys = &sys;
    absl::StatusOr<Listener> listener = flow::ListenAll(
        {"tcp:server.test:1", "unix-listen:" + path_ + ",reclaim"}, options);
    if (!listener.ok()) return;
    for (const std::string& address : listener->addresses()) {
      absl::StatusOr<Flow> client = Dial(address);
      absl::StatusOr<Flow> server =
          listener->Accept(base.In(absl::Seconds(10)));
      if (server.ok() && client.ok()) {
        EXPECT_THAT(client->Write("hello"), IsOk());
      }
    }
  });
}

TEST_P(NetTortureTest, DiallingANameWithAHoleADeadAndAGoodAddress) {
  const BlackHole hole(AF_INET);
  auto [bound, dead] = DeadAddress();
  absl::StatusOr<Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  const std::string& refused = dead;
  Torture([&](Base& base, FaultSyscalls& sys) {
    base.names.Add(hole.address());
    base.names.Add(refused);
    base.names.Add(listener->address());
    flow::NetOptions options;
    options.sys = &sys;
    const absl::StatusOr<Flow> f =
        Dial("tcp:server.test:1", base.In(absl::Seconds(10)), options);
    if (f.ok()) {
      EXPECT_EQ(f->peer().port(), listener->port());
    } else {
      EXPECT_NE(f.status().message().find("server.test"), std::string::npos)
          << f.status();
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Errnos, NetTortureTest,
                         testing::Values(EIO, EMFILE, ENOMEM, EINTR, EINVAL));

}  // namespace
}  // namespace flow_testing
