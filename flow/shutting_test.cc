// Shutdown and CloseGracefully, of plain flows and of layers (DESIGN, section
// 3: "Halves", "Layers", CloseGracefully).

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Attempt;
using flow::CancelSource;
using flow::ErrorKind;
using flow::Flow;
using flow::Limits;
using flow::ShutdownMode;
using testing::AllOf;

using Iovecs = absl::Span<const iovec>;

// -----------------------------------------------------------------------
// Shutdown

// "write: shutting (Shutdown cut by its limit): closed locally; Shutdown goes
// on with it".
TEST(ShuttingTest, AShutdownThatWasCutGoesOn) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  std::atomic<bool> stuck{true};
  hooks->shutdown = [&](ShutdownMode) {
    return stuck ? hooks->Blocked() : Attempt::Transferred(0);
  };
  Flow f = FlowOn(hooks, &sim);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite, sim.In(absl::Milliseconds(5))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedLocally));
  stuck = false;
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(hooks->write_shuts, 2);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(hooks->write_shuts, 2) << "done is done";
}

// limits.h: "a call that has moved nothing when a limit hits has done nothing,
// and may simply be repeated"; INVALID_ARGUMENT is "refused before anything was
// tried".
TEST(ShuttingTest, AShutdownWhoseLimitHasPassedDoesNothing) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Limits invalid;
  invalid.stall_timeout = absl::ZeroDuration();
  CancelSource source;
  source.Cancel();
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite, invalid),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite, absl::ZeroDuration()),
              IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite, source.token()),
              IsKind(ErrorKind::kCancelled));
  EXPECT_EQ(hooks->flushes + hooks->write_shuts, 0);
  EXPECT_THAT(f.Write("x"), IsOk());
}

// The same for both halves at once: the read half is not shut either. And a
// limit that is none is refused also where there is nothing to wait for.
TEST(ShuttingTest, AShutdownOfBothHalvesWhoseLimitHasPassedDoesNothing) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](Iovecs) { return Attempt::Transferred(1); };
  Flow f = FlowOn(hooks);
  Limits invalid;
  invalid.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite, invalid),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead, invalid),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite, absl::ZeroDuration()),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(hooks->read_shuts + hooks->write_shuts, 0);
  EXPECT_THAT(f.Read(), IsData());
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead, absl::ZeroDuration()), IsOk())
      << "it does not wait";
  EXPECT_THAT(f.Read(), IsEof());
}

TEST(ShuttingTest, AShutdownOfAnEndedSideIsOkWhateverItsLimits) {
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [](Iovecs) { return Attempt::Failed(EPIPE); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedByPeer));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite, absl::ZeroDuration()), IsOk());
  EXPECT_EQ(hooks->write_shuts, 0);
}

TEST(ShuttingTest, ShutdownFlushesBeforeItTellsThePeer) {
  auto hooks = std::make_shared<Hooks>();
  hooks->shutdown = [&](ShutdownMode) {
    EXPECT_EQ(hooks->flushes, 1);
    return Attempt::Transferred(0);
  };
  EXPECT_THAT(FlowOn(hooks).Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(hooks->write_shuts, 1);
}

// Bytes that were to be flushed are lost: said once, and later Shutdowns are
// OK.
TEST(ShuttingTest, AFlushThatFailsIsSaidToTheShutdown) {
  auto hooks = std::make_shared<Hooks>();
  hooks->flush = [] { return Attempt::Failed(ECONNRESET); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsKind(ErrorKind::kReset));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_EQ(hooks->write_shuts, 0);
}

TEST(ShuttingTest, ShutdownReadAnswersEofWithoutATryAndLetsTheHalfGoOnce) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](Iovecs) { return Attempt::Transferred(1); };
  Flow f = FlowOn(hooks);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f.Shutdown(ShutdownMode::kRead), IsOk());
    EXPECT_THAT(f.Read(), IsEof());
  }
  EXPECT_EQ(hooks->reads, 0);
  EXPECT_EQ(hooks->read_shuts, 1);
  EXPECT_EQ(hooks->closes, 0);
}

