// What errors.md shows.

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

enum class Next { kGoOn, kReconnect, kGiveUp };

Next AfterWrite(const absl::Status& s) {
  if (s.ok()) return Next::kGoOn;
  switch (flow::KindOf(s)) {
    case flow::ErrorKind::kReset:
    case flow::ErrorKind::kClosedByPeer:
    case flow::ErrorKind::kTruncated:
      return Next::kReconnect;  // BytesDone(s) of it had been accepted
    case flow::ErrorKind::kDeadline:
      // Nothing was accepted: the same call may be made again.
      return flow::BytesDone(s) == 0 ? Next::kGoOn : Next::kReconnect;
    case flow::ErrorKind::kSealed:
    case flow::ErrorKind::kClosedLocally:
    case flow::ErrorKind::kCancelled:
    case flow::ErrorKind::kSystem:
    case flow::ErrorKind::kOther:
      break;
  }
  return Next::kGiveUp;
}

TEST(ErrorsGuide, TheKindSaysWhatToDo) {
  auto [f, peer] = flow_testing::MemoryPair();
  EXPECT_EQ(AfterWrite(f.Write("x")), Next::kGoOn);
  ASSERT_THAT(peer.Abort(), flow_testing::IsOk());
  const absl::Status reset = f.Write("x");
  EXPECT_EQ(AfterWrite(reset), Next::kReconnect) << reset;
  ASSERT_THAT(f.Close(), flow_testing::IsOk());
  EXPECT_EQ(AfterWrite(f.Write("x")), Next::kGiveUp);
  EXPECT_EQ(AfterWrite(absl::UnavailableError("not ours")), Next::kGiveUp);
}

}  // namespace
