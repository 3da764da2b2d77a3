#include "flow/job.h"

#include <algorithm>

namespace flow {
namespace internal {
namespace {

constexpr size_t kScratch = 32 << 10;
constexpr size_t kMaxBlock = 256 << 10;

// The thread's own, made when it first reads.
char* Scratch() {
  static thread_local std::unique_ptr<char[]> scratch;
  if (scratch == nullptr) scratch.reset(new char[kScratch]);
  return scratch.get();
}

uint64_t SizeOf(absl::Span<const iovec> window) {
  uint64_t size = 0;
  for (const iovec& piece : window) size += piece.iov_len;
  return size;
}

}  // namespace

size_t FreshReadJob::NextHint(size_t hint, size_t capacity, size_t n) {
  if (n == capacity) return std::min(std::max(hint, kScratch) * 2, kMaxBlock);
  return n < capacity / 4 ? hint / 2 : hint;
}

Attempt FreshReadJob::Try(Core& core) {
  // Chosen for each try, since the next one may be another thread's.
  const bool direct = hint_ > kScratch;
  if (direct && buffer_.capacity() == 0) buffer_ = Buffer::WithCapacity(hint_);
  const iovec into = {direct ? buffer_.mutable_data() : Scratch(),
                      direct ? buffer_.capacity() : kScratch};
  const Attempt a = core.transport().TryRead(absl::MakeConstSpan(&into, 1));
  if (!a.transferred()) buffer_ = Buffer();
  return a;
}

Job::Then FreshReadJob::Moved(Turn& turn, size_t n) {
  const bool direct = buffer_.capacity() > 0;
  const size_t capacity = direct ? buffer_.capacity() : kScratch;
  if (n == 0 || n > capacity) return Then::kBroken;
  turn.CountMoved(n);
  turn.core().CountRead(n);
  // The direction is held, so nobody else changes the hint.
  turn.core().set_read_hint(NextHint(hint_, capacity, n));
  if (!direct) {
    buffer_ = Buffer::CopyOf({Scratch(), n});
    return Then::kDone;
  }
  buffer_.SetSize(n);
  if (n < capacity / 2) buffer_ = Buffer::CopyOf(buffer_.view());
  return Then::kDone;
}

Attempt WriteJob::Try(Core& core) {
  if (flushing_) return core.transport().TryFlush();
  window_ = space_.first(pieces_.Window(space_));
  return core.transport().TryWrite(window_);
}

Job::Then WriteJob::Moved(Turn& turn, size_t n) {
  if (flushing_) {
    turn.core().CountWrite();
    return Then::kDone;
  }
  if (n == 0 || n > SizeOf(window_)) return Then::kBroken;
  turn.core().CountWritten(n);
  turn.CountDone(n);
  pieces_.Consume(n);
  if (turn.done() < turn.total()) return Then::kMore;
  flushing_ = true;
  return Then::kOn;
}

Attempt WriteSomeJob::Try(Core& core) {
  if (taken_ == 0) {
    return core.transport().TryWrite(absl::MakeConstSpan(&piece_, 1));
  }
  const Attempt a = core.transport().TryFlush();
  return a.would_block() ? Attempt::Transferred(0) : a;
}

Job::Then WriteSomeJob::Moved(Turn& turn, size_t n) {
  if (taken_ > 0) return Then::kDone;
  if (n == 0 || n > piece_.iov_len) return Then::kBroken;
  taken_ = n;
  turn.CountAnswer(n);
  turn.core().CountWritten(n);
  turn.core().CountWrite();
  return Then::kOn;
}

Attempt FlushJob::Try(Core& core) { return core.transport().TryFlush(); }

Job::Then FlushJob::Moved(Turn& /*turn*/, size_t /*n*/) { return Then::kDone; }

Attempt ShutdownJob::Try(Core& core) {
  return flushed_ ? core.TryShutdown(ShutdownMode::kWrite)
                  : core.transport().TryFlush();
}

Job::Then ShutdownJob::Moved(Turn& turn, size_t /*n*/) {
  if (flushed_) {
    turn.core().ShutdownDone();
    return Then::kDone;
  }
  flushed_ = true;
  return Then::kOn;
}

Attempt DrainJob::Try(Core& core) {
  const iovec into = {Scratch(), kScratch};
  const absl::Span<const iovec> scratch = absl::MakeConstSpan(&into, 1);
  return below_ ? core.transport().TryDrain(scratch)
                : core.transport().TryRead(scratch);
}

Job::Then DrainJob::Moved(Turn& turn, size_t n) {
  if (n == 0 || n > kScratch) return Then::kBroken;
  turn.CountMoved(n);
  left_ -= std::min<uint64_t>(left_, n);
  return left_ > 0 ? Then::kMore : Then::kDone;
}

}  // namespace internal
}  // namespace flow
