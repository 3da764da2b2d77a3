#include "tools/flowcat/demo.h"

#include <sstream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/flowcat/format.h"

namespace flow_tools {
namespace {

using ::flow_testing::IsOk;
using ::flow_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

DemoOptions Small() {
  DemoOptions options;
  options.bytes = 3 << 20;
  options.timeout = absl::Seconds(30);
  return options;
}

TEST(DemoTest, WhatComesBackIsWhatWasSentAndHalfOfItAfterTheHalfClose) {
  std::ostringstream progress;
  DemoOptions options = Small();
  options.progress = &progress;
  const absl::StatusOr<DemoResult> result = RunDemo(options);
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->sent, options.bytes);
  EXPECT_EQ(result->received, options.bytes);
  EXPECT_EQ(result->sent_sha256, result->received_sha256);
  EXPECT_GE(result->received_after_half_close, options.bytes / 2);
  EXPECT_EQ(result->relay.a_to_b.bytes, options.bytes);
  EXPECT_EQ(result->relay.b_to_a.bytes, options.bytes);
  EXPECT_THAT(progress.str(), HasSubstr("half-closed\n"));
  EXPECT_THAT(progress.str(), Not(HasSubstr("\r")));
  EXPECT_THAT(DescribeDemo(*result), HasSubstr(result->sent_sha256));
}

TEST(DemoTest, OneSpoiledByteIsFoundInEitherHalf) {
  for (const uint64_t byte : {uint64_t{0}, Small().bytes - 1}) {
    DemoOptions options = Small();
    options.spoil_byte = byte;
    EXPECT_THAT(RunDemo(options),
                StatusIs(absl::StatusCode::kDataLoss,
                         HasSubstr("what came back is not what was sent")));
  }
}

TEST(DemoTest, EndsAtItsLimitAndByItsToken) {
  DemoOptions late = Small();
  late.timeout = absl::ZeroDuration();
  EXPECT_THAT(RunDemo(late), StatusIs(absl::StatusCode::kDeadlineExceeded));
  flow::CancelSource stop;
  stop.Cancel();
  DemoOptions cancelled = Small();
  cancelled.cancel = stop.token();
  EXPECT_THAT(RunDemo(cancelled), StatusIs(absl::StatusCode::kCancelled));
}

TEST(FormatTest, NumbersAreShort) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(64 << 20), "64.0 MiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(FormatRate(1 << 20, absl::Milliseconds(500)), "2.0 MiB/s");
  EXPECT_EQ(FormatRate(1, absl::ZeroDuration()), "-");
  EXPECT_EQ(FormatRate(UINT64_MAX, absl::Nanoseconds(1)), "-");
  EXPECT_EQ(FormatElapsed(absl::Milliseconds(1234)), "1.234s");
  EXPECT_EQ(FormatElapsed(absl::Microseconds(12345)), "12.3ms");
  EXPECT_EQ(FormatElapsed(absl::Milliseconds(123456)), "2m3s");
}

}  // namespace
}  // namespace flow_tools
