// File: async_op.h (internal)
//
// AsyncCore and AsyncOp: the futures driver's loop. They alone know how an
// operation that would block is parked instead, and how the operations of one
// direction follow each other.
//
// An AsyncOp goes: submitted -> (queued behind others of its direction) ->
// driven
// -> (parked, made ready, driven again)* -> finished -> delivered. It is driven
// by one thread at a time: the submitter's if nothing is before it, else the
// poller's; or the executor's, for descriptors whose tries may block on a disk.

#ifndef FLOW_ASYNC_OP_H_
#define FLOW_ASYNC_OP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/core.h"
#include "flow/executor.h"
#include "flow/job.h"
#include "flow/limits.h"
#include "flow/poller.h"
#include "flow/sleeper.h"
#include "flow/state.h"
#include "flow/turn.h"

namespace flow {
namespace internal {

class AsyncOp;

// What the handle and the operations of one AsyncFlow share.
class AsyncCore final : public Core::FdGuard,
                        public std::enable_shared_from_this<AsyncCore> {
 public:
  // Owns the handle of `core`.
  AsyncCore(Core* core, std::shared_ptr<Poller> poller, Executor* executor);
  ~AsyncCore();
  AsyncCore(const AsyncCore&) = delete;
  AsyncCore& operator=(const AsyncCore&) = delete;

  Core& core() { return *core_; }
  Poller& poller() { return *poller_; }
  ParkedFlow& parked() { return parked_; }

  // Takes the operation, which ends by delivering its result, whatever happens.
  void Submit(std::unique_ptr<AsyncOp> op) ABSL_LOCKS_EXCLUDED(mu_);

  // Operations that have no direction are counted by hand.
  void CountOutstanding(int change) ABSL_LOCKS_EXCLUDED(mu_);

  // Gives the handle of the Core back if no operation is outstanding, else
  // null.
  Core* Release() ABSL_LOCKS_EXCLUDED(mu_);

  // Why operations are refused; OK if they are not.
  absl::Status Refusal() const;

  // Runs `callback` through the executor, with OK or with why it could not be
  // run. Never on the stack of the calling thread, unless that is the poller's.
  void RunCallback(absl::AnyInvocable<void(absl::Status) &&> callback);

  // Runs `step` where a disk may be waited for.
  void RunOnExecutor(absl::AnyInvocable<void(absl::Status) &&> step);
  bool always_ready() const { return always_ready_; }

 private:
  friend class AsyncOp;

  struct Lane {
    AsyncOp* first = nullptr;
    AsyncOp* last = nullptr;
  };

  void BeforeShut(Direction /*d*/) override { poller_->ForgetIdle(parked_); }
  void BeforeClose() override { poller_->Forget(parked_); }

  Lane& LaneOf(Direction d) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return d == Direction::kRead ? reads_ : writes_;
  }
  void Remove(AsyncOp* op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Core* core_;
  const std::shared_ptr<Poller> poller_;
  Executor* const executor_;
  const std::shared_ptr<ExceptionLog> exceptions_;
  const bool always_ready_;  // a file: epoll refuses it, tries may block
  ParkedFlow parked_;

  absl::Mutex mu_;
  Lane reads_ ABSL_GUARDED_BY(mu_);
  Lane writes_ ABSL_GUARDED_BY(mu_);
  int outstanding_ ABSL_GUARDED_BY(mu_) = 0;
};

// One operation. Destroys itself when it has delivered.
class AsyncOp : public Parked {
 public:
  AsyncOp(std::shared_ptr<AsyncCore> flow, Role role, const Limits& limits,
          absl::string_view operation, uint64_t total);

  void OnReady() override;

 protected:
  // What it does. Asked for when it is first tried.
  virtual Job& job() = 0;
  // Tells the result: `done` if the job is, else status() or the end of stream.
  // The direction has been given back by then.
  virtual void Deliver(bool done) = 0;

  AsyncCore& flow() const { return *flow_; }
  bool at_eof() const {
    return refusal_.ok() && woke_ == Woke::kRetry &&
           turn_.answer() == Answer::kEof;
  }
  bool is_shut() const {
    return refusal_.ok() && woke_ == Woke::kRetry &&
           (turn_.answer() == Answer::kShut ||
            turn_.answer() == Answer::kClosed);
  }
  absl::Status status() const {
    return refusal_.ok() ? turn_.StatusOf(woke_) : refusal_;
  }

 private:
  friend class AsyncCore;

  void Start();
  void Drive();
  bool Enter();
  bool WithinLimits();
  bool Moved(Job::Then then);
  void ParkFor(const Wait& wait);
  void ParkQueued();
  void Finish(bool done);

  const std::shared_ptr<AsyncCore> flow_;
  const Limits limits_;
  Sleeper sleeper_;
  Turn turn_;
  Woke woke_ = Woke::kRetry;
  bool entered_ = false;
  bool queued_ = false;  // others of its direction were before it
  uint8_t futile_ = 0;   // wakes by its descriptor that let nothing move
  absl::Status refusal_;
  AsyncOp* next_in_lane_ = nullptr;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_OP_H_
