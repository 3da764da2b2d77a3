// Storms: many threads do everything at once, for the sanitizers to watch. What
// is claimed: no future is lost or broken, no byte is wrong, nothing hangs.
// Each prints how often it has met which outcome.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/fd/fd.h"
#include "flow/limits.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;
using ::flow::CancelSource;
using ::flow::Limits;

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr int kRounds = 300;
#else
constexpr int kRounds = 2000;
#endif

// Counts outcomes by name, and prints them at the end.
class Histogram {
 public:
  ~Histogram() {
    std::string text;
    for (const auto& [name, count] : counts_) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", name, " ", count);
    }
    testing::Test::RecordProperty("outcomes", text);
    std::printf("outcomes: %s\n", text.c_str());
  }
  void Add(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    ++counts_[status.ok()
                  ? "ok"
                  : std::string(flow::ErrorKindName(flow::KindOf(status)))];
  }

 private:
  absl::Mutex mu_;
  std::map<std::string, int> counts_ ABSL_GUARDED_BY(mu_);
};

AsyncPair SomePair(AsyncContext& context, std::mt19937& random) {
  if (random() % 2 == 0) return MemoryOn(context, 1 + random() % 64);
  auto pair = flow::SocketPair();
  EXPECT_THAT(pair, IsOk());
  AsyncPair flows;
  flows.first = On(context, std::move(pair->first));
  flows.second = On(context, std::move(pair->second));
  return flows;
}

// Cancel storm: every read races a token, a deadline and a byte. What was not
// cancelled arrives whole and in order.
TEST(AsyncStorm, CancelsRaceBytes) {
  Histogram outcomes;
  AsyncContext context;
  std::mt19937 random(1);
  for (int round = 0; round < kRounds; ++round) {
    auto [a, b] = SomePair(context, random);
    CancelSource stop;
    Limits limits = stop.token();
    if (random() % 3 == 0) {
      limits.deadline = flow::MonoTime::In(absl::Microseconds(random() % 200));
    }
    auto first = b.Read(limits);
    auto second = b.Read(limits);
    std::thread canceller([&] { stop.Cancel(); });
    auto write = a.Write(std::string("x"));
    canceller.join();
    int got = 0;
    for (auto* read : {&first, &second}) {
      const AsyncFlow::ReadResult result = read->get();
      outcomes.Add(result.status());
      if (result.ok()) ++got;
    }
    EXPECT_THAT(write.get(), IsOk());
    ASSERT_LE(got, 1);
    if (got == 0) {
      ASSERT_THAT(b.Read().get(), IsData("x"));
    }
  }
}

// Close storm: everything races Close, Abort, Shutdown or destruction.
TEST(AsyncStorm, EverythingRacesClose) {
  Histogram outcomes;
  flow::ThreadPool pool(2);
  AsyncContext context(pool);
  std::mt19937 random(2);
  for (int round = 0; round < kRounds; ++round) {
    auto [a, b] = SomePair(context, random);
    std::vector<std::future<AsyncFlow::ReadResult>> reads;
    std::vector<std::future<absl::Status>> others;
    for (int i = 0; i < 3; ++i) {
      reads.push_back(b.Read());
      others.push_back(b.Write(std::string(100, 'x')));
    }
    auto peer_end = b.WaitPeerEnd(flow::PeerEnd::kGone);
    const uint32_t how = random() % 5;
    AsyncFlow& mine = b;
    AsyncFlow& peer = a;
    std::thread closer([&] {
      if (how == 0) static_cast<void>(mine.Close());
      if (how == 1) static_cast<void>(mine.Abort());
      if (how == 2) static_cast<void>(peer.Close());
      if (how == 3) {
        static_cast<void>(
            mine.CloseGracefully(absl::Milliseconds(random() % 3)));
      }
      if (how == 4) {
        static_cast<void>(mine.Shutdown(flow::ShutdownMode::kReadWrite,
                                        absl::Milliseconds(1)));
      }
    });
    others.push_back(a.Write(std::string(10, 'y')));
    closer.join();
    a = AsyncFlow();
    b = AsyncFlow();
    for (auto& read : reads) outcomes.Add(read.get().status());
    for (auto& other : others) outcomes.Add(other.get());
    outcomes.Add(peer_end.get().status());
  }
}

