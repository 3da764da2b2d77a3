// Observers. Contract: flow/observer.h: OnBegin, any number of OnWait, OnEnd,
// with one id; both drivers report the same.

#include "flow/observer.h"

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_flow.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::AsyncFlow;
using flow::Attempt;
using flow::Flow;
using flow::Limits;
using flow::ShutdownMode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Writes down what it is told, but for instants.
class Diary final : public flow::FlowObserver {
 public:
  void OnBegin(const flow::Operation& op) noexcept override {
    Add(absl::StrCat("begin ", op.ToString()));
  }
  void OnWait(const flow::Operation& op,
              const flow::Waiting& waiting) noexcept override {
    Add(absl::StrCat(
        "wait #", op.id, " ", flow::ActivityName(waiting.what),
        waiting.until.is_never() ? "" : " within a limit",
        waiting.bytes > 0 ? absl::StrCat(", ", waiting.bytes, " B") : ""));
  }
  void OnEnd(const flow::Operation& op,
             const flow::Outcome& outcome) noexcept override {
    Add(absl::StrCat(
        "end #", op.id, " ",
        outcome.eof ? "Eof" : absl::StatusCodeToString(outcome.code), ", ",
        outcome.bytes, " B"));
    absl::MutexLock lock(&mu_);
    if (outcome.duration < absl::ZeroDuration()) lines_.push_back("negative");
  }
  void OnClosed() noexcept override { Add("closed"); }

  std::vector<std::string> Take() {
    absl::MutexLock lock(&mu_);
    return std::exchange(lines_, {});
  }
  void AwaitLine(absl::string_view prefix) {
    absl::MutexLock lock(&mu_);
    const auto there = [this, prefix]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      for (const std::string& line : lines_) {
        if (absl::StartsWith(line, prefix)) return true;
      }
      return false;
    };
    mu_.Await(absl::Condition(&there));
  }

 private:
  void Add(std::string line) {
    absl::MutexLock lock(&mu_);
    lines_.push_back(std::move(line));
  }

  absl::Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

struct Pair {
  Pair() : ends(MemoryPair()) { ends.first.Observe(diary); }
  Flow& flow() { return ends.first; }
  Flow& peer() { return ends.second; }

  std::shared_ptr<Diary> diary = std::make_shared<Diary>();
  std::pair<Flow, Flow> ends;
};

// "OnBegin, any number of OnWait, OnEnd": where nothing is waited for, none.
TEST(ObserverTest, ToldOfEachOperationWithItsBytes) {
  Pair pair;
  ASSERT_THAT(pair.flow().Write("hello"), IsOk());
  ASSERT_THAT(pair.peer().Write("abc"), IsOk());
  ASSERT_THAT(pair.flow().Read(), IsOk());
  ASSERT_THAT(pair.flow().WriteSome("xy"), IsOk());
  ASSERT_THAT(pair.flow().Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(pair.peer().Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(pair.flow().Read(), IsOk());
  EXPECT_FALSE(pair.flow().Write("late").ok());
  EXPECT_THAT(pair.flow().Close(), IsOk());
  EXPECT_THAT(
      pair.diary->Take(),
      ElementsAre("begin write #1 of 5 B", "end #1 OK, 5 B", "begin read #2",
                  "end #2 OK, 3 B", "begin write #3 of 2 B", "end #3 OK, 2 B",
                  "begin shutdown #4", "end #4 OK, 0 B", "begin read #5",
                  "end #5 Eof, 0 B", "begin write #6 of 4 B",
                  "end #6 FAILED_PRECONDITION, 0 B", "begin close #7", "closed",
                  "end #7 OK, 0 B"));
}

// "a Close or Abort, each time": also one that finds the flow closed.
TEST(ObserverTest, ToldOfEachCloseAndAbort) {
  Pair pair;
  EXPECT_THAT(pair.flow().Abort(), IsOk());
  EXPECT_THAT(pair.flow().Close(), IsOk());
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin abort #1", "closed", "end #1 OK, 0 B",
                          "begin close #2", "end #2 OK, 0 B"));
}

// "What is done to a flow without a call of it is no operation."
TEST(ObserverTest, ADestructorIsNoOperation) {
  auto diary = std::make_shared<Diary>();
  {
    Pair pair;
    pair.flow().Observe(diary);
  }
  EXPECT_THAT(diary->Take(), ElementsAre("closed"));
}

