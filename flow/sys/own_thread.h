// File: own_thread.h (internal)
//
// OwnThread: a thread that flow itself makes. It alone knows how: named, with
// SIGPIPE blocked for good (so that writes to pipes need no guard there), and
// without exceptions when the system has no thread to give.

#ifndef FLOW_SYS_OWN_THREAD_H_
#define FLOW_SYS_OWN_THREAD_H_

#include <pthread.h>

#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "flow/sys/syscalls.h"

namespace flow {

class OwnThread {
 public:
  OwnThread() = default;
  OwnThread(OwnThread&& other) noexcept
      : thread_(other.thread_),
        running_(std::exchange(other.running_, false)) {}
  OwnThread& operator=(OwnThread&& other) noexcept {
    thread_ = other.thread_;
    running_ = std::exchange(other.running_, false);
    return *this;
  }

  // Runs `body` on a new thread. False if the system refuses (EAGAIN).
  bool Start(absl::string_view name, absl::AnyInvocable<void() &&> body);

  // The same, with all signals blocked in the thread but those that say that it
  // is at fault itself (and a profiler's): signals are for the threads of the
  // user, who may wait for them with sigwait(3). `sys` makes the thread.
  bool StartWithoutSignals(absl::string_view name,
                           absl::AnyInvocable<void() &&> body, Syscalls* sys);

  // Waits for the thread to end; lets it go if that is the calling thread.
  void JoinUnlessSelf();

  // Nobody will wait for the thread.
  void Detach();

  // In a forked child: there is no such thread.
  void Forget() { running_ = false; }

  bool IsSelf() const {
    return running_ && pthread_equal(thread_, pthread_self()) != 0;
  }

 private:
  bool Make(absl::string_view name, absl::AnyInvocable<void() &&> body,
            Syscalls* sys);

  pthread_t thread_ = {};
  bool running_ = false;
};

// Whether SIGPIPE is blocked for good in the calling thread.
bool SigpipeIsBlockedForGood();

// Blocks SIGPIPE in the calling thread until it ends. False if that failed.
bool BlockSigpipeForGood();

}  // namespace flow

#endif  // FLOW_SYS_OWN_THREAD_H_
