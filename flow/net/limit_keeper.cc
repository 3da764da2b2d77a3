#include "flow/net/limit_keeper.h"

#include <algorithm>

#include "absl/time/time.h"
#include "flow/limits.h"
#include "flow/sleeper.h"
#include "flow/transport.h"

namespace flow {
namespace internal {
namespace {

constexpr absl::Duration kLeastSleep = absl::Milliseconds(20);

}  // namespace

LimitKeeper::LimitKeeper(const ServeOptions& options, Syscalls* sys)
    : needed_(options.total_limit < absl::InfiniteDuration() ||
              options.idle_limit < absl::InfiniteDuration()),
      sys_(sys) {}

bool LimitKeeper::Start() {
  return !needed_ || thread_.StartWithoutSignals(
                         "flow-limits", [this] { Run(); }, sys_);
}

void LimitKeeper::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  signal_.Notify();
  thread_.JoinUnlessSelf();
}

void LimitKeeper::Add(Served* served) {
  if (!needed_) return;
  const MonoTime first = served->FirstLook();
  bool wake = false;
  {
    absl::MutexLock lock(&mu_);
    due_.emplace(first, served);
    when_.emplace(served, first);
    // Not for each connection: one that comes while it sleeps for another's
    // sake is rarely the first whose time comes.
    wake = first < asleep_until_;
    if (wake) asleep_until_ = first;
  }
  if (wake) signal_.Notify();
}

void LimitKeeper::Remove(Served* served) {
  if (!needed_) return;
  absl::MutexLock lock(&mu_);
  const auto it = when_.find(served);
  if (it == when_.end()) return;
  due_.erase({it->second, served});
  when_.erase(it);
}

std::vector<CoreHold> LimitKeeper::LookAtDue(MonoTime now) {
  std::vector<CoreHold> aborts;
  while (!due_.empty() && due_.begin()->first <= now) {
    Served* const served = due_.begin()->second;
    due_.erase(due_.begin());
    Served::Look look = served->LookAt(now);
    if (look.abort.has_value()) aborts.push_back(*std::move(look.abort));
    if (look.next.is_never()) {
      when_.erase(served);
    } else {
      when_[served] = look.next;
      due_.emplace(look.next, served);
    }
  }
  return aborts;
}

void LimitKeeper::Run() {
  for (;;) {
    const Limits none;
    Sleeper sleeper(sys_, none, &signal_);
    sleeper.Arm();
    const MonoTime now = sys_->Now();
    MonoTime until = kNever;
    std::vector<CoreHold> aborts;
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return;
      aborts = LookAtDue(now);
      if (!due_.empty()) {
        until = std::max(due_.begin()->first, now + kLeastSleep);
      }
      asleep_until_ = until;
    }
    // Without the lock, since it may close.
    for (const CoreHold& flow : aborts) flow.Abort();
    aborts.clear();
    sleeper.Sleep(Wait::Until(until));
  }
}

}  // namespace internal
}  // namespace flow
