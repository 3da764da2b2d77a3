// LimitBytes: exactly the first bytes, and what comes of the others.

#include "flow/layers/limit.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::HasBytesDone;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::MemoryPair;
using ::flow_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// No test waits so long: a mistake is to be a failure, not a hang.
constexpr absl::Duration kLong = absl::Seconds(20);

class LimitTest : public ::testing::Test {
 protected:
  void Make(const ByteLimits& limits) {
    auto [below, peer] = MemoryPair();
    absl::StatusOr<Flow> made = LimitBytes(std::move(below), limits);
    ASSERT_THAT(made, IsOk());
    flow_ = *std::move(made);
    peer_ = std::move(peer);
  }
  void LimitReads(uint64_t bytes, BeyondLimit beyond) {
    ByteLimits limits;
    limits.read = {bytes, beyond};
    Make(limits);
  }
  void LimitWrites(uint64_t bytes, BeyondLimit beyond) {
    ByteLimits limits;
    limits.write = {bytes, beyond};
    Make(limits);
  }

  Flow flow_;
  Flow peer_;
};

TEST_F(LimitTest, ReadsEndAfterTheFirstBytes) {
  LimitReads(5, BeyondLimit::kEnd);
  ASSERT_THAT(peer_.Write("hello world"), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("hello"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

// The limit, and not one more, also where one more would just fit.
TEST_F(LimitTest, ABufferOfOneByteMoreIsNotFilled) {
  LimitReads(5, BeyondLimit::kEnd);
  ASSERT_THAT(peer_.Write("hello world"), IsOk());
  char into[6];
  const auto got = flow_.ReadInto(absl::MakeSpan(into), kLong);
  ASSERT_THAT(got, IsOk());
  ASSERT_TRUE(got->has_data());
  EXPECT_EQ(got->data(), 5u);
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

// It does not wait for a byte that it would not give.
TEST_F(LimitTest, AnEndComesWithoutTheNextByte) {
  LimitReads(5, BeyondLimit::kEnd);
  ASSERT_THAT(peer_.Write("hel"), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("hel"));
  ASSERT_THAT(peer_.Write("lo"), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("lo"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

TEST_F(LimitTest, OfALimitOfNothingThereIsNothing) {
  LimitReads(0, BeyondLimit::kEnd);
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

// P1: the peer's own end, before the limit or at it, is Eof in both modes.
TEST_F(LimitTest, APeerThatEndsWithinTheLimitIsEof) {
  LimitReads(5, BeyondLimit::kFail);
  ASSERT_THAT(peer_.Write("hello"), IsOk());
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("hello"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

// The table of errors: "line and size limits: RESOURCE_EXHAUSTED".
TEST_F(LimitTest, OneByteTooMuchFailsTheReads) {
  LimitReads(5, BeyondLimit::kFail);
  ASSERT_THAT(peer_.Write("hello!"), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("hello"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(
        flow_.Read(kLong),
        StatusIs(absl::StatusCode::kResourceExhausted,
                 AllOf(HasSubstr("read() failed: beyond the limit of 5 bytes"),
                       HasSubstr("flow limit over memory a -> memory b"))));
  }
  EXPECT_THAT(flow_.Write("the other direction goes on"), IsOk());
}

// Case 54: a sink with room for 10 bytes. P2: what arrives is a prefix, and the
// count says of what length.
TEST_F(LimitTest, AWriteThatGoesBeyondSendsWhatFits) {
  LimitWrites(10, BeyondLimit::kFail);
  ASSERT_THAT(flow_.Write("hell"), IsOk());
  ASSERT_THAT(flow_.Write("o! "), IsOk());
  EXPECT_THAT(
      flow_.Write("world"),
      AllOf(StatusIs(absl::StatusCode::kResourceExhausted), HasBytesDone(3)));
  EXPECT_THAT(flow_.WriteSome("x"),
              StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_THAT(flow_.Close(), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsData("hello! wor"));
  EXPECT_THAT(peer_.Read(kLong), IsEof());
}

// Case 54, with the answer of a peer that takes no more.
TEST_F(LimitTest, AWriteBeyondAnEndIsRefusedAsByThePeer) {
  LimitWrites(10, BeyondLimit::kEnd);
  const std::vector<absl::string_view> pieces = {"hell", "o! ", "world"};
  EXPECT_THAT(flow_.Writev(pieces),
              AllOf(StatusIs(absl::StatusCode::kFailedPrecondition,
                             HasSubstr("the stream ends after 10 bytes")),
                    IsKind(ErrorKind::kClosedByPeer), HasBytesDone(10)));
  EXPECT_THAT(peer_.Read(kLong), IsData("hello! wor"));
}

TEST_F(LimitTest, AWriteOfExactlyTheLimitIsOk) {
  LimitWrites(5, BeyondLimit::kFail);
  EXPECT_THAT(flow_.Write("hello"), IsOk());
  EXPECT_THAT(flow_.Write(""), IsOk());
  EXPECT_THAT(flow_.WriteSome("x"),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(LimitTest, WriteSomeTakesWhatFits) {
  LimitWrites(5, BeyondLimit::kFail);
  EXPECT_THAT(flow_.WriteSome("hello world"), IsOkAndHolds(5));
}

TEST_F(LimitTest, WithoutLimitsAllPasses) {
  Make(ByteLimits());
  const std::string big(60'000, 'x');
  ASSERT_THAT(flow_.Write(big), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsOk());
}

}  // namespace
}  // namespace flow
