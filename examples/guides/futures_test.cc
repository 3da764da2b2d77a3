// What futures.md shows.

#include <future>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using flow_testing::IsData;
using flow_testing::IsOk;

TEST(FuturesGuide, AsksAndGoesOn) {
  flow::ThreadPool pool(2);          // runs callbacks
  flow::AsyncContext context(pool);  // one thread parks what would block
  absl::StatusOr<std::pair<flow::Flow, flow::Flow>> ends = flow::SocketPair();
  ASSERT_THAT(ends, IsOk());
  auto a = flow::AsyncFlow::From(std::move(ends->first), context);
  auto b = flow::AsyncFlow::From(std::move(ends->second), context);
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());

  // Nobody waits here: the read is parked, the write is made at once.
  std::future<flow::AsyncFlow::ReadResult> answer = a->Read(absl::Seconds(30));
  std::future<absl::Status> sent = b->Write("hello");
  EXPECT_THAT(sent.get(), IsOk());
  EXPECT_THAT(answer.get(), IsData("hello"));

  // A std::future has no continuation; a callback is one. It runs on the pool.
  std::promise<std::string> told;
  a->Read({}, [&told](flow::AsyncFlow::ReadResult got) {
    told.set_value(got.ok() && !got->is_eof() ? got->data().ToString() : "");
  });
  EXPECT_THAT(b->Write("again").get(), IsOk());
  EXPECT_EQ(told.get_future().get(), "again");

  // Back to calls that block, with everything that has ended on it.
  absl::StatusOr<flow::Flow> blocking = a->Release();
  EXPECT_THAT(blocking, IsOk());
}

}  // namespace