// "a CloseGracefully is a Shutdown, [a drain], and a Close."
TEST(ObserverTest, ToldOfThePartsOfACloseGracefully) {
  Pair pair;
  ASSERT_THAT(pair.peer().Write("abc"), IsOk());
  ASSERT_THAT(pair.peer().Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(pair.flow().CloseGracefully(absl::Seconds(30)), IsOk());
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin shutdown #1", "end #1 OK, 0 B",
                          "begin close #2", "end #2 Eof, 3 B", "begin close #3",
                          "closed", "end #3 OK, 0 B"));
}

// "a kReadWrite is first this, then the other"; refused, it is neither.
TEST(ObserverTest, ToldOfAShutdownOfTheReadSide) {
  Pair pair;
  EXPECT_THAT(pair.flow().Shutdown(ShutdownMode::kReadWrite, absl::Seconds(-1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(pair.diary->Take(), IsEmpty());
  EXPECT_THAT(pair.flow().Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(pair.flow().Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin shutdown_read #1", "end #1 OK, 0 B",
                          "begin shutdown_read #2", "end #2 OK, 0 B",
                          "begin shutdown #3", "end #3 OK, 0 B"));
}

TEST(ObserverTest, ToldWhatAWaitPeerEndWaitsForAndHowItEnds) {
  Pair pair;
  Background wait([&] {
    return pair.flow().WaitPeerEnd(flow::PeerEnd::kFinished, absl::Hours(1));
  });
  pair.diary->AwaitLine("wait");
  ASSERT_THAT(pair.peer().Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(wait.Get(), IsOk());
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin wait_peer_end #1",
                          "wait #1 waiting for another thread within a limit",
                          "end #1 OK, 0 B"));
  EXPECT_THAT(pair.flow().Close(), IsOk());
  EXPECT_FALSE(pair.flow().WaitPeerEnd(flow::PeerEnd::kGone).ok());
  EXPECT_THAT(
      pair.diary->Take(),
      ElementsAre("begin close #2", "closed", "end #2 OK, 0 B",
                  "begin wait_peer_end #3", "end #3 FAILED_PRECONDITION, 0 B"));
}

// A Close that has to wait for somebody who is inside says so, and when.
TEST(ObserverTest, ToldWhatACloseWaitsFor) {
  auto hooks = std::make_shared<Hooks>();
  Flow flow = FlowOn(hooks);
  auto diary = std::make_shared<Diary>();
  std::atomic<bool> inside{false};
  std::atomic<bool> go_on{false};
  hooks->write = [&](absl::Span<const iovec>) {
    inside = true;
    while (!go_on) std::this_thread::yield();
    return Attempt::Transferred(1);
  };
  Background write([&] { return flow.Write("x"); });
  ASSERT_TRUE(Eventually([&] { return inside.load(); }));
  flow.Observe(diary);
  Background close([&] { return flow.Close(); });
  diary->AwaitLine("wait");
  go_on = true;
  EXPECT_THAT(write.Get(), IsOk());
  EXPECT_THAT(close.Get(), IsOk());
  EXPECT_THAT(diary->Take().front(), "begin close #1");
}

TEST(ObserverTest, ToldWhatABlockedReadWaitsForAndHowItEnds) {
  Pair pair;
  flow::CancelSource source;
  Limits limits = absl::Hours(1);
  limits.cancel = source.token();
  Background read([&] { return pair.flow().Read(limits).status(); });
  pair.diary->AwaitLine("wait");
  source.Cancel();
  EXPECT_THAT(read.Get(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin read #1",
                          "wait #1 waiting for another thread within a limit",
                          "end #1 CANCELLED, 0 B"));
}

// The same story with futures, told by the same words.
TEST(ObserverTest, FuturesTellTheSame) {
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  Pair pair;
  auto flow = AsyncFlow::From(std::move(pair.flow()), context);
  ASSERT_THAT(flow, IsOk());
  auto first = flow->Read(absl::Hours(1));
  auto second = flow->Read();
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin read #1",
                          "wait #1 waiting for another thread within a limit",
                          "begin read #2", "wait #2 waiting for its turn"));
  ASSERT_THAT(pair.peer().Write("abc"), IsOk());
  ASSERT_THAT(first.get(), IsOk());
  pair.diary->AwaitLine("wait #2");
  ASSERT_THAT(pair.peer().Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(second.get(), IsOk());
  EXPECT_THAT(
      pair.diary->Take(),
      ElementsAre("end #1 OK, 3 B", "wait #2 waiting for another thread",
                  "end #2 Eof, 0 B"));
  ASSERT_THAT(flow->Close().get(), IsOk());
  EXPECT_THAT(pair.diary->Take(),
              ElementsAre("begin close #3", "closed", "end #3 OK, 0 B"));
}

TEST(ObserverTest, FuturesTellTheSameOfWhatHasNoDirection) {
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  Pair pair;
  auto flow = AsyncFlow::From(std::move(pair.flow()), context);
  ASSERT_THAT(flow, IsOk());
  ASSERT_THAT(flow->Shutdown(ShutdownMode::kRead).get(), IsOk());
  auto end = flow->WaitPeerEnd(flow::PeerEnd::kFinished);
  pair.diary->AwaitLine("wait");
  ASSERT_THAT(pair.peer().Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(end.get(), IsOk());
  ASSERT_THAT(flow->Abort().get(), IsOk());
  EXPECT_THAT(
      pair.diary->Take(),
      ElementsAre("begin shutdown_read #1", "end #1 OK, 0 B",
                  "begin wait_peer_end #2",
                  "wait #2 waiting for another thread", "end #2 OK, 0 B",
                  "begin abort #3", "closed", "end #3 OK, 0 B"));
}

// "An operation is reported to the observers that were there when it began."
TEST(ObserverTest, WhoComesLaterIsToldOfLaterOperationsOnly) {
  auto hooks = std::make_shared<Hooks>();
  Flow flow = FlowOn(hooks);
  auto early = std::make_shared<Diary>();
  auto late = std::make_shared<Diary>();
  flow.Observe(early);
  Background read([&flow] { return flow.Read().status(); });
  early->AwaitLine("wait");
  flow.Observe(late);
  ASSERT_THAT(flow.Write("x"), IsOk());
  hooks->read = [](absl::Span<const iovec>) { return Attempt::Eof(); };
  hooks->signal.Notify();
  EXPECT_THAT(read.Get(), IsOk());
  EXPECT_THAT(late->Take(),
              ElementsAre("begin write #2 of 1 B", "end #2 OK, 1 B"));
  EXPECT_THAT(early->Take(),
              ElementsAre("begin read #1", "wait #1 waiting for another thread",
                          "begin write #2 of 1 B", "end #2 OK, 1 B",
                          "end #1 Eof, 0 B"));
}

// "The flow keeps its observers until it is destroyed."
TEST(ObserverTest, IsLetGoWithTheFlow) {
  std::weak_ptr<Diary> weak;
  {
    Pair pair;
    weak = pair.diary;
    pair.diary.reset();
    EXPECT_FALSE(weak.expired());
    EXPECT_THAT(pair.flow().Write("x"), IsOk());
  }
  EXPECT_TRUE(weak.expired());
}

// A closed flow has nothing to tell but that; no flow, nothing.
TEST(ObserverTest, OnAClosedFlowIsToldSoAtOnce) {
  auto diary = std::make_shared<Diary>();
  Flow().Observe(diary);
  EXPECT_THAT(diary->Take(), IsEmpty());
  std::pair<Flow, Flow> ends = MemoryPair();
  ASSERT_THAT(ends.first.Close(), IsOk());
  ends.first.Observe(diary);
  EXPECT_THAT(diary->Take(), ElementsAre("closed"));
}

// "It may ask the flow what it is": in the middle of an operation.
TEST(ObserverTest, MayLookAtTheFlow) {
  struct Looker final : flow::FlowObserver {
    void OnEnd(const flow::Operation&, const flow::Outcome&) noexcept override {
      seen.push_back(looked_at->GetStats().bytes_written);
    }
    const Flow* looked_at = nullptr;
    std::vector<uint64_t> seen;
  };
  Pair pair;
  auto looker = std::make_shared<Looker>();
  looker->looked_at = &pair.flow();
  pair.flow().Observe(looker);
  ASSERT_THAT(pair.flow().Write("abc"), IsOk());
  ASSERT_THAT(pair.flow().Write("de"), IsOk());
  EXPECT_THAT(looker->seen, ElementsAre(3, 5));
}

TEST(ObserverTest, WhatIsToldCanBePrinted) {
  flow::Operation op;
  op.id = 7;
  op.name = "write";
  op.size = 12;
  EXPECT_EQ(op.ToString(), "write #7 of 12 B");
  flow::Waiting waiting;
  waiting.until = flow::MonoTime::FromNanos(1'500'000'000);
  waiting.bytes = 3;
  EXPECT_EQ(waiting.ToString(),
            "waiting for its descriptor until 1.5s, 3 B done");
  flow::Outcome outcome;
  outcome.bytes = 12;
  outcome.duration = absl::Milliseconds(1);
  EXPECT_EQ(outcome.ToString(), "OK, 12 B in 1ms");
}

}  // namespace
}  // namespace flow_testing
