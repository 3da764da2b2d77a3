// File: child_process.h (internal)
//
// ChildProcess: a process that this one has started, until it is reaped. It
// alone knows how an end is waited for, told once and for all, and when a
// process number may still be used.
//
// A process number is like an fd: once the process is reaped, it is the next
// one's. So all that uses it happens under `mu_` and before the reaping, and
// nobody but this object waits for this process: never "any child", and no
// handler for SIGCHLD. The kernel's handle for a process (pidfd) is what is
// slept on; where there is none (Linux < 5.3, or no fds left), the process is
// asked for ten times a second.
//
// Guarantees: any thread. The process is reaped once, by whoever looks first
// after its end.

#ifndef FLOW_NET_CHILD_PROCESS_H_
#define FLOW_NET_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "flow/limits.h"
#include "flow/net/exit_status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

class ChildProcess {
 public:
  // How often a process without a handle is asked for.
  static constexpr int kAskEveryMs = 100;

  // `pid` is a child that has not been waited for; `name` is for messages. If
  // it leads a group of its own, signals go to all of that, and it is reaped
  // only when it is abandoned: until then the group's number can't be
  // another's.
  ChildProcess(Syscalls* sys, pid_t pid, std::string name, bool leads_group);

  pid_t pid() const { return pid_; }
  // "cat[4711]".
  const std::string& name() const { return name_; }

  // The end, which is the same for all who ask.
  absl::StatusOr<ExitStatus> Wait(const Limits& limits);
  // OK also if it has ended.
  absl::Status Kill(int signal);

  // Whoever had it has gone: kills it first if `kill`. If it has not ended it
  // is left to the reaper (flow/net/reaper.h). In a forked child: nothing.
  static void Abandon(std::shared_ptr<ChildProcess> child, bool kill);

  // True once there is nothing left to reap.
  bool TryReap();
  // To sleep on; -1 if there is none.
  int pidfd() const { return pidfd_.get(); }

 private:
  // Asks the kernel. Nothing: it runs.
  std::optional<absl::StatusOr<ExitStatus>> Look(bool reap)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // From now on with the kernel itself: the fake of a test may go.
  void Detach();

  const pid_t pid_;
  const std::string name_;
  const bool leads_group_;
  const uint32_t fork_generation_;
  const UniqueFd pidfd_;

  absl::Mutex mu_;
  Syscalls* sys_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::StatusOr<ExitStatus>> end_ ABSL_GUARDED_BY(mu_);
  bool reaped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_CHILD_PROCESS_H_
