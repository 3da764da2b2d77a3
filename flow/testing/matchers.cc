#include "flow/testing/matchers.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace flow_testing {
namespace internal {
namespace {

// A matcher of one property of a status, which only a failure has.
template <typename T>
class PropertyMatcher : public testing::MatcherInterface<const absl::Status&> {
 public:
  PropertyMatcher(const char* name, T (*property)(const absl::Status&),
                  testing::Matcher<T> inner)
      : name_(name), property_(property), inner_(std::move(inner)) {}

  void DescribeTo(std::ostream* os) const override {
    *os << "is a failure whose " << name_ << " ";
    inner_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "is OK, or its " << name_ << " ";
    inner_.DescribeNegationTo(os);
  }
  bool MatchAndExplain(const absl::Status& status,
                       testing::MatchResultListener*) const override {
    return !status.ok() && inner_.Matches(property_(status));
  }

 private:
  const char* const name_;
  T (*const property_)(const absl::Status&);
  const testing::Matcher<T> inner_;
};

class CodeMatcherImpl : public testing::MatcherInterface<const absl::Status&> {
 public:
  CodeMatcherImpl(testing::Matcher<absl::StatusCode> code,
                  testing::Matcher<const std::string&> message)
      : code_(std::move(code)), message_(std::move(message)) {}

  void DescribeTo(std::ostream* os) const override {
    *os << "has a code that ";
    code_.DescribeTo(os);
    *os << " and a message that ";
    message_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "has a code that ";
    code_.DescribeNegationTo(os);
    *os << " or a message that ";
    message_.DescribeNegationTo(os);
  }
  bool MatchAndExplain(const absl::Status& status,
                       testing::MatchResultListener*) const override {
    return code_.Matches(status.code()) &&
           message_.Matches(std::string(status.message()));
  }

 private:
  const testing::Matcher<absl::StatusCode> code_;
  const testing::Matcher<const std::string&> message_;
};

class OkMatcherImpl : public testing::MatcherInterface<const absl::Status&> {
 public:
  void DescribeTo(std::ostream* os) const override { *os << "is OK"; }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "is not OK";
  }
  bool MatchAndExplain(const absl::Status& status,
                       testing::MatchResultListener*) const override {
    return status.ok();
  }
};

}  // namespace

std::string Describe(const absl::Status& status) {
  if (status.ok()) return "OK";
  // Without ToString()'s payload, which says the same as the words after it.
  std::string text = absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                                  status.message());
  const std::optional<flow::ErrorDetail> detail = flow::DetailOf(status);
  if (!detail.has_value()) return absl::StrCat(text, " (not made by flow)");
  return absl::StrCat(text, " (kind ", flow::ErrorKindName(detail->kind), ", ",
                      detail->bytes_done, " bytes done)");
}

testing::Matcher<const absl::Status&> OkMatcher() {
  return testing::Matcher<const absl::Status&>(new OkMatcherImpl);
}

testing::Matcher<const absl::Status&> CodeMatcher(
    testing::Matcher<absl::StatusCode> code,
    testing::Matcher<const std::string&> message) {
  return testing::Matcher<const absl::Status&>(
      new CodeMatcherImpl(std::move(code), std::move(message)));
}

testing::Matcher<const absl::Status&> KindMatcher(
    testing::Matcher<flow::ErrorKind> kind) {
  return testing::Matcher<const absl::Status&>(
      new PropertyMatcher<flow::ErrorKind>("kind", &flow::KindOf,
                                           std::move(kind)));
}

testing::Matcher<const absl::Status&> BytesDoneMatcher(
    testing::Matcher<uint64_t> bytes_done) {
  return testing::Matcher<const absl::Status&>(new PropertyMatcher<uint64_t>(
      "count of bytes done", &flow::BytesDone, std::move(bytes_done)));
}

}  // namespace internal
}  // namespace flow_testing
