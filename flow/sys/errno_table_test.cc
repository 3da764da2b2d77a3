// The errno table against the table of codes in DESIGN.md, section 3, and the
// scopes of its section 2.

#include "flow/sys/errno_table.h"

#include <cerrno>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using Code = absl::StatusCode;
using ::testing::HasSubstr;

constexpr SysCall kCalls[] = {
    SysCall::kRead,     SysCall::kPtyRead, SysCall::kWrite,
    SysCall::kTtyWrite, SysCall::kAccept,  SysCall::kConnect,
    SysCall::kShutdown, SysCall::kPoll,    SysCall::kOther};

TEST(ErrnoTableTest, CodesAreThoseOfTheDesign) {
  const struct {
    Code code;
    std::vector<int> errors;
  } rows[] = {
      {Code::kFailedPrecondition, {EPIPE, EADDRINUSE, EBADF}},
      {Code::kUnavailable,
       {ECONNRESET, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH,
        ENETDOWN}},
      {Code::kResourceExhausted, {EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT}},
      {Code::kPermissionDenied, {EACCES, EPERM}},
      {Code::kInvalidArgument, {EINVAL, ENAMETOOLONG, EOVERFLOW, ENOTSOCK}},
      {Code::kNotFound, {ENOENT, ENODEV, ENXIO}},
      {Code::kUnimplemented, {ENOSYS, EOPNOTSUPP}},
      {Code::kInternal, {EIO, EDOM, 9999, 0, -1}},
  };
  for (const auto& row : rows) {
    for (const int error : row.errors) {
      EXPECT_EQ(MeaningOf(error).code, row.code) << ErrnoText(error);
    }
  }
}

// "kFlow (ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN on one socket) ends
// both sides; kDirection (EPIPE, ESHUTDOWN, ENOSPC, EFBIG, EDQUOT) ends its own
// side."
TEST(ErrnoTableTest, ScopesAreThoseOfTheDesign) {
  for (const int error : {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN}) {
    EXPECT_EQ(MeaningOf(error).scope, ErrorScope::kFlow) << ErrnoText(error);
  }
  for (const int error : {EPIPE, ESHUTDOWN, ENOSPC, EFBIG, EDQUOT}) {
    EXPECT_EQ(MeaningOf(error).scope, ErrorScope::kDirection)
        << ErrnoText(error);
  }
}

TEST(ErrnoTableTest, KindsTellThePeersEndFromItsReset) {
  EXPECT_EQ(MeaningOf(EPIPE).kind, ErrorKind::kClosedByPeer);
  EXPECT_EQ(MeaningOf(ESHUTDOWN).kind, ErrorKind::kClosedByPeer);
  EXPECT_EQ(MeaningOf(ECONNRESET).kind, ErrorKind::kReset);
  EXPECT_EQ(MeaningOf(ECONNABORTED).kind, ErrorKind::kReset);
  for (const int error : {ECONNREFUSED, ENOSPC, EBADF, EIO, 9999}) {
    EXPECT_EQ(MeaningOf(error).kind, ErrorKind::kSystem) << ErrnoText(error);
  }
}

// P7: transient answers of the kernel never reach the caller.
TEST(ErrnoTableTest, AnInterruptedCallIsMadeAgain) {
  for (const SysCall call : kCalls) {
    EXPECT_EQ(TreatmentOf(call, EINTR), Treatment::kAgain);
  }
}

TEST(ErrnoTableTest, WouldBlockIsAWaitAndWherePollCannotTellAShortage) {
  for (const int error : {EAGAIN, EWOULDBLOCK}) {
    EXPECT_EQ(TreatmentOf(SysCall::kRead, error), Treatment::kWait);
    EXPECT_EQ(TreatmentOf(SysCall::kPtyRead, error), Treatment::kWait);
    EXPECT_EQ(TreatmentOf(SysCall::kWrite, error), Treatment::kWait);
    EXPECT_EQ(TreatmentOf(SysCall::kAccept, error), Treatment::kWait);
    EXPECT_EQ(TreatmentOf(SysCall::kConnect, error), Treatment::kShortage);
    EXPECT_EQ(TreatmentOf(SysCall::kPoll, error), Treatment::kShortage);
  }
}

