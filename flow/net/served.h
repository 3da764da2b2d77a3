// File: served.h (internal)
//
// Served: one connection of a server. It alone knows what its limits mean: when
// it is to be looked at, when it is cut, and in which of the two steps.
//
//   running --(total, idle, drain)--> cut: the token fires
//                                      | cut_grace
//                                      v
//                                     aborted: the flow too
//
// Guarantees: the handler's thread owns it; whoever else looks at it makes sure
// that it lives. What is not said to be the handler's may be called from any
// thread.

#ifndef FLOW_NET_SERVED_H_
#define FLOW_NET_SERVED_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "flow/cancel.h"
#include "flow/core_hold.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/serve_options.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

// What cut a connection short.
enum class Cut : uint8_t { kNone, kTotal, kIdle, kDrain };

class Served {
 public:
  // `options` and `sys` outlive it. Its time begins now.
  Served(uint64_t id, Flow flow, const ServeOptions& options,
         CancelToken stopping, Syscalls* sys);
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  // ---- The handler's.
  Flow& flow() { return flow_; }
  const CancelToken& cut() const { return cut_token_; }
  const CancelToken& stopping() const { return stopping_; }
  uint64_t id() const { return id_; }
  const Endpoint& peer() const { return peer_; }
  // Hands the flow over, unwatched: while it is watched its transport can't be
  // released. Replace brings another.
  Flow Take() ABSL_LOCKS_EXCLUDED(mu_);
  void Replace(Flow flow) ABSL_LOCKS_EXCLUDED(mu_);

  // The handler has ended: what cut it.
  Cut Finish() ABSL_LOCKS_EXCLUDED(mu_);
  // The flow's end: in order, or, unless `in_order`, so that it shows.
  void Farewell(bool in_order) ABSL_LOCKS_EXCLUDED(mu_);

  // ---- Anybody's.
  // What a look has found: when to look again (kNever: it has no limits any
  // more), and whether the flow has to be aborted now, without any lock held.
  struct Look {
    MonoTime next = kNever;
    std::optional<CoreHold> abort;
  };
  // Keeps the limits of time. `now` is the first instant to look at it, or one
  // that an earlier look has named, or later.
  Look LookAt(MonoTime now) ABSL_LOCKS_EXCLUDED(mu_);
  MonoTime FirstLook() const;

  // Stop's deadline: cuts it; the caller aborts it later.
  void CutForDrain() ABSL_LOCKS_EXCLUDED(mu_);
  // In a forked child, where the handler's thread is not: closes the
  // descriptors of the flow that is watched.
  void CloseAfterFork() ABSL_LOCKS_EXCLUDED(mu_);
  CoreHold hold() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void CutNow(Cut why, MonoTime at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How long it is until the next look for idleness.
  absl::Duration IdleStep() const;

  const ServeOptions& options_;
  Syscalls* const sys_;
  const uint64_t id_;
  const Endpoint peer_;
  const MonoTime born_;
  const CancelToken stopping_;
  CancelSource cut_source_;
  const CancelToken cut_token_;
  Flow flow_;

  mutable absl::Mutex mu_;
  CoreHold hold_ ABSL_GUARDED_BY(mu_);
  Cut cut_ ABSL_GUARDED_BY(mu_) = Cut::kNone;
  MonoTime abort_at_ ABSL_GUARDED_BY(mu_) = kNever;
  // Not idle at that instant, and how many bytes had moved by then.
  MonoTime busy_at_ ABSL_GUARDED_BY(mu_);
  uint64_t moved_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_SERVED_H_
