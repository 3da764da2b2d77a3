// The ends of a flow: Close, its destructor, CloseGracefully, Abort,
// WaitPeerEnd, ReleaseTransport; and flows that are none.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/testing/conformance.h"
#include "flow/testing/conformance_support.h"
#include "flow/testing/matchers.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using conformance::Background;
using conformance::Exchange;
using conformance::kLate;
using conformance::kLong;
using conformance::Pattern;
using conformance::ReadCall;
using conformance::ReadCalls;
using conformance::ReadExactly;
using conformance::ReadToEof;
using conformance::WriteCall;
using conformance::WriteCalls;
using ::flow::CancelSource;
using ::flow::ErrorKind;
using ::flow::MonoTime;
using ::flow::PeerEnd;
using ::flow::ShutdownMode;

using Flow = TestedFlow;  // whoever makes its calls

void ExpectClosedLocally(const absl::Status& s, absl::string_view what) {
  EXPECT_THAT(s, StatusIs(absl::StatusCode::kFailedPrecondition)) << what;
  EXPECT_THAT(s, IsKind(ErrorKind::kClosedLocally)) << what;
}

// Row "closed": every call, three times.
void ExpectStaysClosed(Flow& flow) {
  for (int i = 0; i < 3; ++i) {
    for (const ReadCall& read : ReadCalls()) {
      ExpectClosedLocally(read.call(flow, {}).status(), read.name);
    }
    ExpectClosedLocally(flow.ReadInto(absl::Span<char>()).status(),
                        "empty ReadInto");
    for (const WriteCall& write : WriteCalls()) {
      ExpectClosedLocally(write.call(flow, "x", {}), write.name);
      ExpectClosedLocally(write.call(flow, "", {}), write.name);
    }
    for (const ShutdownMode mode : {ShutdownMode::kRead, ShutdownMode::kWrite,
                                    ShutdownMode::kReadWrite}) {
      EXPECT_THAT(flow.Shutdown(mode), IsOk()) << mode;
    }
    ExpectClosedLocally(flow.WaitPeerEnd(PeerEnd::kFinished).status(),
                        "WaitPeerEnd");
    ExpectClosedLocally(flow.ReleaseTransport().status(), "ReleaseTransport");
    EXPECT_EQ(flow.native_handle(), -1);
    EXPECT_THAT(flow.Close(), IsOk());
    EXPECT_THAT(flow.Abort(), IsOk());
  }
}

// What a call gives that was blocked when its flow was closed.
void ExpectCutByClose(const absl::Status& s, absl::string_view what) {
  EXPECT_THAT(s, StatusIs(absl::StatusCode::kCancelled)) << what;
  EXPECT_THAT(s, IsKind(ErrorKind::kClosedLocally)) << what;
}

// Seed: "Any subsequent read or write will return an error. A subsequent close
// will not do anything".
TEST_P(FlowConformance, AfterCloseEverythingIsClosedLocally) {
  ASSERT_THAT(a().Write("u", kLong), IsOk());
  EXPECT_THAT(b().Close(), IsOk());
  ExpectStaysClosed(b());
  EXPECT_THAT(a().Close(), IsOk());
  ExpectStaysClosed(a());
}

TEST_P(FlowConformance, AfterAbortEverythingIsClosedLocally) {
  EXPECT_THAT(a().Abort(), IsOk());
  ExpectStaysClosed(a());
}

// Close comes before any other ending.
TEST_P(FlowConformance, CloseComesBeforeOtherEndings) {
  ASSERT_THAT(End(a()), IsOk());
  ASSERT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  ASSERT_THAT(b().Shutdown(ShutdownMode::kReadWrite, kLong), IsOk());
  EXPECT_THAT(b().Close(), IsOk());
  ExpectStaysClosed(b());
}

// Case 20: Close frees every kind of call, also one that waits its turn, within
// 100 ms.
TEST_P(FlowConformance, CloseFreesBlockedReads) {
  for (const ReadCall& read : ReadCalls()) {
    Step(read.name);
    auto [c, d] = MakePair();
    Flow& flow = d;
    Background<absl::Status> first(
        [&] { return read.call(flow, {}).status(); });
    ASSERT_TRUE(conformance::WaitUntilReading(flow));
    Background<absl::Status> second(
        [&] { return read.call(flow, {}).status(); });
    ASSERT_TRUE(conformance::WaitUntilReadsQueue(flow, 1));
    const MonoTime before = MonoTime::Now();
    EXPECT_THAT(flow.Close(), IsOk());
    EXPECT_LT(MonoTime::Now() - before, absl::Milliseconds(100) + kLate);
    ExpectCutByClose(first.Get(), read.name);
    ExpectCutByClose(second.Get(), read.name);
    EXPECT_LT(first.ended() - before, absl::Milliseconds(100) + kLate);
    EXPECT_LT(second.ended() - before, absl::Milliseconds(100) + kLate);
    ExpectClosedLocally(flow.Read().status(), "Read");
  }
}