// A Write that queues behind a Shutdown which blocks is refused at once, not
// when the Shutdown is through.
TEST(ShuttingTest, AWriteBehindABlockedShutdownIsRefused) {
  auto hooks = std::make_shared<Hooks>();
  hooks->shutdown = [&](ShutdownMode) { return hooks->Blocked(); };
  Flow f = FlowOn(hooks);
  Background shut([&f] { return f.Shutdown(ShutdownMode::kWrite); });
  ASSERT_TRUE(WriterSleeps(f));
  EXPECT_THAT(f.Write("x", absl::Seconds(20)),
              IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.Close(), IsOk());
  shut.Get().IgnoreError();
}

TEST(ShuttingTest, AWriteThatQueuedBeforeTheShutdownWasTriedIsRefused) {
  auto hooks = std::make_shared<Hooks>();
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  absl::Notification inside;
  hooks->shutdown = [&](ShutdownMode) {
    if (!inside.HasBeenNotified()) {
      inside.Notify();
      EXPECT_TRUE(sys.WaitFor(1));  // the write, in the queue
    }
    return hooks->Blocked();
  };
  Background shut([&f] { return f.Shutdown(ShutdownMode::kWrite); });
  inside.WaitForNotification();
  EXPECT_THAT(f.Write("x", absl::Seconds(20)),
              IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.Close(), IsOk());
  shut.Get().IgnoreError();
}

TEST(ShuttingTest, CloseCutsABlockedShutdown) {
  auto hooks = std::make_shared<Hooks>();
  hooks->shutdown = [&](ShutdownMode) { return hooks->Blocked(); };
  Flow f = FlowOn(hooks);
  Background shut([&f] { return f.Shutdown(ShutdownMode::kWrite); });
  ASSERT_TRUE(WriterSleeps(f));
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(shut.Get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                IsKind(ErrorKind::kClosedLocally)));
}

TEST(ShuttingTest, ADirectionThatAFlowLacksIsShutFromBirth) {
  auto hooks = std::make_shared<Hooks>();
  hooks->can_read = false;
  Flow writer = FlowOn(hooks);
  EXPECT_THAT(writer.Read(), IsEof());
  EXPECT_THAT(writer.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_EQ(hooks->reads + hooks->read_shuts, 0);
  EXPECT_THAT(writer.Write("x"), IsOk());
  auto other = std::make_shared<Hooks>();
  other->can_write = false;
  Flow reader = FlowOn(other);
  EXPECT_THAT(reader.Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(reader.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(other->writes + other->flushes + other->write_shuts, 0);
}

// -------------------------------------------------------------------------
// layers

std::shared_ptr<Hooks> Layer() {
  auto hooks = std::make_shared<Hooks>();
  hooks->layer = true;
  return hooks;
}

// "After a Shutdown that leaves both sides shut the inner is closed too (seed);
// Read on the outer still says Eof until its own Close."
TEST(ShuttingTest, ALayerWithBothSidesShutClosesWhatIsBelow) {
  auto hooks = Layer();
  hooks->close = [] { return absl::InternalError("close(2) said no"); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_EQ(hooks->closes, 0) << "one side is open";
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_EQ(hooks->live, 0);
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_EQ(f.native_handle(), -1);
  EXPECT_THAT(f.Close(), StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ShuttingTest, ALayerThatHasReadToTheEndClosesWhatIsBelowAtItsShutdown) {
  auto hooks = Layer();
  hooks->read = [](Iovecs) { return Attempt::Eof(); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_EQ(hooks->drains, 0) << "the end has been seen";
  EXPECT_THAT(f.Read(), IsEof());
}

TEST(ShuttingTest, AFlowThatIsNoLayerStaysOpenBelow) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_EQ(hooks->closes, 0);
}

// "gracefully: end mark, FIN, drain to the peer's end for at most min(limits, 1
// s) and 1 MiB".
TEST(ShuttingTest, ALayerDrainsAMebibyteAtMost) {
  auto hooks = Layer();
  hooks->drain = [] { return Attempt::Transferred(32 << 10); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_EQ(hooks->drains, 32);
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ShuttingTest, ALayerDrainsForItsLimitAtMost) {
  auto hooks = Layer();
  hooks->drain = [&] { return hooks->Blocked(); };
  Flow f = FlowOn(hooks);
  const flow::MonoTime begin = flow::MonoTime::Now();
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite, absl::Milliseconds(10)),
              IsOk());
  EXPECT_LT(flow::MonoTime::Now() - begin, absl::Seconds(1));
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ShuttingTest, ALayersDrainThatBreaksTheRulesEndsIt) {
  auto hooks = Layer();
  hooks->drain = [] { return Attempt::Transferred(0); };
  EXPECT_THAT(FlowOn(hooks).Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_EQ(hooks->drains, 1);
  EXPECT_EQ(hooks->closes, 1);
}

// ----------------------------------------------------------------
// CloseGracefully

// "Shutdown(kWrite), bounded drain, Close. OK: the peer's end was seen."
TEST(ShuttingTest, CloseGracefullyReadsToThePeersEnd) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [&](Iovecs) {
    EXPECT_EQ(hooks->write_shuts, 1) << "the peer is told first";
    return hooks->reads < 4 ? Attempt::Transferred(7) : Attempt::Eof();
  };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)), IsOk());
  EXPECT_EQ(hooks->reads, 4);
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_THAT(f.Read(), IsKind(ErrorKind::kClosedLocally));
}

TEST(ShuttingTest, CloseGracefullyThatIsCutSaysSoAndCloses) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks, &sim);
  EXPECT_THAT(f.CloseGracefully(sim.In(absl::Milliseconds(5))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_EQ(hooks->aborts, 0);
}

TEST(ShuttingTest, CloseGracefullyThatCannotTellThePeerSaysSoAndCloses) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  hooks->shutdown = [&](ShutdownMode) { return hooks->Blocked(); };
  Flow f = FlowOn(hooks, &sim);
  EXPECT_THAT(f.CloseGracefully(sim.In(absl::Milliseconds(5))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(hooks->reads, 0);
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ShuttingTest, CloseGracefullyTellsTheErrorThatItMeetsOrFinds) {
  for (const bool before : {true, false}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
    Flow f = FlowOn(hooks);
    if (before) {
      EXPECT_THAT(f.Read(), IsKind(ErrorKind::kReset));
    }
    EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)),
                IsKind(ErrorKind::kReset));
    EXPECT_EQ(hooks->closes, 1);
  }
}

