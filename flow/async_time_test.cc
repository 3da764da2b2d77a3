// P3 through futures: deadlines are never early and hardly late, on real time
// and on simulated time, with epoll and without.

#include <sys/uio.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/layers/throttle.h"
#include "flow/limits.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;
using ::flow::ErrorKind;
using ::flow::Limits;
using ::flow::MonoTime;

// Case 39: the ladder. Lateness has a wide margin, for busy machines.
TEST(AsyncTime, DeadlinesAreNeverEarlyAndHardlyLate) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context);
  for (const absl::Duration wait :
       {absl::Nanoseconds(1), absl::Microseconds(3), absl::Microseconds(400),
        absl::Milliseconds(1), absl::Milliseconds(2), absl::Milliseconds(19),
        absl::Milliseconds(45), absl::Milliseconds(120)}) {
    const MonoTime due = MonoTime::In(wait);
    EXPECT_THAT(b.Read(due).get(), IsKind(ErrorKind::kDeadline)) << wait;
    EXPECT_GE(MonoTime::Now(), due) << wait;
    EXPECT_LT(MonoTime::Now() - due, absl::Milliseconds(50 + 1000)) << wait;
  }
}

// A nearer deadline is met though the poller sleeps until a farther one.
TEST(AsyncTime, ANearerDeadlineWakesThePoller) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context);
  auto far = b.Read(absl::Hours(1));
  auto near = a.Read(absl::Milliseconds(5));
  EXPECT_THAT(near.get(), IsKind(ErrorKind::kDeadline));
  EXPECT_FALSE(IsReady(far));
}

// ---------------------------------------------------------------- simulated

class NoEpoll : public SimSyscalls {
 public:
  int EpollCreate() override {
    errno = ENOSYS;
    return -1;
  }
};

struct Way {
  bool epoll;
};
std::ostream& operator<<(std::ostream& os, const Way& way) {
  return os << (way.epoll ? "epoll" : "poll");
}

class SimTimeTest : public testing::TestWithParam<Way> {
 protected:
  SimTimeTest()
      : sim_(GetParam().epoll ? std::make_unique<SimSyscalls>()
                              : std::make_unique<NoEpoll>()),
        context_(std::make_unique<AsyncContext>(executor_, sim_.get())) {
    MemoryPairOptions options;
    options.sys = sim_.get();
    auto [a, b] = MemoryPair(16, options);
    a_ = On(*context_, std::move(a));
    b_ = On(*context_, std::move(b));
  }
  ~SimTimeTest() override {
    sim_->AutoAdvance(0);
    context_.reset();
  }

  std::unique_ptr<SimSyscalls> sim_;
  flow::InlineExecutor executor_;
  std::unique_ptr<AsyncContext> context_;
  AsyncFlow a_;
  AsyncFlow b_;
};

// P3, P4: an hour's wait ends on the millisecond, in a few waits.
TEST_P(SimTimeTest, ADeadlineIsMetExactlyAndWithoutSpinning) {
  auto read = b_.Read(sim_->In(absl::Hours(1)));
  sim_->AutoAdvance(1);
  EXPECT_THAT(read.get(), IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sim_->elapsed(), absl::Hours(1));
  EXPECT_LE(sim_->poll_calls(), 6);
}

