// Close, Abort, the destructor, and taking a flow apart. P3: "Close/Cancel
// frees every waiter within 100 ms; destructors do not block"; P5: "closed
// once, no leak on any path".

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
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
using flow::ErrorKind;
using flow::Flow;
using flow::MonoTime;
using flow::ShutdownMode;
using testing::AllOf;
using testing::HasSubstr;

using Iovecs = absl::Span<const iovec>;

const auto kCutByClose = [] {
  return AllOf(StatusIs(absl::StatusCode::kCancelled),
               IsKind(ErrorKind::kClosedLocally));
};
const auto kRefused = [] {
  return AllOf(StatusIs(absl::StatusCode::kFailedPrecondition),
               IsKind(ErrorKind::kClosedLocally));
};

TEST(ClosingTest, CloseWakesBlockedReadAndBlockedWrite) {
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [&](Iovecs) { return hooks->Blocked(); };
  Flow f = FlowOn(hooks);
  Background reader([&f] { return f.Read(); });
  Background writer([&f] { return f.Write("x"); });
  ASSERT_TRUE(ReaderSleeps(f) && WriterSleeps(f));
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(reader.Get(), kCutByClose());
  EXPECT_THAT(writer.Get(), kCutByClose());
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_EQ(hooks->live, 0) << "freed by Close, not only by the destructor";
}

TEST(ClosingTest, AfterCloseEveryCallIsRefusedAndNothingIsTried) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Close(), IsOk());
  char byte;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f.Read(), kRefused());
    EXPECT_THAT(f.ReadInto({}), kRefused());
    EXPECT_THAT(f.ReadInto(absl::MakeSpan(&byte, 1)), kRefused());
    EXPECT_THAT(f.Write("x"), kRefused());
    EXPECT_THAT(f.Write(""), kRefused());
    EXPECT_THAT(f.WriteSome("x"), kRefused());
    EXPECT_THAT(f.WaitPeerEnd(flow::PeerEnd::kGone), kRefused());
    EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite), IsOk());
    EXPECT_THAT(f.CloseGracefully({}), IsOk());
    EXPECT_THAT(f.Abort(), IsOk());
    EXPECT_THAT(f.Close(), IsOk());
    EXPECT_EQ(f.native_handle(), -1);
  }
  EXPECT_EQ(hooks->reads + hooks->writes + hooks->aborts, 0);
  EXPECT_EQ(hooks->read_shuts + hooks->write_shuts, 0);
  EXPECT_EQ(hooks->closes, 1);
}

// "closed: status of the first Close".
TEST(ClosingTest, LaterClosesGiveTheStatusOfTheFirst) {
  auto hooks = std::make_shared<Hooks>();
  hooks->close = [] { return absl::InternalError("close(2) said no"); };
  Flow f = FlowOn(hooks);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f.Close(), StatusIs(absl::StatusCode::kInternal));
  }
  EXPECT_THAT(f.CloseGracefully({}), StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ClosingTest, ManyClosesAtOnceCloseOnce) {
  constexpr int kThreads = 8;
  for (int round = 0; round < 50; ++round) {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    Background reader([&f] { return f.Read(); });
    absl::BlockingCounter ready(kThreads);
    std::vector<std::unique_ptr<Background<absl::Status>>> closers;
    for (int i = 0; i < kThreads; ++i) {
      closers.push_back(std::make_unique<Background<absl::Status>>([&] {
        ready.DecrementCount();
        return f.Close();
      }));
    }
    for (auto& closer : closers) EXPECT_THAT(closer->Get(), IsOk());
    EXPECT_THAT(reader.Get(), IsKind(ErrorKind::kClosedLocally));
    EXPECT_EQ(hooks->closes, 1);
  }
}

// A transport inside of which a read is, until the test lets it out.
struct StuckRead {
  StuckRead() {
    hooks->read = [this](Iovecs) {
      inside.Notify();
      out.WaitForNotification();
      return Attempt::Transferred(1);
    };
  }
  std::shared_ptr<Hooks> hooks = std::make_shared<Hooks>();
  absl::Notification inside, out;
};

// "Close() waits for the last to leave, at most 100 ms, then leaves close(2) to
// that one. A Close that hands close(2) to another thread returns OK; later
// Closes give the stored status."
TEST(ClosingTest, CloseHandsOverToTheLastOneOutAfter100Ms) {
  StuckRead stuck;
  stuck.hooks->close = [] { return absl::InternalError("close(2) said no"); };
  Flow f = FlowOn(stuck.hooks);
  Background reader([&f] { return f.Read(); });
  stuck.inside.WaitForNotification();
  const MonoTime begin = MonoTime::Now();
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_GE(MonoTime::Now() - begin, absl::Milliseconds(100));
  EXPECT_EQ(stuck.hooks->closes, 0) << "closed under somebody's feet";
  EXPECT_THAT(f.Read(), kRefused());
  stuck.out.Notify();
  // What has moved is never lost.
  EXPECT_THAT(reader.Get(), IsOkAndHolds(IsData()));
  EXPECT_EQ(stuck.hooks->closes, 1);
  EXPECT_THAT(f.Close(), StatusIs(absl::StatusCode::kInternal));
}

