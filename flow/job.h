// File: job.h (internal)
//
// Job: what a call does with the transport, one try at a time, whoever drives
// it (flow/call.h blocks between tries, flow/async_op.h parks). It alone knows
// the steps of reading, writing and ending; it never waits and never decides.
//
// Not thread-safe: belongs to one call.

#ifndef FLOW_JOB_H_
#define FLOW_JOB_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/core.h"
#include "flow/pieces.h"
#include "flow/transport.h"
#include "flow/turn.h"

namespace flow {
namespace internal {

class Job {
 public:
  // What comes after a try that transferred.
  enum class Then : uint8_t {
    kDone,    // nothing: the call has what it wanted
    kOn,      // another step that belongs to this one: try at once
    kMore,    // more of the same: look at the state and the limits, then try
    kBroken,  // the transport moved what it was not asked to
  };

  virtual ~Job() = default;
  virtual Attempt Try(Core& core) = 0;
  virtual Then Moved(Turn& turn, size_t n) = 0;
  // Whether a try that transferred `n` has done all that one can.
  virtual bool FilledBy(size_t) const { return false; }
  // No try follows, and the flow is about to be left: lets go of what belongs
  // to its transport, which may be gone afterwards. (A job that lives within
  // its call is destroyed before that, and is not told.)
  virtual void LetGo() {}
};

// Into the caller's memory.
class ReadJob final : public Job {
 public:
  explicit ReadJob(absl::Span<char> into) : into_{into.data(), into.size()} {}

  Attempt Try(Core& core) override {
    return core.transport().TryRead(absl::MakeConstSpan(&into_, 1));
  }
  Then Moved(Turn& turn, size_t n) override {
    if (n == 0 || n > into_.iov_len) return Then::kBroken;
    got_ = n;
    turn.CountMoved(n);
    turn.core().CountRead(n);
    return Then::kDone;
  }
  bool FilledBy(size_t n) const override { return n == into_.iov_len; }
  size_t got() const { return got_; }

 private:
  const iovec into_;
  size_t got_ = 0;
};

// Into a fresh buffer. Small reads go through a scratch that the thread keeps,
// and are copied into memory of exactly their size: 10 bytes cost 10, and a
// call that waits holds none. Streams that fill the scratch are read straight
// into a block of the size that the last reads filled.
class FreshReadJob final : public Job {
 public:
  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;
  Buffer& buffer() { return buffer_; }

  // The size for the next read after one of `n` bytes into `capacity`.
  static size_t NextHint(size_t hint, size_t capacity, size_t n);
  // Tells the job how large the stream's reads have been; before the first Try.
  void set_hint(size_t hint) { hint_ = hint; }

 private:
  size_t hint_ = 0;
  Buffer buffer_;
};

// All of `pieces`, `total` bytes, then the flush.
class WriteJob final : public Job {
 public:
  // `space` is for the window of iovecs; it and `pieces` outlive the job.
  WriteJob(Pieces& pieces, absl::Span<iovec> space)
      : pieces_(pieces), space_(space) {}

  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;

 private:
  Pieces& pieces_;
  const absl::Span<iovec> space_;
  absl::Span<const iovec> window_;
  bool flushing_ = false;
};

// All of `bytes`, more than none, then the flush: what most writes are.
class WriteViewJob final : public Job {
 public:
  explicit WriteViewJob(absl::string_view bytes)
      : piece_{const_cast<char*>(bytes.data()), bytes.size()} {}

  Attempt Try(Core& core) override {
    return piece_.iov_len == 0
               ? core.transport().TryFlush()
               : core.transport().TryWrite(absl::MakeConstSpan(&piece_, 1));
  }
  Then Moved(Turn& turn, size_t n) override {
    if (piece_.iov_len == 0) {
      turn.core().CountWrite();
      return Then::kDone;
    }
    if (n == 0 || n > piece_.iov_len) return Then::kBroken;
    turn.core().CountWritten(n);
    turn.CountDone(n);
    piece_ = {static_cast<char*>(piece_.iov_base) + n, piece_.iov_len - n};
    return piece_.iov_len == 0 ? Then::kOn : Then::kMore;
  }

 private:
  iovec piece_;  // what is left
};

// What one try takes of `bytes`. A layer is pushed once, without waiting; what
// it still holds goes out with the next write or with Shutdown.
class WriteSomeJob final : public Job {
 public:
  explicit WriteSomeJob(absl::string_view bytes)
      : piece_{const_cast<char*>(bytes.data()), bytes.size()} {}

  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;
  // Taken, even if the push then failed: the next call tells that.
  size_t taken() const { return taken_; }

 private:
  const iovec piece_;
  size_t taken_ = 0;
};

// Only the flush: what the transport has taken and holds back.
class FlushJob final : public Job {
 public:
  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;
};

// Flushes, then tells the peer that no more will come.
class ShutdownJob final : public Job {
 public:
  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;

 private:
  bool flushed_ = false;
};

// Reads and drops until the end, or `at_most` bytes.
class DrainJob final : public Job {
 public:
  // `below`: what the flow below a layer sends, instead of what the layer does.
  DrainJob(bool below, uint64_t at_most) : below_(below), left_(at_most) {}

  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;

 private:
  const bool below_;
  uint64_t left_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_JOB_H_
