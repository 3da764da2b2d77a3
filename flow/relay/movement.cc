#include "flow/relay/movement.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/status.h"

namespace flow {
namespace internal {

// ------------------------------------------------------------------- IdleClock

IdleClock::IdleClock(Syscalls* sys, absl::Duration limit)
    : sys_(sys), limit_(limit), last_ns_(sys->Now().nanos()) {}

void IdleClock::Moved() {
  if (!limited()) return;
  last_ns_.store(sys_->Now().nanos(), std::memory_order_relaxed);
}

MonoTime IdleClock::deadline() const {
  if (!limited()) return kNever;
  return MonoTime::FromNanos(last_ns_.load(std::memory_order_relaxed)) + limit_;
}

bool IdleClock::GoOnAfter(const absl::Status& status,
                          const Limits& limits) const {
  if (!limited() || KindOf(status) != ErrorKind::kDeadline) return false;
  const MonoTime now = sys_->Now();
  return now < limits.deadline && now < limits.cancel.deadline() && !Expired();
}

absl::Status IdleClock::Explain(const absl::Status& status) const {
  if (KindOf(status) != ErrorKind::kDeadline || !Expired()) return status;
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  return MakeStatus(
      status.code(),
      absl::StrCat("no byte moved for ", absl::FormatDuration(limit_), "; ",
                   status.message()),
      detail);
}

// --------------------------------------------------------------- ProgressMeter

ProgressMeter::ProgressMeter(Syscalls* sys, ProgressFunction function,
                             absl::Duration interval)
    : sys_(sys),
      wanted_(function != nullptr),
      interval_(interval),
      begin_(sys->Now()),
      next_ns_((begin_ + interval).nanos()),
      function_(std::move(function)) {}

void ProgressMeter::Moved(bool back, size_t n) {
  if (!wanted_) return;
  (back ? bytes_back_ : bytes_).fetch_add(n, std::memory_order_relaxed);
  const MonoTime now = sys_->Now();
  if (now.nanos() < next_ns_.load(std::memory_order_relaxed)) return;
  if (!mu_.TryLock()) return;  // the other direction tells it
  if (now.nanos() >= next_ns_.load(std::memory_order_relaxed)) Tell(now);
  mu_.Unlock();
}

void ProgressMeter::Finish() {
  if (!wanted_) return;
  absl::MutexLock lock(&mu_);
  Tell(sys_->Now());
}

void ProgressMeter::Tell(MonoTime now) {
  next_ns_.store((now + interval_).nanos(), std::memory_order_relaxed);
  if (function_ == nullptr) return;
  CopyProgress progress;
  progress.bytes = bytes_.load(std::memory_order_relaxed);
  progress.bytes_back = bytes_back_.load(std::memory_order_relaxed);
  progress.elapsed = now - begin_;
  try {
    function_(progress);
  } catch (...) {
    function_ = nullptr;
  }
}

}  // namespace internal
}  // namespace flow
