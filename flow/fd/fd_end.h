// File: fd_end.h (internal)
//
// FdEnd: one direction of a flow on an fd. It alone knows how bytes are moved
// through each kind of fd without blocking, and what is done when the kernel
// refuses the best way. The table is in flow/fd/fd.h.
//
// Guarantees: a try is one system call where the kernel knows the fd's best
// way, a few where it doesn't, and one more at the end of a pipe; no
// allocation, but for the one time that a better way is refused. One thread at
// a time.

#ifndef FLOW_FD_FD_END_H_
#define FLOW_FD_FD_END_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "flow/fd/fd_kind.h"
#include "flow/pieces.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What one call can carry beside kMaxIovecs: more bytes are cut by the kernel,
// at a page (read(2), NOTES).
inline constexpr size_t kMaxBytes = 0x7ffff000;

// The longest beginning of `pieces` that one call can carry, without copying:
// if the first piece alone is too long, `cut` becomes its beginning and is the
// result.
absl::Span<const iovec> Trim(absl::Span<const iovec> pieces, size_t max_bytes,
                             iovec& cut);

class FdEnd {
 public:
  // The end of `facts` for reading, or the one for writing. `owned` says
  // whether O_NONBLOCK has been set on it; errors reach at most as far as
  // `widest`.
  FdEnd(Syscalls* sys, const FdFacts& facts, bool owned, bool for_writing,
        ErrorScope widest);

  Attempt TryRead(absl::Span<const iovec> into);
  Attempt TryWrite(absl::Span<const iovec> from);

  // The fd for splice(2) and its like; none where such a call might block.
  RawEnd raw() const;

  // Forgets the fd, which is being closed by its owner: never used again.
  void Retire();

  // Closes the description of our own, if there is one. 0, or close's errno.
  int CloseOwnDescription() { return own_description_.reset(); }

 private:
  // What keeps a call from blocking.
  enum class Way : uint8_t {
    kSocket,       // MSG_DONTWAIT
    kNonBlocking,  // O_NONBLOCK on the description, which is ours
    kNoWait,       // RWF_NOWAIT, which leaves the description alone
    kPollFirst,    // asking poll, and then moving little
    kPlain,        // nothing can, or need
  };
  static Way WayFor(FdKind kind, bool owned);
  // What its calls are to the errno table.
  static SysCall CallFor(FdKind kind, bool for_writing);

  // Opens the same pipe or terminal anew, non-blocking; else kPollFirst.
  void OpenOwnDescription();
  bool Ready(short events);
  bool WentAway() const;
  ssize_t ReadOnce(absl::Span<const iovec> into);
  ssize_t WriteOnce(absl::Span<const iovec> from);
  // What a read of 0 bytes means here: Eof, or that there is nothing yet.
  Attempt AtZero();
  Attempt AfterError(int error);

  Syscalls* const sys_;
  const FdFacts facts_;
  const bool for_writing_;
  const SysCall call_;
  const ErrorScope widest_;
  const bool owned_;
  Way way_;
  uint8_t backoff_ms_ = 0;  // of the last shortage; 0: none since a success
  int fd_;                  // what is read, written and waited for
  UniqueFd own_description_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_FD_END_H_
