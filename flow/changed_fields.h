// File: changed_fields.h (internal)
//
// ChangedFields: an options struct in words: the fields that are not as by
// default.
//
//   const ListenOptions usual;
//   return ChangedFields()
//       .Add("backlog", backlog, usual.backlog)
//       .Given("sys", sys != nullptr)
//       .Text();                           // "backlog=5, sys=given"
//
// Who looks at options wants to know what somebody has changed; the rest is in
// the header. Texts are quoted and escaped, so that they can't forge lines.

#ifndef FLOW_CHANGED_FIELDS_H_
#define FLOW_CHANGED_FIELDS_H_

#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace flow {
namespace internal {

class ChangedFields {
 public:
  // A value, told if it is not `usual`.
  template <typename T>
  ChangedFields& Add(absl::string_view name, const T& value, const T& usual) {
    if (!(value == usual)) Tell(name, Words(value));
    return *this;
  }
  // A function or an object: told is only that there is one.
  ChangedFields& Given(absl::string_view name, bool given) {
    if (given) Tell(name, "given");
    return *this;
  }
  // How many there are of something that had better not be shown.
  ChangedFields& Count(absl::string_view name, size_t count,
                       absl::string_view of_what) {
    if (count > 0) Tell(name, absl::StrCat(count, " ", of_what));
    return *this;
  }
  // A struct that has words of its own: told if they are not `usual`.
  ChangedFields& Nest(absl::string_view name, const std::string& words,
                      const std::string& usual) {
    if (words != usual) Tell(name, absl::StrCat("(", words, ")"));
    return *this;
  }

  // "defaults" if none was told.
  std::string Text() const { return text_.empty() ? "defaults" : text_; }

 private:
  static std::string Words(bool value) { return value ? "yes" : "no"; }
  static std::string Words(absl::Duration value) {
    return absl::FormatDuration(value);
  }
  static std::string Words(const std::string& value);
  static std::string Words(const std::vector<std::string>& values);
  template <typename T>
  static std::string Words(const std::optional<T>& value) {
    return value.has_value() ? Words(*value) : "none";
  }
  template <typename T>
  static std::string Words(const T& value) {
    std::ostringstream os;
    os << value;
    return os.str();
  }

  void Tell(absl::string_view name, absl::string_view words);

  std::string text_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_CHANGED_FIELDS_H_
