// File: server_core.h (internal)
//
// ServerCore: what the handle of a server and its threads share. It alone knows
// the life of a server:
//
//   accepting --(Stop, the token, a failure)--> draining --> ended
//
// Draining is the accepting thread's too: it closes the listener, asks the
// handlers to finish, waits until they have or the deadline comes, cuts those
// that are left, aborts what is left then, and joins all threads. So a Stop has
// only to say that it is time, which a handler can do as well.
//
// Guarantees: any thread. Kept alive by the handle and by its own thread.

#ifndef FLOW_NET_SERVER_CORE_H_
#define FLOW_NET_SERVER_CORE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/cancel.h"
#include "flow/core_hold.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/limit_keeper.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"
#include "flow/net/serve_options.h"
#include "flow/net/serve_threads.h"
#include "flow/net/served.h"
#include "flow/signal.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/own_thread.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(Listener listener, ConnectionHandler handler,
             ServeOptions options);

  // Starts the threads. Once.
  absl::Status Start();

  // From now on it stops, and cuts what is left at `deadline`, or at an earlier
  // one that it was told. Does not wait for handlers.
  void BeginStop(MonoTime deadline) ABSL_LOCKS_EXCLUDED(mu_);
  void BeginStop() { BeginStop(sys_->Now() + options_.drain); }
  // Waits until it has ended, and its threads with it. `operation` is the
  // caller's name.
  absl::Status AwaitEnd(const Limits& limits, absl::string_view operation)
      ABSL_LOCKS_EXCLUDED(mu_, join_mu_);
  // Its threads end by themselves; nobody joins the accepting one.
  void LetGo() ABSL_LOCKS_EXCLUDED(join_mu_);

  // Whether the calling thread is in a handler of this server.
  bool IsHandler() const;
  bool ended() const ABSL_LOCKS_EXCLUDED(mu_);
  // In a child that was forked off: nothing here works but CloseAfterFork.
  bool IsForeign() const;
  // The listener, and the connections that the parent was serving.
  void CloseAfterFork() ABSL_LOCKS_EXCLUDED(mu_);

  const Listener& listener() const { return listener_; }
  ServeStats GetStats() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // ---- The accepting thread.
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AcceptAll() ABSL_LOCKS_EXCLUDED(mu_);
  // After the system had no thread to give.
  void PauseForThread() ABSL_LOCKS_EXCLUDED(mu_);
  void Admit(Flow flow) ABSL_LOCKS_EXCLUDED(mu_);
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);
  // Sleeps until `over`, which is asked again after each change here; or until
  // a limit.
  void Await(absl::FunctionRef<bool()> over, const Limits& limits);
  std::vector<CoreHold> Holds() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Result(const absl::Status& accepting) ABSL_LOCKS_EXCLUDED(mu_);
  bool stop_asked() const ABSL_LOCKS_EXCLUDED(mu_);
  // By a Stop or by the token.
  bool IsToStop() const ABSL_LOCKS_EXCLUDED(mu_);
  MonoTime drained_by() const ABSL_LOCKS_EXCLUDED(mu_);

  // ---- A connection's thread.
  void ServeOne(std::unique_ptr<Served> served) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Handle(Served& served, bool& threw) const;
  absl::Status CallHandler(Served& served) const;
  // Counts a connection that has ended like this, and frees its place.
  void Leave(Served* served, Cut cut, bool threw, bool ok)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Tell(const Served& served, const absl::Status& why) const;

  const ServeOptions options_;
  Syscalls* const sys_;
  const uint32_t generation_;
  const ConnectionHandler handler_;
  Listener listener_;
  CancelSource stopping_;
  LimitKeeper keeper_;
  ServeThreads threads_;
  Signal change_;  // for the accepting thread
  Signal end_;     // for who waits for the end

  mutable absl::Mutex mu_;
  MonoTime drained_by_ ABSL_GUARDED_BY(mu_) = kNever;
  bool stop_asked_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status result_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<Served*> live_ ABSL_GUARDED_BY(mu_);
  ServeStats stats_ ABSL_GUARDED_BY(mu_);

  absl::Mutex join_mu_;  // before no other
  OwnThread thread_ ABSL_GUARDED_BY(join_mu_);
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_SERVER_CORE_H_
