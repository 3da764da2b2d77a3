#include "flow/changed_fields.h"

#include "absl/strings/escaping.h"

namespace flow {
namespace internal {

std::string ChangedFields::Words(const std::string& value) {
  return absl::StrCat("\"", absl::CHexEscape(value), "\"");
}

std::string ChangedFields::Words(const std::vector<std::string>& values) {
  std::string words;
  for (const std::string& value : values) {
    absl::StrAppend(&words, words.empty() ? "" : ", ", Words(value));
  }
  return absl::StrCat("[", words, "]");
}

void ChangedFields::Tell(absl::string_view name, absl::string_view words) {
  absl::StrAppend(&text_, text_.empty() ? "" : ", ", name, "=", words);
}

}  // namespace internal
}  // namespace flow
