// How two Waits become one.

#include "flow/wait_join.h"

#include "flow/signal.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow {
namespace internal {
namespace {

TEST(WaitJoinTest, TwoWaitsOnOneDescriptorAreOne) {
  WaitJoin join(Syscalls::Real());
  join.Begin();
  const Wait in = Wait::ForFd(7, 1);
  const Wait out = Wait::ForFd(7, 4);
  const Wait both = join.For(in, &out);
  EXPECT_EQ(both.fd, 7);
  EXPECT_EQ(both.events, 5);
  EXPECT_TRUE(both.until.is_never());
  EXPECT_TRUE(both.signal_is_rare);
}

TEST(WaitJoinTest, ASecondDescriptorIsLookedAtNowAndThen) {
  WaitJoin join(Syscalls::Real());
  join.Begin();
  const Wait other = Wait::ForFd(8, 4);
  const Wait both = join.For(Wait::ForFd(7, 1), &other);
  EXPECT_EQ(both.fd, 7);
  EXPECT_EQ(both.events, 1);
  EXPECT_FALSE(both.until.is_never());
}

TEST(WaitJoinTest, SignalsBelowArePassedOn) {
  Signal first;
  Signal second;
  WaitJoin join(Syscalls::Real());
  join.Begin();
  const Wait other = Wait::For(&second, second.seq());
  const Wait both = join.For(Wait::For(&first, first.seq()), &other);
  EXPECT_EQ(both.signal->seq(), both.seq);
  first.Notify();
  EXPECT_NE(both.signal->seq(), both.seq);
  const uint64_t now = both.signal->seq();
  second.Notify();
  EXPECT_NE(both.signal->seq(), now);
  join.Begin();
  const uint64_t after = both.signal->seq();
  first.Notify();
  EXPECT_EQ(both.signal->seq(), after);
}

TEST(WaitJoinTest, ANotificationBeforeTheLinkIsNotLost) {
  Signal below;
  WaitJoin join(Syscalls::Real());
  join.Begin();
  const uint64_t seq = below.seq();
  below.Notify();
  const Wait wait = join.For(Wait::For(&below, seq));
  EXPECT_NE(wait.signal->seq(), wait.seq);
}

}  // namespace
}  // namespace internal
}  // namespace flow
