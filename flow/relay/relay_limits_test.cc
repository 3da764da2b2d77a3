// What a relay may be told besides its two flows: limits, policies, progress.

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::Pattern;
using ::flow_testing::ReadToEof;
using ::flow_testing::RelayRig;
using ::flow_testing::SimSyscalls;
using ::flow_testing::StatusIs;
using ::flow_testing::WriteAndEnd;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class RelayOptionsTest : public testing::TestWithParam<flow_testing::PairKind> {
};

INSTANTIATE_TEST_SUITE_P(Over, RelayOptionsTest,
                         testing::ValuesIn(flow_testing::AllRelays()),
                         [](const auto& kind) { return kind.param.name; });

// The policy "close both": who ends first ends it all, and gets no failure.
TEST_P(RelayOptionsTest, CloseBothEndsTheOtherDirectionWithoutAFailure) {
  RelayOptions options;
  options.policy = RelayPolicy::kCloseBoth;
  RelayRig rig(GetParam(), options);
  const std::string sent = Pattern(1 << 20);
  std::thread sender(
      [&] { EXPECT_THAT(WriteAndEnd(rig.client, sent), IsOk()); });
  // All of it, and an end in order, though the server never ends its side.
  EXPECT_TRUE(ReadToEof(rig.server) == sent);
  sender.join();
  EXPECT_THAT(rig.client.Read(), IsEof());
  rig.server.Close().IgnoreError();
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.status(), IsOk());
  EXPECT_EQ(result.a_to_b.end(), CopyEnd::kInOrder);
  EXPECT_THAT(result.b_to_a.end(), AnyOf(CopyEnd::kPolicy, CopyEnd::kInOrder));
}

// The policy "fail fast": an Eof is a failure, which both peers can see.
TEST_P(RelayOptionsTest, FailFastTakesAnEofForAFailure) {
  RelayOptions options;
  options.policy = RelayPolicy::kFailFast;
  RelayRig rig(GetParam(), options);
  ASSERT_THAT(rig.client.Write("x"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsData("x"));
  ASSERT_THAT(rig.client.Shutdown(ShutdownMode::kWrite), IsOk());
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.status(), AllOf(IsKind(ErrorKind::kClosedByPeer),
                                     StatusIs(testing::_, HasSubstr("a -> b")),
                                     HasBytesDone(1)));
  EXPECT_EQ(result.b_to_a.end(), CopyEnd::kOtherFailed);
  if (rig.server.abort_is_visible()) {
    EXPECT_THAT(rig.server.Read(), IsKind(ErrorKind::kReset));
  }
}

// P3: how long one direction may outlive the other.
TEST_P(RelayOptionsTest, HalfCloseLimitEndsWhatGoesOnTooLong) {
  RelayOptions options;
  options.half_close_limit = absl::Milliseconds(80);
  RelayRig rig(GetParam(), options);
  ASSERT_THAT(WriteAndEnd(rig.client, "request"), IsOk());
  ASSERT_EQ(ReadToEof(rig.server), "request");
  const absl::Time begin = absl::Now();
  const RelayResult result = rig.Join();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
  EXPECT_GE(result.duration, absl::Milliseconds(79));
  EXPECT_THAT(result.a_to_b.status(), IsOk());
  EXPECT_THAT(result.status(),
              AllOf(StatusIs(absl::StatusCode::kDeadlineExceeded,
                             HasSubstr("half-close limit")),
                    IsKind(ErrorKind::kDeadline)));
  EXPECT_EQ(result.b_to_a.end(), CopyEnd::kLimit);
}

// The same where nobody can tell whether the peer is gone.
TEST(RelayLimitsTest, HalfCloseLimitNeedsNoWatcher) {
  absl::StatusOr<std::pair<Flow, Flow>> out = SocketPair();
  ASSERT_THAT(out, IsOk());
  absl::StatusOr<Flow> null_in =
      Adopt(UniqueFd(Syscalls::Real()->Open("/dev/null", O_RDONLY, 0)));
  ASSERT_THAT(null_in, IsOk());
  RelayOptions options;
  options.half_close_limit = absl::Milliseconds(50);
  const RelayResult result = Relay(*null_in, out->first, options);
  // Reading /dev/null ends at once; writing to it was never possible.
  EXPECT_EQ(result.a_to_b.end(), CopyEnd::kInOrder);
  EXPECT_THAT(result.status(), IsKind(ErrorKind::kDeadline));
}

