// File: pieces.h (internal)
//
// Pieces: what a write still has to send, as iovecs. It alone knows how to go
// on in the middle of a piece. Neither copies nor allocates.

#ifndef FLOW_PIECES_H_
#define FLOW_PIECES_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow {
namespace internal {

// The most iovecs that one system call takes (IOV_MAX on Linux).
inline constexpr size_t kMaxIovecs = 1024;

class Pieces {
 public:
  virtual ~Pieces() = default;

  // Fills `out` with the next pieces, none of them empty, and returns how many
  // there are: 0 when all has been sent. Changes nothing.
  virtual size_t Window(absl::Span<iovec> out) const = 0;

  // `n` bytes of the last window have been sent.
  virtual void Consume(size_t n) = 0;
};

// Over string_views, which outlive it.
class ViewPieces final : public Pieces {
 public:
  explicit ViewPieces(absl::Span<const absl::string_view> views)
      : views_(views) {}

  size_t Window(absl::Span<iovec> out) const override;
  void Consume(size_t n) override;

 private:
  absl::Span<const absl::string_view> views_;
  size_t offset_ = 0;  // in views_.front()
};

// Over a Cord, which outlives it.
class CordPieces final : public Pieces {
 public:
  explicit CordPieces(const absl::Cord& cord)
      : at_(cord.char_begin()), left_(cord.size()) {}

  size_t Window(absl::Span<iovec> out) const override;
  void Consume(size_t n) override;

 private:
  absl::Cord::CharIterator at_;
  size_t left_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_PIECES_H_
