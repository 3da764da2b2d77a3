// What AsyncRelay promises beside what it shares with Relay (relay_test.cc runs
// both).

#include "flow/relay/async_relay.h"

#include <dirent.h>

#include <atomic>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::Pattern;
using ::flow_testing::ReadToEof;
using ::flow_testing::StatusIs;
using ::flow_testing::WriteAndEnd;

AsyncFlow Async(Flow flow, AsyncContext& context) {
  absl::StatusOr<AsyncFlow> made = AsyncFlow::From(std::move(flow), context);
  EXPECT_THAT(made, IsOk());
  return made.ok() ? *std::move(made) : AsyncFlow();
}

size_t Threads() {
  size_t count = 0;
  DIR* const folder = opendir("/proc/self/task");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

// A thousand relays have no thread each, and every one is exact.
TEST(AsyncRelayTest, ThousandRelaysOnTwoThreads) {
  constexpr size_t kRelays = 1000;
  AsyncContext context;
  std::vector<Flow> clients(kRelays);
  std::vector<Flow> servers(kRelays);
  std::vector<std::future<RelayResult>> results;
  const size_t before = Threads();
  for (size_t i = 0; i < kRelays; ++i) {
    Flow a;
    Flow b;
    std::tie(clients[i], a) = flow_testing::MemoryKind().make();
    std::tie(b, servers[i]) = i % 8 == 0 ? flow_testing::UnixKind().make()
                                         : flow_testing::MemoryKind().make();
    results.push_back(
        AsyncRelay(Async(std::move(a), context), Async(std::move(b), context)));
  }
  EXPECT_EQ(Threads(), before);
  for (size_t i = 0; i < kRelays; ++i) {
    ASSERT_THAT(WriteAndEnd(clients[i], absl::StrCat("request ", i)), IsOk());
  }
  for (size_t i = 0; i < kRelays; ++i) {
    ASSERT_EQ(ReadToEof(servers[i]), absl::StrCat("request ", i));
    ASSERT_THAT(WriteAndEnd(servers[i], Pattern(3000, i)), IsOk());
  }
  for (size_t i = 0; i < kRelays; ++i) {
    ASSERT_TRUE(ReadToEof(clients[i]) == Pattern(3000, i)) << i;
    const RelayResult result = results[i].get();
    ASSERT_THAT(result.status(), IsOk());
    ASSERT_EQ(result.b_to_a.bytes, 3000u);
  }
}

// P8: with a status, and not never.
TEST(AsyncRelayTest, ContextThatIsDestroyedEndsItWithCancelled) {
  std::future<RelayResult> result;
  auto [client, a] = flow_testing::UnixKind().make();
  auto [b, server] = flow_testing::UnixKind().make();
  {
    AsyncContext context;
    result =
        AsyncRelay(Async(std::move(a), context), Async(std::move(b), context));
    ASSERT_THAT(client.Write("x"), IsOk());
    ASSERT_THAT(server.Read(), IsOk());
  }
  ASSERT_EQ(result.wait_for(std::chrono::seconds(0)),
            std::future_status::ready);
  EXPECT_THAT(result.get().status(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(client.Read(), IsOk());  // it is closed, at least
}

// The same where the end of the context comes between two steps of the relay.
TEST(AsyncRelayTest, ContextThatIsDestroyedBetweenTwoStepsCancelsIt) {
  auto [client, a] = flow_testing::UnixKind().make();
  auto [b, server] = flow_testing::UnixKind().make();
  auto [near, far] = flow_testing::UnixKind().make();
  auto context = std::make_unique<AsyncContext>();
  AsyncFlow probe = Async(std::move(near), *context);
  absl::Notification moved;
  RelayOptions options;
  options.progress_interval = absl::Nanoseconds(1);
  options.progress = [&](const CopyProgress&) {
    if (moved.HasBeenNotified()) return;
    moved.Notify();
    // An empty read is OK until the context refuses all that is new.
    while (probe.ReadInto({}).get().ok()) {
    }
  };
  std::future<RelayResult> result =
      AsyncRelay(Async(std::move(a), *context), Async(std::move(b), *context),
                 std::move(options));
  ASSERT_THAT(client.Write("x"), IsOk());
  moved.WaitForNotification();
  context.reset();
  EXPECT_THAT(result.get().status(), StatusIs(absl::StatusCode::kCancelled));
}

TEST(AsyncRelayTest, ContextThatIsGoneRefusesIt) {
  AsyncFlow a;
  AsyncFlow b;
  auto [client, near] = flow_testing::UnixKind().make();
  auto [far, server] = flow_testing::UnixKind().make();
  {
    AsyncContext context;
    a = Async(std::move(near), context);
    b = Async(std::move(far), context);
  }
  const RelayResult result = AsyncRelay(std::move(a), std::move(b)).get();
  EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(result.a_to_b.end(), CopyEnd::kRefused);
}

TEST(AsyncRelayTest, NoFlowIsTold) {
  EXPECT_THAT(AsyncRelay(AsyncFlow(), AsyncFlow()).get().status(),
              IsKind(ErrorKind::kClosedLocally));
}

// P8: called once, by the executor, after the flows are closed.
TEST(AsyncRelayTest, CallbackIsCalledOnceWithTheResult) {
  ThreadPool pool(1);
  AsyncContext context(pool);
  auto [client, a] = flow_testing::TcpKind().make();
  auto [b, server] = flow_testing::TcpKind().make();
  std::atomic<int> calls{0};
  absl::Notification called;
  RelayResult result;
  AsyncRelay(Async(std::move(a), context), Async(std::move(b), context), {},
             [&](RelayResult r) {
               ++calls;
               result = std::move(r);
               called.Notify();
             });
  ASSERT_THAT(WriteAndEnd(client, "up"), IsOk());
  EXPECT_EQ(ReadToEof(server), "up");
  ASSERT_THAT(WriteAndEnd(server, "down"), IsOk());
  EXPECT_EQ(ReadToEof(client), "down");
  called.WaitForNotification();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(result.ToString(), "a -> b: 2 B in order; b -> a: 4 B in order");
}

// P8: what is dropped goes on.
TEST(AsyncRelayTest, DroppedFutureEndsNothing) {
  AsyncContext context;
  auto [client, a] = flow_testing::UnixKind().make();
  auto [b, server] = flow_testing::UnixKind().make();
  static_cast<void>(
      AsyncRelay(Async(std::move(a), context), Async(std::move(b), context)));
  ASSERT_THAT(WriteAndEnd(client, "up"), IsOk());
  EXPECT_EQ(ReadToEof(server), "up");
  ASSERT_THAT(WriteAndEnd(server, "down"), IsOk());
  EXPECT_EQ(ReadToEof(client), "down");
}

// Two contexts, one for each side.
TEST(AsyncRelayTest, SidesMayLiveInTwoContexts) {
  AsyncContext one;
  AsyncContext two;
  auto [client, a] = flow_testing::TcpKind().make();
  auto [b, server] = flow_testing::TcpKind().make();
  std::future<RelayResult> result =
      AsyncRelay(Async(std::move(a), one), Async(std::move(b), two));
  const std::string up = Pattern(8 << 20, 1);
  const std::string down = Pattern(8 << 20, 2);
  std::thread up_writer(
      [&, &c = client] { EXPECT_THAT(WriteAndEnd(c, up), IsOk()); });
  std::thread down_writer(
      [&, &s = server] { EXPECT_THAT(WriteAndEnd(s, down), IsOk()); });
  std::thread up_reader([&, &s = server] { EXPECT_TRUE(ReadToEof(s) == up); });
  EXPECT_TRUE(ReadToEof(client) == down);
  up_reader.join();
  up_writer.join();
  down_writer.join();
  EXPECT_THAT(result.get().status(), IsOk());
}

TEST(AsyncRelayTest, MethodsForFilesAreRefused) {
  AsyncContext context;
  auto [client, a] = flow_testing::UnixKind().make();
  auto [b, server] = flow_testing::UnixKind().make();
  RelayOptions options;
  options.method = CopyMethod::kSendfile;
  EXPECT_THAT(AsyncRelay(Async(std::move(a), context),
                         Async(std::move(b), context), options)
                  .get()
                  .status(),
              StatusIs(absl::StatusCode::kUnimplemented));
}

// One busy relay does not keep the others of its context waiting.
TEST(AsyncRelayTest, BusyRelayGivesWay) {
  AsyncContext context;
  auto [busy_client, busy_a] = flow_testing::MemoryKind().make();
  auto [busy_b, busy_server] = flow_testing::MemoryKind().make();
  auto [client, a] = flow_testing::MemoryKind().make();
  auto [b, server] = flow_testing::MemoryKind().make();
  CancelSource stop;
  RelayOptions options;
  options.limits = Limits(stop.token());
  std::future<RelayResult> busy =
      AsyncRelay(Async(std::move(busy_a), context),
                 Async(std::move(busy_b), context), options);
  std::future<RelayResult> quiet =
      AsyncRelay(Async(std::move(a), context), Async(std::move(b), context));
  std::thread feeder([&c = busy_client] {
    while (c.Write(Pattern(100'000)).ok()) {
    }
  });
  std::thread eater([&s = busy_server] { ReadToEof(s); });
  ASSERT_THAT(WriteAndEnd(client, "up"), IsOk());
  EXPECT_EQ(ReadToEof(server), "up");
  ASSERT_THAT(WriteAndEnd(server, "down"), IsOk());
  EXPECT_EQ(ReadToEof(client), "down");
  EXPECT_THAT(quiet.get().status(), IsOk());
  stop.Cancel();
  EXPECT_THAT(busy.get().status(), StatusIs(absl::StatusCode::kCancelled));
  feeder.join();
  eater.join();
}

}  // namespace
}  // namespace flow
