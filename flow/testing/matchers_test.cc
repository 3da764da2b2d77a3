#include "flow/testing/matchers.h"

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/buffer.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointee;
using ::testing::StartsWith;

using Data = absl::StatusOr<flow::OrEof<flow::Buffer>>;
using Count = absl::StatusOr<flow::OrEof<size_t>>;

Data DataOf(absl::string_view bytes) {
  return flow::OrEof<flow::Buffer>(flow::Buffer::CopyOf(bytes));
}

absl::Status Sealed(uint64_t bytes_done) {
  flow::ErrorDetail detail;
  detail.kind = flow::ErrorKind::kSealed;
  detail.bytes_done = bytes_done;
  return flow::MakeStatus(absl::StatusCode::kFailedPrecondition,
                          "write side is sealed", detail);
}

// What EXPECT_THAT would print after "Actual:".
template <typename T, typename M>
std::string Explain(const T& value, const M& matcher) {
  testing::StringMatchResultListener listener;
  testing::SafeMatcherCast<const T&>(matcher).MatchAndExplain(value, &listener);
  return listener.str();
}

template <typename T, typename M>
std::string Description(const M& matcher) {
  std::ostringstream os;
  testing::SafeMatcherCast<const T&>(matcher).DescribeTo(&os);
  return os.str();
}

TEST(MatchersTest, IsOkMatchesOkAlone) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(5), IsOk());
  EXPECT_THAT(Sealed(0), Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(Sealed(0)), Not(IsOk()));
}

TEST(MatchersTest, IsOkAndHoldsMatchesTheValue) {
  EXPECT_THAT(absl::StatusOr<int>(5), IsOkAndHolds(5));
  EXPECT_THAT(absl::StatusOr<int>(5), IsOkAndHolds(Gt(4)));
  EXPECT_THAT(absl::StatusOr<int>(5), Not(IsOkAndHolds(6)));
  EXPECT_THAT(absl::StatusOr<int>(Sealed(0)), Not(IsOkAndHolds(_)));
  EXPECT_THAT(absl::StatusOr<std::string>("hello"), IsOkAndHolds("hello"));
}

// Results that can't be copied are looked at where they are.
TEST(MatchersTest, ValuesMayBeMoveOnly) {
  const absl::StatusOr<std::unique_ptr<int>> one = std::make_unique<int>(1);
  EXPECT_THAT(one, IsOk());
  EXPECT_THAT(one, IsOkAndHolds(Pointee(1)));
  EXPECT_THAT(absl::StatusOr<std::unique_ptr<int>>(Sealed(0)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(MatchersTest, StatusIsMatchesCodeAndMessage) {
  const absl::Status s = absl::UnavailableError("reset by peer");
  EXPECT_THAT(s, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(s, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("reset")));
  EXPECT_THAT(s, StatusIs(AnyOf(absl::StatusCode::kUnavailable,
                                absl::StatusCode::kDataLoss)));
  EXPECT_THAT(s, Not(StatusIs(absl::StatusCode::kDataLoss)));
  EXPECT_THAT(s, Not(StatusIs(absl::StatusCode::kUnavailable, "reset")));
  EXPECT_THAT(absl::StatusOr<int>(s),
              StatusIs(absl::StatusCode::kUnavailable, StartsWith("reset")));
}

// A code alone can't tell the kinds apart; these can.
TEST(MatchersTest, IsKindAndHasBytesDoneLookAtThePayload) {
  EXPECT_THAT(Sealed(12), IsKind(flow::ErrorKind::kSealed));
  EXPECT_THAT(Sealed(12), Not(IsKind(flow::ErrorKind::kReset)));
  EXPECT_THAT(Sealed(12), HasBytesDone(12));
  EXPECT_THAT(Sealed(12), Not(HasBytesDone(11)));
  EXPECT_THAT(Data(Sealed(12)),
              AllOf(IsKind(flow::ErrorKind::kSealed), HasBytesDone(Gt(3))));
}

// OK is no failure: it has neither a kind nor a count.
TEST(MatchersTest, OkHasNoKind) {
  EXPECT_THAT(absl::OkStatus(), Not(IsKind(flow::ErrorKind::kOther)));
  EXPECT_THAT(absl::OkStatus(), Not(HasBytesDone(0)));
  EXPECT_THAT(absl::InternalError("x"), IsKind(flow::ErrorKind::kOther));
}

// P1: data, the end and an error are three things.
TEST(MatchersTest, IsDataAndIsEofTellDataEofAndErrorApart) {
  EXPECT_THAT(DataOf("hello"), IsData("hello"));
  EXPECT_THAT(DataOf("hello"), IsData(StartsWith("he")));
  EXPECT_THAT(DataOf("hello"), IsData());
  EXPECT_THAT(DataOf("hello"), Not(IsData("hell")));
  EXPECT_THAT(DataOf("hello"), Not(IsEof()));
  EXPECT_THAT(Data(flow::Eof{}), IsEof());
  EXPECT_THAT(Data(flow::Eof{}), Not(IsData()));
  EXPECT_THAT(Data(Sealed(0)), Not(IsData()));
  EXPECT_THAT(Data(Sealed(0)), Not(IsEof()));
}

TEST(MatchersTest, IsDataAndIsEofTakeCountsAndBareValues) {
  EXPECT_THAT(Count(flow::OrEof<size_t>(5)), IsData(5));
  EXPECT_THAT(Count(flow::OrEof<size_t>(5)), IsData(Gt(4)));
  EXPECT_THAT(flow::OrEof<size_t>(5), IsData(5));
  EXPECT_THAT(flow::OrEof<size_t>(flow::Eof{}), IsEof());
  EXPECT_THAT(Data(flow::Eof{}), IsOkAndHolds(IsEof()));
  EXPECT_THAT(DataOf("x"), IsOkAndHolds(IsData("x")));
}

// A failure says all that the status says.
TEST(MatchersTest, FailuresShowCodeMessageKindAndCount) {
  const std::string expected =
      "which is FAILED_PRECONDITION: write side is sealed (kind sealed, 12 "
      "bytes done)";
  EXPECT_EQ(Explain(Sealed(12), IsOk()), expected);
  EXPECT_EQ(Explain(Data(Sealed(12)), IsEof()), expected);
  EXPECT_EQ(Explain(Data(Sealed(12)), IsData("x")), expected);
  EXPECT_EQ(Explain(absl::StatusOr<int>(Sealed(12)), IsOkAndHolds(1)),
            expected);
  EXPECT_EQ(Explain(absl::InternalError("x"), IsOk()),
            "which is INTERNAL: x (not made by flow)");
}

TEST(MatchersTest, FailuresShowDataAndEof) {
  EXPECT_EQ(Explain(DataOf("abc"), IsEof()), "which is data: \"abc\"");
  EXPECT_EQ(Explain(DataOf("abc"), IsData("x")), "which is data: \"abc\"");
  EXPECT_EQ(Explain(Data(flow::Eof{}), IsData("x")), "which is Eof");
  EXPECT_EQ(Explain(absl::StatusOr<int>(5), IsOkAndHolds(6)),
            "which has the value 5");
}

TEST(MatchersTest, DescriptionsReadAsSentences) {
  EXPECT_EQ(Description<absl::Status>(IsOk()), "is OK");
  EXPECT_EQ(Description<absl::Status>(IsKind(flow::ErrorKind::kReset)),
            "is a failure whose kind is equal to reset");
  EXPECT_EQ(Description<Data>(IsData("x")), "is data that is equal to \"x\"");
  EXPECT_EQ(Description<Data>(Not(IsEof())), "is not Eof");
}

}  // namespace
}  // namespace flow_testing