// The limits of queued operations race the end of the one before them.
TEST(AsyncStorm, QueuedLimitsRaceTheirTurn) {
  Histogram outcomes;
  AsyncContext context;
  std::mt19937 random(3);
  auto [a, b] = MemoryOn(context, 1 << 20);
  AsyncFlow& writer = a;
  AsyncFlow& reader = b;
  std::atomic<bool> stop{false};
  std::thread feeder([&] {
    while (!stop) {
      if (!writer.Write(std::string("x")).get().ok()) return;
    }
  });
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, seed = random()] {
      std::mt19937 mine(seed);
      for (int i = 0; i < kRounds; ++i) {
        outcomes.Add(
            reader.Read(absl::Microseconds(mine() % 300)).get().status());
      }
    });
  }
  for (std::thread& thread : readers) thread.join();
  stop = true;
  feeder.join();
}

// The same with the one before it in its submitter's thread, which makes it
// ready at the very moment when the poller has seen its limit pass.
TEST(AsyncStorm, QueuedLimitsRaceAnotherThread) {
  Histogram outcomes;
  AsyncContext context;
  auto hooks = std::make_shared<Hooks>();
  std::atomic<int64_t> until{0};
  hooks->read = [&](absl::Span<const iovec>) {
    while (flow::MonoTime::Now().nanos() < until) {
    }
    return flow::Attempt::Transferred(1);
  };
  AsyncFlow f = On(context, FlowOn(hooks));
  for (int round = 0; round < 5 * kRounds; ++round) {
    const flow::MonoTime soon =
        flow::MonoTime::In(absl::Microseconds(100 + round % 60));
    until = soon.nanos();
    const int before = hooks->reads;
    std::future<AsyncFlow::ReadResult> first;
    std::thread submitter([&] { first = f.Read(); });
    while (hooks->reads == before) {
    }
    auto queued = f.Read(flow::MonoTime::FromNanos(soon.nanos() - 40'000));
    outcomes.Add(queued.get().status());
    submitter.join();
    EXPECT_THAT(first.get(), IsData());
  }
}

// Churn: contexts, pools and flows come and go under their operations.
TEST(AsyncStorm, ContextsComeAndGo) {
  Histogram outcomes;
  std::mt19937 random(4);
  for (int round = 0; round < kRounds / 4; ++round) {
    auto pool = std::make_unique<flow::ThreadPool>(1 + round % 2);
    auto context = std::make_unique<AsyncContext>(*pool);
    auto [a, b] = SomePair(*context, random);
    AsyncFlow& one = a;
    AsyncFlow& two = b;
    std::atomic<int> told{0};
    std::atomic<int> begun{0};
    std::vector<std::thread> threads;
    for (AsyncFlow* f : {&one, &two}) {
      threads.emplace_back([&, f] {
        for (int i = 0; i < 20; ++i) {
          begun += 2;
          f->Write(std::string("abc"), {}, [&](absl::Status s) {
            outcomes.Add(s);
            ++told;
          });
          f->Read({}, [&](AsyncFlow::ReadResult got) {
            outcomes.Add(got.status());
            ++told;
          });
        }
      });
    }
    if (round % 3 == 0) std::this_thread::yield();
    context.reset();
    for (std::thread& thread : threads) thread.join();
    pool.reset();
    ASSERT_EQ(told, begun);
  }
}

// Both directions at once, through every executor: exact bytes.
TEST(AsyncStorm, BytesAreExactBothWays) {
  flow::ThreadPool pool(2);
  AsyncContext context(pool);
  std::mt19937 random(5);
  for (int round = 0; round < 4; ++round) {
    auto [a, b] = SomePair(context, random);
    std::vector<std::thread> threads;
    for (auto [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      threads.emplace_back([from = from] {
        std::string bytes;
        for (int i = 0; i < 20'000; ++i) bytes += static_cast<char>(i % 251);
        for (size_t at = 0; at < bytes.size(); at += 997) {
          ASSERT_THAT(from->Write(bytes.substr(at, 997)).get(), IsOk());
        }
      });
      threads.emplace_back([to = to] {
        for (int i = 0; i < 20'000;) {
          AsyncFlow::ReadResult got = to->Read().get();
          ASSERT_THAT(got, IsData());
          for (const char c : got->data().view()) {
            ASSERT_EQ(c, static_cast<char>(i++ % 251));
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// Handles that are released and taken over again between operations.
TEST(AsyncStorm, ReleaseRacesTheEndOfOperations) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context, 64);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto read = b.Read();
    static_cast<void>(a.Write(std::string("x")));
    absl::StatusOr<flow::Flow> flow = b.Release();
    for (; !flow.ok(); flow = b.Release()) ++refused;
    // The operation may be on its way out: the Core is another's by now.
    flow::Flow mine = *std::move(flow);
    EXPECT_THAT(read.get(), IsData("x"));
    b = On(context, std::move(mine));
  }
  std::printf("outcomes: refused %d\n", refused);
}

}  // namespace
}  // namespace flow_testing