TEST_P(FlowConformance, CloseFreesBlockedWrites) {
  const std::string much = Pattern(target().more_than_fits);
  for (const WriteCall& write : WriteCalls()) {
    Step(write.name);
    auto [c, d] = MakePair();
    Flow& flow = c;
    ASSERT_THAT(Clog(flow), IsOk());
    const absl::Status cut = UntilItBlocks(flow, [&] {
      Background<absl::Status> first(
          [&] { return write.call(flow, much, {}); });
      conformance::WaitUntilWritingOrDone(flow, first);
      // WriteSome may have found room after all.
      if (first.done()) return first.Get();
      Background<absl::Status> second(
          [&] { return write.call(flow, much, {}); });
      // (A thread that is asleep may only have begun: it copies much.)
      while (flow.GetStats().queued_writes == 0 && !first.done() &&
             !second.done()) {
        std::this_thread::yield();
      }
      if (first.done()) conformance::WaitUntilWritingOrDone(flow, second);
      const MonoTime before = MonoTime::Now();
      EXPECT_THAT(flow.Close(), IsOk());
      EXPECT_LT(MonoTime::Now() - before, absl::Milliseconds(100) + kLate);
      const absl::Status one = first.Get();
      const absl::Status two = second.Get();
      EXPECT_LT(first.ended() - before, absl::Milliseconds(100) + kLate);
      EXPECT_LT(second.ended() - before, absl::Milliseconds(100) + kLate);
      ExpectCutByClose(two, write.name);
      return one.ok() ? two : one;
    });
    ExpectCutByClose(cut, write.name);
    ExpectClosedLocally(flow.Write("x"), "Write");
  }
}

TEST_P(FlowConformance, CloseFreesABlockedShutdown) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  Background<absl::Status> shut(
      [this] { return a().Shutdown(ShutdownMode::kWrite); });
  ASSERT_TRUE(conformance::WaitUntilWritesQueue(a(), 1));
  EXPECT_THAT(a().Close(), IsOk());
  ExpectCutByClose(write.Get(), "Write");
  ExpectCutByClose(shut.Get(), "Shutdown");
}

TEST_P(FlowConformance, CloseFreesABlockedWaitPeerEnd) {
  if (!Applies(target().peer_end, "the peer's end can't be told")) return;
  Background<absl::Status> wait(
      [this] { return b().WaitPeerEnd(PeerEnd::kFinished).status(); });
  wait.WaitUntilAsleep();
  EXPECT_THAT(b().Close(), IsOk());
  ExpectCutByClose(wait.Get(), "WaitPeerEnd");
}

