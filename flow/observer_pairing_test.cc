// Observers under calls made at random: what is told of a call is what its
// caller was told, and each OnBegin has its OnEnd. Contract: flow/observer.h.

#include <cerrno>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/observer.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/testing/memory_pair.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::AsyncFlow;
using flow::Flow;
using flow::Limits;
using flow::PeerEnd;
using flow::ShutdownMode;

// Keeps the rules of flow/observer.h in mind.
class Referee final : public flow::FlowObserver {
 public:
  void OnBegin(const flow::Operation& op) noexcept override {
    absl::MutexLock lock(&mu_);
    EXPECT_TRUE(open_.emplace(op.id, op.kind).second) << "twice: " << op;
    EXPECT_TRUE(ever_.emplace(op.id, 0).second) << "an id again: " << op;
  }
  void OnWait(const flow::Operation& op,
              const flow::Waiting& waiting) noexcept override {
    absl::MutexLock lock(&mu_);
    EXPECT_EQ(open_.count(op.id), 1) << op << ", " << waiting;
  }
  void OnEnd(const flow::Operation& op,
             const flow::Outcome& outcome) noexcept override {
    absl::MutexLock lock(&mu_);
    EXPECT_EQ(open_.erase(op.id), 1) << op << ", " << outcome;
    ended_.emplace_back(op, outcome);
  }
  void OnClosed() noexcept override {
    absl::MutexLock lock(&mu_);
    ++closed_;
  }

  size_t open() const {
    absl::MutexLock lock(&mu_);
    return open_.size();
  }
  int closed() const {
    absl::MutexLock lock(&mu_);
    return closed_;
  }
  std::vector<std::pair<flow::Operation, flow::Outcome>> TakeEnded() {
    absl::MutexLock lock(&mu_);
    return std::exchange(ended_, {});
  }

 private:
  mutable absl::Mutex mu_;
  std::map<uint64_t, flow::OperationKind> open_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, int> ever_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<flow::Operation, flow::Outcome>> ended_
      ABSL_GUARDED_BY(mu_);
  int closed_ ABSL_GUARDED_BY(mu_) = 0;
};

// What a caller was told.
struct Told {
  std::string call;
  absl::StatusCode code = absl::StatusCode::kOk;
  bool eof = false;
  uint64_t bytes = 0;
};

Told Of(std::string call, const absl::Status& status, uint64_t size) {
  return {std::move(call), status.code(), false,
          status.ok() ? size : flow::BytesDone(status)};
}
Told Of(std::string call, const absl::StatusOr<size_t>& taken) {
  return Of(std::move(call), taken.status(), taken.ok() ? *taken : 0);
}
Told Of(std::string call, const absl::StatusOr<PeerEnd>& end) {
  return Of(std::move(call), end.status(), 0);
}
Told Of(std::string call,
        const absl::StatusOr<flow::OrEof<flow::Buffer>>& got) {
  if (!got.ok()) return {std::move(call), got.status().code()};
  if (got->is_eof()) return {std::move(call), absl::StatusCode::kOk, true};
  return {std::move(call), absl::StatusCode::kOk, false, got->data().size()};
}
Told Of(std::string call, const absl::StatusOr<flow::OrEof<size_t>>& got) {
  if (!got.ok()) return {std::move(call), got.status().code()};
  if (got->is_eof()) return {std::move(call), absl::StatusCode::kOk, true};
  return {std::move(call), absl::StatusCode::kOk, false, got->data()};
}

// A number below `n`.
int Draw(std::mt19937& random, int n) {
  return static_cast<int>(random() % static_cast<uint32_t>(n));
}

// One that ends soon, one way or another.
Limits DrawLimits(std::mt19937& random) {
  static flow::CancelSource& cancelled = *[] {
    auto* const source = new flow::CancelSource;
    source->Cancel();
    return source;
  }();
  switch (Draw(random, 8)) {
    case 0:
      return absl::ZeroDuration();
    case 1:
      return cancelled.token();
    case 2: {
      Limits invalid = absl::Milliseconds(1);
      invalid.stall_timeout = absl::ZeroDuration();
      return invalid;
    }
    default:
      return absl::Milliseconds(1);
  }
}

std::string DrawBytes(std::mt19937& random) {
  constexpr int kSizes[] = {0, 1, 100, 5'000, 300'000};
  return std::string(static_cast<size_t>(kSizes[Draw(random, 5)]), 'x');
}

// What no call takes.
const absl::string_view kNowhere(nullptr, 5);

