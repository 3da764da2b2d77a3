// Turns: how several calls share one direction. Contract: "Several writers:
// whole Writes never interleave. Several readers: each gets a contiguous run.";
// DESIGN 2.1: the wait for a direction is a FIFO in which limits, tokens and
// Close work.

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Attempt;
using flow::CancelSource;
using flow::ErrorKind;
using flow::Flow;
using flow::ShutdownMode;
using testing::AllOf;

// Hooks whose first write takes one byte, and then waits until it is let go;
// all that is written is kept in order.
struct Clogged {
  Clogged() {
    hooks->write = [this](absl::Span<const iovec> from) {
      const uint64_t seq = hooks->signal.seq();
      if (!open.HasBeenNotified() && !taken.empty()) {
        return hooks->BlockedSince(seq);
      }
      const size_t n = open.HasBeenNotified() ? from[0].iov_len : 1;
      taken.append(static_cast<const char*>(from[0].iov_base), n);
      return Attempt::Transferred(n);
    };
  }
  void LetGo() {
    open.Notify();
    hooks->signal.Notify();
  }
  std::shared_ptr<Hooks> hooks = std::make_shared<Hooks>();
  absl::Notification open;
  std::string taken;  // by the holder of the write direction
};

// The number of calls inside can't be seen from outside; that a call has come
// to the queue is seen by its thread being about to, and the others still
// asleep.
TEST(TurnTest, WritesAreServedFirstComeFirstServed) {
  Clogged clogged;
  SleepCounter sys;
  Flow f = FlowOn(clogged.hooks, &sys);
  Background first([&f] { return f.Write("aaa"); });
  ASSERT_TRUE(sys.WaitFor(1));
  std::vector<std::unique_ptr<Background<absl::Status>>> rest;
  int asleep = 1;
  for (const char* text : {"bbb", "ccc", "ddd"}) {
    rest.push_back(std::make_unique<Background<absl::Status>>(
        [&f, text] { return f.Write(text); }));
    ASSERT_TRUE(sys.WaitFor(++asleep));
  }
  clogged.LetGo();
  EXPECT_THAT(first.Get(), IsOk());
  for (auto& write : rest) EXPECT_THAT(write->Get(), IsOk());
  EXPECT_EQ(clogged.taken, "aaabbbcccddd");
}

TEST(TurnTest, AQueuedCallEndsByItsDeadline) {
  Clogged clogged;
  Flow f = FlowOn(clogged.hooks);
  Background first([&f] { return f.Write("aaa"); });
  ASSERT_TRUE(WriterSleeps(f));
  EXPECT_THAT(f.Write("b", absl::Milliseconds(5)),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
  EXPECT_THAT(f.Write("b", absl::ZeroDuration()), IsKind(ErrorKind::kDeadline));
  clogged.LetGo();
  EXPECT_THAT(first.Get(), IsOk());
  // "With nothing accepted, nothing happened."
  EXPECT_THAT(f.Write("c"), IsOk());
  EXPECT_EQ(clogged.taken, "aaac");
}

TEST(TurnTest, AQueuedCallEndsByItsToken) {
  Clogged clogged;
  SleepCounter sys;
  Flow f = FlowOn(clogged.hooks, &sys);
  Background first([&f] { return f.Write("aaa"); });
  ASSERT_TRUE(sys.WaitFor(1));
  CancelSource source;
  Background queued([&f, &source] { return f.Write("b", source.token()); });
  ASSERT_TRUE(sys.WaitFor(2));
  source.Cancel();
  EXPECT_THAT(queued.Get(), StatusIs(absl::StatusCode::kCancelled));
  clogged.LetGo();
  EXPECT_THAT(first.Get(), IsOk());
}

TEST(TurnTest, CloseFreesTheHolderAndTheQueue) {
  Clogged clogged;
  SleepCounter sys;
  Flow f = FlowOn(clogged.hooks, &sys);
  Background first([&f] { return f.Write("aaa"); });
  ASSERT_TRUE(sys.WaitFor(1));
  std::vector<std::unique_ptr<Background<absl::Status>>> queued;
  for (int i = 0; i < 4; ++i) {
    queued.push_back(std::make_unique<Background<absl::Status>>(
        [&f] { return f.Write("b"); }));
  }
  ASSERT_TRUE(sys.WaitFor(5));
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(first.Get(),
              AllOf(StatusIs(absl::StatusCode::kCancelled),
                    IsKind(ErrorKind::kClosedLocally), HasBytesDone(1)));
  for (auto& write : queued) {
    EXPECT_THAT(write->Get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                    IsKind(ErrorKind::kClosedLocally)));
  }
  EXPECT_TRUE(Eventually([&] { return clogged.hooks->closes == 1; }));
  EXPECT_EQ(clogged.hooks->live, 0);
}

