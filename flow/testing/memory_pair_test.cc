// The memory pair: each line of the table in its header, and its waits on
// simulated time, so that no test waits for real (case 114).

#include "flow/testing/memory_pair.h"

#include <sys/uio.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::Attempt;
using ::flow::ErrorKind;
using ::flow::Limits;
using ::flow::PeerEnd;
using ::flow::ShutdownMode;
using ::testing::HasSubstr;

MemoryPairOptions On(SimSyscalls& sim) {
  MemoryPairOptions options;
  options.sys = &sim;
  return options;
}

TEST(MemoryPairTest, WhatOneEndWritesTheOtherReads) {
  auto [a, b] = MemoryPair();
  ASSERT_THAT(a.Write("ping"), IsOk());
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("ping")));
  ASSERT_THAT(b.Write("pong"), IsOk());
  EXPECT_THAT(a.Read(), IsOkAndHolds(IsData("pong")));
}

TEST(MemoryPairTest, BytesWrapAroundTheRingInOrder) {
  auto [a, b] = MemoryPair(7);
  std::string sent, got;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string chunk(3 + (c - 'a') % 3, c);
    ASSERT_THAT(a.Write(chunk), IsOk());
    sent += chunk;
    char memory[7];
    while (got.size() < sent.size()) {
      auto n = b.ReadInto(absl::MakeSpan(memory));
      ASSERT_THAT(n, IsOk());
      got.append(memory, n->data());
    }
  }
  EXPECT_EQ(got, sent);
}

// Case 114: bounded; what does not fit is not taken.
TEST(MemoryPairTest, HoldsAtMostItsCapacity) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  auto [a, b] = MemoryPair(10, On(sim));
  EXPECT_THAT(a.WriteSome("hello, world"), IsOkAndHolds(10u));
  EXPECT_THAT(a.WriteSome("x", sim.In(absl::Seconds(60))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sim.elapsed(), absl::Seconds(60));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("hello, wor")));
  EXPECT_THAT(a.WriteSome("ld"), IsOkAndHolds(2u));
}

TEST(MemoryPairTest, ACapacityOfZeroIsTakenForOne) {
  auto [a, b] = MemoryPair(0);
  EXPECT_THAT(a.WriteSome("hello"), IsOkAndHolds(1u));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("h")));
}

// Case 41 on simulated time: the deadline seals, at its very instant, with the
// exact count.
TEST(MemoryPairTest, AWriteThatFindsNoRoomIsCutAtItsDeadline) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  auto [a, b] = MemoryPair(10, On(sim));
  EXPECT_THAT(a.Write("hello, world", sim.In(absl::Hours(1))),
              ::testing::AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(10)));
  EXPECT_EQ(sim.elapsed(), absl::Hours(1));
  EXPECT_THAT(a.Write("x"),
              ::testing::AllOf(IsKind(ErrorKind::kSealed), HasBytesDone(10)));
}

TEST(MemoryPairTest, AReadThatFindsNothingEndsAtItsDeadline) {
  SimSyscalls sim;
  sim.AutoAdvance(1);
  auto [a, b] = MemoryPair(10, On(sim));
  EXPECT_THAT(b.Read(sim.In(absl::Seconds(60))), IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sim.elapsed(), absl::Seconds(60));
  ASSERT_THAT(a.Write("late"), IsOk());
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("late")));
}

// "stall_timeout ... progress is a byte accepted": each byte starts it anew, so
// a call may take many times its stall limit.
TEST(MemoryPairTest, ProgressStartsTheStallLimitAnew) {
  SimSyscalls sim;
  auto [a, b] = MemoryPair(1, On(sim));
  Limits stall;
  stall.stall_timeout = absl::Seconds(10);
  absl::Status result;
  std::thread writer([&, &flow = a] { result = flow.Write("abcd", stall); });
  for (const char* expected : {"a", "b"}) {
    ASSERT_TRUE(sim.WaitForSleepers(1));
    sim.Advance(absl::Seconds(9));
    EXPECT_THAT(b.Read(), IsOkAndHolds(IsData(expected)));
    // Until the writer has put the next byte in and sleeps for room again.
    ASSERT_TRUE(sim.WaitForSleepers(1));
  }
  while (a.GetStats().bytes_written < 3) std::this_thread::yield();
  ASSERT_TRUE(sim.WaitForSleepers(1));
  sim.Advance(absl::Seconds(10));
  writer.join();
  EXPECT_THAT(result,
              ::testing::AllOf(StatusIs(absl::StatusCode::kDeadlineExceeded,
                                        HasSubstr("stall_timeout")),
                               HasBytesDone(3)));
}

// Case 114: a token works there too.
TEST(MemoryPairTest, ATokenFreesAWriteThatFindsNoRoom) {
  SimSyscalls sim;
  auto [a, b] = MemoryPair(1, On(sim));
  ASSERT_THAT(a.Write("x"), IsOk());
  flow::CancelSource stop;
  absl::Status result;
  std::thread writer(
      [&, &flow = a] { result = flow.Write("y", stop.token()); });
  ASSERT_TRUE(sim.WaitForSleepers(1));
  stop.Cancel();
  writer.join();
  EXPECT_THAT(result,
              ::testing::AllOf(IsKind(ErrorKind::kCancelled), HasBytesDone(0)));
  EXPECT_EQ(sim.elapsed(), absl::ZeroDuration());
}

// Line "Shutdown(kWrite)": what is queued, then Eof; the other way goes on.
TEST(MemoryPairTest, ShutdownWriteIsAHalfClose) {
  auto [a, b] = MemoryPair();
  ASSERT_THAT(a.Write("request"), IsOk());
  ASSERT_THAT(a.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(b.WaitPeerEnd(PeerEnd::kFinished),
              IsOkAndHolds(PeerEnd::kFinished));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("request")));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsEof()));
  ASSERT_THAT(b.Write("reply"), IsOk());
  EXPECT_THAT(a.Read(), IsOkAndHolds(IsData("reply")));
}

