// What the limits of a connection mean, to the instant, on a clock of the
// test's (P3: never early).

#include "flow/net/served.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/core_hold.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/net/serve_options.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::kNever;
using flow::MonoTime;
using flow::ServeOptions;
using flow::internal::Cut;
using flow::internal::Served;

class Clock : public flow::Syscalls {
 public:
  MonoTime Now() override { return now; }
  MonoTime now = MonoTime::FromNanos(1'000'000'000'000);
};

class ServedTest : public testing::Test {
 protected:
  ServedTest() {
    absl::StatusOr<std::pair<Flow, Flow>> pair = flow::SocketPair();
    EXPECT_THAT(pair, IsOk());
    ours_ = std::move(pair->first);
    peer_ = std::move(pair->second);
    options_.cut_grace = absl::Milliseconds(50);
  }
  MonoTime At(int ms) const { return begin_ + absl::Milliseconds(ms); }
  Served::Look LookAt(Served& served, int ms) {
    clock_.now = At(ms);
    return served.LookAt(clock_.now);
  }

  Clock clock_;
  const MonoTime begin_ = clock_.now;
  ServeOptions options_;
  Flow ours_, peer_;
};

TEST_F(ServedTest, WithoutLimitsIsNeverLookedAt) {
  Served served(1, std::move(ours_), options_, {}, &clock_);
  EXPECT_EQ(served.FirstLook(), kNever);
  EXPECT_EQ(served.LookAt(At(1'000'000)).next, kNever);
  EXPECT_EQ(served.Finish(), Cut::kNone);
}

