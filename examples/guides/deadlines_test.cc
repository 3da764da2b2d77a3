// What deadlines.md shows.

#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using flow_testing::HasBytesDone;
using flow_testing::IsKind;
using flow_testing::IsOk;

absl::Status SendMessage(flow::Flow& f, const std::string& head,
                         const std::string& body) {
  flow::Limits limits = absl::Seconds(30);  // of both writes together
  limits.stall_timeout = absl::Seconds(5);  // and never 5 s without a byte
  if (absl::Status s = f.Write(head, limits); !s.ok()) return s;
  return f.Write(body, limits);
}

TEST(DeadlinesGuide, OneTotalForSeveralCalls) {
  auto [f, peer] = flow_testing::MemoryPair();
  EXPECT_THAT(SendMessage(f, "head", "body"), IsOk());
}

TEST(DeadlinesGuide, AnotherThreadCancels) {
  auto [f, peer] = flow_testing::MemoryPair();
  flow::CancelSource source;
  std::thread impatient([&source] { source.Cancel(); });
  EXPECT_THAT(f.Read(source.token()), IsKind(flow::ErrorKind::kCancelled));
  impatient.join();
  EXPECT_THAT(peer.Write("late"), IsOk());
  EXPECT_THAT(f.Read(), flow_testing::IsData("late"));  // nothing was lost
}

TEST(DeadlinesGuide, AWriteThatIsCutSealsItsSide) {
  auto [f, peer] = flow_testing::MemoryPair(/*capacity=*/4);
  const absl::Status cut = f.Write("too long", absl::Milliseconds(10));
  EXPECT_THAT(cut, IsKind(flow::ErrorKind::kDeadline));
  EXPECT_THAT(cut, HasBytesDone(4));
  EXPECT_THAT(f.Write("more"), IsKind(flow::ErrorKind::kSealed));
}

}  // namespace