TEST(ErrnoTableTest, AShortageOfBuffersIsTransientForASendAlone) {
  for (const int error : {ENOBUFS, ENOMEM}) {
    EXPECT_EQ(TreatmentOf(SysCall::kWrite, error), Treatment::kShortage);
    EXPECT_EQ(TreatmentOf(SysCall::kAccept, error), Treatment::kShortage);
    EXPECT_EQ(TreatmentOf(SysCall::kRead, error), Treatment::kFail);
    EXPECT_EQ(TreatmentOf(SysCall::kOther, error), Treatment::kFail);
  }
  EXPECT_EQ(TreatmentOf(SysCall::kPoll, ENOMEM), Treatment::kShortage);
  EXPECT_EQ(TreatmentOf(SysCall::kPoll, EINVAL), Treatment::kFail);
}

// P7, P11: "ECONNABORTED and its like from accept".
TEST(ErrnoTableTest, AcceptOutlivesItsClientsAndShortages) {
  for (const int error : {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH,
                          ENETUNREACH, ETIMEDOUT, ECONNRESET, EPERM}) {
    EXPECT_EQ(TreatmentOf(SysCall::kAccept, error), Treatment::kAgain)
        << ErrnoText(error);
  }
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    EXPECT_EQ(TreatmentOf(SysCall::kAccept, error), Treatment::kShortage)
        << ErrnoText(error);
  }
  for (const int error : {EBADF, EINVAL, ENOTSOCK}) {
    EXPECT_EQ(TreatmentOf(SysCall::kAccept, error), Treatment::kFail);
  }
}

TEST(ErrnoTableTest, ConnectThatGoesOnOrIsDoneIsNoFailure) {
  EXPECT_EQ(TreatmentOf(SysCall::kConnect, EINPROGRESS), Treatment::kWait);
  EXPECT_EQ(TreatmentOf(SysCall::kConnect, EALREADY), Treatment::kWait);
  EXPECT_EQ(TreatmentOf(SysCall::kConnect, EISCONN), Treatment::kDone);
  EXPECT_EQ(TreatmentOf(SysCall::kConnect, ECONNREFUSED), Treatment::kFail);
}

// DESIGN 10: "SHUT_WR after a reset or after both ends finished: ENOTCONN";
// "pty master after the slave closed: EIO, which means EOF".
TEST(ErrnoTableTest, WhatIsAlreadySoAndWhatIsAnEnd) {
  EXPECT_EQ(TreatmentOf(SysCall::kShutdown, ENOTCONN), Treatment::kDone);
  EXPECT_EQ(TreatmentOf(SysCall::kShutdown, EBADF), Treatment::kFail);
  EXPECT_EQ(TreatmentOf(SysCall::kPtyRead, EIO), Treatment::kEnd);
  EXPECT_EQ(TreatmentOf(SysCall::kRead, EIO), Treatment::kFail);
}

TEST(ErrnoTableTest, AResetOfAReadOrWriteIsAFailure) {
  for (const SysCall call : {SysCall::kRead, SysCall::kWrite}) {
    for (const int error : {ECONNRESET, EPIPE, EBADF, EIO}) {
      EXPECT_EQ(TreatmentOf(call, error), Treatment::kFail);
    }
  }
  EXPECT_EQ(TreatmentOf(static_cast<SysCall>(99), EBADF), Treatment::kFail);
}

TEST(ErrnoTableTest, AnErrnoIsWordsAndNumber) {
  EXPECT_EQ(ErrnoText(ECONNRESET), "Connection reset by peer [104]");
  EXPECT_THAT(ErrnoText(9999), HasSubstr("[9999]"));
}

}  // namespace
}  // namespace flow