TEST_F(ServedTest, TotalLimitFiresTheTokenAndThenAborts) {
  options_.total_limit = absl::Milliseconds(1000);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  EXPECT_EQ(served.FirstLook(), At(1000));
  EXPECT_EQ(served.cut().deadline(), At(1000));
  EXPECT_EQ(LookAt(served, 999).next, At(1000));
  // Looked at late: the grace counts from when it should have been.
  const Served::Look cut = LookAt(served, 1020);
  EXPECT_EQ(cut.next, At(1050));
  EXPECT_FALSE(cut.abort.has_value());
  EXPECT_FALSE(served.cut().cancelled());
  const Served::Look over = LookAt(served, 1050);
  EXPECT_EQ(over.next, kNever);
  ASSERT_TRUE(over.abort.has_value());
  over.abort->Abort();
  EXPECT_THAT(served.flow().Read(), IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_EQ(served.Finish(), Cut::kTotal);
}

// A handler that its token has told of the limit is cut, though nobody else has
// looked yet.
TEST_F(ServedTest, HandlerThatEndsAfterItsTimeWasCut) {
  options_.total_limit = absl::Milliseconds(1000);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  clock_.now = At(1000);
  EXPECT_EQ(served.Finish(), Cut::kTotal);
}

TEST_F(ServedTest, IdleIsNoByteForSoLongEitherWay) {
  options_.idle_limit = absl::Milliseconds(800);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  EXPECT_EQ(served.FirstLook(), At(100));
  EXPECT_EQ(LookAt(served, 100).next, At(200));
  ASSERT_THAT(served.flow().Write("x"), IsOk());
  EXPECT_EQ(LookAt(served, 700).next, At(800));  // busy at 700, as far as seen
  ASSERT_THAT(peer_.Write("x"), IsOk());
  EXPECT_EQ(LookAt(served, 1450).next, At(1500));  // not read yet: not moved
  ASSERT_THAT(served.flow().Read(), IsData("x"));
  EXPECT_EQ(LookAt(served, 1499).next, At(1599));
  EXPECT_EQ(LookAt(served, 2298).next, At(2299));
  EXPECT_EQ(served.cut().deadline(), kNever);
  EXPECT_EQ(LookAt(served, 2299).next, At(2349));
  EXPECT_EQ(served.cut().deadline(), At(2299));
  EXPECT_TRUE(LookAt(served, 2349).abort.has_value());
  EXPECT_EQ(served.Finish(), Cut::kIdle);
}

// idle_bytes: one that sends a byte now and then to keep its place is idle.
TEST_F(ServedTest, FewerBytesThanAskedForAreIdle) {
  options_.idle_limit = absl::Milliseconds(800);
  options_.idle_bytes = 10;
  Served served(1, std::move(ours_), options_, {}, &clock_);
  ASSERT_THAT(served.flow().Write("123456789"), IsOk());
  EXPECT_EQ(LookAt(served, 400).next, At(500));
  ASSERT_THAT(served.flow().Write("0"), IsOk());
  EXPECT_EQ(LookAt(served, 500).next, At(600));  // the tenth
  ASSERT_THAT(served.flow().Write("123456789"), IsOk());
  EXPECT_EQ(LookAt(served, 1299).next, At(1300));
  EXPECT_EQ(LookAt(served, 1300).next, At(1350));
  EXPECT_EQ(served.Finish(), Cut::kIdle);
}

TEST_F(ServedTest, FirstOfTheLimitsCounts) {
  options_.total_limit = absl::Milliseconds(500);
  options_.idle_limit = absl::Milliseconds(800);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  EXPECT_EQ(LookAt(served, 450).next, At(500));
  LookAt(served, 500);
  EXPECT_EQ(served.Finish(), Cut::kTotal);
}

TEST_F(ServedTest, DrainCancelsAndIsWhatCutIt) {
  options_.total_limit = absl::Milliseconds(500);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  served.CutForDrain();
  EXPECT_TRUE(served.cut().cancelled());
  LookAt(served, 600);
  EXPECT_EQ(served.Finish(), Cut::kDrain);
}

TEST_F(ServedTest, ReplacedFlowIsTheOneThatIsWatched) {
  options_.idle_limit = absl::Milliseconds(800);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  clock_.now = At(500);
  absl::StatusOr<std::pair<Flow, Flow>> other = flow::SocketPair();
  ASSERT_THAT(other, IsOk());
  ASSERT_THAT(other->first.Write("12345"), IsOk());  // before it was ours
  served.Replace(std::move(other->first));
  EXPECT_EQ(LookAt(served, 1299).next, At(1300));
  LookAt(served, 1300);
  const Served::Look over = LookAt(served, 1350);
  ASSERT_TRUE(over.abort.has_value());
  over.abort->Abort();
  EXPECT_THAT(served.flow().Read(), IsKind(flow::ErrorKind::kClosedLocally));
  // A flow that comes after the end ends at once.
  other = flow::SocketPair();
  ASSERT_THAT(other, IsOk());
  served.Replace(std::move(other->first));
  EXPECT_THAT(served.flow().Read(), IsKind(flow::ErrorKind::kClosedLocally));
}

// What STARTTLS needs: a flow that is watched could not be taken apart.
TEST_F(ServedTest, TakenFlowCanBeTakenApart) {
  options_.idle_limit = absl::Milliseconds(800);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  EXPECT_FALSE(served.flow().ReleaseTransport().ok());
  ASSERT_THAT(served.flow().Write("x"), IsOk());
  clock_.now = At(100);
  Flow taken = served.Take();
  auto transport = taken.ReleaseTransport();
  ASSERT_THAT(transport, IsOk());
  EXPECT_EQ(LookAt(served, 899).next, At(900));  // nothing is seen to move
  served.Replace(Flow(*std::move(transport)));
  ASSERT_THAT(served.flow().Write("y"), IsOk());
  EXPECT_EQ(LookAt(served, 950).next, At(1050));
  EXPECT_EQ(served.Finish(), Cut::kNone);
}

// A handshake that was under way when the server was asked to stop.
TEST_F(ServedTest, ReplacedFlowReadsNoMoreOnceReadsHaveEnded) {
  options_.end_reads_at_stop = true;
  flow::CancelSource stopping;
  Served served(1, Flow(), options_, stopping.token(), &clock_);
  stopping.Cancel();
  served.Replace(std::move(ours_));
  EXPECT_THAT(served.flow().Read(), IsEof());
}

TEST_F(ServedTest, FlowThatIsGoneIsLeftAlone) {
  options_.total_limit = absl::Milliseconds(500);
  Served served(1, std::move(ours_), options_, {}, &clock_);
  { const Flow away = std::move(served.flow()); }
  LookAt(served, 500);
  const Served::Look over = LookAt(served, 600);
  ASSERT_TRUE(over.abort.has_value());
  over.abort->Abort();
  over.abort->EndReads();
  served.Farewell(/*in_order=*/true);
}

}  // namespace
}  // namespace flow_testing