// Each peer's way out is told apart.
TEST_P(RelayOptionsTest, TheTokensEndIsNamed) {
  CancelSource stop;
  RelayOptions options;
  options.limits = Limits(stop.token());
  RelayRig rig(GetParam(), options);
  ASSERT_THAT(rig.client.Write("x"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsData("x"));
  stop.Cancel();
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.a_to_b.end(),
              AnyOf(CopyEnd::kCancelled, CopyEnd::kOtherFailed));
  EXPECT_THAT(result.b_to_a.end(),
              AnyOf(CopyEnd::kCancelled, CopyEnd::kOtherFailed));
}

// The rate is bounded, the last call has all, what it throws stays inside.
TEST_P(RelayOptionsTest, ProgressIsToldAtABoundedRateAndAtTheEnd) {
  RelayOptions options;
  std::vector<CopyProgress> told;
  std::atomic<int> at_once{0};
  options.progress_interval = absl::Milliseconds(20);
  options.progress = [&](const CopyProgress& progress) {
    EXPECT_EQ(++at_once, 1);
    told.push_back(progress);
    --at_once;
  };
  RelayRig rig(GetParam(), options);
  const std::string up = Pattern(8 << 20);
  std::thread up_writer(
      [&] { EXPECT_THAT(WriteAndEnd(rig.client, up), IsOk()); });
  std::thread down_writer(
      [&] { EXPECT_THAT(WriteAndEnd(rig.server, "down"), IsOk()); });
  EXPECT_TRUE(ReadToEof(rig.server) == up);
  EXPECT_EQ(ReadToEof(rig.client), "down");
  up_writer.join();
  down_writer.join();
  const RelayResult result = rig.Join();
  ASSERT_THAT(result.status(), IsOk());
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().bytes, up.size());
  EXPECT_EQ(told.back().bytes_back, 4u);
  EXPECT_LE(told.size(),
            static_cast<size_t>(result.duration / absl::Milliseconds(20)) + 2);
  for (size_t i = 1; i < told.size(); ++i) {
    EXPECT_GE(told[i].bytes, told[i - 1].bytes);
    EXPECT_GE(told[i].elapsed, told[i - 1].elapsed);
  }
}

TEST_P(RelayOptionsTest, ProgressThatThrowsIsContained) {
  RelayOptions options;
  options.progress_interval = absl::Nanoseconds(1);
  std::atomic<int> calls{0};
  options.progress = [&](const CopyProgress&) {
    ++calls;
    throw std::runtime_error("the user's");
  };
  RelayRig rig(GetParam(), options);
  std::thread other([&] { EXPECT_THAT(WriteAndEnd(rig.server, "b"), IsOk()); });
  EXPECT_THAT(WriteAndEnd(rig.client, "a"), IsOk());
  EXPECT_EQ(ReadToEof(rig.server), "a");
  EXPECT_EQ(ReadToEof(rig.client), "b");
  other.join();
  EXPECT_THAT(rig.Join().status(), IsOk());
  EXPECT_EQ(calls, 1);
}

TEST(RelayLimitsTest, SenselessOptionsAreRefusedAndTouchNothing) {
  auto [client, a] = flow_testing::MemoryPair();
  auto [b, server] = flow_testing::MemoryPair();
  std::vector<RelayOptions> senseless(4);
  senseless[0].limits.stall_timeout = absl::ZeroDuration();
  senseless[1].half_close_limit = absl::ZeroDuration();
  senseless[2].progress_interval = -absl::Seconds(1);
  senseless[3].buffer_size = size_t{1} << 40;
  for (const RelayOptions& options : senseless) {
    const RelayResult result = Relay(a, b, options);
    EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_EQ(result.a_to_b.end(), CopyEnd::kRefused);
    EXPECT_EQ(result.b_to_a.end(), CopyEnd::kRefused);
  }
  RelayOptions impossible;
  impossible.method = CopyMethod::kSplice;
  EXPECT_THAT(
      Relay(a, b, impossible).status(),
      StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("by splice")));
  EXPECT_THAT(client.Write("x"), IsOk());
  EXPECT_THAT(a.Read(), IsData("x"));
}

