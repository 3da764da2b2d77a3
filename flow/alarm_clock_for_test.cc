#include "flow/alarm_clock_for_test.h"

#include "absl/time/time.h"

namespace flow_testing {

AlarmClock::AlarmClock(int waiters) {
  threads_.emplace_back([this] { Run(); });
  for (int i = 0; i < waiters; ++i) {
    threads_.emplace_back([this] { RunWaiter(); });
  }
}

AlarmClock::~AlarmClock() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    sooner_.Signal();
  }
  for (std::thread& thread : threads_) thread.join();
}

void AlarmClock::Add(Alarm* alarm) {
  absl::MutexLock lock(&mu_);
  const bool first = due_.empty() || alarm->due_ < due_.begin()->first;
  due_.emplace(alarm->due_, alarm);
  if (first) sooner_.Signal();
}

void AlarmClock::AwaitOver(Alarm* alarm) {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&alarm->over_));
}

void AlarmClock::Run() {
  absl::MutexLock lock(&mu_);
  while (!stopped_) {
    if (due_.empty()) {
      sooner_.Wait(&mu_);
      continue;
    }
    const absl::Duration left = due_.begin()->first - flow::MonoTime::Now();
    if (left > absl::ZeroDuration()) {
      sooner_.WaitWithTimeout(&mu_, left);
      continue;
    }
    Alarm* const alarm = due_.begin()->second;
    due_.erase(due_.begin());
    if (alarm->may_wait_) {
      may_wait_.push_back(alarm);
    } else {
      alarm->ring_();
      alarm->over_ = true;
    }
  }
}

Alarm* AlarmClock::NextThatMayWait() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &AlarmClock::HasOneThatMayWait));
  if (may_wait_.empty()) return nullptr;
  Alarm* const alarm = may_wait_.front();
  may_wait_.pop_front();
  return alarm;
}

void AlarmClock::RunWaiter() {
  while (Alarm* const alarm = NextThatMayWait()) {
    alarm->ring_();
    absl::MutexLock lock(&mu_);
    alarm->over_ = true;
  }
}

}  // namespace flow_testing
