// File: core.h (internal)
//
// Core: what the handles of one flow share: a Transport, the FlowState in one
// atomic word, the endings' statuses, and the queue of each direction.
//
// It alone knows the protocol of entering, leaving, waking and closing:
//
// - Enter is one compare-and-swap that looks at the state, takes the direction
//   and counts the call in; leaving is another. The slow path behind them runs
//   only if somebody is queued or the flow is over.
// - Close sets the flag, wakes all sleepers, and whoever leaves last runs
//   Transport::Close. So an fd is closed once, when nobody can use its number.
// - A kernel end is recorded together with its Status under `mu_`; who reads
//   "error" from the word takes the Status under `mu_` too.
// - A waiting call queues with a Signal of its own and is handed the direction,
//   first come, first served. It sleeps like any other call, so that limits and
//   Close work there too.
//
// Lock order: mu_, then a Signal's own mutex. Nothing else is locked inside.

#ifndef FLOW_CORE_H_
#define FLOW_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/endpoint.h"
#include "flow/limits.h"
#include "flow/observer.h"
#include "flow/observing.h"
#include "flow/read_habit.h"
#include "flow/signal.h"
#include "flow/sleeper.h"
#include "flow/state.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/primitives.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Aside;

// The Status of a call on a flow that this side has ended. `detail` has the
// operation, and what else is known. `pending`: it ended while the call was
// under way.
absl::Status ClosedLocallyStatus(ErrorDetail detail, absl::string_view context,
                                 bool pending);
// Of a call on no flow (default-constructed, moved from or released).
absl::Status NoFlowStatus(absl::string_view operation);

class Core {
 public:
  Core(std::unique_ptr<Transport> transport, Syscalls* sys);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // ---- For calls (flow/call.h). The transport is used only while inside.
  Transport& transport() { return *transport_; }
  Syscalls* sys() const { return sys_; }
  Signal& signal() { return signal_; }
  FlowState state() const {
    return FlowState(word_.load(std::memory_order_acquire));
  }

  // Comes inside as `role`; kTurn when the direction is another's.
  Answer Enter(Role role);
  // The same as kRead or kWrite with kTry for the answer, if nothing is in the
  // way; else false, and nothing has happened.
  bool EnterPlainly(Direction d) {
    uint64_t bits = word_.load(std::memory_order_acquire);
    return FlowState(bits).EntersPlainly(d) &&
           word_.compare_exchange_weak(
               bits, FlowState(bits).PlainlyEntered(d).bits(),
               std::memory_order_acq_rel, std::memory_order_acquire);
  }
  // Waits in the queue. True once the direction is the caller's; false, with
  // `woke` saying why, once it has left the queue for a limit (or kRetry: for
  // an ending).
  bool WaitTurn(Role role, Sleeper& sleeper, Woke& woke);
  Answer Resume(Role role);
  // Records what a try did. `error` is the Status if the try failed. `early`:
  // it began before the read side was draining, if it is by now, so that it is
  // not known to have found nothing: kMoved then, and it has to be made again.
  Answer AfterTry(Role role, Tried tried, const absl::Status& error,
                  bool early = false);
  // Says that a write was cut in the middle; `error` is what later writes get.
  void Seal(const absl::Status& error);
  void ShutdownDone();
  void Leave(Direction d) {
    uint64_t bits = word_.load(std::memory_order_acquire);
    if (!FlowState(bits).LeavesPlainly(d) ||
        !word_.compare_exchange_weak(
            bits, FlowState(bits).PlainlyLeft(d).bits(),
            std::memory_order_acq_rel, std::memory_order_acquire)) {
      LeaveWithCare(d);
    }
  }
  void LeaveUnheld();
  void Pin();
  void Unpin();
  Answer EnterUnheld();

  // Shutdown(kRead). Any pinned caller.
  void ShutRead();
  // CloseGracefully has the read side to itself from now on, if true. Not if
  // there is no read side.
  bool Linger();
  // A layer whose both sides are shut: the transport is closed as soon as
  // nobody is inside. By a caller who is.
  void Retire();

