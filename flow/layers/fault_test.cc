// InjectFaults, on simulated time: the same faults each time, and no others.

#include "flow/layers/fault.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
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
#include "flow/status.h"
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
using ::flow_testing::MemoryPair;
using ::flow_testing::SimSyscalls;
using ::flow_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class FaultTest : public ::testing::Test {
 protected:
  FaultTest() { sim_.AutoAdvance(1); }

  void Make(const FaultPlan& plan) {
    flow_testing::MemoryPairOptions on_sim;
    on_sim.sys = &sim_;
    auto [below, peer] = MemoryPair(size_t{1} << 20, on_sim);
    absl::StatusOr<Flow> made = InjectFaults(std::move(below), plan);
    ASSERT_THAT(made, IsOk());
    flow_ = *std::move(made);
    peer_ = std::move(peer);
  }

  static std::string Get(Flow& flow, size_t size) {
    std::string got(size, '\0');
    size_t have = 0;
    while (have < size) {
      auto n = flow.ReadInto(absl::MakeSpan(got).subspan(have));
      if (!n.ok() || n->is_eof()) break;
      have += n->data();
    }
    got.resize(have);
    return got;
  }
  // Where two texts differ.
  static std::vector<size_t> Differences(absl::string_view a,
                                         absl::string_view b) {
    std::vector<size_t> at;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] != b[i]) at.push_back(i);
    }
    return at;
  }

  SimSyscalls sim_;
  Flow flow_;
  Flow peer_;
};

TEST_F(FaultTest, AnEmptyPlanChangesNothing) {
  Make(FaultPlan());
  ASSERT_THAT(flow_.Write("there"), IsOk());
  EXPECT_THAT(peer_.Read(), IsData("there"));
  ASSERT_THAT(peer_.Write("and back"), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("and back"));
  EXPECT_EQ(sim_.elapsed(), absl::ZeroDuration());
}

// ------------------------------------------------------------------ corruption

TEST_F(FaultTest, ListedBytesLoseOneBitEach) {
  FaultPlan plan;
  plan.write.corrupt_at = {7, 0, 3};
  plan.read.corrupt_at = {5};
  Make(plan);
  const std::string sent = "0123456789";
  ASSERT_THAT(flow_.Write(sent), IsOk());
  const std::string got = Get(peer_, 10);
  EXPECT_THAT(Differences(sent, got), ::testing::ElementsAre(0, 3, 7));
  for (const size_t at : {0, 3, 7}) {
    const unsigned bits = static_cast<unsigned char>(sent[at]) ^
                          static_cast<unsigned char>(got[at]);
    EXPECT_EQ(bits & (bits - 1), 0) << at;
  }
  ASSERT_THAT(peer_.Write("0123"), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("0123"));
  ASSERT_THAT(peer_.Write("456789"), IsOk());
  EXPECT_THAT(Differences("456789", Get(flow_, 6)), ::testing::ElementsAre(1));
}

// P9 and P2: the caller's memory is not what is corrupted, and a byte is not
// corrupted twice by being tried twice.
TEST_F(FaultTest, TheCallersBytesStayAsTheyAre) {
  FaultPlan plan;
  plan.write.corrupt = 1;
  Make(plan);
  const std::string sent(1000, 'x');
  std::string copy = sent;
  ASSERT_THAT(flow_.Write(copy), IsOk());
  EXPECT_EQ(copy, sent);
  EXPECT_EQ(Differences(sent, Get(peer_, 1000)).size(), 1000);
}

