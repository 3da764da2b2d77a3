#include "flow/testing/sim_syscalls.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

flow::Syscalls* Kernel() { return flow::Syscalls::Real(); }

void Ring(int alarm) {
  const uint64_t one = 1;
  // Can't fill up: an eventfd counts to 2^64 - 2.
  static_cast<void>(Kernel()->Write(alarm, &one, sizeof(one)));
}

// Silences `alarm`; EAGAIN if it was silent.
void Silence(int alarm) {
  uint64_t count = 0;
  static_cast<void>(Kernel()->Read(alarm, &count, sizeof(count)));
}

// True if a poll of `watched` would return at once. On a copy: the kernel
// writes into what it polls.
bool IsReady(std::vector<pollfd> watched) {
  return Kernel()->Poll(watched.data(), watched.size(), /*timeout_ms=*/0) != 0;
}

// Rounded up; 0 if `due` has passed.
int MillisecondsUntil(flow::MonoTime due, flow::MonoTime now) {
  const absl::Duration left = std::max(
      absl::Ceil(due - now, absl::Milliseconds(1)), absl::ZeroDuration());
  return static_cast<int>(left / absl::Milliseconds(1));
}

std::string Offset(flow::MonoTime when, flow::MonoTime start) {
  return when.is_never()
             ? "never"
             : absl::StrCat("+", absl::FormatDuration(when - start));
}

}  // namespace

SimSyscalls::SimSyscalls(flow::MonoTime start)
    : start_(start), now_ns_(start.nanos()) {}

SimSyscalls::~SimSyscalls() {
  absl::MutexLock lock(&mu_);
  EXPECT_TRUE(sleeps_.empty())
      << "destroyed while a thread is inside Poll: " << Describe();
}

flow::MonoTime SimSyscalls::Now() {
  return flow::MonoTime::FromNanos(now_ns_.load(std::memory_order_acquire));
}

void SimSyscalls::Advance(absl::Duration by) {
  absl::MutexLock lock(&mu_);
  MoveTo(Now() + by);
}

void SimSyscalls::AdvanceTo(flow::MonoTime when) {
  absl::MutexLock lock(&mu_);
  MoveTo(when);
}

void SimSyscalls::AutoAdvance(int sleepers) {
  absl::MutexLock lock(&mu_);
  auto_sleepers_ = sleepers;
  JumpIfAllSleep();
}

int SimSyscalls::Poll(pollfd* fds, nfds_t count, int timeout_ms) {
  polls_.fetch_add(1, std::memory_order_relaxed);
  const int ready = Kernel()->Poll(fds, count, /*timeout_ms=*/0);
  if (ready != 0 || timeout_ms == 0) return ready;

  Sleeps::iterator self;
  std::vector<pollfd> polled(fds, fds + count);
  {
    absl::MutexLock lock(&mu_);
    self = Enter(polled, timeout_ms);
    JumpIfAllSleep();
  }
  polled.push_back({self->alarm, POLLIN, 0});
  for (;;) {
    int result = Kernel()->Poll(polled.data(), polled.size(), -1);
    const int error = errno;
    absl::MutexLock lock(&mu_);
    Silence(self->alarm);
    if (result > 0 && polled.back().revents != 0) --result;
    if (result != 0 || Now() >= self->due) {
      Leave(self);
      // After a failure revents are as they were, after a time-out all 0.
      if (result >= 0) std::copy_n(polled.begin(), count, fds);
      if (result < 0) errno = error;
      return result;
    }
    // Asked to look again, and nothing is ready: say so.
    changed_.SignalAll();
    JumpIfAllSleep();
  }
}

int SimSyscalls::EpollWait(int epoll, epoll_event* events, int count,
                           int timeout_ms) {
  const flow::MonoTime due =
      timeout_ms < 0 ? flow::kNever : Now() + absl::Milliseconds(timeout_ms);
  for (;;) {
    int ready = Kernel()->EpollWait(epoll, events, count, /*timeout_ms=*/0);
    if (ready != 0 || timeout_ms == 0) return ready;
    // An epoll descriptor is readable when it has events. If another thread
    // takes them first, the sleep goes on with what is left of it.
    const int left = timeout_ms < 0 ? -1 : MillisecondsUntil(due, Now());
    pollfd p = {epoll, POLLIN, 0};
    ready = Poll(&p, 1, left);
    if (ready <= 0) return ready;
  }
}

