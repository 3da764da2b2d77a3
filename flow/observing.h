// File: observing.h (internal)
//
// Observing: who is told of a flow's operations, and of its end. A Core has one
// as soon as somebody wants to know, and until it is destroyed; it alone knows
// how observers are kept and called.
//
// Observers are only ever added, in front, so that an operation which remembers
// the first at its begin knows those that are to be told of all of it.
//
// Guarantees: any thread.

#ifndef FLOW_OBSERVING_H_
#define FLOW_OBSERVING_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "flow/observer.h"
#include "flow/state.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/primitives.h"

namespace flow {
namespace internal {

class Observing {
 public:
  struct Node {
    std::shared_ptr<FlowObserver> observer;
    const Node* next = nullptr;
  };
  using Hook = absl::AnyInvocable<void() &&>;

  // `over`: the flow's transport is gone already.
  explicit Observing(bool over) : over_(over) {}
  ~Observing();
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

  // Of operations that begin from now on.
  void Add(std::shared_ptr<FlowObserver> observer) ABSL_LOCKS_EXCLUDED(mu_);
  // Calls `hook` when the transport is gone, at once if it is.
  void WhenOver(Hook hook) ABSL_LOCKS_EXCLUDED(mu_);
  // It is gone. Without any lock.
  void Over() ABSL_LOCKS_EXCLUDED(mu_);

  // Null: nobody is told of operations.
  const Node* first() const { return first_.load(std::memory_order_acquire); }
  uint64_t NextId() { return 1 + ids_.fetch_add(1, std::memory_order_relaxed); }

  // The nearest limit of the call of `d` that waits, or did last.
  void SetLimit(Direction d, MonoTime limit) {
    limits_[static_cast<int>(d)].store(limit.nanos(),
                                       std::memory_order_relaxed);
  }
  MonoTime limit(Direction d) const {
    return MonoTime::FromNanos(
        limits_[static_cast<int>(d)].load(std::memory_order_relaxed));
  }

 private:
  std::atomic<const Node*> first_{nullptr};
  std::atomic<uint64_t> ids_{0};
  std::atomic<int64_t> limits_[2] = {kNever.nanos(), kNever.nanos()};

  Mutex mu_;
  bool over_ ABSL_GUARDED_BY(mu_);
  std::vector<Hook> hooks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_OBSERVING_H_
