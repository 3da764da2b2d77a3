// WaitPeerEnd: watching for the peer's end without holding a direction. DESIGN
// 3: "kFinished: sends no more; kGone: reset or closed for certain".

#include "flow/watch.h"

#include <atomic>
#include <cerrno>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Attempt;
using flow::CancelSource;
using flow::ErrorKind;
using flow::Flow;
using flow::PeerEnd;
using testing::AllOf;

using Iovecs = absl::Span<const iovec>;

// A transport that can tell, and does when the test says so.
struct Watched {
  Watched() {
    hooks->peer_end = [this](PeerEnd at_least) {
      const uint64_t seq = hooks->signal.seq();
      asked++;
      return end >= static_cast<int>(at_least)
                 ? Attempt::Peer(static_cast<PeerEnd>(end.load()))
                 : hooks->BlockedSince(seq);
    };
  }
  void Becomes(PeerEnd now) {
    end = static_cast<int>(now);
    hooks->signal.Notify();
  }
  std::shared_ptr<Hooks> hooks = std::make_shared<Hooks>();
  std::atomic<int> end{0};
  std::atomic<int> asked{0};
};

TEST(WatchTest, WaitsForWhatWasAskedAtLeast) {
  Watched watched;
  Flow f = FlowOn(watched.hooks);
  Background finished([&f] { return f.WaitPeerEnd(PeerEnd::kFinished); });
  Background gone([&f] { return f.WaitPeerEnd(PeerEnd::kGone); });
  watched.Becomes(PeerEnd::kFinished);
  EXPECT_THAT(finished.Get(), IsOkAndHolds(PeerEnd::kFinished));
  watched.Becomes(PeerEnd::kGone);
  EXPECT_THAT(gone.Get(), IsOkAndHolds(PeerEnd::kGone));
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kFinished), IsOkAndHolds(PeerEnd::kGone));
}

TEST(WatchTest, HoldsNoDirection) {
  Watched watched;
  SleepCounter sys;
  Flow f = FlowOn(watched.hooks, &sys);
  Background watcher([&f] { return f.WaitPeerEnd(PeerEnd::kGone); });
  ASSERT_TRUE(sys.WaitFor(1));
  EXPECT_THAT(f.Write("x"), IsOk());
  watched.hooks->read = [](Iovecs) { return Attempt::Transferred(1); };
  EXPECT_THAT(f.Read(), IsOk());
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(watcher.Get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                   IsKind(ErrorKind::kClosedLocally)));
}

TEST(WatchTest, WhatIsRecordedNeedsNoQuestion) {
  Watched watched;
  watched.hooks->read = [](Iovecs) { return Attempt::Eof(); };
  Flow f = FlowOn(watched.hooks);
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
  EXPECT_EQ(watched.asked, 0);
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kGone, absl::Milliseconds(5)),
              IsKind(ErrorKind::kDeadline));

  for (const bool reader : {true, false}) {
    Watched reset;
    reset.hooks->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
    reset.hooks->write = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
    Flow g = FlowOn(reset.hooks);
    EXPECT_FALSE(reader ? g.Read().ok() : g.Write("x").ok());
    EXPECT_THAT(g.WaitPeerEnd(PeerEnd::kFinished),
                IsOkAndHolds(PeerEnd::kGone));
    EXPECT_EQ(reset.asked, 0);
  }
}

// Either side may be the one that had ended before.
TEST(WatchTest, AResetIsSeenWhateverElseIsRecorded) {
  Watched refused;
  refused.hooks->write = [](Iovecs) { return Attempt::Failed(EPIPE); };
  refused.hooks->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  Flow f = FlowOn(refused.hooks);
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedByPeer));
  EXPECT_THAT(f.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kFinished), IsOkAndHolds(PeerEnd::kGone));

  Watched finished;
  finished.hooks->read = [](Iovecs) { return Attempt::Eof(); };
  finished.hooks->write = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  Flow g = FlowOn(finished.hooks);
  EXPECT_THAT(g.Read(), IsEof());
  EXPECT_THAT(g.Write("x"), IsKind(ErrorKind::kReset));
  EXPECT_THAT(g.WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
}

// "Every call looks in this order: the first end recorded; the limits".
TEST(WatchTest, WhatIsRecordedComesBeforeLimits) {
  Watched watched;
  watched.hooks->read = [](Iovecs) { return Attempt::Eof(); };
  Flow f = FlowOn(watched.hooks);
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kFinished, absl::ZeroDuration()),
              IsOkAndHolds(PeerEnd::kFinished));
}

TEST(WatchTest, AnotherCallsResetWakesTheWatcher) {
  Watched watched;
  SleepCounter sys;
  watched.hooks->write = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  Flow f = FlowOn(watched.hooks, &sys);
  Background watcher([&f] { return f.WaitPeerEnd(PeerEnd::kGone); });
  ASSERT_TRUE(sys.WaitFor(1));
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kReset));
  EXPECT_THAT(watcher.Get(), IsOkAndHolds(PeerEnd::kGone));
}

TEST(WatchTest, LimitsEndIt) {
  Watched watched;
  SleepCounter sys;
  Flow f = FlowOn(watched.hooks, &sys);
  flow::Limits bad;
  bad.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kGone, bad),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(f.WaitPeerEnd(PeerEnd::kGone, absl::ZeroDuration()),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(watched.asked, 0);
  CancelSource source;
  Background watcher(
      [&] { return f.WaitPeerEnd(PeerEnd::kGone, source.token()); });
  ASSERT_TRUE(sys.WaitFor(1));
  source.Cancel();
  EXPECT_THAT(watcher.Get(), IsKind(ErrorKind::kCancelled));
}

TEST(WatchTest, WhereItCannotBeToldItIsUnimplemented) {
  EXPECT_THAT(FlowOn(std::make_shared<Hooks>()).WaitPeerEnd(PeerEnd::kFinished),
              StatusIs(absl::StatusCode::kUnimplemented));
}

TEST(WatchTest, AFailureToLookIsTold) {
  auto hooks = std::make_shared<Hooks>();
  hooks->peer_end = [](PeerEnd) { return Attempt::Failed(EBADF); };
  EXPECT_THAT(FlowOn(hooks).WaitPeerEnd(PeerEnd::kGone),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  hooks->peer_end = [](PeerEnd) {
    return Attempt::Failed(ErrorKind::kTruncated, flow::ErrorScope::kFlow);
  };
  EXPECT_THAT(FlowOn(hooks).WaitPeerEnd(PeerEnd::kGone),
              AllOf(StatusIs(absl::StatusCode::kDataLoss),
                    IsKind(ErrorKind::kTruncated)));
}

// transport.h: "only when certain, and at least `at_least`".
TEST(WatchTest, AnAnswerThatWasNotAskedForIsInternal) {
  for (const size_t n : {size_t{0}, size_t{1}, size_t{3}, SIZE_MAX}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->peer_end = [n](PeerEnd) { return Attempt::Transferred(n); };
    EXPECT_THAT(FlowOn(hooks).WaitPeerEnd(PeerEnd::kGone),
                StatusIs(absl::StatusCode::kInternal));
  }
  auto eof = std::make_shared<Hooks>();
  eof->peer_end = [](PeerEnd) { return Attempt::Eof(); };
  EXPECT_THAT(FlowOn(eof).WaitPeerEnd(PeerEnd::kGone),
              StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace flow_testing
