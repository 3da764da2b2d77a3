// What a person may read: every enum in words, and why a limit ended a call.

#include <poll.h>

#include <initializer_list>
#include <set>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/observer.h"
#include "flow/signal.h"
#include "flow/sleeper.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::testing::HasSubstr;

template <typename Enum>
std::string Print(Enum value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

// What absl::StrCat and its like make of it, from the LTS of 2023 on.
struct Sink {
  void Append(absl::string_view words) { text.append(words); }
  std::string text;
};
template <typename Enum>
std::string Stringify(Enum value) {
  Sink sink;
  AbslStringify(sink, value);
  return sink.text;
}

// All of `values` print as something, no two as the same.
template <typename Enum>
void ExpectWords(std::initializer_list<Enum> values) {
  std::set<std::string> words;
  for (const Enum value : values) {
    words.insert(Print(value));
    EXPECT_EQ(Stringify(value), Print(value));
  }
  EXPECT_EQ(words.size(), values.size());
  EXPECT_EQ(words.count("unknown"), 0u);
  EXPECT_EQ(words.count(""), 0u);
  EXPECT_EQ(Print(static_cast<Enum>(99)), "unknown");
}

TEST(NamesTest, EnumsPrintInWords) {
  ExpectWords({Activity::kIdle, Activity::kTrying, Activity::kFd,
               Activity::kSignal, Activity::kTime, Activity::kTurn});
  ExpectWords({OperationKind::kRead, OperationKind::kDrain,
               OperationKind::kWrite, OperationKind::kShutdown,
               OperationKind::kShutdownRead, OperationKind::kClose,
               OperationKind::kAbort, OperationKind::kPeerEnd});
  ExpectWords(
      {ShutdownMode::kRead, ShutdownMode::kWrite, ShutdownMode::kReadWrite});
  ExpectWords({PeerEnd::kFinished, PeerEnd::kGone});
}

TEST(NamesTest, EachLimitHasItsStatus) {
  const auto status = [](internal::Woke woke) {
    return internal::LimitStatus(woke, "read", "ctx", 7);
  };
  EXPECT_TRUE(status(internal::Woke::kRetry).ok());
  const absl::Status late = status(internal::Woke::kDeadline);
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(KindOf(late), ErrorKind::kDeadline);
  EXPECT_EQ(BytesDone(late), 7u);
  EXPECT_EQ(late.message(), "read() timed out: the deadline has passed; ctx");
  const absl::Status stalled = status(internal::Woke::kStalled);
  EXPECT_EQ(stalled.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(stalled.message()), HasSubstr("stall_timeout"));
  const absl::Status cancelled = status(internal::Woke::kCancelled);
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(KindOf(cancelled), ErrorKind::kCancelled);
  const absl::Status stopped = status(internal::Woke::kStopped);
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(KindOf(stopped), ErrorKind::kCancelled);
  const absl::Status invalid = status(internal::Woke::kInvalid);
  EXPECT_EQ(invalid.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(KindOf(invalid), ErrorKind::kOther);
}

TEST(NamesTest, WhatACallWaitsForIsNamed) {
  Signal signal;
  EXPECT_EQ(internal::ActivityOf(Wait::ForFd(5, POLLIN)), Activity::kFd);
  EXPECT_EQ(internal::ActivityOf(Wait::For(&signal, 0)), Activity::kSignal);
  EXPECT_EQ(internal::ActivityOf(Wait::Until(MonoTime::FromNanos(5))),
            Activity::kTime);
  EXPECT_EQ(internal::ActivityOf(Wait()),
            Activity::kSignal);  // another try's end
}

}  // namespace
}  // namespace flow