TEST(ClosingTest, TheDestructorWaitsForNobody) {
  StuckRead stuck;
  std::optional<Flow> f(FlowOn(stuck.hooks));
  Background reader([&f] { return f->Read(); });
  stuck.inside.WaitForNotification();
  f.reset();  // would wait for ever: the read is let out below
  EXPECT_EQ(stuck.hooks->closes, 0);
  stuck.out.Notify();
  EXPECT_THAT(reader.Get(), IsOkAndHolds(IsData()));
  EXPECT_EQ(stuck.hooks->closes, 1);
  EXPECT_EQ(stuck.hooks->live, 0);
}

TEST(ClosingTest, TheDestructorFreesBlockedCalls) {
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [&](Iovecs) { return hooks->Blocked(); };
  std::optional<Flow> f(FlowOn(hooks));
  Background reader([&f] { return f->Read(); });
  Background writer([&f] { return f->Write("x"); });
  ASSERT_TRUE(ReaderSleeps(*f) && WriterSleeps(*f));
  f.reset();
  EXPECT_THAT(reader.Get(), kCutByClose());
  EXPECT_THAT(writer.Get(), kCutByClose());
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_EQ(hooks->live, 0);
}

TEST(ClosingTest, AMovedFlowCarriesItsBlockedCallsAlong) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Background reader([&f] { return f.Read(); });
  ASSERT_TRUE(ReaderSleeps(f));
  Flow g = std::move(f);
  EXPECT_FALSE(f);  // NOLINT(bugprone-use-after-move): what it is then
  EXPECT_THAT(f.Read(), kRefused());
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_EQ(hooks->closes, 0);
  EXPECT_THAT(g.Close(), IsOk());
  EXPECT_THAT(reader.Get(), kCutByClose());
}

TEST(ClosingTest, AssigningClosesWhatWasThere) {
  auto old_hooks = std::make_shared<Hooks>();
  auto new_hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(old_hooks);
  f = FlowOn(new_hooks);
  EXPECT_EQ(old_hooks->closes, 1);
  EXPECT_EQ(new_hooks->closes, 0);
  Flow& same = f;
  f = std::move(same);
  EXPECT_EQ(new_hooks->closes, 0);
  EXPECT_THAT(f.Write("x"), IsOk());
}

// "Abort sets closed first: a blocked Read says CANCELLED", not the reset that
// the abort itself brings about.
TEST(ClosingTest, AReadThatAnAbortCutsIsCancelled) {
  auto hooks = std::make_shared<Hooks>();
  std::atomic<bool> torn{false};
  hooks->read = [&](Iovecs) {
    const uint64_t seq = hooks->signal.seq();
    return torn ? Attempt::Failed(ECONNRESET) : hooks->BlockedSince(seq);
  };
  Flow f = FlowOn(hooks);
  hooks->abort = [&] {
    torn = true;
    hooks->signal.Notify();
  };
  Background reader([&f] { return f.Read(); });
  ASSERT_TRUE(ReaderSleeps(f));
  EXPECT_THAT(f.Abort(), IsOk());
  EXPECT_THAT(reader.Get(), kCutByClose());
  EXPECT_EQ(hooks->aborts, 1);
  EXPECT_EQ(hooks->closes, 1);
  EXPECT_THAT(f.Abort(), IsOk());
  EXPECT_EQ(hooks->aborts, 1);
}

TEST(ClosingTest, ADefaultFlowIsClosedLocally) {
  Flow f;
  EXPECT_FALSE(f);
  EXPECT_THAT(f.Read(), kRefused());
  EXPECT_THAT(f.ReadInto({}), kRefused());
  EXPECT_THAT(f.Write("x"), kRefused());
  EXPECT_THAT(f.Write(absl::Cord("x")), kRefused());
  EXPECT_THAT(f.Writev({}), kRefused());
  EXPECT_THAT(f.WriteSome("x"), kRefused());
  EXPECT_THAT(f.WaitPeerEnd(flow::PeerEnd::kGone), kRefused());
  EXPECT_THAT(f.ReleaseTransport(), kRefused());
  EXPECT_THAT(f.ReleaseFd(), kRefused());
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(f.Abort(), IsOk());
  EXPECT_THAT(f.CloseGracefully({}), IsOk());
  EXPECT_EQ(f.native_handle(), -1);
  EXPECT_EQ(f.ToString(), "no flow");
  EXPECT_FALSE(f.abort_is_visible() || f.ends_are_visible());
  EXPECT_EQ(f.local(), flow::Endpoint());
  EXPECT_EQ(f.GetStats().bytes_read, 0u);
  EXPECT_FALSE(Flow(nullptr));
}

