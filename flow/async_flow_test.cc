// AsyncFlow's contract beyond that of Flow: order, limits from submission,
// where callbacks run, From and Release. (The table of flow/flow.h is tested
// through futures by flow/testing/conformance_async_test.cc.)

#include "flow/async_flow.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;
using ::flow::Attempt;
using ::flow::CancelSource;
using ::flow::ErrorKind;
using ::flow::Flow;
using ::flow::Limits;
using ::flow::ShutdownMode;
using ::testing::AllOf;
using ::testing::ElementsAre;

class AsyncFlowTest : public testing::Test {
 protected:
  flow::ThreadPool pool_{1};
  AsyncContext context_{pool_};
};

// ---------------------------------------------------------------------- order

// "Per flow and direction first in, first out."
TEST_F(AsyncFlowTest, ReadsAreServedInOrder) {
  auto [a, b] = MemoryOn(context_);
  auto first = b.Read();
  auto second = b.Read();
  EXPECT_THAT(a.Write(std::string("1")).get(), IsOk());
  EXPECT_THAT(first.get(), IsData("1"));
  EXPECT_THAT(a.Write(std::string("2")).get(), IsOk());
  EXPECT_THAT(second.get(), IsData("2"));
}

// "Whole Writes never interleave", whatever form they have.
TEST_F(AsyncFlowTest, WritesAreWholeAndInOrder) {
  auto [a, b] = MemoryOn(context_, 3);
  std::vector<std::future<absl::Status>> writes;
  writes.push_back(a.Write(std::string("string ")));
  writes.push_back(a.Write(absl::Cord("cord ")));
  writes.push_back(a.Write(flow::Buffer::CopyOf("buffer ")));
  writes.push_back(a.Writev({"pie", "", "ces"}));
  auto shut = a.Shutdown(ShutdownMode::kWrite);
  std::string all;
  for (auto got = b.Read().get(); got.ok() && !got->is_eof();
       got = b.Read().get()) {
    all += got->data().ToString();
  }
  EXPECT_EQ(all, "string cord buffer pieces");
  for (auto& write : writes) EXPECT_THAT(write.get(), IsOk());
  EXPECT_THAT(shut.get(), IsOk());
}

// "Shutdown(kWrite) waits behind earlier writes; Shutdown(kRead) never queues."
TEST_F(AsyncFlowTest, ShutdownOfWritesQueuesAndOfReadsDoesNot) {
  auto [a, b] = MemoryOn(context_, 1);
  auto write = a.Write(std::string("xyz"));
  auto shut = a.Shutdown(ShutdownMode::kWrite);
  auto read = a.Read();
  EXPECT_FALSE(IsReady(shut));
  EXPECT_THAT(a.Shutdown(ShutdownMode::kRead).get(), IsOk());
  EXPECT_THAT(read.get(), IsEof());
  EXPECT_FALSE(IsReady(shut));
  for (const char* byte : {"x", "y", "z"}) {
    EXPECT_THAT(b.Read().get(), IsData(byte));
  }
  EXPECT_THAT(write.get(), IsOk());
  EXPECT_THAT(shut.get(), IsOk());
  EXPECT_THAT(a.Write(std::string("late")).get(),
              IsKind(ErrorKind::kClosedLocally));
}

