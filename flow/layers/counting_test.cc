// Count: exact, and visible from anywhere.

#include "flow/layers/counting.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::StatusIs;

// No test waits so long: a mistake is to be a failure, not a hang.
constexpr absl::Duration kLong = absl::Seconds(20);

class CountingTest : public ::testing::Test {
 protected:
  // A counted flow and its peer.
  std::pair<Flow, Flow> Make() {
    auto [below, peer] = MemoryPair(/*capacity=*/10);
    absl::StatusOr<Flow> made = Count(std::move(below), counters_);
    EXPECT_THAT(made, IsOk());
    return {*std::move(made), std::move(peer)};
  }
  FlowCounts Counts() const { return counters_->Get(); }

  const std::shared_ptr<FlowCounters> counters_ =
      std::make_shared<FlowCounters>();
};

// "What a call has moved is counted before the call returns."
TEST_F(CountingTest, BytesAndStepsAreCountedEachWay) {
  auto [f, peer] = Make();
  ASSERT_THAT(f.Write("12345"), IsOk());
  ASSERT_THAT(f.Write("678"), IsOk());
  ASSERT_THAT(peer.Write("ab"), IsOk());
  EXPECT_THAT(f.Read(kLong), IsData("ab"));
  EXPECT_EQ(Counts().written.bytes, 8);
  EXPECT_EQ(Counts().written.steps, 2);
  EXPECT_EQ(Counts().read.bytes, 2);
  EXPECT_EQ(Counts().read.steps, 1);
  EXPECT_EQ(Counts().ToString(),
            "2 B in 1 steps, 8 B out 2 steps, 1 of 1 flows open");
}

TEST_F(CountingTest, WaitsAreCounted) {
  auto [f, peer] = Make();
  ASSERT_THAT(f.Write("0123456789"), IsOk());
  EXPECT_THAT(f.Write("!", absl::Milliseconds(200)),
              IsKind(ErrorKind::kDeadline));
  EXPECT_GE(Counts().written.waits, 1);
  EXPECT_EQ(Counts().written.bytes, 10);
  EXPECT_EQ(Counts().read.waits, 0);
}

TEST_F(CountingTest, EndsAndFailuresAreToldApart) {
  {
    auto [f, peer] = Make();
    ASSERT_THAT(peer.Shutdown(ShutdownMode::kWrite), IsOk());
    EXPECT_THAT(f.Read(kLong), IsEof());
    ASSERT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
    EXPECT_EQ(Counts().read.ends, 1);
    EXPECT_EQ(Counts().written.ends, 1);
  }
  auto [f, peer] = Make();
  ASSERT_THAT(peer.Abort(), IsOk());
  EXPECT_THAT(f.Read(kLong), IsKind(ErrorKind::kReset));
  EXPECT_EQ(Counts().read.failures, 1);
  EXPECT_EQ(Counts().read.ends, 1);
}

TEST_F(CountingTest, CountersOutliveTheFlow) {
  {
    auto [f, peer] = Make();
    ASSERT_THAT(f.Write("12345"), IsOk());
    EXPECT_EQ(Counts().closed, 0);
  }
  EXPECT_EQ(Counts().written.bytes, 5);
  EXPECT_EQ(Counts().opened, 1);
  EXPECT_EQ(Counts().closed, 1);
}

// Any thread, at any time; and what it waits for is not what it is told by.
TEST_F(CountingTest, AnotherThreadSeesWhatABlockedFlowHasDone) {
  auto [f, peer] = Make();
  std::thread writer(
      [&f = f] { EXPECT_THAT(f.Write("0123456789 and more"), IsOk()); });
  while (Counts().written.waits == 0) std::this_thread::yield();
  EXPECT_EQ(Counts().written.bytes, 10);
  EXPECT_THAT(peer.Read(kLong), IsData("0123456789"));
  writer.join();
  EXPECT_EQ(Counts().written.bytes, 19);
}

TEST_F(CountingTest, FlowsThatShareCountersAreSummedUp) {
  auto [f, f_peer] = Make();
  auto [g, g_peer] = Make();
  ASSERT_THAT(f.Write("123"), IsOk());
  ASSERT_THAT(g.Write("4567"), IsOk());
  ASSERT_THAT(g.Abort(), IsOk());
  EXPECT_EQ(Counts().written.bytes, 7);
  EXPECT_EQ(Counts().opened, 2);
  EXPECT_EQ(Counts().closed, 1);
  EXPECT_EQ(Counts().aborted, 1);
}

TEST_F(CountingTest, ThereHaveToBeCounters) {
  auto [below, peer] = MemoryPair();
  EXPECT_THAT(Count(std::move(below), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace flow
