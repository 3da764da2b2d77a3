#include "flow/limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace flow {

Limits Limits::Within(MonoTime when) const {
  Limits nearer = *this;
  nearer.deadline = std::min(deadline, when);
  return nearer;
}

std::string Limits::ToString() const {
  return absl::StrCat("deadline ", deadline.ToString(), ", stall_timeout ",
                      absl::FormatDuration(stall_timeout), ", ",
                      cancel.ToString());
}

}  // namespace flow
