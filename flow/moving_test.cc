// Reads and writes that go well, are cut, or are refused. P2: "Exact bytes: on
// failure the count is reported and nothing is repeated, skipped or foreign."

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/job.h"
#include "flow/status.h"
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

// A transport that takes at most `step` bytes a try, `room` in all, and keeps
// them.
struct Sink {
  explicit Sink(size_t step_size, size_t room_in_all = SIZE_MAX)
      : step(step_size), room(room_in_all) {
    hooks->write = [this](Iovecs from) {
      const uint64_t seq = hooks->signal.seq();
      size_t n = 0;
      for (const iovec& piece : from) {
        const size_t part = std::min({piece.iov_len, step - n, room});
        taken.append(static_cast<const char*>(piece.iov_base), part);
        n += part;
        room -= part;
      }
      if (on_step) on_step();
      return n == 0 ? hooks->BlockedSince(seq) : Attempt::Transferred(n);
    };
  }
  std::shared_ptr<Hooks> hooks = std::make_shared<Hooks>();
  const size_t step;
  size_t room;
  std::string taken;
  std::function<void()> on_step;
};

// A layer that sends a record in pieces makes progress, though no step of the
// call is done; one that doesn't, doesn't.
TEST(MovingTest, WhatMovesBelowCountsForTheStallLimit) {
  for (const bool progresses : {true, false}) {
    SimSyscalls sim;
    sim.AutoAdvance(1);
    auto hooks = std::make_shared<Hooks>();
    int flushes = 0;
    hooks->flush = [&] {
      if (++flushes == 10) return Attempt::Transferred(0);
      const flow::Wait wait = flow::Wait::Until(sim.In(absl::Seconds(1)));
      return progresses ? Attempt::Progressed(wait) : Attempt::WouldBlock(wait);
    };
    Flow f = FlowOn(hooks, &sim);
    Limits limits;
    limits.stall_timeout = absl::Seconds(3);
    const absl::Status wrote = f.Write("x", limits);
    if (progresses) {
      EXPECT_THAT(wrote, IsOk());
      EXPECT_EQ(sim.elapsed(), absl::Seconds(9));
    } else {
      EXPECT_THAT(wrote, IsKind(ErrorKind::kDeadline));
      EXPECT_EQ(sim.elapsed(), absl::Seconds(3));
    }
  }
}

TEST(MovingTest, AWriteInManyStepsArrivesExactly) {
  for (const size_t step : {1, 2, 3, 7, 100}) {
    Sink sink(step);
    Flow f = FlowOn(sink.hooks);
    EXPECT_THAT(f.Write("hello"), IsOk());
    EXPECT_THAT(f.Writev({"", "a", "", "bcd", "ef", ""}), IsOk());
    EXPECT_THAT(f.Write(absl::Cord(" cord")), IsOk());
    EXPECT_EQ(sink.taken, "helloabcdef cord");
    EXPECT_EQ(f.GetStats().bytes_written, 16u);
    EXPECT_EQ(f.GetStats().writes, 3u);
  }
}

// "Writev: with as few system calls as there can be (one if there is room)."
TEST(MovingTest, AWritevOfManyPiecesIsOneTryForEach1024) {
  for (const int count : {1, 10, 16, 17, 1023, 1024, 1025, 10'000}) {
    Sink sink(SIZE_MAX);
    Flow f = FlowOn(sink.hooks);
    const std::vector<absl::string_view> pieces(count, "x");
    EXPECT_THAT(f.Writev(pieces), IsOk());
    EXPECT_EQ(sink.taken, std::string(count, 'x'));
    EXPECT_EQ(sink.hooks->writes, (count + 1023) / 1024);
    EXPECT_EQ(sink.hooks->flushes, 1);
  }
}

TEST(MovingTest, WritingNothingIsOkAndTriesNothing) {
  Sink sink(1);
  Flow f = FlowOn(sink.hooks);
  EXPECT_THAT(f.Write(""), IsOk());
  EXPECT_THAT(f.Write(absl::Cord()), IsOk());
  EXPECT_THAT(f.Writev({}), IsOk());
  EXPECT_THAT(f.Writev({"", ""}), IsOk());
  EXPECT_THAT(f.WriteSome(""), IsOkAndHolds(0));
  EXPECT_EQ(sink.hooks->writes, 0);
}

// P4: notifications of the past are no reason to try again.
TEST(MovingTest, ACallThatBlocksTriesOnce) {
  Sink sink(1, /*room=*/0);
  SleepCounter sys;
  Flow f = FlowOn(sink.hooks, &sys);
  EXPECT_THAT(f.Shutdown(ShutdownMode::kRead), IsOk());  // notifies
  Background writer([&f] { return f.Write("x"); });
  ASSERT_TRUE(sys.WaitFor(1));
  EXPECT_EQ(sink.hooks->writes, 1);
  EXPECT_THAT(f.Close(), IsOk());
  writer.Get().IgnoreError();
}

// A flow that always takes bytes is never asleep; its limits hold all the same.
TEST(MovingTest, AWriteThatNeverBlocksObeysItsToken) {
  Sink sink(1);
  Flow f = FlowOn(sink.hooks);
  CancelSource source;
  sink.on_step = [&] {
    if (sink.taken.size() == 5) source.Cancel();
  };
  EXPECT_THAT(f.Write("0123456789", source.token()),
              AllOf(IsKind(ErrorKind::kCancelled), HasBytesDone(5)));
  EXPECT_EQ(sink.taken, "01234");
}

TEST(MovingTest, AWriteThatNeverBlocksObeysItsDeadline) {
  Sink sink(1);
  Flow f = FlowOn(sink.hooks);
  CancelSource source;
  sink.on_step = [&] {
    if (sink.taken.size() == 5) source.SetDeadline(flow::MonoTime::Past());
  };
  EXPECT_THAT(f.Write("0123456789", source.token()),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(5)));
}