// DESIGN 2.1: "Shutdown(kWrite) takes its turn there".
TEST(TurnTest, ShutdownWaitsBehindAWriteAndAQueuedWriteBehindItIsRefused) {
  Clogged clogged;
  SleepCounter sys;
  Flow f = FlowOn(clogged.hooks, &sys);
  Background write([&f] { return f.Write("aaa"); });
  ASSERT_TRUE(sys.WaitFor(1));
  Background shut([&f] { return f.Shutdown(ShutdownMode::kWrite); });
  ASSERT_TRUE(sys.WaitFor(2));
  Background late([&f] { return f.Write("late"); });
  ASSERT_TRUE(sys.WaitFor(3));
  EXPECT_EQ(clogged.hooks->write_shuts, 0);
  clogged.LetGo();
  EXPECT_THAT(write.Get(), IsOk());
  EXPECT_THAT(shut.Get(), IsOk());
  EXPECT_THAT(late.Get(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_EQ(clogged.taken, "aaa");
  EXPECT_EQ(clogged.hooks->write_shuts, 1);
}

// Shutdown(kRead), Close and Abort "never queue".
TEST(TurnTest, ShutdownReadFreesTheHolderAndTheQueueWithEof) {
  auto hooks = std::make_shared<Hooks>();
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  Background first([&f] { return f.Read(); });
  Background second([&f] { return f.Read(); });
  ASSERT_TRUE(sys.WaitFor(2));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(first.Get(), IsEof());
  EXPECT_THAT(second.Get(), IsEof());
  EXPECT_EQ(hooks->read_shuts, 1);
}

// P3: an ending need not wait for its turn, which may be long in coming: a try
// on a disk or a device can't be woken.
TEST(TurnTest, AQueuedReadIsToldOfAnEndingThoughTheHolderIsStuckInItsTry) {
  auto hooks = std::make_shared<Hooks>();
  absl::Notification inside;
  absl::Notification go;
  hooks->read = [&](absl::Span<const iovec>) {
    inside.Notify();
    go.WaitForNotification();
    return Attempt::Eof();
  };
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  Background first([&f] { return f.Read(); });
  inside.WaitForNotification();
  Background second([&f] { return f.Read(absl::Seconds(20)); });
  ASSERT_TRUE(sys.WaitFor(1));
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(second.Get(), IsEof());
  go.Notify();
  EXPECT_THAT(first.Get(), IsEof());
}

TEST(TurnTest, AQueuedReadGetsTheEndThatTheHolderMet) {
  auto hooks = std::make_shared<Hooks>();
  std::atomic<bool> reset{false};
  hooks->read = [&](absl::Span<const iovec>) {
    const uint64_t seq = hooks->signal.seq();
    return reset ? Attempt::Failed(ECONNRESET) : hooks->BlockedSince(seq);
  };
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  Background first([&f] { return f.Read(); });
  Background second([&f] { return f.Read(); });
  ASSERT_TRUE(sys.WaitFor(2));
  reset = true;
  hooks->signal.Notify();
  EXPECT_THAT(first.Get(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(second.Get(), IsKind(ErrorKind::kReset));
  EXPECT_LE(hooks->reads, 3) << "an end is recorded, not met again";
}

// A turn that is granted between queueing and sleeping must not be slept over:
// many threads, short turns, nothing else that could wake them.
TEST(TurnTest, NoTurnIsLost) {
  constexpr int kThreads = 6;
  constexpr int kWritesEach = 3000;
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [](absl::Span<const iovec>) {
    std::this_thread::yield();  // so that others come while it is held
    return Attempt::Transferred(1);
  };
  Flow f = FlowOn(hooks);
  {
    std::vector<std::unique_ptr<Background<int>>> writers;
    for (int i = 0; i < kThreads; ++i) {
      writers.push_back(std::make_unique<Background<int>>([&f] {
        int done = 0;
        // The limit only turns a hang into a failure.
        for (int n = 0; n < kWritesEach; ++n) {
          done += f.Write("x", absl::Seconds(20)).ok();
        }
        return done;
      }));
    }
    for (auto& writer : writers) EXPECT_EQ(writer->Get(), kWritesEach);
  }
  EXPECT_EQ(f.GetStats().writes, kThreads * kWritesEach);
}

}  // namespace
}  // namespace flow_testing
