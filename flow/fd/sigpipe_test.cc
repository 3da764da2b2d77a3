// A gone reader is an error, never a signal, and nobody's signal state changes
// (P6; cases B.6, B.7).

#include "flow/fd/sigpipe.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/status.h"
#include "flow/sys/own_thread.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using ::testing::AnyOf;

// A kernel before 6.18, which does not know RWF_NOSIGNAL (nor, if `nothing`,
// pwritev2 at all). Counts what the other way costs.
class OldKernel : public flow::Syscalls {
 public:
  ssize_t Writev2(int fd, const iovec* iov, int count, int flags) override {
    if ((flags & 0x100) == 0) return Syscalls::Writev2(fd, iov, count, flags);
    errno = EOPNOTSUPP;
    return -1;
  }
  int SigMask(int how, const sigset_t* set, sigset_t* old) override {
    ++masked;
    return Syscalls::SigMask(how, set, old);
  }
  int masked = 0;
};

sigset_t Just(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

bool SigpipePending() {
  sigset_t pending;
  EXPECT_EQ(sigpending(&pending), 0);
  return sigismember(&pending, SIGPIPE) == 1;
}

bool SigpipeBlocked() {
  sigset_t mask;
  EXPECT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &mask), 0);
  return sigismember(&mask, SIGPIPE) == 1;
}

class SigpipeTest : public ::testing::TestWithParam<bool> {
 protected:
  // The kernel of this machine, or an old one.
  flow::Syscalls* sys() { return GetParam() ? &old_ : flow::Syscalls::Real(); }
  OldKernel old_;

  // Three writes to a pipe without a reader, by an adopted and a borrowed fd.
  void WriteInVain() {
    for (const bool borrowed : {false, true}) {
      RawPair pipe = RawPipe();
      pipe.first.reset();
      flow::FdOptions options;
      options.sys = sys();
      absl::StatusOr<Flow> f =
          borrowed ? flow::Borrow(pipe.second.get(), options)
                   : flow::Adopt(std::move(pipe.second), options);
      ASSERT_THAT(f, IsOk());
      for (int i = 0; i < 3; ++i) {
        EXPECT_THAT(f->Write("x"), IsKind(flow::ErrorKind::kClosedByPeer));
      }
    }
  }
};

TEST_P(SigpipeTest, ProcessLivesWithTheDefaultDisposition) {
  struct sigaction now;
  ASSERT_EQ(sigaction(SIGPIPE, nullptr, &now), 0);
  ASSERT_EQ(now.sa_handler, SIG_DFL);
  WriteInVain();
  ASSERT_EQ(sigaction(SIGPIPE, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
  EXPECT_FALSE(SigpipePending());
  EXPECT_FALSE(SigpipeBlocked());
  EXPECT_EQ(old_.masked > 0, GetParam());
}

TEST_P(SigpipeTest, PendingSigpipeOfTheUserStaysPending) {
  const sigset_t set = Just(SIGPIPE);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
  ASSERT_EQ(pthread_kill(pthread_self(), SIGPIPE), 0);
  WriteInVain();
  EXPECT_TRUE(SigpipePending());
  EXPECT_TRUE(SigpipeBlocked());
  int taken = 0;
  ASSERT_EQ(sigwait(&set, &taken), 0);
  EXPECT_EQ(taken, SIGPIPE);
  EXPECT_FALSE(SigpipePending());
  ASSERT_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
}

TEST_P(SigpipeTest, BlockedSigpipeStaysBlockedAndNoneIsLeftPending) {
  const sigset_t set = Just(SIGPIPE);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
  WriteInVain();
  EXPECT_FALSE(SigpipePending());
  EXPECT_TRUE(SigpipeBlocked());
  ASSERT_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
}

TEST_P(SigpipeTest, ThreadOfOurOwnBlocksItOnceAndPaysNothing) {
  std::thread([this] {
    ASSERT_TRUE(flow::BlockSigpipeForGood());
    old_.masked = 0;
    WriteInVain();
    EXPECT_EQ(old_.masked, 0);
    EXPECT_TRUE(SigpipeBlocked());
  }).join();
}

TEST_P(SigpipeTest, WriteThatSucceedsKeepsItsCountAndErrno) {
  RawPair pipe = RawPipe();
  char text[] = "abcdef";
  const iovec pieces[] = {{text, 2}, {text + 2, 4}};
  EXPECT_EQ(
      flow::internal::WriteWithoutSigpipe(sys(), pipe.second.get(), pieces, 0),
      6);
  char got[7] = {};
  ASSERT_EQ(read(pipe.first.get(), got, 6), 6);
  EXPECT_STREQ(got, "abcdef");
  EXPECT_EQ(flow::internal::WriteWithoutSigpipe(sys(), -1,
                                                absl::MakeConstSpan(pieces), 0),
            -1);
  EXPECT_EQ(errno, EBADF);
}

TEST_P(SigpipeTest, SocketsRaiseNothingEither) {  // B.6
  RawPair tcp = RawTcpPair();
  tcp.second.reset();
  flow::FdOptions options;
  options.sys = sys();
  absl::StatusOr<Flow> f = flow::Adopt(std::move(tcp.first), options);
  ASSERT_THAT(f, IsOk());
  absl::Status s;
  while (s.ok()) s = f->Write(Pattern(1000));
  EXPECT_THAT(s, StatusIs(AnyOf(absl::StatusCode::kFailedPrecondition,
                                absl::StatusCode::kUnavailable)));
  EXPECT_FALSE(SigpipePending());
}

INSTANTIATE_TEST_SUITE_P(Kernels, SigpipeTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& kernel) {
                           return kernel.param ? "Old" : "Own";
                         });

}  // namespace
}  // namespace flow_testing
