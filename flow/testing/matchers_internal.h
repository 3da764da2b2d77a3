// File: matchers_internal.h (internal)
//
// The machinery of matchers.h: turns a matcher of a status, or of data, into
// one of every type that has a status, or data. No promises; use matchers.h.

#ifndef FLOW_TESTING_MATCHERS_INTERNAL_H_
#define FLOW_TESTING_MATCHERS_INTERNAL_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/buffer.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace internal {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

// "UNAVAILABLE: ... ; kind reset, 12 bytes done".
std::string Describe(const absl::Status& status);

// A matcher of anything that has a status, made of a matcher of the status: the
// part of each matcher here that does not depend on the type it is used with.
class StatusMatcher {
 public:
  explicit StatusMatcher(testing::Matcher<const absl::Status&> matcher)
      : matcher_(std::move(matcher)) {}

  template <typename T>
  operator testing::Matcher<T>() const {  // NOLINT(google-explicit-constructor)
    return testing::Matcher<T>(new Impl<const T&>(matcher_));
  }

 private:
  template <typename T>
  class Impl : public testing::MatcherInterface<T> {
   public:
    explicit Impl(testing::Matcher<const absl::Status&> matcher)
        : matcher_(std::move(matcher)) {}
    void DescribeTo(std::ostream* os) const override {
      matcher_.DescribeTo(os);
    }
    void DescribeNegationTo(std::ostream* os) const override {
      matcher_.DescribeNegationTo(os);
    }
    bool MatchAndExplain(
        T value, testing::MatchResultListener* listener) const override {
      *listener << "which is " << Describe(StatusOf(value));
      return matcher_.Matches(StatusOf(value));
    }

   private:
    const testing::Matcher<const absl::Status&> matcher_;
  };

  testing::Matcher<const absl::Status&> matcher_;
};

// What IsData's matcher looks at: the bytes of a Buffer, anything else itself.
inline absl::string_view DataOf(const flow::Buffer& buffer) {
  return buffer.view();
}
template <typename T>
const T& DataOf(const T& data) {
  return data;
}

// What a StatusOr or an OrEof holds, by the type that holds it.
template <typename T>
struct Holder;
template <typename T>
struct Holder<absl::StatusOr<T>> {
  using Value = const T&;
};
template <typename T>
struct Holder<flow::OrEof<T>> {
  using Value = decltype(DataOf(std::declval<const T&>()));
};
template <typename T>
struct Holder<absl::StatusOr<flow::OrEof<T>>> : Holder<flow::OrEof<T>> {};

template <typename T>
using Bare = std::remove_cv_t<std::remove_reference_t<T>>;

// The OrEof in `value`; null, and an explanation, if there is none.
template <typename T>
const flow::OrEof<T>* OrEofIn(const flow::OrEof<T>& value,
                              testing::MatchResultListener*) {
  return &value;
}
template <typename T>
const flow::OrEof<T>* OrEofIn(const absl::StatusOr<flow::OrEof<T>>& value,
                              testing::MatchResultListener* listener) {
  if (value.ok()) return &*value;
  *listener << "which is " << Describe(value.status());
  return nullptr;
}

template <typename T>
class IsOkAndHoldsImpl : public testing::MatcherInterface<T> {
 public:
  using Value = decltype(*std::declval<const Bare<T>&>());

  template <typename Inner>
  explicit IsOkAndHoldsImpl(const Inner& inner)
      : inner_(testing::SafeMatcherCast<Value>(inner)) {}

  void DescribeTo(std::ostream* os) const override {
    *os << "is OK and has a value that ";
    inner_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "is not OK or has a value that ";
    inner_.DescribeNegationTo(os);
  }
  bool MatchAndExplain(T value,
                       testing::MatchResultListener* listener) const override {
    if (!value.ok()) {
      *listener << "which is " << Describe(value.status());
      return false;
    }
    testing::StringMatchResultListener why;
    const bool matches = inner_.MatchAndExplain(*value, &why);
    *listener << "which has the value " << testing::PrintToString(*value);
    if (!why.str().empty()) *listener << ", " << why.str();
    return matches;
  }

 private:
  const testing::Matcher<Value> inner_;
};

template <typename Inner>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <typename T>
  operator testing::Matcher<T>() const {  // NOLINT(google-explicit-constructor)
    return testing::Matcher<T>(new IsOkAndHoldsImpl<const T&>(inner_));
  }

 private:
  const Inner inner_;
};

template <typename T>
class IsDataImpl : public testing::MatcherInterface<T> {
 public:
  using Value = typename Holder<Bare<T>>::Value;

  template <typename Inner>
  explicit IsDataImpl(const Inner& inner)
      : inner_(testing::SafeMatcherCast<Value>(inner)) {}

  void DescribeTo(std::ostream* os) const override {
    *os << "is data that ";
    inner_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "is no data, or data that ";
    inner_.DescribeNegationTo(os);
  }
  bool MatchAndExplain(T value,
                       testing::MatchResultListener* listener) const override {
    const auto* or_eof = OrEofIn(value, listener);
    if (or_eof == nullptr) return false;
    if (or_eof->is_eof()) {
      *listener << "which is Eof";
      return false;
    }
    testing::StringMatchResultListener why;
    Value data = DataOf(or_eof->data());
    const bool matches = inner_.MatchAndExplain(data, &why);
    *listener << "which is data: " << testing::PrintToString(data);
    if (!why.str().empty()) *listener << ", " << why.str();
    return matches;
  }

 private:
  const testing::Matcher<Value> inner_;
};

template <typename Inner>
class IsDataMatcher {
 public:
  explicit IsDataMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <typename T>
  operator testing::Matcher<T>() const {  // NOLINT(google-explicit-constructor)
    return testing::Matcher<T>(new IsDataImpl<const T&>(inner_));
  }

 private:
  const Inner inner_;
};

class IsEofMatcher {
 public:
  template <typename T>
  operator testing::Matcher<T>() const {  // NOLINT(google-explicit-constructor)
    return testing::Matcher<T>(new Impl<const T&>);
  }

 private:
  template <typename T>
  class Impl : public testing::MatcherInterface<T> {
   public:
    void DescribeTo(std::ostream* os) const override { *os << "is Eof"; }
    void DescribeNegationTo(std::ostream* os) const override {
      *os << "is not Eof";
    }
    bool MatchAndExplain(
        T value, testing::MatchResultListener* listener) const override {
      const auto* or_eof = OrEofIn(value, listener);
      if (or_eof == nullptr) return false;
      if (or_eof->is_eof()) return true;
      *listener << "which is data: "
                << testing::PrintToString(DataOf(or_eof->data()));
      return false;
    }
  };
};

// The three kinds of matcher of a status.
testing::Matcher<const absl::Status&> OkMatcher();
testing::Matcher<const absl::Status&> CodeMatcher(
    testing::Matcher<absl::StatusCode> code,
    testing::Matcher<const std::string&> message);
testing::Matcher<const absl::Status&> KindMatcher(
    testing::Matcher<flow::ErrorKind> kind);
testing::Matcher<const absl::Status&> BytesDoneMatcher(
    testing::Matcher<uint64_t> bytes_done);

}  // namespace internal
}  // namespace flow_testing

#endif  // FLOW_TESTING_MATCHERS_INTERNAL_H_