  // Close, or Abort. Waits at most 100 ms for calls that are inside.
  absl::Status Close(bool abort);
  // The same in two parts, for a driver that doesn't wait: the first sets the
  // flag and wakes; the second has the status as soon as the transport is
  // closed (signal() is notified). By a pinned caller.
  void StartClose(bool abort);
  std::optional<absl::Status> CloseResult() ABSL_LOCKS_EXCLUDED(mu_);

  // Whoever keeps the transport's descriptors in a poll set of its own is told
  // before one of them may be closed. Set before the Core is shared; never
  // called with mu_ held. A Shutdown may close some of them, between BeforeShut
  // and AfterShut; Close closes all.
  class FdGuard {
   public:
    virtual void BeforeShut() = 0;
    virtual void AfterShut() = 0;
    virtual void BeforeClose() = 0;

   protected:
    ~FdGuard() = default;
  };
  void set_fd_guard(FdGuard* guard) { fd_guard_ = guard; }
  // Transport::TryShutdown, with the guard told first.
  Attempt TryShutdown(ShutdownMode half);
  // Abort without waiting, for destructors. In a forked child: nothing.
  void AbortUnwaited();
  // The handle is gone: Close without waiting. The Core may be gone after it.
  void DropHandle();
  // Gives the transport away, unless a call is under way or a side has ended.
  // `operation` is the call's name in the error.
  absl::StatusOr<std::unique_ptr<Transport>> Release(
      absl::string_view operation);

  bool released() const { return released_.load(std::memory_order_acquire); }

  // The status of the first end of a side.
  absl::Status ReadError() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status WriteError() ABSL_LOCKS_EXCLUDED(mu_);

  // ---- Facts, constant.
  const Endpoint& local() const { return local_; }
  const Endpoint& peer() const { return peer_; }
  bool abort_is_visible() const { return abort_is_visible_; }
  bool ends_are_visible() const { return ends_are_visible_; }
  bool is_layer() const { return is_layer_; }
  bool can_read() const { return can_read_; }
  bool can_release_fd() const { return can_release_fd_; }
  absl::string_view read_name() const { return read_name_; }
  // The transport's; -1 once the flow is closed.
  int NativeHandle() { return Handle(&Transport::native_handle); }
  int HandleOf(Direction d) {
    return Handle(d == Direction::kRead ? &Transport::read_handle
                                        : &Transport::write_handle);
  }
  // "flow tcp 127.0.0.1:5432 -> 127.0.0.1:40112"; of a layer "flow throttle
  // over tcp 127.0.0.1:5432 -> ...".
  std::string Describe() const;
  // The payload of an error of `operation`: both ends, and the bytes done.
  ErrorDetail Detail(absl::string_view operation,
                     uint64_t bytes_done = 0) const;
  // That, whether it is closed, and the bytes that have moved.
  std::string ToString() const;

