// What a relay sees of a pipe that is its sink, while it has nothing to write.

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::PairKind;
using ::flow_testing::Pause;
using ::flow_testing::RelayRig;

// 0.6 s, and what a busy machine adds.
constexpr absl::Duration kSeenWithin = absl::Seconds(3);

class ReaderGoneTest : public testing::TestWithParam<PairKind> {};
INSTANTIATE_TEST_SUITE_P(
    Over, ReaderGoneTest,
    testing::Values(flow_testing::StdioKind(),
                    flow_testing::StdioKind().WithFutures()),
    [](const auto& kind) { return kind.param.name; });

// P10: as `flowcat - tcp:... | head -c1`, whose server says nothing more. Only
// a write would meet the error.
TEST_P(ReaderGoneTest, PipeThatNobodyReadsEndsAnIdleRelay) {
  RelayRig rig(GetParam());
  EXPECT_THAT(rig.server.Write("x"), IsOk());
  EXPECT_THAT(rig.client.Read(), IsData("x"));
  const absl::Time begin = absl::Now();
  EXPECT_THAT(rig.client.Shutdown(ShutdownMode::kRead), IsOk());
  const RelayResult result = rig.Join();
  EXPECT_LT(absl::Now() - begin, kSeenWithin);
  EXPECT_EQ(result.b_to_a.failed_side(), CopySide::kSink);
  EXPECT_THAT(result.b_to_a.status(), IsKind(ErrorKind::kClosedByPeer));
  EXPECT_EQ(result.b_to_a.bytes, 1u);
}

// Waits for nothing that comes later: an end before the reader's does not hide
// the other direction.
TEST_P(ReaderGoneTest, PipeThatIsReadIsLeftAlone) {
  RelayRig rig(GetParam());
  Pause(absl::Milliseconds(1200));  // more than two looks
  EXPECT_THAT(rig.server.Write("late"), IsOk());
  EXPECT_THAT(rig.client.Read(), IsData("late"));
  EXPECT_THAT(rig.client.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(rig.server.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(rig.Join().status(), IsOk());
}

UniqueFd OpenFifo(const std::string& path, int flags) {
  return UniqueFd(open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC));
}

// A FIFO with a name has lost its reader, and gets another.
TEST(ReaderGoneFifoTest, FifoWaitsForItsNextReader) {
  const std::string path = testing::TempDir() + "/reader_gone.fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  UniqueFd first = OpenFifo(path, O_RDONLY);
  absl::StatusOr<Flow> sink = Adopt(OpenFifo(path, O_WRONLY));
  ASSERT_THAT(sink, IsOk());
  first.reset();
  absl::StatusOr<std::pair<Flow, Flow>> source = Pipe();
  ASSERT_THAT(source, IsOk());
  CopyOptions options;
  options.limits = absl::Milliseconds(1200);  // more than two looks
  const CopyResult idle = Copy(source->first, *sink, options);
  EXPECT_THAT(idle.status(), IsKind(ErrorKind::kDeadline));
  absl::StatusOr<Flow> next = Adopt(OpenFifo(path, O_RDONLY));
  ASSERT_THAT(next, IsOk());
  EXPECT_THAT(source->second.Write("x"), IsOk());
  EXPECT_THAT(source->second.Close(), IsOk());
  EXPECT_THAT(Copy(source->first, *sink).status(), IsOk());
  EXPECT_THAT(next->Read(), IsData("x"));
}

}  // namespace
}  // namespace flow
