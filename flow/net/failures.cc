#include "flow/net/failures.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/status.h"

namespace flow {
namespace internal {

absl::Status JoinFailures(absl::string_view operation, absl::string_view target,
                          absl::Span<const absl::Status> failures) {
  if (failures.size() == 1) return failures[0];
  const auto* worst = std::find_if(
      failures.begin(), failures.end(), [](const absl::Status& status) {
        return KindOf(status) != ErrorKind::kDeadline;
      });
  if (worst == failures.end()) worst = failures.begin();
  const std::string messages = absl::StrJoin(
      failures, "; ", [](std::string* out, const absl::Status& status) {
        absl::StrAppend(out, status.message());
      });
  return MakeStatus(
      worst->code(),
      absl::StrCat(operation, "() failed for all ", failures.size(),
                   " addresses of ", target, ": ", messages),
      DetailOf(*worst).value_or(ErrorDetail()));
}

}  // namespace internal
}  // namespace flow
