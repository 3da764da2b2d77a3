// The throttle, on simulated time: how fast bytes pass is exact, and no test
// waits for real.

#include "flow/layers/throttle.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::MemoryPair;
using ::flow_testing::SimSyscalls;
using ::flow_testing::StatusIs;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// A pair of which the first is throttled, on a clock that moves by itself.
class ThrottleTest : public ::testing::Test {
 protected:
  ThrottleTest() { sim_.AutoAdvance(1); }

  void Make(const ThrottleOptions& options) {
    flow_testing::MemoryPairOptions on_sim;
    on_sim.sys = &sim_;
    auto [below, peer] = MemoryPair(size_t{1} << 20, on_sim);
    peer_ = std::move(peer);
    absl::StatusOr<Flow> throttled = Throttle(std::move(below), options);
    ASSERT_THAT(throttled, IsOk());
    flow_ = *std::move(throttled);
  }

  static ThrottleOptions WriteRate(double rate, int64_t burst) {
    ThrottleOptions options;
    options.write = {rate, burst};
    return options;
  }

  SimSyscalls sim_;
  Flow flow_;
  Flow peer_;
};

// The burst passes at once, then the rate holds.
TEST_F(ThrottleTest, AWriteTakesItsTime) {
  Make(WriteRate(1000, 100));
  ASSERT_THAT(flow_.Write(std::string(100, 'x')), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::ZeroDuration());
  ASSERT_THAT(flow_.Write(std::string(1000, 'y')), IsOk());
  EXPECT_GE(sim_.elapsed(), absl::Seconds(1));
  EXPECT_LE(sim_.elapsed(), absl::Milliseconds(1010));
}

TEST_F(ThrottleTest, AReadTakesItsTime) {
  ThrottleOptions options;
  options.read = {1000, 100};
  Make(options);
  ASSERT_THAT(peer_.Write(std::string(1100, 'x')), IsOk());
  size_t total = 0;
  while (total < 1100) {
    auto got = flow_.Read();
    ASSERT_THAT(got, IsOk());
    total += got->data().size();
  }
  EXPECT_GE(sim_.elapsed(), absl::Seconds(1));
  EXPECT_LE(sim_.elapsed(), absl::Milliseconds(1010));
}

