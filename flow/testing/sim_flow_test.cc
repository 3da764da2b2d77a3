// The blocking driver on simulated time: what SimSyscalls is for.

#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

// Reads from a socket and drops what is written: enough to wait on.
class Ear : public flow::Transport {
 public:
  explicit Ear(flow::UniqueFd fd) : fd_(std::move(fd)) {}

  flow::Attempt TryRead(absl::Span<const iovec> into) override {
    const ssize_t n = flow::Syscalls::Real()->Readv(
        fd_.get(), into.data(), static_cast<int>(into.size()));
    if (n > 0) return flow::Attempt::Transferred(static_cast<size_t>(n));
    return flow::Attempt::WouldBlock(flow::Wait::ForFd(fd_.get(), POLLIN));
  }
  flow::Attempt TryWrite(absl::Span<const iovec> from) override {
    return flow::Attempt::Transferred(from[0].iov_len);
  }
  flow::Attempt TryShutdown(flow::ShutdownMode) override {
    return flow::Attempt::Transferred(0);
  }
  absl::Status Close() override {
    fd_.reset();
    return absl::OkStatus();
  }

 private:
  flow::UniqueFd fd_;
};

class SimFlowTest : public testing::Test {
 protected:
  SimFlowTest() {
    int fds[2];
    EXPECT_EQ(flow::Syscalls::Real()->Socketpair(
                  AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
              0);
    peer_ = flow::UniqueFd(fds[0]);
    flow_ = flow::Flow(std::make_unique<Ear>(flow::UniqueFd(fds[1])), &sim_);
  }
  void PeerSends(const std::string& bytes) {
    flow::Syscalls::Real()->Send(peer_.get(), bytes.data(), bytes.size(), 0);
  }

  SimSyscalls sim_;
  flow::UniqueFd peer_;
  flow::Flow flow_;
};

// P3, P4: an hour's wait ends on the millisecond, in no time, in two polls.
TEST_F(SimFlowTest, DeadlineIsMetExactlyAndWithoutSpinning) {
  sim_.AutoAdvance(1);
  EXPECT_THAT(flow_.Read(sim_.In(absl::Hours(1))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(sim_.elapsed(), absl::Hours(1));
  EXPECT_EQ(sim_.poll_calls(), 2);
}

// P3: never early: a millisecond before its deadline the call still waits.
TEST_F(SimFlowTest, DeadlineIsNeverEarly) {
  absl::Status status;
  std::thread reader(
      [&] { status = flow_.Read(sim_.In(absl::Seconds(60))).status(); });
  ASSERT_TRUE(sim_.WaitForSleepers(1));
  sim_.Advance(absl::Milliseconds(59'999));
  ASSERT_TRUE(sim_.WaitForSleepers(1));
  sim_.Advance(absl::Milliseconds(1));
  reader.join();
  EXPECT_THAT(status, IsKind(flow::ErrorKind::kDeadline));
}

// P3: bytes end a wait without a tick of the clock.
TEST_F(SimFlowTest, DataWakesAReadWithoutTime) {
  absl::StatusOr<flow::OrEof<flow::Buffer>> got = absl::UnknownError("none");
  std::thread reader([&] { got = flow_.Read(sim_.In(absl::Seconds(60))); });
  ASSERT_TRUE(sim_.WaitForSleepers(1));
  PeerSends("hello");
  reader.join();
  EXPECT_THAT(got, IsData("hello"));
  EXPECT_EQ(sim_.elapsed(), absl::ZeroDuration());
}

// P3: a token wakes whoever has slept 20 ms at once, through a real eventfd.
TEST_F(SimFlowTest, CancelWakesASleeperAfterItsFirstSlice) {
  flow::CancelSource source;
  absl::Status status;
  std::thread reader([&] { status = flow_.Read(source.token()).status(); });
  ASSERT_TRUE(sim_.WaitForSleepers(1));
  sim_.Advance(absl::Milliseconds(20));
  ASSERT_TRUE(sim_.WaitForSleepers(1));
  source.Cancel();
  reader.join();
  EXPECT_THAT(status, IsKind(flow::ErrorKind::kCancelled));
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(20));
}

// P3: a deadline of the machine's clock has passed on the simulated one.
TEST_F(SimFlowTest, DeadlineOfTheWrongClockFailsAtOnce) {
  PeerSends("hello");
  EXPECT_THAT(flow_.Read(absl::Hours(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

}  // namespace
}  // namespace flow_testing
