#include "flow/net/served.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace flow {
namespace internal {
namespace {

// How often in an idle_limit a connection is looked at, and the bounds of that.
constexpr int kLooks = 8;
constexpr absl::Duration kLeastStep = absl::Milliseconds(5);
constexpr absl::Duration kMostStep = absl::Seconds(5);

}  // namespace

Served::Served(uint64_t id, Flow flow, const ServeOptions& options,
               CancelToken stopping, Syscalls* sys)
    : options_(options),
      sys_(sys),
      id_(id),
      peer_(flow.peer()),
      born_(sys->Now()),
      stopping_(std::move(stopping)),
      cut_token_(cut_source_.token()),
      flow_(std::move(flow)),
      hold_(flow_),
      busy_at_(born_) {
  // Calls with the token so end in time by themselves.
  cut_source_.SetDeadline(born_ + options_.total_limit);
}

Flow Served::Take() {
  {
    absl::MutexLock lock(&mu_);
    hold_ = CoreHold();
    busy_at_ = sys_->Now();
    moved_ = 0;
  }
  return std::move(flow_);
}

void Served::Replace(Flow flow) {
  flow_ = std::move(flow);
  absl::MutexLock lock(&mu_);
  hold_ = CoreHold(flow_);
  busy_at_ = sys_->Now();
  moved_ = hold_.BytesMoved();
  // What was done to the former one is owed to this one, too.
  if (stopping_.cancelled() && options_.end_reads_at_stop) hold_.EndReads();
  if (cut_ != Cut::kNone && abort_at_ <= busy_at_) hold_.Abort();
}

absl::Duration Served::IdleStep() const {
  return std::clamp(options_.idle_limit / kLooks, kLeastStep, kMostStep);
}

MonoTime Served::FirstLook() const {
  MonoTime first = born_ + options_.total_limit;
  if (options_.idle_limit < absl::InfiniteDuration()) {
    first = std::min(first, born_ + IdleStep());
  }
  return first;
}

Served::Look Served::LookAt(MonoTime now) {
  absl::MutexLock lock(&mu_);
  Look look;
  const MonoTime total = born_ + options_.total_limit;
  if (cut_ == Cut::kNone && now >= total) CutNow(Cut::kTotal, total);
  if (cut_ == Cut::kNone && options_.idle_limit < absl::InfiniteDuration()) {
    const uint64_t moved = hold_.BytesMoved();
    if (moved - moved_ >= options_.idle_bytes) {
      moved_ = moved;
      busy_at_ = now;
    } else if (now - busy_at_ >= options_.idle_limit) {
      CutNow(Cut::kIdle, now);
    }
  }
  if (cut_ == Cut::kNone) {
    look.next = total;
    if (options_.idle_limit < absl::InfiniteDuration()) {
      look.next = std::min(
          {look.next, now + IdleStep(), busy_at_ + options_.idle_limit});
    }
  } else if (now < abort_at_) {
    look.next = abort_at_;
  } else {
    look.abort = hold_;
  }
  return look;
}

void Served::CutNow(Cut why, MonoTime at) {
  cut_ = why;
  abort_at_ = at + options_.cut_grace;
  if (why == Cut::kDrain) {
    cut_source_.Cancel();
  } else {
    cut_source_.SetDeadline(at);
  }
}

void Served::CutForDrain() {
  absl::MutexLock lock(&mu_);
  if (cut_ == Cut::kNone) CutNow(Cut::kDrain, sys_->Now());
}

void Served::CloseAfterFork() {
  if (!mu_.TryLock()) return;  // held by a thread that is the parent's
  hold_.CloseAfterFork();
  mu_.Unlock();
}

CoreHold Served::hold() const {
  absl::MutexLock lock(&mu_);
  return hold_;
}

Cut Served::Finish() {
  absl::MutexLock lock(&mu_);
  // The token may have told the handler before anybody has looked.
  const MonoTime total = born_ + options_.total_limit;
  if (cut_ == Cut::kNone && !total.is_never() && sys_->Now() >= total) {
    CutNow(Cut::kTotal, total);
  }
  return cut_;
}

void Served::Farewell(bool in_order) {
  // Which may be another flow than the one that the limits watch.
  const CoreHold now(flow_);
  if (!in_order || now.IsSealed()) {
    flow_.Abort().IgnoreError();
  } else if (options_.linger <= absl::ZeroDuration()) {
    flow_.Close().IgnoreError();
  } else {
    Limits limits(sys_->Now() + options_.linger);
    // One that was cut has its grace for this.
    absl::ReleasableMutexLock lock(&mu_);
    if (cut_ == Cut::kNone) {
      limits.cancel = cut_token_;
    } else {
      limits.deadline = std::min(limits.deadline, abort_at_);
    }
    lock.Release();
    // The handler is content; how the peer ends is not its business.
    flow_.CloseGracefully(limits).IgnoreError();
  }
}

}  // namespace internal
}  // namespace flow
