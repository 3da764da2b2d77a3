#include "flow/buffered/line.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace flow {
namespace internal {
namespace {

// Whether `mark` may stand in `bytes`, cut off by their end, with at most
// `max_length` bytes before it.
bool CutMark(absl::string_view bytes, absl::string_view mark,
             size_t max_length) {
  const size_t longest = std::min(bytes.size(), mark.size() - 1);
  for (size_t part = 0; part <= longest; ++part) {
    if (bytes.size() - part > max_length) continue;
    if (absl::EndsWith(bytes, mark.substr(0, part))) return true;
  }
  return false;
}

}  // namespace

LineEnd::Place LineEnd::Find(absl::string_view bytes, size_t from) const {
  Place place;
  const size_t at = bytes.find(mark, from);
  if (at == absl::string_view::npos) return place;
  place.found = true;
  place.end = at + mark.size();
  place.text = crlf_too && at > 0 && bytes[at - 1] == '\r' ? at - 1 : at;
  return place;
}

bool LineEnd::MayFit(absl::string_view bytes, size_t max_length) const {
  return CutMark(bytes, mark, max_length) ||
         (crlf_too && CutMark(bytes, "\r\n", max_length));
}

}  // namespace internal
}  // namespace flow
