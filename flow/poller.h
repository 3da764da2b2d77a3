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
// The thread lives until the poller is stopped and nothing is under way any
// more: no operation, and no result that some thread is handing to the executor
// (Handing), which may be gone once the AsyncContext is.
//
// Lock order: whoever parks may hold its own lock; then mu_; then a Signal's;
// then notices_mu_.

#ifndef FLOW_POLLER_H_
#define FLOW_POLLER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
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
  // Whether it was last made ready by its descriptor, or by one that can't be
  // waited for at all.
  bool woken_by_fd() const { return woken_by_fd_; }

 private:
  friend class Poller;

  enum class Place : uint8_t { kNowhere, kParked, kReady };

  Place place_ = Place::kNowhere;
  uint8_t watch_ = 0;  // which descriptor of its flow, if events_ is not 0
  bool on_fd_ = false;
  bool woken_by_fd_ = false;
  short events_ = 0;
  ParkedFlow* flow_ = nullptr;
  MonoTime wake_at_ = kNever;
  Parked* next_ = nullptr;  // in its flow's list of parked ones
  Parked* previous_ = nullptr;
  // Links to signals of the operation's own; made only where there is one.
  std::unique_ptr<Notice> token_;
  std::unique_ptr<Notice> transport_;
};

// What the operations of one flow have in common, as the poller sees it.
class ParkedFlow {
 public:
  // Wakes all parked operations whenever `signal` moves, until Detach.
  void Attach(Poller* poller, Signal* signal);
  void Detach();
  // In a forked child: closes what is this flow's own.
  void CloseAfterFork();

  // How often descriptors may have been closed (BeginShut): what a transport
  // said before, of a descriptor to wait for, is not to be believed any more.
  uint32_t shuts() const { return shuts_.load(std::memory_order_acquire); }

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
  std::atomic<uint32_t> shuts_{0};
  int shutting_ = 0;
  Parked* first_ = nullptr;
};

class Poller {
 public:
  // While it lives on a thread's stack the poller is not stopped: a result is
  // being handed over. Unless that thread itself stops it, in a callback that
  // destroys the context; it can't wait for itself.
  class Handing {
   public:
    // Takes over one Begin().
    explicit Handing(Poller* poller);
    ~Handing();
    Handing(const Handing&) = delete;
    Handing& operator=(const Handing&) = delete;

    // Whether the calling thread is inside one for `poller` that still counts.
    static bool IsUnderWay(const Poller* poller);

   private:
    friend class Poller;

    Poller* poller_;  // null once it does not count any more
    Handing* const outer_;
  };

  explicit Poller(Syscalls* sys);
  // After Stop, and not on a thread of its own that is still inside OnReady.
  ~Poller();

  Syscalls* sys() const { return sys_; }

  // Starts the thread, which keeps `self` alive. False if there is none to
  // have.
  static bool Start(const std::shared_ptr<Poller>& self);

  // Lets every operation end (they ask stopping()) and waits for that. On the
  // poller's own thread it runs the loop until then, and lets the thread go.
  void Stop();
  bool stopping() const { return stopping_.load(std::memory_order_seq_cst); }
  // In a forked child there is no thread: nothing may be asked of it.
  bool in_forked_child() const;

  // Something that needs the thread begins, and keeps it going until End().
  // False once the poller is being stopped: it must not.
  [[nodiscard]] bool Begin();
  void End();
  // How many have begun and not ended.
  int64_t under_way() const { return live_.load(std::memory_order_relaxed); }

  // Parks `operation` of `flow` until `wait` may be over, `token` moves, or
  // `wake_at`. `changed` is asked once the links are made: whether it is over
  // already. The caller must not touch the operation any more. One that has
  // been made ready meanwhile stays so.
  void Park(Parked& operation, ParkedFlow& flow, const Wait& wait,
            Signal* token, MonoTime wake_at, absl::FunctionRef<bool()> changed);
  // Makes `operation` ready, parked or not.
  void MakeReady(Parked& operation);
  // The caller runs `operation` now, which is neither parked nor ready any
  // more. False if it was neither: the poller's thread is about to call
  // OnReady.
  bool Claim(Parked& operation);
  // Whether `fd` is of a kind that is always ready (a regular file), so that
  // trying it may block on a disk.
  bool IsAlwaysReady(int fd);
  // Runs `task` on the poller's thread.
  void Post(absl::AnyInvocable<void() &&> task);