TEST(MovingTest, AWriteThatNeverBlocksObeysClose) {
  Sink sink(1);
  Flow f = FlowOn(sink.hooks);
  absl::Notification half;
  sink.on_step = [&] {
    if (sink.taken.size() != 5) return;
    half.Notify();
    // Closed once new calls are refused.
    EXPECT_TRUE(Eventually([&f] { return !f.ReadInto({}).ok(); }));
  };
  Background writer([&f] { return f.Write("0123456789"); });
  half.WaitForNotification();
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(writer.Get(),
              AllOf(StatusIs(absl::StatusCode::kCancelled),
                    IsKind(ErrorKind::kClosedLocally), HasBytesDone(5)));
  EXPECT_EQ(sink.taken, "01234");
}

TEST(MovingTest, AWriteObeysTheReadersErrorBetweenItsSteps) {
  Sink sink(1);
  Flow f = FlowOn(sink.hooks);
  sink.hooks->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  sink.on_step = [&] {
    if (sink.taken.size() == 3) f.Read().IgnoreError();
  };
  EXPECT_THAT(f.Write("0123456789"),
              AllOf(IsKind(ErrorKind::kReset), HasBytesDone(3)));
}

// -------------------------------------------------------------------------
// sealed

// "A Write cut by a limit after some bytes were accepted seals the write side:
// the status carries the count, and later writes are refused."
TEST(MovingTest, AWriteThatALimitCutsInTheMiddleSeals) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  Sink sink(3, /*room=*/5);
  Flow f = FlowOn(sink.hooks, &sim);
  EXPECT_THAT(f.Write("0123456789", sim.In(absl::Milliseconds(5))),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(5)));
  sink.room = SIZE_MAX;
  for (int i = 0; i < 3; ++i) {
    const auto sealed = AllOf(StatusIs(absl::StatusCode::kFailedPrecondition),
                              IsKind(ErrorKind::kSealed), HasBytesDone(5));
    EXPECT_THAT(f.Write("x"), sealed);
    EXPECT_THAT(f.WriteSome("x"), sealed);
    EXPECT_THAT(f.Write(""), sealed);
  }
  EXPECT_EQ(sink.taken, "01234");
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk()) << "sends the end mark";
  EXPECT_EQ(sink.hooks->write_shuts, 1);
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedLocally));
}

TEST(MovingTest, AWriteThatAStallCutsInTheMiddleSeals) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  Sink sink(3, /*room=*/5);
  Flow f = FlowOn(sink.hooks, &sim);
  Limits limits;
  limits.stall_timeout = absl::Milliseconds(5);
  EXPECT_THAT(f.Write("0123456789", limits),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(5)));
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kSealed));
}

// "stall_timeout (longest time without progress)": each byte is some.
TEST(MovingTest, AWriteThatGoesOnSlowlyDoesNotStall) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [&](Iovecs) {
    return hooks->writes % 2 == 1 ? Attempt::WouldBlock(flow::Wait::Until(
                                        sim.In(absl::Milliseconds(60))))
                                  : Attempt::Transferred(1);
  };
  Flow f = FlowOn(hooks, &sim);
  Limits limits;
  limits.stall_timeout = absl::Milliseconds(100);
  EXPECT_THAT(f.Write("0123456789", limits), IsOk());
  EXPECT_EQ(sim.elapsed(), absl::Milliseconds(600));
}

