// LookUp: what a name stands for, in time (P3), without leaving anything.

#include "flow/net/look_up.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/endpoint.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Endpoint;
using flow::LookUp;
using ::testing::Contains;
using ::testing::HasSubstr;

std::vector<std::string> Texts(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> texts;
  for (const Endpoint& each : endpoints) texts.push_back(each.ToString());
  return texts;
}

TEST(LookUpTest, NumbersAndPathsAreWhatTheyAre) {
  const struct {
    const char* address;
    const char* endpoint;
  } kCases[] = {{"tcp:127.0.0.1:80", "127.0.0.1:80"},
                {"tcp:[::1]:80", "[::1]:80"},
                {"unix:/run/x.sock", "/run/x.sock"}};
  for (const auto& c : kCases) {
    const absl::StatusOr<std::vector<Endpoint>> all = LookUp(c.address);
    ASSERT_THAT(all, IsOk());
    EXPECT_EQ(Texts(*all), std::vector<std::string>{c.endpoint});
  }
}

TEST(LookUpTest, ANameHasItsAddressesAndAnUnknownOneSaysSo) {
  const absl::StatusOr<std::vector<Endpoint>> all =
      LookUp("tcp:localhost:80", absl::Seconds(30));
  ASSERT_THAT(all, IsOk());
  EXPECT_THAT(Texts(*all), Contains("127.0.0.1:80"));
  EXPECT_THAT(LookUp("tcp:no-such-host.invalid:80", absl::Seconds(30)),
              StatusIs(StatusCode::kUnavailable, HasSubstr("lookup()")));
}

TEST(LookUpTest, LimitsHoldAndNonsenseIsRefused) {
  EXPECT_THAT(LookUp("tcp:localhost:80", absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded));
  flow::CancelSource source;
  source.Cancel();
  EXPECT_THAT(LookUp("tcp:localhost:80", source.token()),
              StatusIs(StatusCode::kCancelled));
  for (const char* const address : {"tcp:x", "tcp-listen:x:1", "file:/x"}) {
    EXPECT_THAT(LookUp(address), StatusIs(StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace flow_testing