// Abort "sets closed first": its own blocked calls see CANCELLED, not the
// reset.
TEST_P(FlowConformance, AbortFreesBlockedCalls) {
  Background<absl::Status> read([this] { return b().Read().status(); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  EXPECT_THAT(b().Abort(), IsOk());
  ExpectCutByClose(read.Get(), "Read");
}

// Case 21: any number of Closes at once, and one more: all OK.
TEST_P(FlowConformance, ConcurrentClosesAreAllOk) {
  Background<absl::Status> read([this] { return b().Read().status(); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  std::vector<std::unique_ptr<Background<absl::Status>>> closes;
  for (int i = 0; i < 8; ++i) {
    closes.push_back(std::make_unique<Background<absl::Status>>(
        [this] { return b().Close(); }));
  }
  for (const auto& close : closes) EXPECT_THAT(close->Get(), IsOk());
  EXPECT_THAT(b().Close(), IsOk());
  ExpectCutByClose(read.Get(), "Read");
}

// "The destructor is Close without waiting", also under a call of another
// thread.
TEST_P(FlowConformance, TheDestructorFreesBlockedCalls) {
  auto [c, d] = MakePair();
  auto reader = std::make_unique<Flow>(std::move(d));
  auto writer = std::make_unique<Flow>(std::move(c));
  const std::string much = Pattern(target().more_than_fits);
  ASSERT_THAT(Clog(*writer), IsOk());
  Flow* const w = writer.get();
  Background<absl::Status> write([w, &much] { return w->Write(much); });
  ASSERT_TRUE(conformance::WaitUntilWriting(*w));
  const MonoTime before = MonoTime::Now();
  writer.reset();
  EXPECT_LT(MonoTime::Now() - before, absl::Milliseconds(100) + kLate);
  ExpectCutByClose(write.Get(), "Write");
  auto [e, f] = MakePair();
  reader = std::make_unique<Flow>(std::move(f));
  Flow* const r = reader.get();
  Background<absl::Status> read([r] { return r->Read().status(); });
  ASSERT_TRUE(conformance::WaitUntilReading(*r));
  reader.reset();
  ExpectCutByClose(read.Get(), "Read");
}

// A destroyed flow is closed: the peer sees its end.
TEST_P(FlowConformance, TheDestructorCloses) {
  ASSERT_THAT(a().Write("l", kLong), IsOk());
  a() = Flow();
  EXPECT_THAT(ReadToEof(b()), IsOkAndHolds("l"));
}

// Case 29: Close does not wait for a peer that does not read.
TEST_P(FlowConformance, CloseDoesNotWaitForThePeer) {
  ASSERT_THAT(Clog(a()), IsOk());
  const MonoTime before = MonoTime::Now();
  EXPECT_THAT(a().Close(), IsOk());
  EXPECT_LT(MonoTime::Now() - before, absl::Milliseconds(100) + kLate);
}

// P2, case 24: a Write that Close cuts reports a count, and the peer has a
// prefix of no more than that and nothing after it.
TEST_P(FlowConformance, CloseUnderAWriteLeavesAnExactPrefix) {
  const std::string much = Pattern(target().more_than_fits);
  Background<absl::Status> write([&] { return a().Write(much); });
  ASSERT_TRUE(conformance::WaitUntilWriting(a()));
  EXPECT_THAT(a().Close(), IsOk());
  ExpectCutByClose(write.Get(), "Write");
  std::string got;
  EXPECT_THAT(ReadWhatIsLeft(b(), got), IsOk());
  EXPECT_LE(got.size(), flow::BytesDone(write.Get()));
  EXPECT_TRUE(absl::string_view(much).substr(0, got.size()) == got);
}

// "CloseGracefully: OK = the peer's end was seen": and the peer has got all.
TEST_P(FlowConformance, CloseGracefullyDeliversEverything) {
  if (!Applies(target().duplex && target().ends_are_visible, "no half-close")) {
    return;
  }
  const std::string sent = Pattern(Bulk(400'000));
  Background<absl::Status> close([&] {
    const absl::Status s = a().Write(sent, kLong);
    return s.ok() ? a().CloseGracefully(kLong) : s;
  });
  const absl::StatusOr<std::string> got = ReadToEof(b());
  ASSERT_THAT(got, IsOk());
  EXPECT_TRUE(*got == sent);
  // What comes now is dropped, however much it is.
  ASSERT_THAT(b().Write(Pattern(Bulk(300'000)), kLong), IsOk());
  EXPECT_FALSE(close.done());
  ASSERT_THAT(b().Shutdown(ShutdownMode::kWrite, kLong), IsOk());
  EXPECT_THAT(close.Get(), IsOk());
  ExpectStaysClosed(a());
}

// "DEADLINE_EXCEEDED = cut", and the flow is closed. "Readers wake with
// CANCELLED."
TEST_P(FlowConformance, CloseGracefullyThatIsCutSaysSo) {
  if (!Applies(target().duplex && target().ends_are_visible, "no half-close")) {
    return;
  }
  Background<absl::Status> read([this] { return a().Read().status(); });
  ASSERT_TRUE(conformance::WaitUntilReading(a()));
  CancelSource source;
  Background<absl::Status> close(
      [&] { return a().CloseGracefully(source.token()); });
  // The peer has been told, and says nothing.
  EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  source.SetDeadline(MonoTime::Now());
  EXPECT_THAT(close.Get(), IsKind(ErrorKind::kDeadline));
  ExpectCutByClose(read.Get(), "Read");
  ExpectStaysClosed(a());
  EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
}

// "a sticky error = that error".
TEST_P(FlowConformance, CloseGracefullyAfterAResetIsTheReset) {
  if (!Applies(target().duplex && target().abort_is_visible,
               "one-way, or an abort is not visible")) {
    return;
  }
  ASSERT_THAT(b().Abort(), IsOk());
  EXPECT_THAT(a().Read(kLong).status(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(a().CloseGracefully(kLong), IsKind(ErrorKind::kReset));
  ExpectStaysClosed(a());
}

// WaitPeerEnd: kFinished at a half-close, without reading or holding a
// direction.
TEST_P(FlowConformance, WaitPeerEndTellsTheEndOfThePeer) {
  if (!target().peer_end) {
    EXPECT_THAT(b().WaitPeerEnd(PeerEnd::kFinished, kLong).status(),
                StatusIs(absl::StatusCode::kUnimplemented));
    return;
  }
  using Result = absl::StatusOr<PeerEnd>;
  Background<Result> wait(
      [this] { return b().WaitPeerEnd(PeerEnd::kFinished, kLong); });
  wait.WaitUntilAsleep();
  EXPECT_THAT(Exchange(a(), b(), "data"), IsOk());
  ASSERT_THAT(a().Write("t", kLong), IsOk());
  EXPECT_FALSE(wait.done());
  ASSERT_THAT(End(a()), IsOk());
  EXPECT_THAT(wait.Get(), IsOk());
  EXPECT_THAT(b().WaitPeerEnd(PeerEnd::kFinished, kLong), IsOk());
  EXPECT_THAT(ReadToEof(b()), IsOkAndHolds("t"));
  EXPECT_THAT(b().WaitPeerEnd(PeerEnd::kFinished, kLong), IsOk());
}

// kGone: a reset is certain.
TEST_P(FlowConformance, WaitPeerEndTellsAReset) {
  if (!Applies(target().peer_end && target().abort_is_visible,
               "the peer's end can't be told")) {
    return;
  }
  Background<absl::StatusOr<PeerEnd>> wait(
      [this] { return b().WaitPeerEnd(PeerEnd::kGone, kLong); });
  wait.WaitUntilAsleep();
  ASSERT_THAT(a().Abort(), IsOk());
  EXPECT_THAT(wait.Get(), IsOkAndHolds(PeerEnd::kGone));
  // It has not eaten the reset (P1).
  EXPECT_THAT(b().Read(kLong).status(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(b().WaitPeerEnd(PeerEnd::kFinished, kLong),
              IsOkAndHolds(PeerEnd::kGone));
}

// ReleaseTransport: an idle flow gives its transport away and is closed; what
// is built on it goes on where it was.
TEST_P(FlowConformance, AnIdleFlowReleasesItsTransport) {
  ASSERT_THAT(a().Write("b", kLong), IsOk());
  flow::Syscalls* const sys = a().syscalls();
  absl::StatusOr<std::unique_ptr<flow::Transport>> transport =
      a().ReleaseTransport();
  ASSERT_THAT(transport, IsOk());
  EXPECT_FALSE(static_cast<bool>(a()));
  ExpectClosedLocally(a().Write("x"), "Write");
  ExpectClosedLocally(a().Read().status(), "Read");
  EXPECT_THAT(a().Close(), IsOk());
  Flow next(*std::move(transport), sys);
  Background<absl::Status> write([&] {
    const absl::Status s = next.Write("after", kLong);
    return s.ok() ? End(next) : s;
  });
  EXPECT_THAT(ReadToEof(b()), IsOkAndHolds("bafter"));
  EXPECT_THAT(write.Get(), IsOk());
}

// "FAILED_PRECONDITION while a call is under way or after an ending, and the
// flow stays as it is."
TEST_P(FlowConformance, AFlowInUseOrEndedKeepsItsTransport) {
  Background<absl::StatusOr<std::string>> read(
      [this] { return ReadExactly(b(), 1); });
  ASSERT_TRUE(conformance::WaitUntilReading(b()));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(b().ReleaseTransport().status(),
                StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  ASSERT_THAT(a().Write("x", kLong), IsOk());
  EXPECT_THAT(read.Get(), IsOkAndHolds("x"));
  ASSERT_THAT(End(a()), IsOk());
  EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  EXPECT_THAT(b().ReleaseTransport().status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(b().Read(kLong), IsOkAndHolds(IsEof()));
  EXPECT_THAT(b().Close(), IsOk());
}

// "default-constructed and moved-from answer *closed locally*".
TEST_P(FlowConformance, AFlowThatIsNoneIsClosedLocally) {
  Flow none;
  EXPECT_FALSE(static_cast<bool>(none));
  ExpectStaysClosed(none);
  Flow moved = std::move(b());
  EXPECT_FALSE(static_cast<bool>(b()));
  EXPECT_TRUE(static_cast<bool>(moved));
  ExpectStaysClosed(b());
  EXPECT_THAT(none.CloseGracefully(kLong), IsOk());
  EXPECT_THAT(Exchange(a(), moved, "goes on"), IsOk());
  // Assigning closes what was there.
  moved = Flow();
  const absl::Status gone = conformance::WriteUntilItFails(a());
  EXPECT_TRUE(flow::IsClosed(gone)) << gone;
  b() = std::move(none);
  ExpectStaysClosed(b());
}

}  // namespace
}  // namespace flow_testing
