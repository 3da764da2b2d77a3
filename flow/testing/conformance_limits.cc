// Limits: deadlines, stall limits and tokens, on every kind of call. A limit is
// the caller's, not the flow's: it never sticks.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/testing/conformance.h"
#include "flow/testing/conformance_support.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using conformance::Background;
using conformance::Exchange;
using conformance::kLate;
using conformance::kLong;
using conformance::kShort;
using conformance::Lateness;
using conformance::Pattern;
using conformance::ReadCall;
using conformance::ReadCalls;
using conformance::ReadExactly;
using conformance::WriteCall;
using conformance::WriteCalls;
using ::flow::CancelSource;
using ::flow::ErrorKind;
using ::flow::Limits;
using ::flow::MonoTime;
using ::flow::OrEof;
using ::flow::PeerEnd;
using ::flow::ShutdownMode;

using Flow = TestedFlow;  // whoever makes its calls

void ExpectTimedOut(const absl::Status& s, absl::string_view what) {
  EXPECT_THAT(s, StatusIs(absl::StatusCode::kDeadlineExceeded)) << what;
  EXPECT_THAT(s, IsKind(ErrorKind::kDeadline)) << what;
  EXPECT_EQ(flow::BytesDone(s), 0u) << what;
}

void ExpectCancelled(const absl::Status& s, absl::string_view what) {
  EXPECT_THAT(s, StatusIs(absl::StatusCode::kCancelled)) << what;
  EXPECT_THAT(s, IsKind(ErrorKind::kCancelled)) << what;
  EXPECT_EQ(flow::BytesDone(s), 0u) << what;
}

// Every call, also the empty ones, with limits that were passed before it.
template <typename Expectation>
void TryAll(Flow& reads, Flow& writes, const Limits& limits,
            const Expectation& expect) {
  for (const ReadCall& read : ReadCalls()) {
    expect(read.call(reads, limits).status(), read.name);
  }
  expect(reads.ReadInto(absl::Span<char>(), limits).status(), "empty ReadInto");
  for (const WriteCall& write : WriteCalls()) {
    expect(write.call(writes, "not sent", limits), write.name);
    expect(write.call(writes, "", limits), write.name);
  }
}

// Case 37, case 38: past, negative and zero: DEADLINE_EXCEEDED at once, no byte
// moved though data waits and there is room; never "-1 means for ever".
TEST_P(FlowConformance, APastDeadlineMovesNoByte) {
  ASSERT_THAT(a().Write("d", kLong), IsOk());
  const Limits past[] = {
      absl::InfinitePast(),      MonoTime::Past(),
      absl::ZeroDuration(),      absl::Nanoseconds(-1),
      -absl::InfiniteDuration(), absl::Now() - absl::Hours(1),
      MonoTime::Now(),
  };
  for (const Limits& limits : past) TryAll(b(), a(), limits, ExpectTimedOut);
  EXPECT_THAT(ReadExactly(b(), 1), IsOkAndHolds("d"));
  EXPECT_THAT(Exchange(a(), b(), "next"), IsOk());
}

// Case 47: the same for a token; and cancelled comes before past.
TEST_P(FlowConformance, ATokenCancelledBeforeMovesNoByte) {
  ASSERT_THAT(a().Write("d", kLong), IsOk());
  CancelSource stop;
  stop.Cancel();
  TryAll(b(), a(), stop.token(), ExpectCancelled);
  Limits both = absl::InfinitePast();
  both.cancel = stop.token();
  TryAll(b(), a(), both, ExpectCancelled);
  EXPECT_THAT(ReadExactly(b(), 1), IsOkAndHolds("d"));
  EXPECT_THAT(Exchange(a(), b(), "next"), IsOk());
}

