// Statuses with a kind. DESIGN, section 3, "Errors": the payload, the
// predicates, the text.

#include "flow/status.h"

#include <cerrno>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "flow/sys/errno_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

constexpr ErrorKind kKinds[] = {
    ErrorKind::kClosedLocally, ErrorKind::kClosedByPeer, ErrorKind::kReset,
    ErrorKind::kSealed,        ErrorKind::kTruncated,    ErrorKind::kDeadline,
    ErrorKind::kCancelled,     ErrorKind::kSystem,       ErrorKind::kOther};

absl::Status OfKind(ErrorKind kind) {
  return MakeStatus(absl::StatusCode::kInternal, "x", {kind, 0, "", "", "", 0});
}

TEST(StatusTest, WhatIsPutInComesOut) {
  const ErrorDetail put = {ErrorKind::kSystem,
                           ENOSPC,
                           "write",
                           "127.0.0.1:80",
                           "/run/a b.sock",
                           std::numeric_limits<uint64_t>::max()};
  const absl::Status s =
      MakeStatus(absl::StatusCode::kResourceExhausted, "no room", put);
  EXPECT_EQ(s.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(s.message(), "no room");
  const auto got = DetailOf(s);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->kind, put.kind);
  EXPECT_EQ(got->error, ENOSPC);
  EXPECT_EQ(got->operation, put.operation);
  EXPECT_EQ(got->local, put.local);
  EXPECT_EQ(got->peer, put.peer);
  EXPECT_EQ(got->bytes_done, put.bytes_done);
  EXPECT_EQ(ErrnoOf(s), ENOSPC);
  EXPECT_EQ(BytesDone(s), put.bytes_done);
}

TEST(StatusTest, OddTextsComeOutAsTheyWentIn) {
  for (const std::string& odd :
       {std::string(), std::string(" "), std::string("a b  c"),
        std::string("two\nlines"), std::string("\n\n\n"), std::string("\\n"),
        std::string("nul\0in it", 9), std::string("\xff\xfe\t\r"),
        std::string("ends\\")}) {
    const absl::Status s = MakeStatus(absl::StatusCode::kInternal, odd,
                                      {ErrorKind::kReset, 5, odd, odd, odd, 7});
    const auto got = DetailOf(s);
    ASSERT_TRUE(got.has_value()) << absl::Status(s);
    EXPECT_EQ(got->operation, odd);
    EXPECT_EQ(got->local, odd);
    EXPECT_EQ(got->peer, odd);
    EXPECT_TRUE(IsReset(s));
  }
}

TEST(StatusTest, EachPredicateKnowsItsKinds) {
  for (const ErrorKind kind : kKinds) {
    const absl::Status s = OfKind(kind);
    EXPECT_EQ(KindOf(s), kind);
    EXPECT_EQ(IsClosedLocally(s), kind == ErrorKind::kClosedLocally) << kind;
    EXPECT_EQ(IsClosedByPeer(s), kind == ErrorKind::kClosedByPeer) << kind;
    EXPECT_EQ(IsReset(s), kind == ErrorKind::kReset) << kind;
    EXPECT_EQ(IsSealed(s), kind == ErrorKind::kSealed) << kind;
    EXPECT_EQ(IsTruncated(s), kind == ErrorKind::kTruncated) << kind;
    // "the seed's Closed: closed locally, closed by peer, reset".
    EXPECT_EQ(IsClosed(s), kind == ErrorKind::kClosedLocally ||
                               kind == ErrorKind::kClosedByPeer ||
                               kind == ErrorKind::kReset)
        << kind;
  }
}

// "A status without our payload is kOther; predicates never guess from the
// code."
TEST(StatusTest, AStatusOfOthersIsOther) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status s(static_cast<absl::StatusCode>(code), "closed");
    EXPECT_EQ(KindOf(s), ErrorKind::kOther);
    EXPECT_FALSE(IsClosed(s) || IsClosedLocally(s) || IsClosedByPeer(s) ||
                 IsReset(s) || IsSealed(s) || IsTruncated(s));
    EXPECT_EQ(BytesDone(s), 0u);
    EXPECT_EQ(ErrnoOf(s), 0);
    EXPECT_FALSE(DetailOf(s).has_value());
  }
}

// Whoever writes something else under our name is a foreigner, too.
TEST(StatusTest, AMalformedPayloadIsOther) {
  for (const char* bad :
       {"", "2", "2 104 0", "2 104 0 read", "2 104 0 read\na", "\n\n",
        "9 0 0 read\na\nb", "-1 0 0 read\na\nb", "x 0 0 read\na\nb",
        "2 0 0 \\q\na\nb", "2 0 0 read\n\\\nb", "2 0 0 read\na\n\\x",
        "2 x 0 read\na\nb", "2 0 -1 read\na\nb", "2 0 0 read\na\nb\nc",
        "2 99999999999 0 read\na\nb", "2 0 99999999999999999999 read\na\nb"}) {
    absl::Status s = absl::InternalError("x");
    s.SetPayload(kStatusPayloadUrl, absl::Cord(bad));
    EXPECT_EQ(KindOf(s), ErrorKind::kOther) << bad;
    EXPECT_EQ(BytesDone(s), 0u) << bad;
  }
}

TEST(StatusTest, EachKindHasItsCodeWhenNoErrnoSaysMore) {
  using Code = absl::StatusCode;
  const Code codes[] = {Code::kFailedPrecondition,
                        Code::kFailedPrecondition,
                        Code::kUnavailable,
                        Code::kFailedPrecondition,
                        Code::kDataLoss,
                        Code::kDeadlineExceeded,
                        Code::kCancelled,
                        Code::kInternal,
                        Code::kInternal};
  for (const ErrorKind kind : kKinds) {
    EXPECT_EQ(CodeOf(kind), codes[static_cast<int>(kind)]) << kind;
  }
}

TEST(StatusTest, AnErrnoIsSaidInWordsAndNumber) {
  const absl::Status s = ErrnoStatus(ECONNRESET, "write", "flow a -> b");
  EXPECT_EQ(s.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(s.message(),
            "write() failed: Connection reset by peer [104]; flow a -> b");
  EXPECT_TRUE(IsReset(s));
  EXPECT_EQ(ErrnoOf(s), ECONNRESET);
  EXPECT_EQ(DetailOf(s)->operation, "write");
  EXPECT_EQ(ErrnoStatus(EPIPE, "write", "").message(),
            "write() failed: Broken pipe [32]");
}

TEST(StatusTest, TheCallersMistakeIsOther) {
  const absl::Status s = InvalidArgument("no such thing");
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(s.message(), "no such thing");
  EXPECT_EQ(KindOf(s), ErrorKind::kOther);
}

TEST(StatusTest, KindsPrintInWords) {
  for (const ErrorKind kind : kKinds) {
    std::ostringstream os;
    os << kind;
    EXPECT_EQ(os.str(), ErrorKindName(kind));
    EXPECT_NE(os.str(), "unknown");
  }
  EXPECT_EQ(ErrorKindName(static_cast<ErrorKind>(99)), "unknown");
}

}  // namespace
}  // namespace flow