TEST(RelayLimitsTest, NoFlowIsTold) {
  Flow none;
  auto [a, peer] = flow_testing::MemoryPair();
  EXPECT_THAT(Relay(none, a).status(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(Copy(a, none).status(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_EQ(Copy(none, a).failed_side(), CopySide::kSource);
}

class NoThreads : public Syscalls {
 public:
  int StartThread(pthread_t*, void* (*)(void*), void*) override {
    return EAGAIN;
  }
};

// P11's rule: a shortage is an error, and no byte is lost by it.
TEST(RelayLimitsTest, ShortageOfThreadsIsAnErrorAndTouchesNothing) {
  NoThreads kernel;
  auto [t_client, t_a] = flow_testing::MemoryTransportPair();
  auto [t_b, t_server] = flow_testing::MemoryTransportPair();
  Flow client(std::move(t_client));
  Flow a(std::move(t_a), &kernel);
  Flow b(std::move(t_b), &kernel);
  ASSERT_THAT(client.Write("x"), IsOk());
  const RelayResult result = Relay(a, b);
  EXPECT_THAT(result.status(),
              AllOf(StatusIs(absl::StatusCode::kResourceExhausted,
                             HasSubstr("no thread")),
                    IsKind(ErrorKind::kSystem)));
  EXPECT_THAT(a.Read(), IsData("x"));
}

// The idle limit counts both directions as one.
TEST(RelayLimitsTest, IdleLimitIsMovedByEitherDirection) {
  SimSyscalls sim;
  auto [t_client, t_a] = flow_testing::MemoryTransportPair();
  auto [t_b, t_server] = flow_testing::MemoryTransportPair();
  Flow client(std::move(t_client));
  Flow server(std::move(t_server));
  Flow a(std::move(t_a), &sim);
  Flow b(std::move(t_b), &sim);
  RelayOptions options;
  options.limits.stall_timeout = absl::Seconds(60);
  RelayResult result;
  std::thread relay([&, &a = a, &b = b] { result = Relay(a, b, options); });
  for (int i = 0; i < 5; ++i) {
    sim.WaitForSleepers(2);
    sim.Advance(absl::Seconds(40));
    // Only from server to client: the other direction is idle for 200 s.
    ASSERT_THAT(server.Write("x"), IsOk());
    ASSERT_THAT(client.Read(), IsData("x"));
  }
  sim.WaitForSleepers(2);
  sim.AutoAdvance(2);
  relay.join();
  EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kDeadlineExceeded,
                                        HasSubstr("no byte moved for 1m")));
  EXPECT_EQ(result.b_to_a.bytes, 5u);
  EXPECT_GE(sim.elapsed(), absl::Seconds(260));
}

// P10, mirage's `A_and_B`: neither error hides the other.
TEST(RelayResultTest, StatusHasTheErrorsOfBothDirections) {
  RelayResult result;
  result.a_to_b.bytes = 12;
  result.a_to_b.write_status = ErrnoStatus(ENOSPC, "write", "");
  result.b_to_a.bytes = 34;
  result.b_to_a.read_status = ErrnoStatus(ECONNRESET, "read", "");
  const absl::Status status = result.status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(status, HasBytesDone(12));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("a -> b: writing to the sink failed after 12 B"),
                    HasSubstr("b -> a: reading from the source failed after "
                              "34 B: read() failed: Connection reset")));
  result.a_to_b.cut = true;
  EXPECT_THAT(result.status(), IsKind(ErrorKind::kReset));
}

}  // namespace
}  // namespace flow