// "A sticky error = that error", also one that the write side alone has met and
// that was told before, whatever the peer goes on to send.
TEST(ShuttingTest, CloseGracefullyTellsTheErrorThatEndedTheWriteSide) {
  for (const int error : {EPIPE, ENOSPC}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->write = [error](Iovecs) {
      return Attempt::Failed(error, flow::ErrorScope::kDirection);
    };
    hooks->read = [](Iovecs) { return Attempt::Eof(); };
    Flow f = FlowOn(hooks);
    const absl::Status told = f.Write("x");
    EXPECT_THAT(told, testing::Not(IsOk()));
    EXPECT_EQ(f.CloseGracefully(absl::Seconds(20)), told);
    EXPECT_EQ(hooks->closes, 1);
    EXPECT_EQ(hooks->reads, 0) << "there is nothing to wait for";
  }
}

// A side that was cut in the middle has lost bytes too; but the peer, who sees
// the end mark, is not reset while it reads.
TEST(ShuttingTest, CloseGracefullyOfASealedFlowDrainsAndSaysSo) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [&](Iovecs from) {
    return hooks->writes == 1 && from[0].iov_len > 1 ? Attempt::Transferred(1)
                                                     : hooks->Blocked();
  };
  hooks->read = [](Iovecs) { return Attempt::Eof(); };
  Flow f = FlowOn(hooks, &sim);
  EXPECT_THAT(f.Write("xy", sim.In(absl::Milliseconds(5))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(f.CloseGracefully(sim.In(absl::Seconds(20))),
              IsKind(ErrorKind::kSealed));
  EXPECT_EQ(hooks->write_shuts, 1);
  EXPECT_EQ(hooks->reads, 1);
  EXPECT_EQ(hooks->closes, 1);
}

// The second is no reason to cut the first, and both are told the end.
TEST(ShuttingTest, TwoCloseGracefullyBothSeeThePeersEnd) {
  auto hooks = std::make_shared<Hooks>();
  std::atomic<bool> ended{false};
  hooks->read = [&](Iovecs) {
    return ended ? Attempt::Eof() : hooks->Blocked();
  };
  Flow f = FlowOn(hooks);
  Background first([&f] { return f.CloseGracefully(absl::Seconds(20)); });
  ASSERT_TRUE(ReaderSleeps(f));
  Background second([&f] { return f.CloseGracefully(absl::Seconds(20)); });
  while (f.GetStats().queued_reads == 0) std::this_thread::yield();
  EXPECT_EQ(hooks->closes, 0);
  ended = true;
  hooks->signal.Notify();
  EXPECT_THAT(first.Get(), IsOk());
  EXPECT_THAT(second.Get(), IsOk());
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ShuttingTest, ACloseGracefullyThatIsCutByCloseSaysSo) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Background graceful([&f] { return f.CloseGracefully(absl::Seconds(20)); });
  ASSERT_TRUE(ReaderSleeps(f));
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(graceful.Get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                    IsKind(ErrorKind::kClosedLocally)));
  EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)), IsOk())
      << "the status of the first Close";
}

