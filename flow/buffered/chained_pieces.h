// File: chained_pieces.h (internal)
//
// ChainedPieces: some bytes, then other pieces, as one write; and how many
// steps the transport took for them.

#ifndef FLOW_BUFFERED_CHAINED_PIECES_H_
#define FLOW_BUFFERED_CHAINED_PIECES_H_

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/pieces.h"

namespace flow {
namespace internal {

class ChainedPieces final : public Pieces {
 public:
  // Both outlive it.
  ChainedPieces(absl::string_view head, Pieces& tail)
      : head_(head), tail_(tail) {}

  size_t Window(absl::Span<iovec> out) const override {
    if (head_.empty()) return tail_.Window(out);
    out[0] = {const_cast<char*>(head_.data()), head_.size()};
    return 1 + (out.size() > 1 ? tail_.Window(out.subspan(1)) : 0);
  }
  void Consume(size_t n) override {
    ++steps_;
    const size_t of_head = std::min(n, head_.size());
    head_.remove_prefix(of_head);
    if (n > of_head) tail_.Consume(n - of_head);
  }
  uint64_t steps() const { return steps_; }

 private:
  absl::string_view head_;
  Pieces& tail_;
  uint64_t steps_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_BUFFERED_CHAINED_PIECES_H_