  // Takes the descriptors of `flow` out of the set, since they are about to be
  // closed.
  void Forget(ParkedFlow& flow);
  // The same for one half of the flow; until EndShut() none is registered. Who
  // waits for one looks again after that.
  void BeginShut(ParkedFlow& flow);
  void EndShut(ParkedFlow& flow);

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

  static constexpr uint64_t kWakerData = std::numeric_limits<uint64_t>::max();

  void Run();
  // Where epoll or the eventfd could not be had, looks for it again from time
  // to time. True if it has got something: the next wait may not be long.
  bool Mend() ABSL_LOCKS_EXCLUDED(mu_);
  bool MendSet() ABSL_LOCKS_EXCLUDED(mu_);
  // Gets an eventfd that `set_` watches. False if there is none to have.
  bool MakeWaker();
  // One turn of the loop.
  void Turn() ABSL_LOCKS_EXCLUDED(mu_);
  // Whether it is stopped and nothing is left to be done.
  bool IsOver() ABSL_LOCKS_EXCLUDED(mu_);
  // How long the turn is to wait; sets alarm_, and waits_ if that is not 0.
  int TimeoutMs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  MonoTime NextAlarm(MonoTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleEvent(const PollSet::Event& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleNotices() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleTimers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddNotice(Notice* notice) ABSL_LOCKS_EXCLUDED(notices_mu_);
  void RemoveNotice(Notice* notice) ABSL_LOCKS_EXCLUDED(notices_mu_);
  void WakeAll(ParkedFlow& flow) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeWatchers(ParkedFlow& flow, uint8_t index)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unpark(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::unique_ptr<Notice> LinkOf(Parked& operation, Signal* signal);
  void Unlink(std::unique_ptr<Notice>& link);
  void Ready(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushReady(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveReady(Parked& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // These give 0 or an errno.
  int WatchFd(Parked& operation, int fd, short events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int Rearm(ParkedFlow& flow, uint8_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int Register(ParkedFlow& flow, uint8_t index, short events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint8_t WatchOf(ParkedFlow& flow, int fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsIdle(const ParkedFlow& flow, uint8_t index)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunReady() ABSL_LOCKS_EXCLUDED(mu_);
  void RunTasks() ABSL_LOCKS_EXCLUDED(mu_);
  void Unregister(ParkedFlow::Watch& watch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends the wait of the thread, if it is in one. It takes a system call, and
  // the thread two.
  void Poke();
  void PokeIfWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (waits_) Poke();
  }
  void DrainPokes();

  Syscalls* const sys_;
  const uint32_t fork_generation_;
  // Set, but in a forked child. Changed under mu_ by the poller's thread, which
  // so needs no lock to look.
  std::unique_ptr<PollSet> set_;
  UniqueFd wake_fd_;  // none where none can be had; the poller's thread's
  std::atomic<int> wake_number_{-1};  // for those who poke: wake_fd_'s
  MonoTime mend_at_ = MonoTime::Past();
  std::vector<PollSet::Event> events_;  // of the turn; the poller's thread's
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
  size_t ready_count_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_set<ParkedFlow*> flows_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::AnyInvocable<void() &&>> tasks_ ABSL_GUARDED_BY(mu_);
  // Whether the thread waits, or is about to, without looking at all this once
  // more: who changes it has to poke.
  bool waits_ ABSL_GUARDED_BY(mu_) = false;
  // When it ends that wait, or the next, by itself; if it waits for longer, it
  // has been poked.
  MonoTime alarm_ ABSL_GUARDED_BY(mu_) = kNever;

  absl::Mutex notices_mu_ ABSL_ACQUIRED_AFTER(mu_);  // a leaf
  Notice* first_notice_ ABSL_GUARDED_BY(notices_mu_) = nullptr;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_POLLER_H_