// "With nothing accepted, nothing happened."
TEST(MovingTest, AWriteThatALimitCutsBeforeTheFirstByteDoesNotSeal) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  Sink sink(3, /*room=*/0);
  Flow f = FlowOn(sink.hooks, &sim);
  EXPECT_THAT(f.Write("abc", sim.In(absl::Milliseconds(5))),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
  sink.room = SIZE_MAX;
  EXPECT_THAT(f.Write("abc"), IsOk());
  EXPECT_EQ(sink.taken, "abc");
}

// "Who wants to go on after a limit uses WriteSome."
TEST(MovingTest, WriteSomeGoesOnExactlyAfterItsLimits) {
  Sink sink(3, /*room=*/5);
  Flow f = FlowOn(sink.hooks);
  absl::string_view left = "0123456789";
  while (!left.empty()) {
    const auto n = f.WriteSome(left, absl::Milliseconds(2));
    if (n.ok()) {
      EXPECT_LE(*n, 3u);
      left.remove_prefix(*n);
    } else {
      EXPECT_THAT(n, IsKind(ErrorKind::kDeadline));
      sink.room = SIZE_MAX;
    }
  }
  EXPECT_EQ(sink.taken, "0123456789");
}

// "Bytes in a layer's out-buffer when a limit hits: the count is what TryWrite
// took; sealed only if not all were taken."
TEST(MovingTest, ALimitDuringTheFlushOfAllBytesDoesNotSeal) {
  SimSyscalls sim;  // where no time passes before the call sleeps
  sim.AutoAdvance(1);
  Sink sink(100);
  std::atomic<bool> stuck{true};
  sink.hooks->flush = [&] {
    return stuck ? sink.hooks->Blocked() : Attempt::Transferred(0);
  };
  Flow f = FlowOn(sink.hooks, &sim);
  EXPECT_THAT(f.Write("abc", sim.In(absl::Milliseconds(5))),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(3)));
  stuck = false;
  EXPECT_THAT(f.Write("def"), IsOk());
  EXPECT_EQ(sink.taken, "abcdef");
}

TEST(MovingTest, WriteSomeDoesNotWaitForTheFlush) {
  Sink sink(2);
  sink.hooks->flush = [&] { return sink.hooks->Blocked(); };
  Flow f = FlowOn(sink.hooks);
  EXPECT_THAT(f.WriteSome("abc"), IsOkAndHolds(2));
  sink.hooks->flush = [] { return Attempt::Failed(ECONNRESET); };
  EXPECT_THAT(f.WriteSome("c"), IsOkAndHolds(1)) << "taken all the same";
  EXPECT_THAT(f.WriteSome("d"), IsKind(ErrorKind::kReset));
}

// ------------------------------------------------------------------ bad
// arguments

