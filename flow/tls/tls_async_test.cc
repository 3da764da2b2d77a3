// Handshakes that park (flow/tls/tls_async.h): the same outcomes, no thread for
// each.

#include "flow/tls/tls_async.h"

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/thread_pool.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::GoodClient;
using ::flow_testing::GoodServer;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::kTlsLong;
using ::flow_testing::MemoryPair;
using ::flow_testing::StatusIs;
using ::flow_testing::TcpPair;

class TlsAsyncTest : public ::testing::Test {
 protected:
  TlsAsyncTest()
      : client_(*TlsClient::Create(GoodClient())),
        server_(*TlsServer::Create(GoodServer())) {}

  TlsClient client_;
  TlsServer server_;
};

TEST_F(TlsAsyncTest, BothEndsOnOneContextGiveFlows) {
  AsyncContext context;
  auto tcp = TcpPair();
  ASSERT_THAT(tcp, IsOk());
  std::future<absl::StatusOr<TlsFlow>> accepted =
      TlsAccept(std::move(tcp->second), server_, context, kTlsLong);
  std::future<absl::StatusOr<TlsFlow>> connected = TlsConnect(
      std::move(tcp->first), client_, "localhost", context, kTlsLong);
  absl::StatusOr<TlsFlow> a = connected.get();
  absl::StatusOr<TlsFlow> b = accepted.get();
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  EXPECT_TRUE(a->facts.peer_verified);
  absl::StatusOr<AsyncFlow> f = AsyncFlow::From(std::move(a->flow), context);
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Write("hello").get(), IsOk());
  EXPECT_THAT(b->flow.Read(kTlsLong), IsOkAndHolds(IsData("hello")));
}

// Case 105: many silent clients are parked, not threads.
TEST_F(TlsAsyncTest, SilentClientsAreParkedUntilTheirLimit) {
  ThreadPool pool(1);
  AsyncContext context(pool);
  std::vector<Flow> silent;
  std::vector<std::future<absl::StatusOr<TlsFlow>>> waiting;
  for (int i = 0; i < 200; ++i) {
    auto [ours, theirs] = MemoryPair();
    silent.push_back(std::move(theirs));
    waiting.push_back(
        TlsAccept(std::move(ours), server_, context, absl::Milliseconds(300)));
  }
  auto [ours, theirs] = MemoryPair();
  auto good = TlsAccept(std::move(ours), server_, context, kTlsLong);
  EXPECT_THAT(TlsConnect(std::move(theirs), client_, "localhost", kTlsLong),
              IsOk());
  EXPECT_THAT(good.get(), IsOk());
  for (auto& future : waiting) {
    EXPECT_THAT(future.get(), IsKind(ErrorKind::kDeadline));
  }
  for (Flow& flow : silent) {
    EXPECT_THAT(flow.Read(kTlsLong), IsOkAndHolds(IsEof()));
  }
}

TEST_F(TlsAsyncTest, FailuresComeThroughTheCallback) {
  AsyncContext context;
  auto [ours, theirs] = MemoryPair();
  ASSERT_THAT(theirs.Write("GET / HTTP/1.0\r\n\r\n"), IsOk());
  absl::Notification told;
  absl::Status status;
  TlsAccept(std::move(ours), server_, context, kTlsLong,
            [&](const absl::StatusOr<TlsFlow>& tls) {
              status = tls.status();
              told.Notify();
            });
  told.WaitForNotification();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss));
  // A name that can't be one is told without a poller.
  auto [mine, unused] = MemoryPair();
  EXPECT_THAT(TlsConnect(std::move(mine), client_, "", context, kTlsLong).get(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// P8: the end of the context ends what waits.
TEST_F(TlsAsyncTest, TheEndOfTheContextEndsHandshakes) {
  auto context = std::make_unique<AsyncContext>();
  auto [ours, theirs] = MemoryPair();
  auto waiting = TlsAccept(std::move(ours), server_, *context, {});
  context.reset();
  EXPECT_THAT(waiting.get(), IsKind(ErrorKind::kCancelled));
}

// P8: a future that nobody looks at leaks and blocks nothing.
TEST_F(TlsAsyncTest, ADroppedFutureIsNoHarm) {
  AsyncContext context;
  auto [ours, theirs] = MemoryPair();
  static_cast<void>(
      TlsAccept(std::move(ours), server_, context, absl::Milliseconds(50)));
  EXPECT_THAT(theirs.Read(kTlsLong), IsOkAndHolds(IsEof()));
}

}  // namespace
}  // namespace flow