// One call of `flow`, and what it said. Few that end everything.
Told CallBlocking(Flow& flow, std::mt19937& random) {
  const Limits limits = DrawLimits(random);
  const std::string bytes = DrawBytes(random);
  char into[100];
  switch (Draw(random, 40)) {
    case 0:
      return Of("Close", flow.Close(), 0);
    case 1:
      return Of("Abort", flow.Abort(), 0);
    case 2:
      return Of("Shutdown(kRead)", flow.Shutdown(ShutdownMode::kRead), 0);
    case 3:
    case 4:
      return Of("Shutdown(kWrite)", flow.Shutdown(ShutdownMode::kWrite, limits),
                0);
    case 5:
    case 6:
      return Of("WaitPeerEnd", flow.WaitPeerEnd(PeerEnd::kFinished, limits));
    default:
      break;
  }
  switch (Draw(random, 9)) {
    case 7:
      return Of("Write from no address", flow.Write(kNowhere, limits), 0);
    case 8:
      return Of("ReadInto no address",
                flow.ReadInto({static_cast<char*>(nullptr), 5}, limits));
    case 0:
      return Of("Write", flow.Write(bytes, limits), bytes.size());
    case 1:
      return Of("Write(Cord)", flow.Write(absl::Cord(bytes), limits),
                bytes.size());
    case 2:
      return Of("Writev", flow.Writev({bytes, bytes}, limits),
                2 * bytes.size());
    case 3:
      return Of("WriteSome", flow.WriteSome(bytes, limits));
    case 4:
      return Of("ReadInto of nothing", flow.ReadInto({}, limits));
    case 5:
      return Of("ReadInto", flow.ReadInto(absl::MakeSpan(into), limits));
    default:
      return Of("Read", flow.Read(limits));
  }
}

Told CallAsync(AsyncFlow& flow, std::mt19937& random) {
  const Limits limits = DrawLimits(random);
  const std::string bytes = DrawBytes(random);
  char into[100];
  switch (Draw(random, 40)) {
    case 0:
      return Of("Close", flow.Close().get(), 0);
    case 1:
      return Of("Abort", flow.Abort().get(), 0);
    case 2:
      return Of("Shutdown(kRead)", flow.Shutdown(ShutdownMode::kRead).get(), 0);
    case 3:
    case 4:
      return Of("Shutdown(kWrite)",
                flow.Shutdown(ShutdownMode::kWrite, limits).get(), 0);
    case 5:
    case 6:
      return Of("WaitPeerEnd",
                flow.WaitPeerEnd(PeerEnd::kFinished, limits).get());
    default:
      break;
  }
  switch (Draw(random, 8)) {
    case 7:
      return Of("ReadInto no address",
                flow.ReadInto({static_cast<char*>(nullptr), 5}, limits).get());
    case 0:
      return Of("Write", flow.Write(bytes, limits).get(), bytes.size());
    case 1:
      return Of("Write(Cord)", flow.Write(absl::Cord(bytes), limits).get(),
                bytes.size());
    case 2:
      return Of("Writev", flow.Writev({bytes, bytes}, limits).get(),
                2 * bytes.size());
    case 3:
      return Of("WriteSome", flow.WriteSome(bytes, limits).get());
    case 4:
      return Of("ReadInto of nothing", flow.ReadInto({}, limits).get());
    case 5:
      return Of("ReadInto", flow.ReadInto(absl::MakeSpan(into), limits).get());
    default:
      return Of("Read", flow.Read(limits).get());
  }
}

// What the peer does meanwhile.
void MovePeer(Flow& peer, std::mt19937& random) {
  switch (Draw(random, 30)) {
    case 0:
      peer.Close().IgnoreError();
      break;
    case 1:
      peer.Abort().IgnoreError();
      break;
    case 2:
      peer.Shutdown(ShutdownMode::kWrite, absl::Milliseconds(1)).IgnoreError();
      break;
    case 3:
    case 4:
    case 5:
      (void)peer.Read(absl::ZeroDuration());
      (void)peer.Read(absl::Milliseconds(1));
      break;
    default:
      if (Draw(random, 3) == 0) {
        peer.Write("hello", absl::Milliseconds(1)).IgnoreError();
      }
  }
}