// "Order of checks: closed, own Shutdown, the first end, limit, length."
TEST(MovingTest, ABadArgumentIsRefusedAfterStateAndLimits) {
  const absl::string_view null_view(nullptr, 5);
  // Never looked at: only its length counts.
  const absl::string_view huge(
      "x", static_cast<size_t>(std::numeric_limits<ssize_t>::max()));
  const absl::string_view larger("x", huge.size() + 1);
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  char space;
  Sink sink(SIZE_MAX);
  Flow f = FlowOn(sink.hooks);
  EXPECT_THAT(f.Write(null_view), invalid);
  EXPECT_THAT(f.WriteSome(null_view), invalid);
  EXPECT_THAT(f.Writev({"ok", null_view}), invalid);
  EXPECT_THAT(f.Writev(absl::Span<const absl::string_view>(nullptr, 2)),
              invalid);
  EXPECT_THAT(f.Writev({huge, huge}), invalid);
  EXPECT_THAT(f.Write(larger), invalid);
  EXPECT_THAT(f.ReadInto(absl::Span<char>(&space, larger.size())), invalid);
  EXPECT_THAT(f.ReadInto(absl::Span<char>(nullptr, 5)), invalid);
  EXPECT_THAT(f.Write(null_view, absl::ZeroDuration()),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sink.hooks->writes + sink.hooks->reads, 0);
  EXPECT_THAT(f.Write("still"), IsOk());
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_THAT(f.Write(null_view), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.WriteSome(null_view), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.WriteSome(""), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.Write(absl::Cord("x")), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(f.ReadInto(absl::Span<char>(nullptr, 5)), IsEof());
}

TEST(MovingTest, ABadArgumentDoesNotWaitForItsTurn) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Background reader([&f] { return f.Read(); });
  ASSERT_TRUE(ReaderSleeps(f));
  EXPECT_THAT(f.ReadInto(absl::Span<char>(nullptr, 5), absl::Seconds(20)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(f.ReadInto({}, absl::Seconds(20)), IsOkAndHolds(IsData(0)));
  EXPECT_THAT(f.Close(), IsOk());
  reader.Get().IgnoreError();
}

// --------------------------------------------------------------------------
// reads

// A transport from which `next` bytes can be had at once, for ever.
std::shared_ptr<Hooks> Source(const size_t& next, size_t& asked) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [&next, &asked](Iovecs into) {
    asked = into[0].iov_len;
    const size_t n = std::min(next, asked);
    std::fill_n(static_cast<char*>(into[0].iov_base), n, 'r');
    return Attempt::Transferred(n);
  };
  return hooks;
}

// buffer.h: "its memory fits what it holds: at most twice its size"; issue 2:
// "no 64 KiB per 10-byte message".
TEST(MovingTest, AFreshBufferFitsWhatItHolds) {
  size_t next = 0, asked = 0;
  Flow f = FlowOn(Source(next, asked));
  for (const size_t n : {10u, 1u, 40'000u, 32'768u, 1u << 20, 1u << 20,
                         1u << 20, 1u << 20, 70'000u, 10u, 10u, 10u}) {
    next = n;
    const auto got = f.Read();
    ASSERT_THAT(got, IsOk());
    const flow::Buffer& buffer = got->data();
    EXPECT_GE(buffer.size(), 1u);
    EXPECT_LE(buffer.capacity(), 2 * buffer.size());
    EXPECT_EQ(buffer.view(), std::string(buffer.size(), 'r'));
  }
}

TEST(MovingTest, ReadsGrowWithTheStreamAndShrinkAgain) {
  size_t next = SIZE_MAX, asked = 0;
  Flow f = FlowOn(Source(next, asked));
  size_t before = 0;
  for (int i = 0; i < 8; ++i) {
    ASSERT_THAT(f.Read(), IsOk());
    EXPECT_GE(asked, before);
    before = asked;
  }
  EXPECT_EQ(asked, 256u << 10);
  next = 1;
  for (int i = 0; i < 8; ++i) ASSERT_THAT(f.Read(), IsOk());
  EXPECT_EQ(asked, 32u << 10);
}

TEST(MovingTest, TheNextReadIsOfTheSizeThatTheLastOnesFilled) {
  using flow::internal::FreshReadJob;
  EXPECT_EQ(FreshReadJob::NextHint(0, 32768, 32768), 65536u);
  EXPECT_EQ(FreshReadJob::NextHint(65536, 65536, 65536), 131072u);
  EXPECT_EQ(FreshReadJob::NextHint(262144, 262144, 262144), 262144u);
  EXPECT_EQ(FreshReadJob::NextHint(65536, 65536, 16384), 65536u);
  EXPECT_EQ(FreshReadJob::NextHint(65536, 65536, 16383), 32768u);
  EXPECT_EQ(FreshReadJob::NextHint(0, 32768, 1), 0u);
}

// "A deadline already past: DEADLINE_EXCEEDED, no byte moved, even when data
// waits." The next Read has it.
TEST(MovingTest, AReadWhoseLimitHasPassedTakesNothing) {
  size_t next = 5, asked = 0;
  auto hooks = Source(next, asked);
  Flow f = FlowOn(hooks);
  CancelSource source;
  source.Cancel();
  for (const Limits& limits :
       {Limits(absl::ZeroDuration()), Limits(absl::Seconds(-1)),
        Limits(absl::InfinitePast()), Limits(source.token())}) {
    EXPECT_FALSE(f.Read(limits).ok());
  }
  EXPECT_EQ(hooks->reads, 0);
  EXPECT_THAT(f.Read(absl::InfiniteFuture()), IsOkAndHolds(IsData("rrrrr")));
  EXPECT_EQ(f.GetStats().reads, 1u);
  EXPECT_EQ(f.GetStats().bytes_read, 5u);
}

}  // namespace
}  // namespace flow_testing
