// Case 85 (P3): ten thousand outstanding operations need no more threads than
// one, and keep nobody waiting.

#include <sys/resource.h>

#include <algorithm>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/fd/fd.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;
using ::flow::ErrorKind;
using ::flow::MonoTime;

#if defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr size_t kMany = 2'000;  // it keeps a shadow of every mutex
#else
constexpr size_t kMany = 10'000;
#endif

// How many descriptors may be open, all that may be having been asked for.
size_t Descriptors() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, 1'000'000));
}

AsyncPair PairOn(AsyncContext& context, bool sockets) {
  if (!sockets) return MemoryOn(context, 64);
  auto pair = flow::SocketPair();
  EXPECT_THAT(pair, IsOk());
  if (!pair.ok()) return {};
  AsyncPair flows;
  flows.first = On(context, std::move(pair->first));
  flows.second = On(context, std::move(pair->second));
  return flows;
}

void ManyReadsAreParked(size_t many, bool sockets) {
  std::thread([] {}).join();  // a sanitizer's own begins with the first
  const int threads_before = CountThreads();
  flow::ThreadPool pool(1);
  AsyncContext context(pool);
  std::vector<AsyncPair> flows;
  std::vector<std::future<AsyncFlow::ReadResult>> reads;
  for (size_t i = 0; i < many; ++i) {
    flows.push_back(PairOn(context, sockets));
    ASSERT_TRUE(flows.back().second);
    reads.push_back(flows.back().second.Read());
  }
  EXPECT_LE(CountThreads() - threads_before, 2);  // the pool's and the poller's
  // One more flow is served at once.
  AsyncPair one_more = PairOn(context, sockets);
  const MonoTime begin = MonoTime::Now();
  EXPECT_THAT(one_more.first.Write(std::string("x")).get(), IsOk());
  EXPECT_THAT(one_more.second.Read().get(), IsData("x"));
  EXPECT_LT(MonoTime::Now() - begin, absl::Seconds(1));
  // So is any of them.
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    const size_t k = random() % many;
    ASSERT_THAT(flows[k].first.Write(std::string("y")).get(), IsOk());
    EXPECT_THAT(reads[k].get(), IsData("y"));
    reads[k] = flows[k].second.Read();
  }
  EXPECT_LE(CountThreads() - threads_before, 2);
  for (AsyncPair& pair : flows) static_cast<void>(pair.second.Close());
  for (auto& read : reads) {
    EXPECT_THAT(read.get(), IsKind(ErrorKind::kClosedLocally));
  }
}

TEST(AsyncScale, TenThousandReadsInMemoryNeedOneThread) {
  ManyReadsAreParked(kMany, /*sockets=*/false);
}

// Two descriptors for each: as many as there may be.
TEST(AsyncScale, ThousandsOfReadsOnSocketsNeedOneThread) {
  const size_t many = std::min(kMany, (Descriptors() - 100) / 2);
  RecordProperty("reads", static_cast<int>(many));
  ASSERT_GT(many, 100u);
  ManyReadsAreParked(many, /*sockets=*/true);
}

// As many deadlines: each ends its own read, and the context's end all others.
TEST(AsyncScale, TenThousandDeadlinesEachEndTheirOwn) {
  auto context = std::make_unique<AsyncContext>();
  std::vector<AsyncPair> flows;
  std::vector<std::future<AsyncFlow::ReadResult>> soon, never;
  for (size_t i = 0; i < kMany / 2; ++i) {
    flows.push_back(MemoryOn(*context, 64));
    soon.push_back(flows.back().first.Read(absl::Microseconds(10 * i)));
    never.push_back(flows.back().second.Read(absl::Hours(1)));
  }
  for (auto& read : soon) {
    EXPECT_THAT(read.get(), IsKind(ErrorKind::kDeadline));
  }
  for (auto& read : never) EXPECT_FALSE(IsReady(read));
  context.reset();
  for (auto& read : never) {
    EXPECT_THAT(read.get(), StatusIs(absl::StatusCode::kCancelled));
  }
}

// As many operations on one flow: first come, first served.
TEST(AsyncScale, AThousandReadsOfOneFlowAreServedInOrder) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context, 1);
  std::vector<std::future<AsyncFlow::ReadResult>> reads;
  for (int i = 0; i < 1000; ++i) reads.push_back(b.Read());
  std::string sent;
  for (int i = 0; i < 1000; ++i) sent += static_cast<char>('a' + i % 26);
  auto write = a.Write(sent);
  for (size_t i = 0; i < reads.size(); ++i) {
    ASSERT_THAT(reads[i].get(), IsData(sent.substr(i, 1)));
  }
  EXPECT_THAT(write.get(), IsOk());
}

}  // namespace
}  // namespace flow_testing