// Line "Shutdown(kRead)": the peer is refused, having ended nothing itself.
TEST(MemoryPairTest, ShutdownReadRefusesThePeersWrites) {
  auto [a, b] = MemoryPair();
  ASSERT_THAT(a.Write("dropped"), IsOk());
  ASSERT_THAT(b.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(a.Write("x"),
              ::testing::AllOf(StatusIs(absl::StatusCode::kFailedPrecondition),
                               IsKind(ErrorKind::kClosedByPeer)));
  ASSERT_THAT(b.Write("still"), IsOk());
  EXPECT_THAT(a.Read(), IsOkAndHolds(IsData("still")));
  // What was dropped counts as read: this close is in order.
  EXPECT_THAT(b.Close(), IsOk());
  EXPECT_THAT(a.Read(), IsOkAndHolds(IsEof()));
}

// Line "Close, having read all that came".
TEST(MemoryPairTest, CloseInOrderIsEofAndClosedByPeer) {
  auto [a, b] = MemoryPair();
  ASSERT_THAT(a.Write("last"), IsOk());
  ASSERT_THAT(a.Close(), IsOk());
  EXPECT_THAT(b.WaitPeerEnd(PeerEnd::kFinished), IsOkAndHolds(PeerEnd::kGone));
  EXPECT_THAT(b.Write("x"), IsKind(ErrorKind::kClosedByPeer));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("last")));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsEof()));
}

// Line "Close with bytes unread": like the kernel's, a reset; what had arrived
// is read first.
TEST(MemoryPairTest, CloseWithBytesUnreadIsAReset) {
  auto [a, b] = MemoryPair();
  ASSERT_THAT(a.Write("last"), IsOk());
  ASSERT_THAT(b.Write("unread"), IsOk());
  ASSERT_THAT(a.Close(), IsOk());
  EXPECT_THAT(b.WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
  EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("last")));
  EXPECT_THAT(b.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(b.Write("x"), IsKind(ErrorKind::kReset));
}

// Line "Abort" (case 28), met by the reader first and by the writer first.
TEST(MemoryPairTest, AbortIsAReset) {
  for (const bool write_first : {false, true}) {
    auto [a, b] = MemoryPair();
    EXPECT_TRUE(a.abort_is_visible());
    ASSERT_THAT(a.Write("last"), IsOk());
    ASSERT_THAT(a.Abort(), IsOk());
    if (write_first) {
      EXPECT_THAT(b.Write("x"),
                  ::testing::AllOf(StatusIs(absl::StatusCode::kUnavailable),
                                   IsKind(ErrorKind::kReset)));
    }
    EXPECT_THAT(b.Read(), IsOkAndHolds(IsData("last")));
    EXPECT_THAT(b.Read(), IsKind(ErrorKind::kReset));
    EXPECT_THAT(b.Write("x"), IsKind(ErrorKind::kReset));
    EXPECT_THAT(b.WaitPeerEnd(PeerEnd::kGone), IsOkAndHolds(PeerEnd::kGone));
  }
}

TEST(MemoryPairTest, EitherEndMayOutliveTheOther) {
  for (const bool first : {false, true}) {
    auto [a, b] = MemoryPair();
    flow::Flow& survivor = first ? a : b;
    (first ? b : a) = flow::Flow();
    EXPECT_THAT(survivor.Read(), IsOkAndHolds(IsEof()));
  }
}

TEST(MemoryPairTest, MessagesNameTheEnds) {
  MemoryPairOptions options;
  options.first_name = "client";
  options.second_name = "server";
  auto [a, b] = MemoryPair(16, options);
  EXPECT_THAT(a.ToString(), HasSubstr("client -> server"));
  EXPECT_THAT(b.ToString(), HasSubstr("server -> client"));
}

// The transports by themselves: a Wait is over once there is something to do,
// also if that came between the try and the wait.
TEST(MemoryTransportPairTest, AWaitIsOverOnceThereIsSomething) {
  auto [a, b] = MemoryTransportPair(3);
  char memory[8] = {};
  const iovec into = {memory, sizeof(memory)};
  const Attempt nothing = b->TryRead(absl::MakeConstSpan(&into, 1));
  ASSERT_TRUE(nothing.would_block());
  ASSERT_NE(nothing.wait().signal, nullptr);
  EXPECT_EQ(nothing.wait().signal->seq(), nothing.wait().seq);

  char text[] = "hello";
  const iovec parts[] = {{text, 1}, {text + 1, 4}};
  const Attempt wrote = a->TryWrite(parts);
  ASSERT_TRUE(wrote.transferred());
  EXPECT_EQ(wrote.n(), 3u);
  EXPECT_NE(nothing.wait().signal->seq(), nothing.wait().seq);

  const Attempt full = a->TryWrite(parts);
  ASSERT_TRUE(full.would_block());
  const Attempt read = b->TryRead(absl::MakeConstSpan(&into, 1));
  ASSERT_TRUE(read.transferred());
  EXPECT_EQ(absl::string_view(memory, read.n()), "hel");
  EXPECT_NE(full.wait().signal->seq(), full.wait().seq);
}

TEST(MemoryTransportPairTest, DestructionWithoutCloseCloses) {
  auto [a, b] = MemoryTransportPair();
  a.reset();
  const Attempt end = b->TryPeerEnd(PeerEnd::kGone);
  ASSERT_TRUE(end.transferred());
  EXPECT_EQ(static_cast<PeerEnd>(end.n()), PeerEnd::kGone);
}

}  // namespace
}  // namespace flow_testing
