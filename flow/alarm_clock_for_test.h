// File: alarm_clock_for_test.h (tests only)
//
// AlarmClock: does things at given instants, for many threads that meanwhile
// are blocked. One thread looks at the time, however many wait; what may itself
// have to wait is done by others.
//
//   AlarmClock clock(/*waiters=*/4);
//   Alarm alarm(MonoTime::In(absl::Milliseconds(3)), /*may_wait=*/true,
//               [&] { flow.Close(); });
//   clock.Add(&alarm);
//   flow.Read();
//   clock.AwaitOver(&alarm);
//
// Thread-safe.

#ifndef FLOW_ALARM_CLOCK_FOR_TEST_H_
#define FLOW_ALARM_CLOCK_FOR_TEST_H_

#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "flow/sys/mono_time.h"

namespace flow_testing {

// What is done, and when. Outlives AlarmClock::AwaitOver(), and stays where it
// is.
class Alarm {
 public:
  Alarm(flow::MonoTime due, bool may_wait, std::function<void()> ring)
      : due_(due), may_wait_(may_wait), ring_(std::move(ring)) {}

 private:
  friend class AlarmClock;

  const flow::MonoTime due_;
  const bool may_wait_;
  const std::function<void()> ring_;
  bool over_ = false;  // under the clock's mutex
};

class AlarmClock {
 public:
  // `waiters`: threads for alarms that may wait.
  explicit AlarmClock(int waiters);
  // All alarms must be over.
  ~AlarmClock();

  void Add(Alarm* alarm) ABSL_LOCKS_EXCLUDED(mu_);
  // Until it has rung and that is done. Only of an alarm that was added.
  void AwaitOver(Alarm* alarm) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  void RunWaiter() ABSL_LOCKS_EXCLUDED(mu_);
  Alarm* NextThatMayWait() ABSL_LOCKS_EXCLUDED(mu_);  // null: no more
  bool HasOneThatMayWait() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopped_ || !may_wait_.empty();
  }

  absl::Mutex mu_;
  absl::CondVar sooner_;
  std::multimap<flow::MonoTime, Alarm*> due_ ABSL_GUARDED_BY(mu_);
  std::deque<Alarm*> may_wait_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace flow_testing

#endif  // FLOW_ALARM_CLOCK_FOR_TEST_H_
