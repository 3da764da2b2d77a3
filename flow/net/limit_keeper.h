// File: limit_keeper.h (internal)
//
// LimitKeeper: the one thread that keeps the limits of all connections of a
// server. It alone knows which of them is to be looked at next.
//
// It sleeps until then, at least 20 ms (P4), so that limits are kept at most
// that much late however many connections there are. Without limits it has no
// thread, and everything here does nothing.
//
// Guarantees: any thread, but for Start and Stop, which are the owner's.

#ifndef FLOW_NET_LIMIT_KEEPER_H_
#define FLOW_NET_LIMIT_KEEPER_H_

#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "flow/core_hold.h"
#include "flow/net/serve_options.h"
#include "flow/net/served.h"
#include "flow/signal.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/own_thread.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

class LimitKeeper {
 public:
  LimitKeeper(const ServeOptions& options, Syscalls* sys);

  // False if there is no thread to be had.
  [[nodiscard]] bool Start();
  // The thread ends, and is waited for. Limits are kept no more.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  // Looks after `served` until it is removed; then nobody here uses it.
  void Add(Served* served) ABSL_LOCKS_EXCLUDED(mu_);
  void Remove(Served* served) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // Looks at those whose time has come.
  std::vector<CoreHold> LookAtDue(MonoTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const bool needed_;
  Syscalls* const sys_;
  OwnThread thread_;
  Signal signal_;

  absl::Mutex mu_;  // before Served's
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // Until when the thread sleeps, if nobody wakes it.
  MonoTime asleep_until_ ABSL_GUARDED_BY(mu_) = kNever;
  std::set<std::pair<MonoTime, Served*>> due_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Served*, MonoTime> when_ ABSL_GUARDED_BY(mu_);
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_LIMIT_KEEPER_H_
