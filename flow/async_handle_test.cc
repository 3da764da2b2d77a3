// The handle of AsyncFlow when there is no flow behind it: it answers as a Flow
// does (ClosingTest.ADefaultFlowIsClosedLocally), by future and by callback.

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncFlow;
using ::flow::ErrorKind;
using ::flow::KindOf;

TEST(AsyncHandleTest, NoFlowIsClosedLocally) {
  AsyncFlow none;
  const auto closed = ErrorKind::kClosedLocally;
  EXPECT_EQ(KindOf(none.Read().get().status()), closed);
  EXPECT_EQ(KindOf(none.ReadInto({}).get().status()), closed);
  EXPECT_EQ(KindOf(none.Write("x").get()), closed);
  EXPECT_EQ(KindOf(none.Write(absl::Cord("x")).get()), closed);
  EXPECT_EQ(KindOf(none.WriteSome("x").get().status()), closed);
  EXPECT_EQ(KindOf(none.WaitPeerEnd(flow::PeerEnd::kGone).get().status()),
            closed);
  EXPECT_EQ(KindOf(none.Release().status()), closed);
  EXPECT_THAT(none.Shutdown(flow::ShutdownMode::kReadWrite).get(), IsOk());
  EXPECT_THAT(none.CloseGracefully({}).get(), IsOk());
  EXPECT_THAT(none.Close().get(), IsOk());
  EXPECT_THAT(none.Abort().get(), IsOk());
}

TEST(AsyncHandleTest, NoFlowCallsBackAtOnce) {
  AsyncFlow none;
  int answers = 0;
  none.Read({}, [&](const auto& got) { answers += got.ok() ? 100 : 1; });
  none.ReadInto({}, {},
                [&](const auto& got) { answers += got.ok() ? 100 : 1; });
  none.WriteSome("x", {},
                 [&](const auto& got) { answers += got.ok() ? 100 : 1; });
  none.Close([&](const absl::Status& s) { answers += s.ok() ? 1 : 100; });
  EXPECT_EQ(answers, 4);
}

TEST(AsyncHandleTest, NoFlowKnowsNothing) {
  AsyncFlow none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.local(), flow::Endpoint());
  EXPECT_EQ(none.peer(), flow::Endpoint());
  EXPECT_EQ(none.GetStats().bytes_read, 0u);
  EXPECT_FALSE(none.abort_is_visible() || none.ends_are_visible());
  EXPECT_EQ(none.native_handle(), -1);
  none.Observe(nullptr);
  EXPECT_EQ(none.ToString(), "no flow");
}

TEST(AsyncHandleTest, FromNoFlowIsRefused) {
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  EXPECT_EQ(KindOf(AsyncFlow::From(flow::Flow(), context).status()),
            ErrorKind::kClosedLocally);
}

TEST(AsyncHandleTest, AssigningToItselfChangesNothing) {
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  auto [a, b] = MemoryOn(context);
  AsyncFlow& same = a;
  a = std::move(same);
  a.Observe(nullptr);
  ASSERT_THAT(a.Write("x").get(), IsOk());
  EXPECT_TRUE(b.Read().get().ok());
  EXPECT_TRUE(a.ends_are_visible());
}

}  // namespace
}  // namespace flow_testing