// flow.h: "or there is no peer's end to see, since this flow ... has done
// Shutdown(kRead)".
TEST(ShuttingTest, CloseGracefullyAfterShutdownReadDropsWhatIsThere) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [&](Iovecs) {
    return hooks->reads < 3 ? Attempt::Transferred(7) : Attempt::Eof();
  };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)), IsOk());
  EXPECT_EQ(hooks->reads, 3);
}

// A Write that waits when the reader meets the end of both sides is told that
// end, also if a Shutdown has come in between; a later one, of the Shutdown.
TEST(ShuttingTest, AWriteUnderWayIsToldTheErrorNotTheShutdownAfterIt) {
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [&](Iovecs) { return hooks->Blocked(); };
  hooks->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  Background writer([&f] { return f.Write("x"); });
  ASSERT_TRUE(WriterSleeps(f));
  sys.Freeze();  // the writer wakes only when it is let
  EXPECT_THAT(f.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
  sys.Thaw();
  EXPECT_THAT(writer.Get(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedLocally));
}

// status.h: "carries a payload with ... both endpoints", also where no failure
// of the transport is behind it.
TEST(ShuttingTest, EveryStatusNamesBothEndpoints) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks, &sim);
  hooks->write = [&](Iovecs from) {
    return from[0].iov_len > 1 ? Attempt::Transferred(1) : hooks->Blocked();
  };
  std::vector<absl::Status> told;
  told.push_back(f.Read(sim.In(absl::Milliseconds(1))).status());
  told.push_back(
      f.Write("xy", sim.In(absl::Milliseconds(5))));  // cut, which seals
  told.push_back(f.Write("x"));
  told.push_back(f.WaitPeerEnd(flow::PeerEnd::kGone).status());
  EXPECT_THAT(f.Close(), IsOk());
  told.push_back(f.Read().status());
  told.push_back(f.ReleaseTransport().status());
  for (const absl::Status& status : told) {
    const auto detail = flow::DetailOf(status);
    ASSERT_TRUE(detail.has_value()) << status;
    EXPECT_EQ(detail->local, "a") << status;
    EXPECT_EQ(detail->peer, "b") << status;
    EXPECT_FALSE(detail->operation.empty()) << status;
  }
}

// "Readers wake with CANCELLED", and none of them gets what is drained.
TEST(ShuttingTest, CloseGracefullyTakesTheReadSideFromBlockedReads) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Background reader([&f] { return f.Read(); });
  ASSERT_TRUE(ReaderSleeps(f));
  hooks->shutdown = [&](ShutdownMode) {
    hooks->read = [](Iovecs) { return Attempt::Eof(); };
    return Attempt::Transferred(0);
  };
  EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)), IsOk());
  EXPECT_THAT(reader.Get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                  IsKind(ErrorKind::kClosedLocally)));
}

TEST(ShuttingTest, CloseGracefullyAfterEofReadsNoMore) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](Iovecs) { return Attempt::Eof(); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)), IsOk());
  EXPECT_EQ(hooks->reads, 1);
}

// A flow that can't read has no peer's end to wait for, and its transport no
// TryRead that could be called.
TEST(ShuttingTest, CloseGracefullyOfAWriteOnlyFlowReadsNothing) {
  auto hooks = std::make_shared<Hooks>();
  hooks->can_read = false;
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.CloseGracefully(absl::Milliseconds(50)), IsOk());
  EXPECT_EQ(hooks->reads, 0);
  EXPECT_EQ(hooks->write_shuts, 1);
  EXPECT_EQ(hooks->closes, 1);
}

}  // namespace
}  // namespace flow_testing
