// File: serve_threads.h (internal)
//
// ServeThreads: the threads in which connections are served. It alone knows
// which of them gets the next one, and when they are made and end.
//
// A thread that has served a connection waits a while for another (the one that
// came back last is the first to be used: its memory is warm), and then ends.
// Each that ends joins the one that ended before it, so that at most one ended
// thread is not joined yet.
//
// A thread is made sure of *before* a connection is accepted (Reserve): when
// the system has none to give, no client has to pay for that.
//
// Guarantees: Reserve, Give and Join are for one thread, the owner's; count()
// is anybody's.

#ifndef FLOW_NET_SERVE_THREADS_H_
#define FLOW_NET_SERVE_THREADS_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/net/served.h"
#include "flow/sys/own_thread.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

class ServeThreads {
 public:
  using Run = absl::AnyInvocable<void(std::unique_ptr<Served>) const>;

  // `run` is called for each connection, in its thread, and throws nothing.
  ServeThreads(Run run, absl::Duration linger, Syscalls* sys);
  // After Join.
  ~ServeThreads() = default;

  // Makes sure that there is a thread for the next Give. False: the system has
  // none to give.
  [[nodiscard]] bool Reserve() ABSL_LOCKS_EXCLUDED(mu_);
  // Has the reserved thread serve it.
  void Give(std::unique_ptr<Served> served) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all threads that wait, waits for those that serve. The last call.
  void Join() ABSL_LOCKS_EXCLUDED(mu_);

  int count() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Worker {
    OwnThread thread;
    absl::CondVar wake;
    std::unique_ptr<Served> next;
    bool reserved = true;
  };

  void RunWorker(Worker* worker) ABSL_LOCKS_EXCLUDED(mu_);
  // What `worker` is to serve next; null if it is to end.
  std::unique_ptr<Served> Next(Worker* worker) ABSL_LOCKS_EXCLUDED(mu_);
  // It has served one. False if it is to end.
  bool Park(Worker* worker) ABSL_LOCKS_EXCLUDED(mu_);
  void End(std::unique_ptr<Worker> worker) ABSL_LOCKS_EXCLUDED(mu_);

  const Run run_;
  const absl::Duration linger_;
  Syscalls* const sys_;

  mutable absl::Mutex mu_;  // a leaf
  absl::CondVar all_ended_;
  Worker* reserved_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::vector<Worker*> parked_ ABSL_GUARDED_BY(mu_);  // the last is next
  OwnThread ended_ ABSL_GUARDED_BY(mu_);              // to be joined
  int count_ ABSL_GUARDED_BY(mu_) = 0;
  bool joining_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_SERVE_THREADS_H_
