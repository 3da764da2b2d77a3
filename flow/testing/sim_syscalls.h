// File: sim_syscalls.h
//
// SimSyscalls: the kernel with a clock that the test moves, so that a test of
// time-outs takes no time and has no luck in it. (Also known as: fake clock,
// virtual time.)
//
// Only time is simulated: Now(), CoarseNow() and the time-out of Poll(). The
// descriptors in a Poll are real, and their readiness ends it at once; a thread
// that is inside Poll with nothing ready is a *sleeper*, and sleeps until a
// descriptor becomes ready or simulated time reaches its time-out, never for a
// span of real time. There are two ways to move the clock:
//
// By hand, with the flow under test in another thread:
//
//   SimSyscalls sim;
//   flow::Flow f(std::move(transport), &sim);
//   std::thread reader([&] { got = f.Read(sim.In(absl::Seconds(60))); });
//   sim.WaitForSleepers(1);                 // it has nothing to read
//   sim.Advance(absl::Seconds(59));
//   sim.WaitForSleepers(1);                 // still waiting
//   sim.Advance(absl::Seconds(1));
//   reader.join();                          // DEADLINE_EXCEEDED
//
// Or by itself: as soon as `n` sleepers have nothing ready, the clock jumps to
// the earliest of their time-outs. With n = 1 one thread is enough:
//
//   SimSyscalls sim;
//   sim.AutoAdvance(1);
//   auto got = f.Read(sim.In(absl::Seconds(60)));   // returns at once
//   EXPECT_EQ(sim.elapsed(), absl::Seconds(60));
//
// Deadlines are instants on *this* clock: use In(), not an absl::Duration,
// which flow::Limits would turn into an instant of the machine's clock.
// Simulated time begins far beyond that, so that such a mistake ends with
// DEADLINE_EXCEEDED at once rather than with a hang. And a flow first sleeps
// for 20 ms without being wakeable by Close or a token (flow/sleeper.h): tests
// of those, by hand, let 20 ms pass first.
//
// Guarantees: any thread. Time never goes back. What a thread did before
// Advance() is visible to the sleepers that it wakes. Nothing here sleeps for
// real time. To be destroyed when no thread is inside Poll.

#ifndef FLOW_TESTING_SIM_SYSCALLS_H_
#define FLOW_TESTING_SIM_SYSCALLS_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <ostream>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow_testing {

class SimSyscalls : public flow::Syscalls {
 public:
  // When simulated time begins unless the constructor is told otherwise: beyond
  // the steady clock of any machine (31 years after its start).
  static constexpr flow::MonoTime kStart =
      flow::MonoTime::FromNanos(1'000'000'000'000'000'000);

  // Time begins at `start`, and stands.
  explicit SimSyscalls(flow::MonoTime start = kStart);
  ~SimSyscalls() override;

  // ---------------------------------------------------------------- The clock.

  // Simulated time; both are the same.
  flow::MonoTime Now() override;
  flow::MonoTime CoarseNow() override { return Now(); }

  // The instant `from_now`: a deadline on simulated time.
  flow::MonoTime In(absl::Duration from_now) { return Now() + from_now; }

  // How far the clock has moved since the start.
  absl::Duration elapsed() { return Now() - start_; }

  // Moves the clock on and wakes the sleepers whose time has come. Returns
  // without waiting for them. An instant that has passed moves nothing.
  void Advance(absl::Duration by);
  void AdvanceTo(flow::MonoTime when);

  // From now on the clock jumps by itself, to the earliest time-out, whenever
  // at least `sleepers` threads sleep. That has to be the number of threads
  // that use this clock at the time, or time runs away from those that are
  // still at work. 0: the clock moves by hand alone (the state at the start).
  void AutoAdvance(int sleepers);

  // -------------------------------------------------------------- The
  // sleepers.

  // As the kernel's, but for the time-out, which is simulated.
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override;
  // Likewise; inside it a thread sleeps on the epoll descriptor.
  int EpollWait(int epoll, epoll_event* events, int count,
                int timeout_ms) override;

  // Waits until at least `n` threads sleep: they are inside Poll, their time
  // has not come, and none of their descriptors is ready. If that does not
  // happen for 30 s of real time, the test fails, and false is returned.
  bool WaitForSleepers(int n);

  // How many threads sleep at this instant.
  int sleepers() const;

  // The earliest instant at which a sleeper would wake by itself; kNever if
  // there is none.
  flow::MonoTime next_wake() const;

  // How often Poll was called, also by EpollWait, for tests of "no spin" (P4).
  int64_t poll_calls() const { return polls_.load(std::memory_order_relaxed); }

  // "SimSyscalls at +1.5s; sleepers: [fds 7, until +60s] [fds 8, never]".
  std::string ToString() const;
  friend std::ostream& operator<<(std::ostream& os, const SimSyscalls& sim) {
    return os << sim.ToString();
  }

 private:
  // A thread inside Poll.
  struct Sleep {
    std::vector<pollfd> watched;  // the caller's, as they came
    flow::MonoTime due;
    int alarm;  // an eventfd; readable when the thread is to look again
  };
  using Sleeps = std::list<Sleep>;

  Sleeps::iterator Enter(absl::Span<const pollfd> fds, int timeout_ms)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Leave(Sleeps::iterator sleep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MoveTo(flow::MonoTime when) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void JumpIfAllSleep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int CountSleepers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  flow::MonoTime NextWake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Describe() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const flow::MonoTime start_;
  std::atomic<int64_t> polls_{0};
  // Written under mu_; read without it.
  std::atomic<int64_t> now_ns_;

  mutable absl::Mutex mu_;
  absl::CondVar changed_;  // a sleeper came, went or looked again
  Sleeps sleeps_ ABSL_GUARDED_BY(mu_);
  int auto_sleepers_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<flow::UniqueFd> alarms_ ABSL_GUARDED_BY(mu_);  // all there are
  std::vector<int> spare_alarms_ ABSL_GUARDED_BY(mu_);  // and the idle ones
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_SIM_SYSCALLS_H_
