// File: async_op.h (internal)
//
// AsyncCore and AsyncOp: the futures driver's loop. They alone know how an
// operation that would block is parked instead, and how the operations of one
// direction follow each other.
//
// An AsyncOp goes: submitted -> (queued behind others of its direction)
// -> driven -> (parked, made ready, driven again)* -> finished -> delivered. It
// is driven by one thread at a time: the submitter's if nothing is before it,
// else the poller's. Descriptors whose tries may block on a disk are tried on
// the executor; while such an operation waits for the executor it is parked
// too, so that limits, Close and the end of the context don't wait for a
// thread. A read on a plain descriptor whose like have had to wait eight times
// in a row is parked before it is tried (flow/read_habit.h).
//
// Who may touch an operation: whoever drives it, until it is parked or made
// ready; then the poller's thread alone, or who claims it (Poller::Claim) under
// the flow's mutex.

#ifndef FLOW_ASYNC_OP_H_
#define FLOW_ASYNC_OP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "flow/async_home.h"
#include "flow/core.h"
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
  AsyncCore(Core* core, AsyncHome home);
  ~AsyncCore();
  AsyncCore(const AsyncCore&) = delete;
  AsyncCore& operator=(const AsyncCore&) = delete;

  Core& core() { return *core_; }
  const AsyncHome& home() const { return home_; }
  Poller& poller() const { return home_.poller(); }
  ParkedFlow& parked() { return parked_; }

  // Takes the operation, which ends by delivering its result, whatever happens.
  void Submit(std::unique_ptr<AsyncOp> op) ABSL_LOCKS_EXCLUDED(mu_);

  // Operations that have no direction are counted by hand.
  void CountOutstanding(int change) ABSL_LOCKS_EXCLUDED(mu_);

  // Counts as an outstanding operation for as long as it lives: for those that
  // are made of several.
  class Hold {
   public:
    explicit Hold(std::shared_ptr<AsyncCore> flow) : flow_(std::move(flow)) {
      flow_->CountOutstanding(1);
    }
    ~Hold() { Reset(); }
    Hold(Hold&& other) noexcept = default;
    Hold& operator=(Hold&&) = delete;
    void Reset() {
      if (flow_ != nullptr) std::exchange(flow_, nullptr)->CountOutstanding(-1);
    }

   private:
    std::shared_ptr<AsyncCore> flow_;
  };

  // Gives the handle of the Core back if no operation is outstanding, else
  // null.
  Core* Release() ABSL_LOCKS_EXCLUDED(mu_);

  // In a forked child: closes the descriptors, whoever else has a share in
  // this: operations are not in the child, and never end there.
  void CloseAfterFork();

  // Why operations are refused; OK if they are not.
  absl::Status Refusal() const { return home_.Refusal(); }

  // Tries of `d` may wait for a disk, so they are the executor's.
  bool always_ready(Direction d) const {
    return d == Direction::kRead ? reads_always_ready_ : writes_always_ready_;
  }

 private:
  friend class AsyncOp;

  struct Lane {
    AsyncOp* first = nullptr;
    AsyncOp* last = nullptr;
  };

  void BeforeShut() override { poller().BeginShut(parked_); }
  void AfterShut() override { poller().EndShut(parked_); }
  void BeforeClose() override { poller().Forget(parked_); }

  Lane& LaneOf(Direction d) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return d == Direction::kRead ? reads_ : writes_;
  }
  void Remove(AsyncOp* op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Has the first operation of `d` driven on the executor, if it still waits
  // for this `step`.
  void RequestStep(Direction d, uint64_t step);
  void RunStep(Direction d, uint64_t step, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mu_);

  Core* core_;
  const AsyncHome home_;
  // A file: epoll refuses it, tries may block.
  bool reads_always_ready_ = false;
  bool writes_always_ready_ = false;
  ParkedFlow parked_;

  absl::Mutex mu_;
  Lane reads_ ABSL_GUARDED_BY(mu_);
  Lane writes_ ABSL_GUARDED_BY(mu_);
  int outstanding_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_step_ ABSL_GUARDED_BY(mu_) = 0;
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
  // How it ended, unless it is done. The Core is not looked at any more: it may
  // be in other hands.
  bool at_eof() const {
    return outcome_.ok() && turn_.answer() == Answer::kEof;
  }
  bool is_shut() const {
    return entered_ && woke_ == Woke::kRetry &&
           (turn_.answer() == Answer::kShut ||
            turn_.answer() == Answer::kClosed);
  }
  const absl::Status& status() const { return outcome_; }

 private:
  friend class AsyncCore;

  void Start();
  void WaitForExecutor();
  void TellEndingFirst();
  void Drive();
  bool Enter();
  bool ParkFirst();
  void NoteWait(const Wait& wait);
  void Try();
  bool WithinLimits();
  bool IsOpen() const;
  bool Moved(Job::Then then);
  void ParkFor(const Wait& wait);
  void ParkInLine();
  bool OnReadyInLine() ABSL_EXCLUSIVE_LOCKS_REQUIRED(flow_->mu_);
  void Finish(bool done);
  absl::Status Refused() const;

  const std::shared_ptr<AsyncCore> flow_;
  const Limits limits_;
  Sleeper sleeper_;
  Turn turn_;
  Woke woke_ = Woke::kRetry;
  bool entered_ = false;      // the state has been asked
  bool queued_ = false;       // others of its direction were before it
  bool was_open_ = false;     // when it was submitted
  bool waited_ = false;       // a read, for bytes
  bool step_missed_ = false;  // the executor came while the poller had it
  uint64_t step_ = 0;         // waits for the executor to run this, if not 0
  absl::Status refused_;      // why the executor did not run it
  absl::Status outcome_;
  AsyncOp* next_in_lane_ = nullptr;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_OP_H_