bool SimSyscalls::WaitForSleepers(int n) {
  // Only against a test that would hang for ever; nothing waits for it to pass.
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  absl::MutexLock lock(&mu_);
  while (CountSleepers() < n) {
    if (changed_.WaitWithDeadline(&mu_, give_up) && CountSleepers() < n) {
      ADD_FAILURE() << "waited 30 s for " << n << " sleepers: " << Describe();
      return false;
    }
  }
  return true;
}

int SimSyscalls::sleepers() const {
  absl::MutexLock lock(&mu_);
  return CountSleepers();
}

flow::MonoTime SimSyscalls::next_wake() const {
  absl::MutexLock lock(&mu_);
  return NextWake();
}

std::string SimSyscalls::ToString() const {
  absl::MutexLock lock(&mu_);
  return Describe();
}

SimSyscalls::Sleeps::iterator SimSyscalls::Enter(absl::Span<const pollfd> fds,
                                                 int timeout_ms) {
  if (spare_alarms_.empty()) {
    const int alarm = Kernel()->Eventfd();
    if (alarm < 0) {
      ADD_FAILURE() << "SimSyscalls has no eventfd left for a sleeper";
      std::abort();  // a Poll that can't be woken would hang the test
    }
    alarms_.emplace_back(alarm);
    spare_alarms_.push_back(alarm);
  }
  Sleep sleep;
  sleep.watched.assign(fds.begin(), fds.end());
  sleep.due =
      timeout_ms < 0 ? flow::kNever : Now() + absl::Milliseconds(timeout_ms);
  sleep.alarm = spare_alarms_.back();
  spare_alarms_.pop_back();
  changed_.SignalAll();
  return sleeps_.insert(sleeps_.end(), std::move(sleep));
}

void SimSyscalls::Leave(Sleeps::iterator sleep) {
  spare_alarms_.push_back(sleep->alarm);
  sleeps_.erase(sleep);
  changed_.SignalAll();
  // Those who are left may be all who will ever sleep again.
  JumpIfAllSleep();
}

void SimSyscalls::MoveTo(flow::MonoTime when) {
  if (when <= Now()) return;
  now_ns_.store(when.nanos(), std::memory_order_release);
  for (const Sleep& sleep : sleeps_) {
    if (sleep.due <= when) Ring(sleep.alarm);
  }
  changed_.SignalAll();
}

void SimSyscalls::JumpIfAllSleep() {
  if (auto_sleepers_ == 0 || CountSleepers() < auto_sleepers_) return;
  const flow::MonoTime next = NextWake();
  if (!next.is_never()) MoveTo(next);
}

int SimSyscalls::CountSleepers() const {
  const flow::MonoTime now = flow::MonoTime::FromNanos(now_ns_.load());
  int count = 0;
  for (const Sleep& sleep : sleeps_) {
    if (sleep.due <= now) continue;  // on its way out
    if (!IsReady(sleep.watched)) {
      ++count;
    } else {
      // On its way out too, unless somebody takes what it was woken for before
      // it looks. Rung, it reports either way, so nobody waits for it in vain.
      Ring(sleep.alarm);
    }
  }
  return count;
}

flow::MonoTime SimSyscalls::NextWake() const {
  const flow::MonoTime now = flow::MonoTime::FromNanos(now_ns_.load());
  flow::MonoTime next = flow::kNever;
  for (const Sleep& sleep : sleeps_) {
    if (sleep.due > now) next = std::min(next, sleep.due);
  }
  return next;
}

std::string SimSyscalls::Describe() const {
  const flow::MonoTime now = flow::MonoTime::FromNanos(now_ns_.load());
  std::string text =
      absl::StrCat("SimSyscalls at ", Offset(now, start_), "; sleepers:");
  for (const Sleep& sleep : sleeps_) {
    absl::StrAppend(&text, " [fds");
    for (const pollfd& p : sleep.watched) absl::StrAppend(&text, " ", p.fd);
    absl::StrAppend(&text, ", until ", Offset(sleep.due, start_), "]");
  }
  return text;
}

}  // namespace flow_testing
