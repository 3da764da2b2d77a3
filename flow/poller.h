// File: poller.h (internal)
//
// Poller: one thread that waits for all the parked operations of an
// AsyncContext. It alone knows which descriptor, signal or instant makes which
// operation worth another try.
//
// An operation is parked with a Wait and an instant; it is ready once,
// whichever of descriptor, signal, flow or instant comes first, and then
// belongs to nobody's list any more: the poller's thread calls OnReady.
//
// A flow's descriptors are registered once each, for the union of what its
// parked operations wait for. They leave the set before they may be closed
// (FdGuard). An event says slot and generation, so that one that comes too late
// hits nobody.
//
// Lock order: whoever parks may hold its own lock; then mu_; then a Signal's;
// then notices_mu_.

#ifndef FLOW_POLLER_H_
#define FLOW_POLLER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "flow/core.h"
#include "flow/poll_set.h"
#include "flow/signal.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/own_thread.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class ParkedFlow;
class Poller;

// Something that has come and that the poller's thread has to look at: a signal
// that moved. Links a signal to the poller for as long as it is linked.
class Notice final : public SignalLink {
 public:
  void LinkTo(Signal* signal, Poller* poller);
  void UnlinkFrom(Poller* poller);

 private:
  friend class Poller;
  friend class ParkedFlow;
  friend class Parked;

  void Notified() override;

  Poller* poller_ = nullptr;
  class Parked* operation_ = nullptr;  // wakes this, or
  ParkedFlow* flow_ = nullptr;         // all that is parked of this
  // In the poller's list of notices, under notices_mu_.
  bool listed_ = false;
  Notice* next_ = nullptr;
  Notice* previous_ = nullptr;
};

// An operation, as the poller sees it.
class Parked {
 public:
  virtual ~Parked() = default;

  // On the poller's thread, parked no more. May destroy the operation.
  virtual void OnReady() = 0;

 protected:
  // Whether it was its descriptor that made it ready.
  bool woken_by_fd() const { return woken_by_fd_; }

 private:
  friend class Poller;

  enum class Place : uint8_t { kNowhere, kParked, kReady };

  // Signals of the operation's own; made only for one that has any.
  struct Links {
    Notice token;
    Notice transport;
  };

  Place place_ = Place::kNowhere;
  uint8_t watch_ = 0;  // which descriptor of its flow, if events_ is not 0
  bool on_fd_ = false;
  bool woken_by_fd_ = false;
  short events_ = 0;
  ParkedFlow* flow_ = nullptr;
  MonoTime wake_at_ = kNever;
  Parked* next_ = nullptr;  // in its flow's list of parked ones
  Parked* previous_ = nullptr;
  std::unique_ptr<Links> links_;
};

// What the operations of one flow have in common, as the poller sees it.
class ParkedFlow {
 public:
  // Wakes all parked operations whenever `signal` moves, until Detach.
  void Attach(Poller* poller, Signal* signal);
  void Detach();

 private:
  friend class Poller;

  // A flow has one descriptor, or two.
  static constexpr uint8_t kWatches = 2;
  struct Watch {
    int fd = -1;         // as the transport knows it
    UniqueFd duplicate;  // what is registered, if fd is so by somebody else
    uint32_t slot = 0;
    short armed = 0;  // what the set watches for now
    bool registered = false;
  };

  Poller* poller_ = nullptr;
  Notice notice_;
  Watch watches_[kWatches];
  Parked* first_ = nullptr;
};

class Poller {
 public:
  explicit Poller(Syscalls* sys);
  // After Stop, and not on a thread of its own that is still inside OnReady.
  ~Poller() = default;

  Syscalls* sys() const { return sys_; }

  // Starts the thread, which keeps `self` alive. False if there is none to
  // have.
  static bool Start(const std::shared_ptr<Poller>& self);

  // Lets every operation end (they ask stopping()) and waits for that. On the
  // poller's own thread it runs the loop until then, and lets the thread go.
  void Stop();
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  // In a forked child there is no thread: nothing may be asked of it.
  bool in_forked_child() const;

  // Operations that have been begun and not ended keep the thread going.
  void CountLive(int change);

  // Parks `operation` of `flow` until `wait` may be over, `token` moves, or
  // `wake_at`. `changed` is asked once the links are made: whether it is over
  // already. The caller must not touch the operation any more. One that has
  // been made ready meanwhile stays so.
  void Park(Parked& operation, ParkedFlow& flow, const Wait& wait,
            Signal* token, MonoTime wake_at, absl::FunctionRef<bool()> changed);
  // Makes `operation` ready, parked or not.
  void MakeReady(Parked& operation);
  // The caller runs `operation` now, which is neither parked nor ready any
  // more.
  void Claim(Parked& operation);
  // Whether `fd` is of a kind that is always ready (a regular file), so that
  // trying it may block on a disk.
  bool IsAlwaysReady(int fd);
  // Runs `task` on the poller's thread.
  void Post(absl::AnyInvocable<void() &&> task);

  // Takes descriptors out of the set: all of `flow`'s, or those that no parked
  // operation waits for.
  void Forget(ParkedFlow& flow);
  void ForgetIdle(ParkedFlow& flow);

  bool IsOwnThread() const;

 private:
  friend class Notice;
  friend class ParkedFlow;

  struct Slot {
    ParkedFlow* flow = nullptr;
    uint32_t generation = 0;
    uint8_t watch = 0;
  };
  using Timer = std::pair<int64_t, Parked*>;

  void Run();
  // One turn of the loop. False once it is to end.
  bool Turn() ABSL_LOCKS_EXCLUDED(mu_);
  int TimeoutMs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleEvent(const PollSet::Event& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleNotices() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleTimers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddNotice(Notice* notice) ABSL_LOCKS_EXCLUDED(notices_mu_);
  void RemoveNotice(Notice* notice) ABSL_LOCKS_EXCLUDED(notices_mu_);
  void WakeAll(ParkedFlow& flow) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unpark(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Ready(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushReady(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveReady(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // These give 0 or an errno.
  int WatchFd(Parked& operation, int fd, short events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int Rearm(ParkedFlow& flow, uint8_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int Register(ParkedFlow& flow, uint8_t index, short events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Runs what is ready. False if the thread is to end.
  bool RunReady() ABSL_LOCKS_EXCLUDED(mu_);
  void Unregister(ParkedFlow::Watch& watch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Poke();

  Syscalls* const sys_;
  const uint32_t fork_generation_;
  const std::unique_ptr<PollSet> set_;
  const UniqueFd wake_fd_;
  std::atomic<bool> poked_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> live_{0};
  OwnThread thread_;

  absl::Mutex mu_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> free_slots_ ABSL_GUARDED_BY(mu_);
  absl::btree_set<Timer> timers_ ABSL_GUARDED_BY(mu_);
  Parked* first_ready_ ABSL_GUARDED_BY(mu_) = nullptr;
  Parked* last_ready_ ABSL_GUARDED_BY(mu_) = nullptr;
  absl::flat_hash_set<ParkedFlow*> flows_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::AnyInvocable<void() &&>> tasks_ ABSL_GUARDED_BY(mu_);

  absl::Mutex notices_mu_ ABSL_ACQUIRED_AFTER(mu_);  // a leaf
  Notice* first_notice_ ABSL_GUARDED_BY(notices_mu_) = nullptr;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_POLLER_H_