// ------------------------------------------------------------- taking it apart

TEST(ClosingTest, AnIdleFlowGivesItsTransportAwayUnclosed) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Write("x"), IsOk());
  auto transport = f.ReleaseTransport();
  ASSERT_THAT(transport, IsOk());
  EXPECT_FALSE(f);
  EXPECT_THAT(f.Read(), kRefused());
  EXPECT_THAT(f.ReleaseTransport(), kRefused());
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_EQ(hooks->closes, 0);
  EXPECT_EQ(hooks->live, 1);
  Flow g(*std::move(transport));
  EXPECT_THAT(g.Write("x"), IsOk());
}

TEST(ClosingTest, ABusyFlowKeepsItsTransport) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Background reader([&f] { return f.Read(absl::Seconds(20)); });
  ASSERT_TRUE(ReaderSleeps(f));
  EXPECT_THAT(f.ReleaseTransport(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("a call is under way")));
  EXPECT_TRUE(f);
  EXPECT_THAT(f.Write("still"), IsOk());
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(reader.Get(), kCutByClose());
}

TEST(ClosingTest, AFlowThatHasEndedKeepsItsTransport) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](Iovecs) { return Attempt::Eof(); };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.ReleaseTransport(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  Flow g = FlowOn(hooks);
  EXPECT_THAT(g.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(g.ReleaseTransport(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(ClosingTest, AFlowOnNoFdOfItsOwnReleasesNone) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.ReleaseFd(), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(f.Write("still"), IsOk());
  EXPECT_TRUE(f);
}

// -------------------------------------------------------------------
// statistics

TEST(ClosingTest, AFlowTellsTheFactsOfItsTransport) {
  auto hooks = std::make_shared<Hooks>();
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  EXPECT_EQ(f.local().ToString(), "a");
  EXPECT_EQ(f.peer().ToString(), "b");
  EXPECT_FALSE(f.abort_is_visible());
  EXPECT_TRUE(f.ends_are_visible());
  EXPECT_EQ(f.native_handle(), -1);
  EXPECT_EQ(f.syscalls(), &sys);
  EXPECT_EQ(Flow().syscalls(), flow::Syscalls::Real());
  std::ostringstream os;
  os << f << "; " << f.GetStats();
  EXPECT_THAT(os.str(), HasSubstr("flow a -> b, open"));
  EXPECT_THAT(os.str(), HasSubstr("0 B in 0 reads, 0 B out in 0 writes"));
  EXPECT_THAT(os.str(), HasSubstr("reading: idle, writing: idle"));
}

// P3: Close waits at most 100 ms for who is inside, who then closes.
TEST(ClosingTest, CloseWaitsATenthOfASecondForATryAndLeavesTheRestToIt) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  absl::Notification inside, out;
  hooks->write = [&](Iovecs) {
    inside.Notify();
    out.WaitForNotification();
    return Attempt::Transferred(1);
  };
  Flow f = FlowOn(hooks, &sim);
  Background writer([&f] { return f.Write("a"); });
  inside.WaitForNotification();
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_EQ(sim.elapsed(), absl::Milliseconds(100));
  EXPECT_EQ(hooks->closes, 0) << "somebody is inside";
  out.Notify();
  writer.Get().IgnoreError();
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ClosingTest, StatsSayWhatTheFlowDoes) {
  auto hooks = std::make_shared<Hooks>();
  absl::Notification inside, out;
  hooks->write = [&](Iovecs) {
    inside.Notify();
    out.WaitForNotification();
    return Attempt::Transferred(2);
  };
  Flow f = FlowOn(hooks);
  EXPECT_EQ(f.GetStats().reading, flow::Activity::kIdle);
  Background reader([&f] { return f.Read(); });
  ASSERT_TRUE(ReaderSleeps(f));
  EXPECT_EQ(f.GetStats().reading, flow::Activity::kSignal);
  Background writer([&f] { return f.Write("ab"); });
  inside.WaitForNotification();
  EXPECT_EQ(f.GetStats().writing, flow::Activity::kTrying);
  out.Notify();
  EXPECT_THAT(writer.Get(), IsOk());
  EXPECT_EQ(f.GetStats().writing, flow::Activity::kIdle);
  EXPECT_EQ(f.GetStats().bytes_written, 2u);
  EXPECT_EQ(f.GetStats().writes, 1u);
  EXPECT_THAT(f.ToString(), HasSubstr("flow a -> b, open, 0 B in, 2 B out"));
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(reader.Get(), kCutByClose());
  EXPECT_THAT(f.ToString(), HasSubstr("closed"));
}

}  // namespace
}  // namespace flow_testing