// "Close and Abort never queue": all that wait end with CANCELLED.
TEST_F(AsyncFlowTest, CloseEndsEverythingThatWaits) {
  auto [a, b] = MemoryOn(context_, 1);
  std::vector<std::future<absl::Status>> writes;
  for (int i = 0; i < 3; ++i) writes.push_back(a.Write(std::string("xyz")));
  auto read = a.Read();
  auto queued = a.Read();
  auto peer_end = a.WaitPeerEnd(flow::PeerEnd::kGone);
  EXPECT_THAT(a.Close().get(), IsOk());
  EXPECT_THAT(read.get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                IsKind(ErrorKind::kClosedLocally)));
  EXPECT_THAT(queued.get(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(peer_end.get(), StatusIs(absl::StatusCode::kCancelled));
  for (auto& write : writes) {
    EXPECT_THAT(write.get(), IsKind(ErrorKind::kClosedLocally));
  }
}

// "Closed" comes first, also for an operation that is submitted while others,
// which Close has cut, have yet to go.
TEST_F(AsyncFlowTest, WhatBeginsAfterCloseIsRefusedAndNotCancelled) {
  auto hooks = std::make_shared<Hooks>();
  absl::Notification inside, go_on;
  hooks->read = [&](absl::Span<const iovec>) {
    inside.Notify();
    go_on.WaitForNotification();
    return hooks->Blocked();
  };
  AsyncFlow f = On(context_, FlowOn(hooks));
  std::future<AsyncFlow::ReadResult> cut;
  std::thread submitter([&] { cut = f.Read(); });
  inside.WaitForNotification();
  auto close = f.Close();
  auto late = f.Read();
  go_on.Notify();
  submitter.join();
  EXPECT_THAT(cut.get(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(late.get(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(close.get(), IsOk());
}

// --------------------------------------------------------------------- limits

// "Limits run from submission; time in the queue counts": nothing is behind the
// deadline but the queue.
TEST_F(AsyncFlowTest, LimitsCountInTheQueue) {
  auto [a, b] = MemoryOn(context_, 1);
  auto blocked = a.Write(std::string("xyz"));
  auto behind = a.Write(std::string("never"), absl::Milliseconds(20));
  EXPECT_THAT(behind.get(),
              AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(0)));
  CancelSource stop;
  auto cancelled = a.Write(std::string("never"), stop.token());
  stop.Cancel();
  EXPECT_THAT(cancelled.get(), IsKind(ErrorKind::kCancelled));
  Limits stalled;
  stalled.stall_timeout = absl::Milliseconds(20);
  const flow::MonoTime begin = flow::MonoTime::Now();
  EXPECT_THAT(a.Write(std::string("never"), stalled).get(),
              IsKind(ErrorKind::kDeadline));
  EXPECT_GE(flow::MonoTime::Now() - begin, absl::Milliseconds(20));
  EXPECT_FALSE(IsReady(blocked));
}

// Case 47: limits that were passed before are told at once, also in the queue.
TEST_F(AsyncFlowTest, LimitsThatHavePassedDoNotQueue) {
  auto [a, b] = MemoryOn(context_, 1);
  auto blocked = b.Read();
  CancelSource stop;
  stop.Cancel();
  EXPECT_THAT(b.Read(stop.token()).get(), IsKind(ErrorKind::kCancelled));
  EXPECT_THAT(b.Read(absl::ZeroDuration()).get(), IsKind(ErrorKind::kDeadline));
  Limits invalid;
  invalid.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(b.Read(invalid).get(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(IsReady(blocked));
}

// The stall limit is about stretches without progress: a long Write in many
// steps has none.
TEST_F(AsyncFlowTest, AStallLimitDoesNotEndAWriteThatGoesOn) {
  auto [a, b] = MemoryOn(context_, 1);
  Limits patient;
  patient.stall_timeout = absl::Seconds(20);
  const std::string sent(100, 'x');
  auto write = a.Write(sent, patient);
  std::string got;
  while (got.size() < sent.size()) {
    auto read = b.Read(patient).get();
    ASSERT_THAT(read, IsData());
    got += read->data().ToString();
  }
  EXPECT_THAT(write.get(), IsOk());
  EXPECT_EQ(got, sent);
  // And many steps in one turn of the poller.
  auto hooks = std::make_shared<Hooks>();
  hooks->write = [](absl::Span<const iovec>) {
    return Attempt::Transferred(1);
  };
  AsyncFlow f = On(context_, FlowOn(hooks));
  EXPECT_THAT(f.Write(sent, patient).get(), IsOk());
}

// A Write that a limit cuts in the middle seals its side, with the count.
TEST_F(AsyncFlowTest, AWriteThatIsCutIsSealed) {
  auto [a, b] = MemoryOn(context_, 5);
  CancelSource source;
  auto cut = a.Write(std::string("0123456789"), source.token());
  source.SetDeadline(flow::MonoTime::Now());  // what fits has been taken
  EXPECT_THAT(cut.get(), AllOf(IsKind(ErrorKind::kDeadline), HasBytesDone(5)));
  EXPECT_THAT(a.Write(std::string("x")).get(),
              AllOf(IsKind(ErrorKind::kSealed), HasBytesDone(5)));
  EXPECT_THAT(b.Read().get(), IsData("01234"));
}

// A token whose source's deadline is moved is looked at anew.
TEST_F(AsyncFlowTest, ASourcesDeadlineMayMoveWhileItIsWaitedFor) {
  auto [a, b] = MemoryOn(context_);
  CancelSource source;
  source.SetDeadline(absl::Hours(1));
  auto read = b.Read(source.token());
  EXPECT_FALSE(IsReady(read));
  source.SetDeadline(absl::Milliseconds(1));
  EXPECT_THAT(read.get(), IsKind(ErrorKind::kDeadline));
}

// ------------------------------------------------------------------- callbacks

// "Callbacks [are] never on the submitter's stack", though the operation is
// over at once.
TEST(AsyncCallbacks, RunOnThePollerIfTheExecutorIsInline) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context);
  std::promise<std::thread::id> ran_on;
  a.Write(std::string("x"), {}, [&](absl::Status status) {
    EXPECT_THAT(status, IsOk());
    ran_on.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(ran_on.get_future().get(), std::this_thread::get_id());
}

// P6: signals are for the user's threads.
TEST(AsyncCallbacks, LeaveSignalsToTheUsersThreads) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context);
  std::promise<sigset_t> blocked;
  a.Write(std::string("x"), {}, [&](absl::Status status) {
    EXPECT_THAT(status, IsOk());
    sigset_t mask;
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &mask), 0);
    blocked.set_value(mask);
  });
  const sigset_t mask = blocked.get_future().get();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) {
    EXPECT_EQ(sigismember(&mask, signal), 1) << signal;
  }
  EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
}

TEST_F(AsyncFlowTest, EveryFormHasACallback) {
  auto [a, b] = MemoryOn(context_);
  std::promise<void> done;
  char into[8];
  std::vector<std::string> told;
  const auto tell = [&](const char* what, bool ok) {
    told.push_back(ok ? what : "failed");
  };
  a.Write(std::string("1"), {}, [&](absl::Status s) { tell("w", s.ok()); });
  a.Write(absl::Cord("2"), {}, [&](absl::Status s) { tell("c", s.ok()); });
  a.Write(flow::Buffer::CopyOf("3"), {},
          [&](absl::Status s) { tell("b", s.ok()); });
  a.Writev({"4"}, {}, [&](absl::Status s) { tell("v", s.ok()); });
  a.WriteSome("5", {}, [&](auto got) { tell("s", got.ok() && *got == 1); });
  a.Shutdown(ShutdownMode::kWrite, {},
             [&](absl::Status s) { tell("h", s.ok()); });
  b.WaitPeerEnd(flow::PeerEnd::kFinished, {},
                [&](auto end) { tell("p", end.ok()); });
  b.ReadInto(absl::MakeSpan(into), {}, [&](auto got) {
    tell("i", got.ok() && !got->is_eof() && got->data() == 5);
  });
  b.Read({}, [&](auto got) { tell("r", got.ok() && got->is_eof()); });
  b.CloseGracefully({}, [&](absl::Status s) { tell("g", s.ok()); });
  a.Abort([&](absl::Status s) { tell("a", s.ok()); });
  a.Close([&](absl::Status) { done.set_value(); });
  done.get_future().get();
  // a() is closed; b's graceful close may still be on its way.
  EXPECT_THAT(b.Close().get(), IsOk());
  EXPECT_THAT(pool_.Submit([] { return absl::OkStatus(); }).get(), IsOk());
  told.resize(9);
  EXPECT_THAT(told, ElementsAre("w", "c", "b", "v", "s", "h", "p", "i", "r"));
}

// No flow: there is nobody else to call back, and nothing gets out.
TEST(AsyncCallbacks, OnNoFlowRunHereAndAreContained) {
  AsyncFlow none;
  absl::Status told;
  none.Write(std::string("x"), {}, [&](absl::Status s) {
    told = std::move(s);
    throw 7;
  });
  EXPECT_THAT(told, IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(none.Read().get(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(none.Close().get(), IsOk());
  EXPECT_THAT(none.CloseGracefully({}).get(), IsOk());
  EXPECT_THAT(none.Release(), IsKind(ErrorKind::kClosedLocally));
}

// "No flow can keep the others waiting": a chain of callbacks whose operations
// are always over at once lets another flow be read.
TEST(AsyncCallbacks, AChainDoesNotKeepOthersWaiting) {
  AsyncContext context;
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](absl::Span<const iovec> into) {
    static_cast<char*>(into[0].iov_base)[0] = 'x';
    return Attempt::Transferred(1);
  };
  AsyncFlow endless = On(context, FlowOn(hooks));
  auto [a, b] = MemoryOn(context);
  std::atomic<bool> served{false};
  std::promise<void> over;
  struct Chain {
    static void Step(AsyncFlow& f, std::atomic<bool>& served,
                     std::promise<void>& over) {
      if (served) return over.set_value();
      f.Read({}, [&](AsyncFlow::ReadResult) { Step(f, served, over); });
    }
  };
  auto read = b.Read();
  Chain::Step(endless, served, over);
  ASSERT_TRUE(Eventually([&] { return hooks->reads > 10; }));
  EXPECT_THAT(a.Write(std::string("me too")).get(), IsOk());
  EXPECT_THAT(read.get(), IsData("me too"));
  served = true;
  over.get_future().get();
}

// "Bounded work per turn": nor can one write that never has to wait.
TEST(AsyncCallbacks, AWriteThatNeverWaitsDoesNotKeepOthersWaiting) {
  AsyncContext context;
  auto hooks = std::make_shared<Hooks>();
  std::atomic<bool> served{false};
  hooks->write = [&served](absl::Span<const iovec> from) {
    size_t all = 0;
    for (const iovec& piece : from) all += piece.iov_len;
    return Attempt::Transferred(served ? all : 1);
  };
  absl::Cord much(std::string(4096, 'x'));
  while (much.size() < (size_t{1} << 30)) much.Append(absl::Cord(much));
  AsyncFlow busy = On(context, FlowOn(hooks));
  auto [a, b] = MemoryOn(context);
  auto read = b.Read();
  auto write = busy.Write(much);
  ASSERT_TRUE(Eventually([&] { return hooks->writes > 10; }));
  auto greeting = a.Write(std::string("me too"));
  ASSERT_TRUE(Eventually([&] {
    return read.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }));
  EXPECT_THAT(read.get(), IsData("me too"));
  served = true;
  EXPECT_THAT(write.get(), IsOk());
  EXPECT_THAT(greeting.get(), IsOk());
}

// ------------------------------------------------------------ From and Release

// "Keep Core and sticky states": both ways.
TEST_F(AsyncFlowTest, EndingsStayAcrossFromAndRelease) {
  auto [a, b] = MemoryPair();
  ASSERT_THAT(a.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(b.Read(), IsEof());
  AsyncFlow f = On(context_, std::move(b));
  EXPECT_THAT(f.Read().get(), IsEof());
  EXPECT_THAT(f.Write(std::string("back")).get(), IsOk());
  EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite).get(), IsOk());
  absl::StatusOr<Flow> back = f.Release();
  ASSERT_THAT(back, IsOk());
  EXPECT_FALSE(static_cast<bool>(f));
  EXPECT_THAT(back->Read(), IsEof());
  EXPECT_THAT(back->Write("x"), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(a.Read(), IsData("back"));
  EXPECT_THAT(f.Read().get(), IsKind(ErrorKind::kClosedLocally));
}

// "FAILED_PRECONDITION while operations are outstanding", not a moment longer.
TEST_F(AsyncFlowTest, ReleaseIsRefusedWhileOperationsAreOutstanding) {
  auto [a, b] = MemoryOn(context_);
  for (int i = 0; i < 100; ++i) {
    auto read = b.Read();
    EXPECT_THAT(b.Release(), StatusIs(absl::StatusCode::kFailedPrecondition));
    ASSERT_THAT(a.Write(std::string("x")).get(), IsOk());
    EXPECT_THAT(read.get(), IsData("x"));
    absl::StatusOr<Flow> flow = b.Release();
    ASSERT_THAT(flow, IsOk());
    b = On(context_, *std::move(flow));
  }
}

// An operation of several parts is outstanding until its last is over: here the
// flow below a layer is drained after the shutdown itself.
TEST_F(AsyncFlowTest, ReleaseIsRefusedBetweenThePartsOfAShutdown) {
  auto hooks = std::make_shared<Hooks>();
  hooks->layer = true;
  std::atomic<bool> ended{false};
  hooks->drain = [&] {
    const uint64_t seq = hooks->signal.seq();
    return ended ? Attempt::Eof() : hooks->BlockedSince(seq);
  };
  AsyncFlow f = On(context_, FlowOn(hooks));
  auto shut = f.Shutdown(ShutdownMode::kReadWrite);
  while (hooks->drains == 0) std::this_thread::yield();
  EXPECT_THAT(f.Release(), StatusIs(absl::StatusCode::kFailedPrecondition));
  ended = true;
  hooks->signal.Notify();
  EXPECT_THAT(shut.get(), IsOk());
  EXPECT_EQ(hooks->closes, 1);  // "the flow below is closed"
  EXPECT_THAT(f.Read().get(), IsEof());
}

// ... and also at the moment when no part of it is under way.
TEST_F(AsyncFlowTest, ReleaseIsRefusedWhenTheLastPartOfAShutdownIsOver) {
  auto hooks = std::make_shared<Hooks>();
  hooks->layer = true;
  hooks->drain = [] { return Attempt::Eof(); };
  AsyncFlow f = On(context_, FlowOn(hooks));
  absl::Status released;
  hooks->close = [&] {
    released = f.Release().status();
    return absl::OkStatus();
  };
  EXPECT_THAT(f.Shutdown(ShutdownMode::kReadWrite).get(), IsOk());
  EXPECT_THAT(released, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(static_cast<bool>(f));
}

// "FAILED_PRECONDITION, and `flow` stays as it is, while a call is under way".
TEST_F(AsyncFlowTest, FromIsRefusedWhileACallIsUnderWay) {
  auto [a, b] = MemoryPair();
  Flow& reader = b;
  Background read([&] { return reader.Read(); });
  ASSERT_TRUE(ReaderSleeps(b));
  EXPECT_THAT(AsyncFlow::From(std::move(b), context_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(a.Write("still here"), IsOk());
  EXPECT_THAT(read.Get(), IsData("still here"));
}

}  // namespace
}  // namespace flow_testing