// The order of checks: endings come before limits, limits before lengths.
TEST_P(FlowConformance, EndingsComeBeforeLimits) {
  const Limits past = absl::InfinitePast();
  ASSERT_THAT(End(a()), IsOk());
  ASSERT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  for (const ReadCall& read : ReadCalls()) {
    EXPECT_THAT(read.call(b(), past), IsOkAndHolds(IsEof())) << read.name;
  }
  EXPECT_THAT(b().ReadInto(absl::Span<char>(), past), IsOkAndHolds(IsEof()));
  for (const WriteCall& write : WriteCalls()) {
    EXPECT_THAT(write.call(a(), "x", past), IsKind(ErrorKind::kClosedLocally))
        << write.name;
  }
  EXPECT_THAT(a().Shutdown(ShutdownMode::kWrite, past), IsOk());
  EXPECT_THAT(b().Shutdown(ShutdownMode::kRead, past), IsOk());
  EXPECT_THAT(b().Close(), IsOk());
  EXPECT_THAT(b().Read(past).status(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(b().Shutdown(ShutdownMode::kReadWrite, past), IsOk());
}

// Case 38: an endless deadline is no limit at all.
TEST_P(FlowConformance, AnInfiniteDeadlineWaits) {
  for (const Limits& endless : {Limits(absl::InfiniteFuture()),
                                Limits(absl::InfiniteDuration()), Limits()}) {
    Background<absl::StatusOr<OrEof<flow::Buffer>>> read(
        [&] { return b().Read(endless); });
    ASSERT_TRUE(conformance::WaitUntilReading(b()));
    ASSERT_THAT(a().Write("x", kLong), IsOk());
    EXPECT_EQ(conformance::Outcome(read.Get()), "data: x");
  }
}

// P3, case 39: never early, and not much too late, from 1 ns to a second.
TEST_P(FlowConformance, DeadlinesAreNeverEarlyAndNotLate) {
  for (const absl::Duration wait :
       {absl::Nanoseconds(1), absl::Nanoseconds(500), absl::Microseconds(3),
        absl::Microseconds(400), absl::Milliseconds(1), absl::Milliseconds(2),
        absl::Milliseconds(7), absl::Milliseconds(19), absl::Milliseconds(21),
        absl::Milliseconds(45), absl::Milliseconds(120)}) {
    const MonoTime due = MonoTime::In(wait);
    const absl::Status s = b().Read(due).status();
    const absl::Duration late = Lateness(due);
    EXPECT_THAT(s, IsKind(ErrorKind::kDeadline)) << wait;
    EXPECT_GE(late, absl::ZeroDuration()) << "early, for " << wait;
    EXPECT_LT(late, absl::Milliseconds(50) + kLate) << "late, for " << wait;
  }
}

// The same for a Write that has no room.
TEST_P(FlowConformance, DeadlinesOfWritesAreNeverEarlyAndNotLate) {
  ASSERT_THAT(Clog(a()), IsOk());
  for (const WriteCall& write : WriteCalls()) {
    for (const absl::Duration wait :
         {absl::Microseconds(1), absl::Milliseconds(3), kShort}) {
      MonoTime due;
      const absl::Status s = UntilItBlocks(a(), [&] {
        due = MonoTime::In(wait);
        return write.call(a(), "x", due);
      });
      const absl::Duration late = Lateness(due);
      EXPECT_THAT(s, IsKind(ErrorKind::kDeadline)) << write.name;
      EXPECT_GE(late, absl::ZeroDuration()) << write.name << " early";
      EXPECT_LT(late, absl::Milliseconds(50) + kLate) << write.name << " late";
    }
  }
}

// One Limits object is one total for all the calls that it is used for.
TEST_P(FlowConformance, OneLimitsObjectIsOneTotal) {
  const Limits total = kShort;
  ASSERT_THAT(a().Write("x", kLong), IsOk());
  ASSERT_THAT(ReadExactly(b(), 1, kLong), IsOk());
  EXPECT_THAT(b().Read(total).status(), IsKind(ErrorKind::kDeadline));
  EXPECT_GE(Lateness(total.deadline), absl::ZeroDuration());
  ASSERT_THAT(a().Write("y", kLong), IsOk());
  EXPECT_THAT(b().Read(total).status(), IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(ReadExactly(b(), 1), IsOkAndHolds("y"));
}

// Case 40: a limit of a Read harms neither side.
TEST_P(FlowConformance, ALimitOfAReadLeavesTheFlowAsItWas) {
  for (int i = 0; i < 3; ++i) {
    for (const ReadCall& read : ReadCalls()) {
      EXPECT_THAT(read.call(b(), absl::Milliseconds(5)).status(),
                  IsKind(ErrorKind::kDeadline));
    }
  }
  if (target().duplex) {
    EXPECT_THAT(Exchange(b(), a(), "out"), IsOk());
  }
  EXPECT_THAT(Exchange(a(), b(), "in"), IsOk());
  ASSERT_THAT(End(a()), IsOk());
  EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
}

// "stall_timeout": the longest time without progress; <= 0 is INVALID_ARGUMENT
// and moves nothing.
TEST_P(FlowConformance, StallLimitsEndIdleCalls) {
  Limits stall;
  stall.stall_timeout = kShort;
  MonoTime due = MonoTime::In(kShort);
  EXPECT_THAT(b().Read(stall).status(), IsKind(ErrorKind::kDeadline));
  EXPECT_GE(Lateness(due), absl::ZeroDuration()) << "early";
  ASSERT_THAT(a().Write("d", kLong), IsOk());
  for (const absl::Duration bad : {absl::ZeroDuration(), absl::Nanoseconds(-1),
                                   -absl::InfiniteDuration()}) {
    Limits invalid;
    invalid.stall_timeout = bad;
    TryAll(
        b(), a(), invalid, [](const absl::Status& s, absl::string_view what) {
          EXPECT_THAT(s, StatusIs(absl::StatusCode::kInvalidArgument)) << what;
        });
  }
  // What is there is read; how soon it is there is the kernel's affair.
  Limits patient;
  patient.stall_timeout = kLong;
  EXPECT_THAT(ReadExactly(b(), 1, patient), IsOkAndHolds("d"));
  ASSERT_THAT(Clog(a()), IsOk());
  const absl::Status stalled = UntilItBlocks(a(), [&] {
    due = MonoTime::In(kShort);
    return a().Write("x", stall);
  });
  EXPECT_THAT(stalled, IsKind(ErrorKind::kDeadline));
  EXPECT_GE(Lateness(due), absl::ZeroDuration()) << "early";
}

// Case 46: Cancel frees a call that is blocked, in each form of Read.
TEST_P(FlowConformance, ATokenFreesABlockedRead) {
  for (const ReadCall& read : ReadCalls()) {
    Step(read.name);
    CancelSource stop;
    Background<absl::Status> blocked(
        [&] { return read.call(b(), stop.token()).status(); });
    ASSERT_TRUE(conformance::WaitUntilReading(b()));
    const MonoTime before = MonoTime::Now();
    stop.Cancel();
    ExpectCancelled(blocked.Get(), read.name);
    EXPECT_LT(blocked.ended() - before, absl::Milliseconds(100) + kLate);
  }
  EXPECT_THAT(Exchange(a(), b(), "x"), IsOk());
}

// ... of Write, with nothing accepted: the side is as it was ...
TEST_P(FlowConformance, ATokenFreesABlockedWrite) {
  ASSERT_THAT(Clog(a()), IsOk());
  for (const WriteCall& write : WriteCalls()) {
    Step(write.name);
    const absl::Status s = UntilItBlocks(a(), [&] {
      CancelSource stop;
      Background<absl::Status> blocked(
          [&] { return write.call(a(), "x", stop.token()); });
      conformance::WaitUntilWritingOrDone(a(), blocked);
      const MonoTime before = MonoTime::Now();
      stop.Cancel();
      const absl::Status result = blocked.Get();
      EXPECT_LT(blocked.ended() - before, absl::Milliseconds(100) + kLate);
      return result;
    });
    ExpectCancelled(s, write.name);
  }
  ASSERT_THAT(ReadCounted(a().GetStats().bytes_written), IsOk());
  EXPECT_THAT(Exchange(a(), b(), "y"), IsOk());
}

// ... and one that waits its turn behind another call. That one goes on.
TEST_P(FlowConformance, LimitsFreeACallThatWaitsItsTurn) {
  Background<absl::StatusOr<std::string>> holder(
      [this] { return ReadExactly(b(), 1); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  CancelSource stop;
  Background<absl::Status> queued(
      [&] { return b().Read(stop.token()).status(); });
  ASSERT_TRUE(conformance::WaitUntilReadsQueue(b(), 1));
  stop.Cancel();
  ExpectCancelled(queued.Get(), "queued Read");
  EXPECT_THAT(b().Read(kShort).status(), IsKind(ErrorKind::kDeadline));
  ASSERT_THAT(a().Write("x", kLong), IsOk());
  EXPECT_THAT(holder.Get(), IsOkAndHolds("x"));
  Step("the same for writes");
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> writer([&] { return a().Write(much, kLong); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  for (const WriteCall& write : WriteCalls()) {
    ExpectTimedOut(write.call(a(), "not sent", absl::Milliseconds(5)),
                   write.name);
  }
  EXPECT_TRUE(*ReadExactly(b(), much.size()) == much);
  EXPECT_THAT(writer.Get(), IsOk());
  EXPECT_THAT(Exchange(a(), b(), "next"), IsOk());
}

// "A source's deadline can be moved while calls are blocked on it": nearer ...
TEST_P(FlowConformance, ADeadlineBroughtForwardEndsABlockedCall) {
  CancelSource source;
  source.SetDeadline(absl::Hours(1));
  Background<absl::Status> read(
      [&] { return b().Read(source.token()).status(); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  const MonoTime due = MonoTime::In(kShort);
  source.SetDeadline(due);
  ExpectTimedOut(read.Get(), "Read");
  EXPECT_GE(read.ended(), due) << "early";
  EXPECT_LT(read.ended() - due, absl::Milliseconds(100) + kLate);
}

// ... and further away.
TEST_P(FlowConformance, ADeadlinePutOffKeepsACallWaiting) {
  CancelSource source;
  const MonoTime old_deadline = MonoTime::In(absl::Milliseconds(200));
  source.SetDeadline(old_deadline);
  Background<absl::StatusOr<OrEof<flow::Buffer>>> read(
      [&] { return b().Read(source.token()); });
  conformance::WaitUntilReadingOrDone(b(), read);
  source.SetDeadline(flow::kNever);
  if (MonoTime::Now() >= old_deadline) {
    // A busy machine: the deadline may have been met before it was moved.
    static_cast<void>(End(a()));
    return;
  }
  // Until the old deadline is well past: a Read of another flow tells the time.
  auto [c, d] = MakePair();
  EXPECT_THAT(d.Read(old_deadline + kShort).status(),
              IsKind(ErrorKind::kDeadline));
  EXPECT_FALSE(read.done());
  ASSERT_THAT(a().Write("x", kLong), IsOk());
  EXPECT_EQ(conformance::Outcome(read.Get()), "data: x");
}

// Case 49: one token ends the calls of many flows.
TEST_P(FlowConformance, OneTokenEndsCallsOfManyFlows) {
  constexpr size_t kFlows = 8;
  std::vector<std::pair<Flow, Flow>> pairs;
  std::vector<std::unique_ptr<Background<absl::Status>>> reads;
  CancelSource stop;
  for (size_t i = 0; i < kFlows; ++i) pairs.push_back(MakePair());
  for (auto& pair : pairs) {
    reads.push_back(std::make_unique<Background<absl::Status>>(
        [&pair, &stop] { return pair.second.Read(stop.token()).status(); }));
  }
  for (auto& pair : pairs) {
    ASSERT_TRUE(conformance::WaitUntilReading(pair.second));
  }
  const MonoTime before = MonoTime::Now();
  stop.Cancel();
  for (const auto& read : reads) {
    ExpectCancelled(read->Get(), "Read");
    EXPECT_LT(read->ended() - before, absl::Milliseconds(100) + kLate);
  }
}

// P9, case 48: when a call has returned, whatever it returned, its buffers are
// the caller's: freed at once (the address sanitizer watches).
TEST_P(FlowConformance, BuffersAreNotTouchedAfterALimit) {
  {
    auto memory = std::make_unique<char[]>(4096);
    EXPECT_THAT(
        b().ReadInto(absl::MakeSpan(memory.get(), 4096), kShort).status(),
        IsKind(ErrorKind::kDeadline));
  }
  EXPECT_THAT(Exchange(a(), b(), "after"), IsOk());
  auto much = std::make_unique<std::string>(Pattern(target().more_than_fits));
  const absl::Status cut = a().Write(*much, absl::Milliseconds(100));
  EXPECT_THAT(cut, IsKind(ErrorKind::kDeadline));
  const size_t count = flow::BytesDone(cut);
  const std::string expected = much->substr(0, count);
  much.reset();
  EXPECT_TRUE(*ReadCounted(count) == expected);
}

// WaitPeerEnd keeps limits like any other call.
TEST_P(FlowConformance, WaitPeerEndKeepsItsLimits) {
  if (!Applies(target().peer_end, "the peer's end can't be told")) return;
  EXPECT_THAT(
      b().WaitPeerEnd(PeerEnd::kFinished, absl::InfinitePast()).status(),
      IsKind(ErrorKind::kDeadline));
  const MonoTime due = MonoTime::In(kShort);
  EXPECT_THAT(b().WaitPeerEnd(PeerEnd::kFinished, due).status(),
              IsKind(ErrorKind::kDeadline));
  EXPECT_GE(Lateness(due), absl::ZeroDuration()) << "early";
  CancelSource stop;
  Background<absl::Status> blocked(
      [&] { return b().WaitPeerEnd(PeerEnd::kGone, stop.token()).status(); });
  blocked.WaitUntilAsleep();
  stop.Cancel();
  ExpectCancelled(blocked.Get(), "WaitPeerEnd");
}

}  // namespace
}  // namespace flow_testing