std::pair<Flow, Flow> DrawPair(std::mt19937& random) {
  if (Draw(random, 2) == 0) return MemoryPair(4'000);
  return flow::SocketPair().value();
}

// "`code`: as its caller is told", and so are the end and the bytes.
void ExpectSame(Referee& referee, const Told& told, int seed) {
  const auto ended = referee.TakeEnded();
  ASSERT_EQ(ended.size(), 1) << told.call << ", seed " << seed;
  const auto& [op, outcome] = ended[0];
  EXPECT_EQ(outcome.code, told.code)
      << told.call << ": " << op << ", " << outcome << ", seed " << seed;
  EXPECT_EQ(outcome.eof, told.eof) << told.call << ", seed " << seed;
  // A sticky status repeats the first failure's count.
  if (outcome.bytes > 0 || told.code == absl::StatusCode::kOk) {
    EXPECT_EQ(outcome.bytes, told.bytes) << told.call << ", seed " << seed;
  }
}

TEST(ObserverPairingTest, CallsAreToldOfAsTheirCallersAre) {
  for (int seed = 0; seed < 60; ++seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    auto [near, far] = DrawPair(random);
    const auto referee = std::make_shared<Referee>();
    near.Observe(referee);
    for (int i = 0; i < 25; ++i) {
      MovePeer(far, random);
      ExpectSame(*referee, CallBlocking(near, random), seed);
      if (HasFatalFailure()) return;
    }
    near = Flow();
    EXPECT_EQ(referee->closed(), 1);
  }
}

TEST(ObserverPairingTest, FuturesAreToldOfAsTheirCallersAre) {
  flow::AsyncContext context;
  for (int seed = 0; seed < 60; ++seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    auto [near, far] = DrawPair(random);
    const auto referee = std::make_shared<Referee>();
    near.Observe(referee);
    AsyncFlow async = AsyncFlow::From(std::move(near), context).value();
    for (int i = 0; i < 25; ++i) {
      MovePeer(far, random);
      ExpectSame(*referee, CallAsync(async, random), seed);
      if (HasFatalFailure()) return;
    }
    async.Close().get().IgnoreError();
    EXPECT_EQ(referee->closed(), 1);
  }
}

// What WriteSome gave is its answer, though the flush behind it has failed,
// which the next call tells.
TEST(ObserverPairingTest, AWriteSomeWhoseFlushFailsIsToldOfAsOk) {
  auto hooks = std::make_shared<Hooks>();
  hooks->flush = [] { return flow::Attempt::Failed(ECONNRESET); };
  const auto referee = std::make_shared<Referee>();
  Flow blocking = FlowOn(hooks);
  blocking.Observe(referee);
  ExpectSame(*referee, Of("WriteSome", blocking.WriteSome("abc")), 0);
  ExpectSame(*referee, Of("WriteSome", blocking.WriteSome("abc")), 0);

  flow::AsyncContext context;
  const auto other = std::make_shared<Referee>();
  Flow flow = FlowOn(hooks);
  flow.Observe(other);
  AsyncFlow async = AsyncFlow::From(std::move(flow), context).value();
  ExpectSame(*other, Of("WriteSome", async.WriteSome("abc").get()), 0);
  ExpectSame(*other, Of("WriteSome", async.WriteSome("abc").get()), 0);
}

// "OnBegin, any number of OnWait, OnEnd, with one Operation::id", from several
// threads, with observers that come in the middle and one end for all.
TEST(ObserverPairingTest, EachBeginHasItsEndAlsoFromSeveralThreads) {
  for (int seed = 0; seed < 30; ++seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    auto ends = DrawPair(random);
    Flow& near = ends.first;
    Flow& far = ends.second;
    const auto first = std::make_shared<Referee>();
    const auto second = std::make_shared<Referee>();
    near.Observe(first);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&near, &second, seed, t] {
        std::mt19937 own(static_cast<uint32_t>(100 * seed + t));
        for (int i = 0; i < 15; ++i) {
          if (t == 0 && i == 5) near.Observe(second);
          CallBlocking(near, own);
        }
        if (t == 3) near.CloseGracefully(absl::Milliseconds(1)).IgnoreError();
      });
    }
    for (int i = 0; i < 15; ++i) MovePeer(far, random);
    for (std::thread& thread : threads) thread.join();
    near = Flow();
    for (const auto& referee : {first, second}) {
      EXPECT_EQ(referee->open(), 0) << seed;
      EXPECT_EQ(referee->closed(), 1) << seed;
      EXPECT_GT(referee->TakeEnded().size(), 0) << seed;
    }
  }
}

// The same with futures that nobody waits for, and whose flow goes.
TEST(ObserverPairingTest, EachFutureThatBeganEndsOnce) {
  flow::AsyncContext context;
  for (int seed = 0; seed < 30; ++seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    auto [near, far] = DrawPair(random);
    auto referee = std::make_shared<Referee>();
    near.Observe(referee);
    std::vector<std::future<AsyncFlow::ReadResult>> reads;
    std::vector<std::future<absl::Status>> writes;
    {
      AsyncFlow async = AsyncFlow::From(std::move(near), context).value();
      for (int i = 0; i < 10; ++i) {
        reads.push_back(async.Read(DrawLimits(random)));
        writes.push_back(async.Write(DrawBytes(random), DrawLimits(random)));
        MovePeer(far, random);
        if (i == 5) writes.push_back(async.Shutdown(ShutdownMode::kWrite));
      }
    }
    for (auto& read : reads) (void)read.get();
    for (auto& write : writes) write.get().IgnoreError();
    EXPECT_EQ(referee->open(), 0) << seed;
    EXPECT_EQ(referee->TakeEnded().size(), reads.size() + writes.size());
  }
}

}  // namespace
}  // namespace flow_testing
