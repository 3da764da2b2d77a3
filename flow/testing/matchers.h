// File: matchers.h
//
// Matchers for the results of flow's calls.
//
//   EXPECT_THAT(f.Write("hello"), IsOk());
//   EXPECT_THAT(f.WriteSome("hello"), IsOkAndHolds(5));
//   EXPECT_THAT(f.Read(), IsData("hello"));
//   EXPECT_THAT(f.Read(), IsEof());
//   EXPECT_THAT(f.Read(), StatusIs(absl::StatusCode::kUnavailable));
//   EXPECT_THAT(s, StatusIs(code, HasSubstr("reset")));
//   EXPECT_THAT(s, AllOf(IsKind(flow::ErrorKind::kSealed), HasBytesDone(12)));
//
// IsOk, IsOkAndHolds and StatusIs mean what those of the same names in Abseil's
// absl_testing do (which the oldest supported Abseil does not have). All of
// them take an absl::Status or an absl::StatusOr of anything, also of what
// can't be copied. A failure prints the whole status with its kind and its byte
// count.
//
// Guarantees: pure; as thread-safe as GoogleTest.

#ifndef FLOW_TESTING_MATCHERS_H_
#define FLOW_TESTING_MATCHERS_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "flow/status.h"
#include "flow/testing/matchers_internal.h"
#include "gmock/gmock.h"

namespace flow_testing {

// Matches OK, and a StatusOr that is OK.
inline internal::StatusMatcher IsOk() {
  return internal::StatusMatcher(internal::OkMatcher());
}

// Matches a StatusOr that is OK and whose value matches `inner` (a matcher or a
// value).
template <typename Inner>
internal::IsOkAndHoldsMatcher<std::decay_t<Inner>> IsOkAndHolds(Inner&& inner) {
  return internal::IsOkAndHoldsMatcher<std::decay_t<Inner>>(
      std::forward<Inner>(inner));
}

// Matches a Status or StatusOr with this code (a code or a matcher of one) and,
// if given, this message.
inline internal::StatusMatcher StatusIs(
    testing::Matcher<absl::StatusCode> code,
    testing::Matcher<const std::string&> message = testing::_) {
  return internal::StatusMatcher(
      internal::CodeMatcher(std::move(code), std::move(message)));
}

// Matches a failure of this kind (a kind or a matcher of one). Not OK, which
// has no kind.
inline internal::StatusMatcher IsKind(testing::Matcher<flow::ErrorKind> kind) {
  return internal::StatusMatcher(internal::KindMatcher(std::move(kind)));
}

// Matches a failure whose flow::BytesDone() is this number (or matches).
inline internal::StatusMatcher HasBytesDone(
    testing::Matcher<uint64_t> bytes_done) {
  return internal::StatusMatcher(
      internal::BytesDoneMatcher(std::move(bytes_done)));
}

// Matches an OrEof, or an OK StatusOr of one, that is data which matches
// `inner`. The data of a Buffer are its bytes: IsData("hello").
template <typename Inner>
internal::IsDataMatcher<std::decay_t<Inner>> IsData(Inner&& inner) {
  return internal::IsDataMatcher<std::decay_t<Inner>>(
      std::forward<Inner>(inner));
}

// Matches any data.
inline internal::IsDataMatcher<testing::internal::AnythingMatcher> IsData() {
  return internal::IsDataMatcher<testing::internal::AnythingMatcher>(
      testing::_);
}

// Matches an OrEof, or an OK StatusOr of one, that is the end of the stream.
inline internal::IsEofMatcher IsEof() { return {}; }

}  // namespace flow_testing

#endif  // FLOW_TESTING_MATCHERS_H_
