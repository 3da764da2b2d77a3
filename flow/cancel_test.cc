// CancelSource and CancelToken: values and lifetimes. What they do to calls
// that are blocked is in the tests of the calls.

#include "flow/cancel.h"

#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::Background;
using ::flow_testing::FlowOn;
using ::flow_testing::Hooks;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::SleepCounter;
using ::flow_testing::StatusIs;

std::string Print(const CancelToken& token) {
  std::ostringstream os;
  os << token;
  return os.str();
}

TEST(CancelTest, ADefaultTokenNeverCancels) {
  const CancelToken token;
  EXPECT_FALSE(token.cancelled());
  EXPECT_FALSE(token.has_source());
  EXPECT_TRUE(token.deadline().is_never());
  EXPECT_EQ(token.signal(), nullptr);
  EXPECT_EQ(Print(token), "never cancelled");
}

TEST(CancelTest, CancelIsForGoodAndNotifiesOnce) {
  CancelSource source;
  const CancelToken token = source.token();
  // The copy is what is tested.
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization)
  const CancelToken copy = token;
  EXPECT_EQ(Print(token), "not cancelled");
  const uint64_t before = token.signal()->seq();
  source.Cancel();
  source.Cancel();
  EXPECT_TRUE(source.cancelled());
  EXPECT_TRUE(token.cancelled());
  EXPECT_TRUE(copy.cancelled());
  EXPECT_TRUE(source.token().cancelled());
  EXPECT_EQ(token.signal()->seq(), before + 1);
  EXPECT_EQ(Print(token), "cancelled");
}

TEST(CancelTest, TokensOutliveTheirSourceUncancelled) {
  auto source = std::make_unique<CancelSource>();
  const CancelToken token = source->token();
  source.reset();
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(token.has_source());
}

TEST(CancelTest, AMovedFromSourceDoesNothing) {
  CancelSource a;
  const CancelToken token = a.token();
  CancelSource b = std::move(a);
  a.Cancel();  // NOLINT(bugprone-use-after-move): what it does then
  a.SetDeadline(MonoTime::Past());
  EXPECT_FALSE(a.cancelled());
  EXPECT_FALSE(a.token().has_source());
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(token.deadline().is_never());
  b.Cancel();
  EXPECT_TRUE(token.cancelled());
}

TEST(CancelTest, TheDeadlineMovesBothWaysAndNotifiesWhenItDoes) {
  CancelSource source;
  const CancelToken token = source.token();
  const uint64_t before = token.signal()->seq();
  source.SetDeadline(MonoTime::FromNanos(2'000'000'000));
  EXPECT_EQ(token.deadline().nanos(), 2'000'000'000);
  EXPECT_EQ(Print(token), "deadline 2s");
  source.SetDeadline(MonoTime::FromNanos(1'000'000'000));
  source.SetDeadline(MonoTime::FromNanos(1'000'000'000));
  source.SetDeadline(kNever);
  EXPECT_TRUE(token.deadline().is_never());
  EXPECT_EQ(token.signal()->seq(), before + 3) << "the same is no move";
  source.SetDeadline(absl::Hours(1));
  EXPECT_GT(token.deadline(), MonoTime::Now());
  source.SetDeadline(absl::Now() - absl::Hours(1));
  EXPECT_LT(token.deadline(), MonoTime::Now());
}

// "One source wakes any number of waiters in any number of flows", and
// "cancelling a call does not harm its flow".
TEST(CancelTest, OneSourceFreesReadersOfManyFlows) {
  constexpr int kFlows = 16;
  SleepCounter sys;
  CancelSource source;
  std::vector<Flow> flows;
  std::vector<std::shared_ptr<Hooks>> hooks;
  for (int i = 0; i < kFlows; ++i) {
    hooks.push_back(std::make_shared<Hooks>());
    flows.push_back(FlowOn(hooks.back(), &sys));
  }
  using Got = absl::StatusOr<OrEof<Buffer>>;
  std::vector<std::unique_ptr<Background<Got>>> readers;
  for (Flow& f : flows) {
    readers.push_back(std::make_unique<Background<Got>>(
        [&f, &source] { return f.Read(source.token()); }));
  }
  ASSERT_TRUE(sys.WaitFor(kFlows));
  source.Cancel();
  for (auto& reader : readers) {
    const Got got = reader->Get();
    EXPECT_THAT(got, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_THAT(got, IsKind(ErrorKind::kCancelled));
  }
  for (Flow& f : flows) EXPECT_THAT(f.Write("still"), IsOk());
}

// "A source's deadline can be moved while calls are blocked on it."
TEST(CancelTest, ADeadlineThatIsBroughtForwardEndsABlockedRead) {
  SleepCounter sys;
  CancelSource source;
  source.SetDeadline(absl::Hours(1));
  Flow f = FlowOn(std::make_shared<Hooks>(), &sys);
  Background reader([&] { return f.Read(source.token()); });
  ASSERT_TRUE(sys.WaitFor(1));
  source.SetDeadline(absl::ZeroDuration());
  EXPECT_THAT(reader.Get(), IsKind(ErrorKind::kDeadline));
}

}  // namespace
}  // namespace flow
