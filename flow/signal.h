// File: signal.h
//
// Signal: how one thread tells sleeping others that something has changed.
//
// A transport that waits for another thread rather than for the kernel (an
// in-memory pair, TLS, a queue) has a Signal, says so in the Wait that its Try
// returned, and calls Notify() after each change that may let the other end go
// on. CancelToken, Close and the queue of a direction use the same mechanism,
// so there is one way to be woken and one way to lose no notification:
//
//   sleeper                              notifier
//   -------                              --------
//   seq = signal.seq()                   change the state
//   look at the state: nothing to do     signal.Notify()     // seq moves
//   sleep, unless signal.seq() != seq
//
// Guarantees: Notify() and seq() may be called from any thread, at any time of
// the Signal's life; neither blocks on I/O. What a thread did before Notify()
// is visible to a thread that then sees the new seq(). A Signal must outlive
// every sleeper; whoever sleeps on a flow keeps its transport alive.

#ifndef FLOW_SIGNAL_H_
#define FLOW_SIGNAL_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "flow/sys/primitives.h"
#include "flow/sys/syscalls.h"

namespace flow {

class SignalLink;

class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // How often Notify() has been called.
  uint64_t seq() const { return seq_.load(std::memory_order_seq_cst); }

  // Wakes everybody who sleeps on this signal. Costs one atomic when nobody
  // does, one write(2) for each thread that sleeps.
  void Notify();

 private:
  friend class SignalLink;

  internal::Atomic<uint64_t> seq_{0};
  // Counts the links without the mutex, so that Notify is cheap when there are
  // none. Sequentially consistent with seq_: either the notifier sees the link,
  // or the sleeper sees the new seq.
  internal::Atomic<uint32_t> links_{0};
  internal::Mutex mu_;  // a leaf: nothing is locked under it
  SignalLink* first_ ABSL_GUARDED_BY(mu_) = nullptr;
};

// A thread's alarm clock: an eventfd that others write to. Made when the thread
// first sleeps, closed when it ends; one per thread (internal).
class Waker {
 public:
  // The calling thread's. `sys` makes its eventfd if it has none yet. Where
  // none can be had (EMFILE), fd() is -1 and the thread sleeps in slices.
  static Waker& ForThisThread(Syscalls* sys);

  ~Waker();

  // Readable once poked; -1 if there is no eventfd.
  int fd() const { return fd_; }

  // Makes fd() readable. Called only under the mutex of a Signal that links
  // this waker, so that a thread that has gone can't be poked.
  void Poke();

  // Forgets pokes. By the owner, when nothing links this waker any more.
  void Drain();

 private:
  Waker() = default;
  void MakeFd(Syscalls* sys);

  int fd_ = -1;
  uint32_t generation_ = 0;  // of fork: the parent's eventfd is not ours
  internal::Atomic<bool> poked_{false};
};

// Something that is told of notifications while it is linked (internal).
class SignalLink {
 public:
  SignalLink(const SignalLink&) = delete;
  SignalLink& operator=(const SignalLink&) = delete;
  virtual ~SignalLink() = default;

 protected:
  SignalLink() = default;

  // A null signal links nothing. Not while linked.
  void Link(Signal* signal);
  // Once this returns, Notified() is not running and will not be called. Every
  // link is unlinked before it is destroyed.
  void Unlink();

 private:
  friend class Signal;

  // Called by Notify(), on its thread, under the signal's mutex: locks nothing
  // but leaves.
  virtual void Notified() = 0;

  Signal* signal_ = nullptr;
  SignalLink* previous_ = nullptr;
  SignalLink* next_ = nullptr;
};

// Links a waker to a signal for as long as it lives (internal). A null signal
// links nothing.
class WakerLink final : public SignalLink {
 public:
  WakerLink(Signal* signal, Waker* waker) : waker_(waker) { Link(signal); }
  ~WakerLink() override { Unlink(); }

 private:
  void Notified() override { waker_->Poke(); }

  Waker* const waker_;
};

}  // namespace flow

#endif  // FLOW_SIGNAL_H_
