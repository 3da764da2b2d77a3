#include "flow/pieces.h"

namespace flow {
namespace internal {
namespace {

iovec ToIovec(absl::string_view bytes) {
  // An iovec has no const form; writes only read through it.
  return iovec{const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

size_t ViewPieces::Window(absl::Span<iovec> out) const {
  size_t count = 0;
  size_t skip = offset_;
  for (const absl::string_view view : views_) {
    if (count == out.size()) break;
    if (view.size() > skip) out[count++] = ToIovec(view.substr(skip));
    skip = 0;
  }
  return count;
}

void ViewPieces::Consume(size_t n) {
  offset_ += n;
  while (!views_.empty() && offset_ >= views_.front().size()) {
    offset_ -= views_.front().size();
    views_.remove_prefix(1);
  }
}

size_t CordPieces::Window(absl::Span<iovec> out) const {
  absl::Cord::CharIterator at = at_;
  size_t left = left_;
  size_t count = 0;
  while (left > 0 && count < out.size()) {
    const absl::string_view chunk = absl::Cord::ChunkRemaining(at);
    out[count++] = ToIovec(chunk);
    absl::Cord::Advance(&at, chunk.size());
    left -= chunk.size();
  }
  return count;
}

void CordPieces::Consume(size_t n) {
  absl::Cord::Advance(&at_, n);
  left_ -= n;
}

}  // namespace internal
}  // namespace flow