// Guarantee: "In any span of t seconds at most burst + t * bytes_per_second
// bytes pass"; here every span that begins or ends with a step.
TEST_F(ThrottleTest, NoSpanOfTimeSeesMoreThanItsShare) {
  Make(WriteRate(10'000, 700));
  std::vector<std::pair<MonoTime, size_t>> steps = {{sim_.Now(), 0}};
  const std::string bytes(400, 'x');
  size_t total = 0;
  while (total < 20'000) {
    absl::StatusOr<size_t> took = flow_.WriteSome(bytes);
    ASSERT_THAT(took, IsOk());
    total += *took;
    steps.emplace_back(sim_.Now(), total);
  }
  for (size_t from = 0; from < steps.size(); ++from) {
    for (size_t to = from + 1; to < steps.size(); ++to) {
      const double seconds =
          absl::ToDoubleSeconds(steps[to].first - steps[from].first);
      EXPECT_LE(static_cast<double>(steps[to].second - steps[from].second),
                // A step counts at its end: what it moved came before.
                700 + 400 + seconds * 10'000 + 1e-3);
    }
  }
  const double seconds = absl::ToDoubleSeconds(sim_.elapsed());
  EXPECT_LE(20'000, 700 + seconds * 10'000 + 1);
}

// The directions have buckets of their own.
TEST_F(ThrottleTest, OneDirectionDoesNotSlowTheOther) {
  ThrottleOptions options;
  options.read = {1, 1};
  Make(options);
  ASSERT_THAT(flow_.Write(std::string(100'000, 'x')), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::ZeroDuration());
}

// A pause fills the bucket up to the burst and no more.
TEST_F(ThrottleTest, APauseFillsTheBucketUpToTheBurst) {
  Make(WriteRate(1000, 50));
  ASSERT_THAT(flow_.Write(std::string(50, 'x')), IsOk());
  sim_.Advance(absl::Hours(1));
  EXPECT_THAT(flow_.WriteSome(std::string(1000, 'x')), IsOkAndHolds(50u));
}

// Limits are kept while it waits; nothing passed, so nothing is sealed.
TEST_F(ThrottleTest, ADeadlineEndsAWaitForTokens) {
  Make(WriteRate(0.001, 1));
  ASSERT_THAT(flow_.Write("x"), IsOk());
  EXPECT_THAT(flow_.Write("y", sim_.In(absl::Seconds(10))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sim_.elapsed(), absl::Seconds(10));
  ASSERT_THAT(flow_.Write("y"), IsOk());
  EXPECT_GE(sim_.elapsed(), absl::Seconds(1000));
}

// It waits for a time, and says so.
TEST_F(ThrottleTest, CloseEndsAWaitForTokens) {
  sim_.AutoAdvance(0);
  Make(WriteRate(0.001, 1));
  ASSERT_THAT(flow_.Write("x"), IsOk());
  absl::Status result;
  std::thread writer([&] { result = flow_.Write("y"); });
  ASSERT_TRUE(sim_.WaitForSleepers(1));
  EXPECT_EQ(flow_.GetStats().writing, Activity::kTime);
  EXPECT_THAT(flow_.Close(), IsOk());
  writer.join();
  EXPECT_THAT(result, IsKind(ErrorKind::kClosedLocally));
}

// Pieces stay pieces: what is cut is cut at the byte.
TEST_F(ThrottleTest, WritevIsCutWhereTheTokensEnd) {
  Make(WriteRate(1000, 5));
  ASSERT_THAT(flow_.Writev({"abc", "defg", "", "hi"}), IsOk());
  EXPECT_THAT(peer_.Read(), IsOkAndHolds(IsData("abcdefghi")));
}

// A layer: endings pass, closing the outer closes the inner.
TEST_F(ThrottleTest, EndingsPass) {
  Make(WriteRate(1000, 100));
  ASSERT_THAT(flow_.Write("last"), IsOk());
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(peer_.Read(), IsOkAndHolds(IsData("last")));
  EXPECT_THAT(peer_.Read(), IsOkAndHolds(IsEof()));
  EXPECT_THAT(peer_.WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
  EXPECT_THAT(flow_.Close(), IsOk());
  EXPECT_THAT(peer_.WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

TEST_F(ThrottleTest, AbortPasses) {
  Make(WriteRate(1000, 100));
  EXPECT_TRUE(flow_.abort_is_visible());
  EXPECT_THAT(flow_.Abort(), IsOk());
  EXPECT_THAT(peer_.Read(), IsKind(ErrorKind::kReset));
}

// Seed: a layer whose both sides are shut closes the flow below, here after the
// peer has ended too; the outer goes on saying Eof until its own Close.
TEST_F(ThrottleTest, ShuttingBothSidesClosesTheFlowBelow) {
  Make(WriteRate(1000, 100));
  ASSERT_THAT(peer_.Write("dropped"), IsOk());
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_THAT(peer_.Read(), IsOkAndHolds(IsEof()));
  EXPECT_THAT(peer_.WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
  EXPECT_EQ(sim_.elapsed(), absl::ZeroDuration());
  EXPECT_THAT(flow_.Read(), IsOkAndHolds(IsEof()));
  EXPECT_THAT(flow_.Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(flow_.Close(), IsOk());
}

// ... and otherwise waits for the peer's end a second at most.
TEST_F(ThrottleTest, ShuttingBothSidesWaitsASecondForThePeer) {
  Make(WriteRate(1000, 100));
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::Seconds(1));
  EXPECT_THAT(peer_.WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

TEST_F(ThrottleTest, ShowsTheEndsOfTheFlowBelow) {
  Make({});
  EXPECT_THAT(flow_.ToString(), ::testing::HasSubstr("memory a -> memory b"));
}

// Without a rate it lets everything through.
TEST_F(ThrottleTest, TheDefaultDoesNotThrottle) {
  Make({});
  ASSERT_THAT(flow_.Write(std::string(1 << 20, 'x')), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::ZeroDuration());
}

// Rates at the edge of arithmetic neither crash nor spin.
TEST_F(ThrottleTest, ExtremeRatesWork) {
  for (const double rate : {1e300, 1e15, std::numeric_limits<double>::max()}) {
    Make(WriteRate(rate, 0));
    EXPECT_THAT(flow_.Write(std::string(100'000, 'x')), IsOk());
  }
  for (const double rate :
       {1e-300, std::numeric_limits<double>::denorm_min()}) {
    Make(WriteRate(rate, 0));
    EXPECT_THAT(flow_.Write("x"), IsOk());
    EXPECT_THAT(flow_.Write("y", sim_.In(absl::Hours(1000))),
                IsKind(ErrorKind::kDeadline));
  }
}

TEST(ThrottleOptionsTest, BadRatesAreRefused) {
  for (const double bad : {0.0, -1.0, -kInfinite, std::nan("")}) {
    ThrottleOptions options;
    options.read.bytes_per_second = bad;
    EXPECT_THAT(Throttle(MemoryPair().first, options),
                StatusIs(absl::StatusCode::kInvalidArgument));
    options = {};
    options.write.bytes_per_second = bad;
    EXPECT_THAT(Throttle(MemoryPair().first, options),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  ThrottleOptions options;
  options.write.burst = -1;
  EXPECT_THAT(Throttle(MemoryPair().first, options),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ThrottleOptionsTest, AFlowThatHasEndedIsRefused) {
  EXPECT_THAT(Throttle(Flow(), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  auto [a, b] = MemoryPair();
  ASSERT_THAT(b.Close(), IsOk());
  ASSERT_THAT(a.Read(), IsOkAndHolds(IsEof()));
  EXPECT_THAT(Throttle(std::move(a), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace flow
