// Between two machines: what is unreachable is told at once, what is silent
// ends at the deadline and doesn't hide a good address, and a link that is cut
// in the middle ends what waits for it (P3; case L.74).

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/flow.h"
#include "flow/net/async_dial.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/net/netns_test_support.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using absl::StatusCode;
using flow::Dial;
using flow::Flow;
using flow::Listener;
using flow::MonoTime;
using flow::NetOptions;
using ::testing::HasSubstr;

// More than any of this takes, less than the kernel's own time-outs.
constexpr absl::Duration kLong = Seconds(20);

class NetnsTest : public testing::Test {
 protected:
  void SetUp() override {
    machines_ = std::make_unique<TwoMachines>();
    if (!machines_->missing().empty()) GTEST_SKIP() << machines_->missing();
    machines_->OnFar([this] {
      absl::StatusOr<Listener> listener = flow::Listen("tcp:0.0.0.0:7000");
      ASSERT_THAT(listener, IsOk());
      far_ = *std::move(listener);
    });
    // The link may take its time to come up.
    ASSERT_THAT(Dial(FarAddress(), kLong), IsOk());
    ASSERT_THAT(far_.Accept(kLong), IsOk());
  }

  static std::string FarAddress() {
    return absl::StrCat("tcp:", TwoMachines::kFar, ":7000");
  }
  // A name: first the black hole, then far.
  NetOptions HoleThenFar() {
    names_.addresses.clear();
    names_.Add(":7000", TwoMachines::kBlackHoleNumber);
    names_.Add(":7000", TwoMachines::kFarNumber);
    NetOptions options;
    options.sys = &names_;
    return options;
  }
  // A connection: near's end, far's.
  std::pair<Flow, Flow> Connected() {
    absl::StatusOr<Flow> near = Dial(FarAddress(), kLong);
    absl::StatusOr<Flow> far = far_.Accept(kLong);
    EXPECT_THAT(near, IsOk());
    EXPECT_THAT(far, IsOk());
    return {*std::move(near), *std::move(far)};
  }

  FakeNames names_;
  std::unique_ptr<TwoMachines> machines_;
  Listener far_;
};

TEST_F(NetnsTest, UnreachableIsToldAtOnce) {
  const MonoTime start = MonoTime::Now();
  for (const auto& [host, error] :
       {std::pair(TwoMachines::kNoRoute, ENETUNREACH),
        {TwoMachines::kNoWay, EHOSTUNREACH}}) {
    const absl::Status told =
        Dial(absl::StrCat("tcp:", host, ":7000"), kLong).status();
    EXPECT_THAT(told, StatusIs(StatusCode::kUnavailable, HasSubstr(host)));
    EXPECT_EQ(flow::ErrnoOf(told), error);
  }
  EXPECT_THAT(Dial(absl::StrCat("tcp:", TwoMachines::kFar, ":7001"), kLong),
              StatusIs(StatusCode::kUnavailable, HasSubstr("refused")));
  EXPECT_LT(MonoTime::Now() - start, kLong / 2);
}

TEST_F(NetnsTest, ABlackHoleEndsAtTheDeadline) {
  const std::string hole =
      absl::StrCat("tcp:", TwoMachines::kBlackHole, ":7000");
  const MonoTime start = MonoTime::Now();
  EXPECT_THAT(Dial(hole, Milliseconds(200)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_GE(MonoTime::Now() - start, Milliseconds(200));
  flow::AsyncContext context;
  const MonoTime again = MonoTime::Now();
  EXPECT_THAT(flow::AsyncDial(hole, context, Milliseconds(200)).get(),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_GE(MonoTime::Now() - again, Milliseconds(200));
  EXPECT_LT(MonoTime::Now() - start, kLong / 2);
}

TEST_F(NetnsTest, ABlackHoleDoesNotHideAGoodSecond) {
  const NetOptions options = HoleThenFar();
  const MonoTime start = MonoTime::Now();
  EXPECT_THAT(Dial("tcp:server.test:1", kLong, options), IsOk());
  EXPECT_GE(MonoTime::Now() - start, Milliseconds(250));
  flow::AsyncContext context;
  const MonoTime again = MonoTime::Now();
  EXPECT_THAT(
      flow::AsyncDial("tcp:server.test:1", context, kLong, options).get(),
      IsOk());
  EXPECT_GE(MonoTime::Now() - again, Milliseconds(250));
  EXPECT_LT(MonoTime::Now() - start, kLong / 2);
}

TEST_F(NetnsTest, TheInterfaceMayBeChosen) {
  EXPECT_THAT(Dial(FarAddress() + ",interface=near0", kLong), IsOk());
  EXPECT_THAT(
      Dial(FarAddress() + ",interface=nosuch0", kLong),
      StatusIs(testing::Ne(StatusCode::kOk), HasSubstr("interface=nosuch0")));
}

// Nobody says that the link is gone: only the deadline ends a Read.
TEST_F(NetnsTest, ACutLinkEndsAReadAtItsDeadline) {
  auto [near, far] = Connected();
  ASSERT_THAT(far.Write("hello"), IsOk());
  EXPECT_THAT(near.Read(kLong), IsData("hello"));
  machines_->CutLink();
  const MonoTime start = MonoTime::Now();
  EXPECT_THAT(near.Read(Milliseconds(300)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_GE(MonoTime::Now() - start, Milliseconds(300));
  EXPECT_THAT(Dial(FarAddress(), Milliseconds(100)),
              StatusIs(StatusCode::kDeadlineExceeded));
}

// The kernel gives the connection up (tcp(7), TCP_USER_TIMEOUT): an error of
// the whole flow, and the same one from then on.
TEST_F(NetnsTest, ACutLinkEndsAWriteByTheUserTimeout) {  // P1
  auto [near, far] = Connected();
  const unsigned int ms = 500;
  ASSERT_EQ(setsockopt(near.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
                       sizeof(ms)),
            0);
  machines_->CutLink();
  const absl::Status ended =
      near.Write(std::string(64 << 20, 'x'), kLong);  // more than buffers hold
  EXPECT_THAT(ended, StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(near.Read().status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(near.Write("more").code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace flow_testing