// "depends on seed and position alone": not on how the bytes came.
TEST_F(FaultTest, TheSameSeedCorruptsTheSameBytes) {
  const std::string sent(20'000, 'x');
  std::string first;
  for (const size_t step : {20'000, 1, 777}) {
    FaultPlan plan;
    plan.seed = 42;
    plan.read.corrupt = 0.01;
    Make(plan);
    std::string got;
    for (size_t at = 0; at < sent.size(); at += step) {
      const absl::string_view part = absl::string_view(sent).substr(at, step);
      ASSERT_THAT(peer_.Write(part), IsOk());
      got += Get(flow_, part.size());
    }
    const size_t hits = Differences(sent, got).size();
    EXPECT_GT(hits, 100);
    EXPECT_LT(hits, 400);
    if (first.empty()) first = got;
    EXPECT_TRUE(got == first) << step;
  }
  FaultPlan other;
  other.seed = 43;
  other.read.corrupt = 0.01;
  Make(other);
  ASSERT_THAT(peer_.Write(sent), IsOk());
  EXPECT_FALSE(Get(flow_, sent.size()) == first);
}

// --------------------------------------------------------------------- chunks

TEST_F(FaultTest, StepsAreShortAndTheSameEachTime) {
  std::vector<size_t> first;
  for (int round = 0; round < 2; ++round) {
    FaultPlan plan;
    plan.read.max_step = 5;
    plan.write.max_step = 3;
    Make(plan);
    ASSERT_THAT(peer_.Write("0123456789abcdefghij"), IsOk());
    std::vector<size_t> steps;
    std::string got;
    while (got.size() < 20) {
      auto part = flow_.Read();
      ASSERT_THAT(part, IsOk());
      steps.push_back(part->data().size());
      got += part->data().view();
    }
    EXPECT_EQ(got, "0123456789abcdefghij");
    EXPECT_THAT(steps, ::testing::Each(::testing::Le(5)));
    absl::StatusOr<size_t> some = flow_.WriteSome("0123456789");
    ASSERT_THAT(some, IsOk());
    EXPECT_LE(*some, 3);
    steps.push_back(*some);
    if (round == 0) first = steps;
    EXPECT_EQ(steps, first);
  }
}

// -------------------------------------------------------------- cut and reset

// P1: an end that is no end is an error, in both directions, each time.
TEST_F(FaultTest, AResetComesAfterSoManyBytesWritten) {
  FaultPlan plan;
  plan.write.reset_at = 10;
  Make(plan);
  EXPECT_THAT(flow_.Write("0123456789abc"),
              AllOf(StatusIs(absl::StatusCode::kUnavailable,
                             AllOf(HasSubstr("Connection reset by peer"),
                                   HasSubstr("a fault injected after 10 bytes "
                                             "written"),
                                   HasSubstr("flow fault over memory a"))),
                    IsKind(ErrorKind::kReset), HasBytesDone(10)));
  EXPECT_THAT(flow_.Write("x"), IsKind(ErrorKind::kReset));
  EXPECT_THAT(flow_.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(flow_.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(flow_.WaitPeerEnd(PeerEnd::kGone), IsOk());
  // A prefix, and then no clean end.
  EXPECT_THAT(peer_.Read(), IsData("0123456789"));
  EXPECT_THAT(peer_.Read(), IsKind(ErrorKind::kReset));
}

TEST_F(FaultTest, AResetComesAfterSoManyBytesRead) {
  FaultPlan plan;
  plan.read.reset_at = 4;
  Make(plan);
  ASSERT_THAT(peer_.Write("0123456789"), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("0123"));
  EXPECT_THAT(flow_.Read(), IsKind(ErrorKind::kReset));
  EXPECT_EQ(ErrnoOf(flow_.Read().status()), ECONNRESET);
  EXPECT_THAT(flow_.Write("x"), IsKind(ErrorKind::kReset));
  EXPECT_THAT(peer_.Write("x"), IsKind(ErrorKind::kReset));
}

TEST_F(FaultTest, AResetWakesABlockedReader) {
  FaultPlan plan;
  plan.write.reset_at = 3;
  Make(plan);
  std::thread reader(
      [this] { EXPECT_THAT(flow_.Read(), IsKind(ErrorKind::kReset)); });
  EXPECT_TRUE(sim_.WaitForSleepers(1));
  // It may be told with its last byte or with the next one.
  EXPECT_THAT(flow_.Write("0123"), IsKind(ErrorKind::kReset));
  reader.join();
}

TEST_F(FaultTest, ACutIsNoEnd) {
  FaultPlan plan;
  plan.read.cut_at = 4;
  plan.read.reset_at = 5;
  Make(plan);
  ASSERT_THAT(peer_.Write("0123456789"), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("0123"));
  EXPECT_THAT(flow_.Read(), AllOf(StatusIs(absl::StatusCode::kDataLoss,
                                           HasSubstr("the stream was cut")),
                                  IsKind(ErrorKind::kTruncated)));
  EXPECT_THAT(flow_.Write("x"), IsKind(ErrorKind::kTruncated));
  ASSERT_THAT(flow_.Close(), IsOk());
  EXPECT_THAT(peer_.Read(), IsKind(ErrorKind::kReset));
}

TEST_F(FaultTest, AnEndAtTheStartIsAtTheStart) {
  FaultPlan plan;
  plan.write.cut_at = 0;
  Make(plan);
  EXPECT_THAT(flow_.Write("x"),
              AllOf(IsKind(ErrorKind::kTruncated), HasBytesDone(0)));
}

// A stream that ends before its fault has none.
TEST_F(FaultTest, AnEndThatIsNotReachedDoesNotCome) {
  FaultPlan plan;
  plan.read.cut_at = 5;
  Make(plan);
  ASSERT_THAT(peer_.Write("0123"), IsOk());
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("0123"));
  EXPECT_THAT(flow_.Read(), IsEof());
}

// ---------------------------------------------------------------------- delay

TEST_F(FaultTest, WhatIsReadComesLate) {
  FaultPlan plan;
  plan.read.delay = absl::Milliseconds(40);
  Make(plan);
  ASSERT_THAT(peer_.Write("hello"), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("hello"));
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(40));
  // A stream has the delay once, not for each step.
  ASSERT_THAT(peer_.Write(std::string(200'000, 'x')), IsOk());
  EXPECT_EQ(Get(flow_, 200'000).size(), 200'000);
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(80));
}

// P3: a deadline holds, and what was on its way is not lost.
TEST_F(FaultTest, ADeadlineBeforeTheDelayLosesNothing) {
  FaultPlan plan;
  plan.read.delay = absl::Milliseconds(40);
  Make(plan);
  ASSERT_THAT(peer_.Write("hello"), IsOk());
  EXPECT_THAT(flow_.Read(sim_.In(absl::Milliseconds(30))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(flow_.Read(sim_.In(absl::Milliseconds(11))), IsData("hello"));
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(40));
}

TEST_F(FaultTest, JitterKeepsTheOrder) {
  FaultPlan plan;
  plan.read.delay = absl::Milliseconds(1);
  plan.read.jitter = absl::Milliseconds(50);
  Make(plan);
  std::string sent;
  for (int i = 0; i < 100'000; ++i) sent += static_cast<char>(i + i / 256);
  ASSERT_THAT(peer_.Write(sent), IsOk());
  EXPECT_TRUE(Get(flow_, sent.size()) == sent);
  EXPECT_GE(sim_.elapsed(), absl::Milliseconds(1));
  EXPECT_LE(sim_.elapsed(), absl::Milliseconds(120));
}

TEST_F(FaultTest, AnEofComesAsLateAsBytes) {
  FaultPlan plan;
  plan.read.delay = absl::Milliseconds(40);
  Make(plan);
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Read(), IsEof());
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(40));
}

TEST_F(FaultTest, AResetBelowComesAsLateAsBytes) {
  FaultPlan plan;
  plan.read.delay = absl::Milliseconds(40);
  Make(plan);
  ASSERT_THAT(peer_.Write("last"), IsOk());
  ASSERT_THAT(peer_.Abort(), IsOk());
  EXPECT_THAT(flow_.Read(), IsData("last"));
  EXPECT_THAT(flow_.Read(), IsKind(ErrorKind::kReset));
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(40));
}

// "Bytes that wait to be read take at most `max_held` bytes of memory."
TEST_F(FaultTest, WhatIsHeldIsBounded) {
  FaultPlan plan;
  plan.read.delay = absl::Seconds(1);
  plan.max_held = 1000;
  Make(plan);
  const std::string sent(10'000, 'x');
  ASSERT_THAT(peer_.Write(sent), IsOk());
  // A thousand bytes a second, then.
  EXPECT_EQ(Get(flow_, 10'000), sent);
  EXPECT_EQ(sim_.elapsed(), absl::Seconds(10));
}

TEST_F(FaultTest, AWriteTakesSoMuchLonger) {
  FaultPlan plan;
  plan.write.delay = absl::Milliseconds(25);
  Make(plan);
  ASSERT_THAT(flow_.Write(std::string(100'000, 'x')), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(25));
  ASSERT_THAT(flow_.Write("y"), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(50));
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(sim_.elapsed(), absl::Milliseconds(75));
}

// "a deadline that is shorter than the delay leaves nothing behind": the side
// is not sealed.
TEST_F(FaultTest, AWriteThatGivesUpHasSentNothing) {
  FaultPlan plan;
  plan.write.delay = absl::Milliseconds(25);
  Make(plan);
  EXPECT_THAT(flow_.Write("never", sim_.In(absl::Milliseconds(5))),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
  ASSERT_THAT(flow_.Write("sent"), IsOk());
  EXPECT_THAT(peer_.Read(), IsData("sent"));
}

// ---------------------------------------------------------------------- plans

TEST_F(FaultTest, ImpossiblePlansAreRefused) {
  std::vector<FaultPlan> plans(6);
  plans[0].read.delay = -absl::Milliseconds(1);
  plans[1].write.delay = absl::InfiniteDuration();
  plans[2].read.jitter = -absl::InfiniteDuration();
  plans[3].write.corrupt = 1.01;
  plans[4].read.corrupt = std::numeric_limits<double>::quiet_NaN();
  plans[5].max_held = 0;
  for (const FaultPlan& plan : plans) {
    auto [below, peer] = MemoryPair();
    EXPECT_THAT(InjectFaults(std::move(below), plan),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(peer.Read(), IsEof());
  }
}

}  // namespace
}  // namespace flow
