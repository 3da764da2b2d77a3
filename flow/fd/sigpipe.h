// File: sigpipe.h (internal)
//
// Writing to a pipe without being killed by SIGPIPE, and without anybody seeing
// that there was one. It alone knows how.
//
// A library may neither ignore SIGPIPE (a process-wide disposition that exec
// passes on) nor block it in a thread that is not its own. Three ways, the
// cheapest that is there:
// 1. threads that flow made have SIGPIPE blocked for good
// (flow/sys/own_thread.h):
//    nothing to do;
// 2. pwritev2(RWF_NOSIGNAL), Linux >= 6.18, about 100 ns; probed by the first
//    real write of the process;
// 3. block SIGPIPE, write, take back the SIGPIPE that this write made pending,
//    unblock; about 500 ns. A SIGPIPE that was pending before stays so.
//
// The one trace that can't be avoided: if SIGPIPE is pending for the process as
// a whole (not for the thread), way 3 may leave another one pending for the
// thread; sigpending(2) shows no difference.
//
// Guarantees: dispositions, mask and pending signals of the calling thread are
// on return as they were (P6). Any thread.

#ifndef FLOW_FD_SIGPIPE_H_
#define FLOW_FD_SIGPIPE_H_

#include <sys/types.h>
#include <sys/uio.h>

#include "absl/types/span.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

// writev(2), or pwritev2(2) at the file's own position if `rwf_flags` is not 0.
// The result is the kernel's, with errno. `from` is not empty.
ssize_t WriteWithoutSigpipe(Syscalls* sys, int fd, absl::Span<const iovec> from,
                            int rwf_flags);

// The guard of way 3 for calls that have no flag (splice, sendfile): made
// before them, destroyed after them, in one thread. Costs nothing in a thread
// that blocks SIGPIPE for good.
class SigpipeGuard {
 public:
  explicit SigpipeGuard(Syscalls* sys);
  ~SigpipeGuard();
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

  // Says that no SIGPIPE can have come since the guard was made, which saves
  // the look for one.
  void NoneCame() { take_ = false; }

 private:
  Syscalls* const sys_;
  bool take_ = false;     // one that is pending at the end is ours
  bool unblock_ = false;  // SIGPIPE was not blocked before
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_SIGPIPE_H_
