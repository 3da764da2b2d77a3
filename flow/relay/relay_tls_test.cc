// Relays between TLS connections: what a layer that waits and ends in its own
// ways must not change.

#include <sys/socket.h>

#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/tls/tls_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::PairKind;
using ::flow_testing::Pattern;
using ::flow_testing::Pause;
using ::flow_testing::PollCounter;
using ::flow_testing::ReadToEof;
using ::flow_testing::RelayRig;
using ::flow_testing::WriteAndEnd;
using ::testing::Not;

constexpr size_t kMebibyte = 1 << 20;

PairKind TlsKind() {
  return {"tls", [] {
            absl::StatusOr<std::pair<Flow, Flow>> tcp = flow_testing::TcpPair();
            EXPECT_THAT(tcp, IsOk());
            absl::StatusOr<std::pair<Flow, Flow>> tls =
                flow_testing::UnderTls(*std::move(tcp));
            EXPECT_THAT(tls, IsOk());
            return *std::move(tls);
          }};
}

class RelayTlsTest : public testing::TestWithParam<PairKind> {};
INSTANTIATE_TEST_SUITE_P(Drivers, RelayTlsTest,
                         testing::Values(TlsKind(), TlsKind().WithFutures()),
                         [](const auto& kind) { return kind.param.name; });

// P10, cases 89 and 90: close_notify is passed on as close_notify.
TEST_P(RelayTlsTest, HalfCloseExchangesAreExact) {
  for (uint64_t i = 0; i < 5; ++i) {
    RelayRig rig(GetParam());
    const std::string request = Pattern(1000, i);
    const std::string reply = Pattern(kMebibyte, i + 7);
    ASSERT_THAT(WriteAndEnd(rig.client, request), IsOk());
    ASSERT_EQ(ReadToEof(rig.server), request);
    std::thread late(
        [&] { EXPECT_THAT(WriteAndEnd(rig.server, reply), IsOk()); });
    EXPECT_TRUE(ReadToEof(rig.client) == reply);
    late.join();
    EXPECT_THAT(rig.Join().status(), IsOk());
  }
}

// P10, P12: a cut stream never looks like a clean end, on either side of it.
TEST_P(RelayTlsTest, AbortReachesTheOtherPeer) {
  RelayRig rig(GetParam());
  ASSERT_THAT(rig.client.Write("half a mess"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsOk());
  rig.client.Abort().IgnoreError();
  EXPECT_THAT(rig.server.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(rig.Join().a_to_b.read_status, IsKind(ErrorKind::kReset));
}

// P12: an end of the connection below that TLS knows nothing of is one, too.
TEST_P(RelayTlsTest, TruncationIsPassedOnAsAnError) {
  RelayRig rig(GetParam());
  ASSERT_THAT(rig.client.Write("half a mess"), IsOk());
  ASSERT_THAT(rig.server.Read(), IsOk());
  ASSERT_EQ(shutdown(rig.client.native_handle(), SHUT_WR), 0);
  EXPECT_THAT(rig.server.Read(), Not(IsOk()));
  const RelayResult result = rig.Join();
  EXPECT_THAT(result.a_to_b.read_status, Not(IsOk()));
  EXPECT_EQ(result.a_to_b.failed_side(), CopySide::kSource);
}

// P3.
TEST_P(RelayTlsTest, TokenEndsAStalledRelayInTime) {
  CancelSource stop;
  RelayOptions options;
  options.limits = Limits(stop.token());
  RelayRig rig(GetParam(), options);
  std::thread clog(
      [&] { rig.client.Write(Pattern(32 * kMebibyte)).IgnoreError(); });
  Pause(absl::Milliseconds(300));
  const absl::Time begin = absl::Now();
  stop.Cancel();
  const RelayResult result = rig.Join();
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(500));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  clog.join();
}

// P3, P4: the close of its source ends a relay whose sink takes nothing, at
// once and without asking for it again and again.
TEST(RelayTlsStallTest, CloseOfASourceBehindAStalledSinkEndsItWithoutASpin) {
  PollCounter kernel;
  PairKind kind = TlsKind();
  kind.make = [&kernel] {
    FdOptions options;
    options.sys = &kernel;
    absl::StatusOr<std::pair<Flow, Flow>> pair = SocketPair(options);
    EXPECT_THAT(pair, IsOk());
    absl::StatusOr<std::pair<Flow, Flow>> tls =
        flow_testing::UnderTls(*std::move(pair));
    EXPECT_THAT(tls, IsOk());
    return *std::move(tls);
  };
  RelayRig rig(kind);
  std::thread clog(
      [&] { rig.client.Write(Pattern(32 * kMebibyte)).IgnoreError(); });
  Pause(absl::Milliseconds(500));
  const int before = kernel.polls;
  Pause(absl::Seconds(1));
  // Three sleepers: the client's write, and both directions of the relay.
  EXPECT_LE(kernel.polls - before, 20);
  const absl::Time begin = absl::Now();
  rig.a().Close().IgnoreError();
  const RelayResult result = rig.Join();
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(400));
  EXPECT_THAT(result.a_to_b.status(), IsKind(ErrorKind::kClosedLocally));
  clog.join();
}

}  // namespace
}  // namespace flow