  // ---- Statistics. Each direction's are written by its holder alone.
  void CountRead(size_t bytes) {
    Bump(bytes_read_, bytes);
    Bump(reads_, 1);
  }
  void CountWritten(size_t bytes) { Bump(bytes_written_, bytes); }
  void CountWrite() { Bump(writes_, 1); }
  void SetActivity(Direction d, Activity activity) {
    activity_[static_cast<int>(d)].store(activity, std::memory_order_relaxed);
  }
  // Calls that wait for their turn. Each driver counts its own.
  void CountQueued(Direction d, int change) {
    queued_[static_cast<int>(d)].fetch_add(static_cast<uint32_t>(change),
                                           std::memory_order_relaxed);
  }
  Stats GetStats() const;
  uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }
  // Both ways. Reads no clock.
  uint64_t BytesMoved() const {
    return bytes_read_.load(std::memory_order_relaxed) +
           bytes_written_.load(std::memory_order_relaxed);
  }

  // ---- Who is told. Null while nobody has asked: the one look of each step.
  Observing* observing() const {
    return observing_.load(std::memory_order_acquire);
  }
  // Made when first asked for.
  Observing& observed() ABSL_LOCKS_EXCLUDED(mu_);

  // How large the next fresh buffer should be. By the holder of the read side.
  size_t read_hint() const { return read_hint_; }
  void set_read_hint(size_t hint) { read_hint_ = static_cast<uint32_t>(hint); }

  // Whether the reads of late had to wait, and for what; by the holder of the
  // read side.
  ReadHabit& read_habit() { return read_habit_; }
  // A read found nothing and has to `wait`: the habit is of those that wait for
  // a plain descriptor and nothing else.
  void NoteReadWaits(const Wait& wait);

 private:
  // A call in the queue of a direction: on its own stack, linked under mu_.
  struct Waiter {
    Signal signal;
    bool granted = false;
    Waiter* next = nullptr;
  };
  struct TurnQueue {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    void Append(Waiter* waiter);
    void Remove(Waiter* waiter);
  };

  ~Core() { delete observing(); }  // by the last who lets go

  template <typename Event>
  Step Apply(Event event) {
    uint64_t bits = word_.load(std::memory_order_acquire);
    for (;;) {
      const Step step = event(FlowState(bits));
      if (step.next.bits() == bits) return step;
      if (word_.compare_exchange_weak(bits, step.next.bits(),
                                      std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        return step;
      }
    }
  }
  static void Bump(std::atomic<uint64_t>& counter, uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by,
                  std::memory_order_relaxed);
  }
  TurnQueue& QueueOf(Direction d) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return d == Direction::kRead ? read_queue_ : write_queue_;
  }

  int Handle(int (Transport::*handle)() const);
  // Leave, when somebody queues or something has ended.
  void LeaveWithCare(Direction d);
  // Does what an installed step asks for.
  void Finish(const Step& step);
  bool HandOver(Direction d) ABSL_LOCKS_EXCLUDED(mu_);
  bool Queue(Waiter* waiter, Direction d) ABSL_LOCKS_EXCLUDED(mu_);
  void RunClose();
  // The transport is gone, which `close_status` says.
  void TellOver(const absl::Status& close_status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AwaitClosed(const Aside& told);

  Atomic<uint64_t> word_;
  Signal signal_;  // notified whenever the state changes what sleepers wait for
  std::unique_ptr<Transport> transport_;  // used inside; destroyed by RunClose
  Syscalls* const sys_;
  const uint32_t fork_generation_;
  uint32_t read_hint_ = 0;
  ReadHabit read_habit_;
  FdGuard* fd_guard_ = nullptr;

  Mutex mu_;
  TurnQueue read_queue_ ABSL_GUARDED_BY(mu_);
  TurnQueue write_queue_ ABSL_GUARDED_BY(mu_);
  absl::Status read_error_ ABSL_GUARDED_BY(mu_);
  absl::Status write_error_ ABSL_GUARDED_BY(mu_);
  absl::Status close_status_ ABSL_GUARDED_BY(mu_);
  bool transport_gone_ ABSL_GUARDED_BY(mu_) = false;
  bool close_done_ ABSL_GUARDED_BY(mu_) = false;

  const Endpoint local_;
  const Endpoint peer_;
  const std::unique_ptr<const std::string> layers_;  // null: none
  const MonoTime born_;
  const bool abort_is_visible_;
  const bool ends_are_visible_;
  const bool is_layer_;
  const bool can_read_;
  const bool can_write_;
  const bool can_release_fd_;
  Atomic<bool> released_{false};
  const absl::string_view read_name_;

  std::atomic<uint64_t> bytes_read_{0};
  std::atomic<uint64_t> bytes_written_{0};
  std::atomic<uint64_t> reads_{0};
  std::atomic<uint64_t> writes_{0};
  std::atomic<Activity> activity_[2] = {Activity::kIdle, Activity::kIdle};
  std::atomic<uint32_t> queued_[2] = {0, 0};
  std::atomic<Observing*> observing_{nullptr};  // made under mu_
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_CORE_H_