// P3: a millisecond before its deadline the operation still waits.
TEST_P(SimTimeTest, ADeadlineIsNeverEarly) {
  auto read = b_.Read(sim_->In(absl::Seconds(60)));
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  sim_->Advance(absl::Milliseconds(59'999));
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  EXPECT_FALSE(IsReady(read));
  sim_->Advance(absl::Milliseconds(1));
  EXPECT_THAT(read.get(), IsKind(ErrorKind::kDeadline));
}

// Each in the order of its instant, whatever the order of submission.
TEST_P(SimTimeTest, DeadlinesEndInTheirOwnOrder) {
  auto slow = a_.Read(sim_->In(absl::Seconds(3)));
  auto fast = b_.Read(sim_->In(absl::Seconds(1)));
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  sim_->Advance(absl::Seconds(1));
  EXPECT_THAT(fast.get(), IsKind(ErrorKind::kDeadline));
  EXPECT_FALSE(IsReady(slow));
  sim_->Advance(absl::Seconds(2));
  EXPECT_THAT(slow.get(), IsKind(ErrorKind::kDeadline));
}

// "stall_timeout (longest time without progress)": each byte starts it anew.
TEST_P(SimTimeTest, AStallLimitStartsAnewWithEachByte) {
  Limits limits;
  limits.stall_timeout = absl::Seconds(10);
  auto write = a_.Write(std::string(16 + 2, 'x'), limits);
  char byte = 0;
  for (int i = 0; i < 1; ++i) {
    ASSERT_TRUE(sim_->WaitForSleepers(1));
    sim_->Advance(absl::Seconds(9));
    ASSERT_THAT(b_.ReadInto({&byte, 1}).get(), IsData(1));
  }
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  sim_->Advance(absl::Seconds(9));
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  EXPECT_FALSE(IsReady(write));
  sim_->Advance(absl::Seconds(1));
  EXPECT_THAT(write.get(), IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sim_->elapsed(), absl::Seconds(19));
}

// Another thread's notification needs no time at all.
TEST_P(SimTimeTest, BytesAndTokensNeedNoTime) {
  flow::CancelSource stop;
  auto read = b_.Read(sim_->In(absl::Seconds(60)));
  auto cancelled = a_.Read(stop.token());
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  EXPECT_THAT(a_.Write(std::string("x")).get(), IsOk());
  EXPECT_THAT(read.get(), IsData("x"));
  stop.Cancel();
  EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
  EXPECT_EQ(sim_->elapsed(), absl::ZeroDuration());
}

// A transport's own instants (Wait::until): 100 bytes at 10 a second.
TEST_P(SimTimeTest, AThrottleWaitsForItsTokens) {
  flow::ThrottleOptions slow;
  slow.write.bytes_per_second = 10;
  slow.write.burst = 1;
  MemoryPairOptions options;
  options.sys = sim_.get();
  auto [below, peer] = MemoryPair(1000, options);
  absl::StatusOr<flow::Flow> throttled = flow::Throttle(std::move(below), slow);
  ASSERT_THAT(throttled, IsOk());
  AsyncFlow f = On(*context_, *std::move(throttled));
  auto write = f.Write(std::string(100, 'x'));
  sim_->AutoAdvance(1);
  EXPECT_THAT(write.get(), IsOk());
  EXPECT_GE(sim_->elapsed(), absl::Seconds(9.8));
  EXPECT_LE(sim_->elapsed(), absl::Seconds(11));
}

// A stream whose first byte comes at an instant, and makes something happen.
class Alarm : public flow::Transport {
 public:
  Alarm(flow::Syscalls* sys, MonoTime when, std::function<void()> ring)
      : sys_(sys), when_(when), ring_(std::move(ring)) {}

  flow::Attempt TryRead(absl::Span<const iovec>) override {
    if (sys_->Now() < when_) {
      return flow::Attempt::WouldBlock(flow::Wait::Until(when_));
    }
    ring_();
    return flow::Attempt::Eof();
  }
  flow::Attempt TryWrite(absl::Span<const iovec>) override {
    return flow::Attempt::Failed(EPIPE);
  }
  flow::Attempt TryShutdown(flow::ShutdownMode) override {
    return flow::Attempt::Transferred(0);
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  flow::Syscalls* const sys_;
  const MonoTime when_;
  const std::function<void()> ring_;
};

// The order of checks: an ending comes before a limit, also for who stands in
// line and whose limit has passed by the time it is looked at.
TEST_P(SimTimeTest, AnEndingComesBeforeTheDeadlineOfWhoStandsInLine) {
  // Looked at in the same turn as the deadline below, and first.
  AsyncFlow alarm =
      On(*context_, flow::Flow(std::make_unique<Alarm>(
                                   sim_.get(), sim_->In(absl::Milliseconds(10)),
                                   [this] {
                                     b_.Shutdown(flow::ShutdownMode::kRead, {},
                                                 [](absl::Status) {});
                                   }),
                               sim_.get()));
  auto rings = alarm.Read();
  auto holder = b_.Read();
  auto in_line = b_.Read(sim_->In(absl::Milliseconds(20)));
  ASSERT_TRUE(sim_->WaitForSleepers(1));
  sim_->Advance(absl::Milliseconds(30));
  EXPECT_THAT(in_line.get(), IsEof());
  EXPECT_THAT(holder.get(), IsEof());
  EXPECT_THAT(rings.get(), IsEof());
}

INSTANTIATE_TEST_SUITE_P(BothWays, SimTimeTest,
                         testing::Values(Way{true}, Way{false}),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace flow_testing
