#include "flow/net/reaper.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "flow/sys/fork_generation.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

Reaper::Reaper(Reaper* older)
    : fork_generation_(ForkGeneration()), older_(older) {}

Reaper& Reaper::OfThisProcess() {
  // Never destroyed: children outlive static objects.
  static std::atomic<Reaper*> current{nullptr};
  Reaper* reaper = current.load(std::memory_order_acquire);
  while (reaper == nullptr || reaper->fork_generation_ != ForkGeneration()) {
    auto* const fresh = new Reaper(reaper);
    if (current.compare_exchange_strong(reaper, fresh,
                                        std::memory_order_acq_rel)) {
      return *fresh;
    }
    delete fresh;  // another thread was faster
  }
  return *reaper;
}

void Reaper::Take(std::shared_ptr<ChildProcess> child) {
  OfThisProcess().Add(std::move(child));
}

void Reaper::Add(std::shared_ptr<ChildProcess> child) {
  absl::MutexLock lock(&mu_);
  if (!running_) {
    // One that is there watches those who came while there was no thread.
    if (set_ == nullptr) set_ = PollSet::Make(Syscalls::Real());
    running_ = thread_.StartWithoutSignals(
        "flow-reaper", [this] { Run(); }, Syscalls::Real());
  }
  const uint64_t id = next_++;
  const int pidfd = child->pidfd();
  Waiting waiting{std::move(child)};
  // A set that doesn't see what is added while it waits is not asked.
  waiting.watched =
      pidfd >= 0 && set_->sees_changes() && set_->Add(pidfd, POLLIN, id) == 0;
  waiting_.emplace(id, std::move(waiting));
}

void Reaper::Reap(PollSet& set, const std::vector<PollSet::Event>& events) {
  for (const PollSet::Event& event : events) {
    const auto found = waiting_.find(event.data);
    // It has fired, and won't again. (One that can't be reaped yet, since a
    // debugger has it, is asked for from now on.)
    if (found != waiting_.end()) found->second.watched = false;
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto here = it++;
    const Waiting& waiting = here->second;
    if (waiting.watched || !waiting.child->TryReap()) continue;
    if (waiting.child->pidfd() >= 0) set.Remove(waiting.child->pidfd());
    waiting_.erase(here);
  }
}

int Reaper::TimeoutMs() const {
  const bool all_watched =
      std::all_of(waiting_.begin(), waiting_.end(),
                  [](const auto& entry) { return entry.second.watched; });
  // Nothing wakes the thread for one that comes unwatched: it looks up.
  return all_watched ? 1000 : ChildProcess::kAskEveryMs;
}

void Reaper::Run() {
  std::shared_ptr<PollSet> set;
  int timeout_ms = 0;
  for (;;) {
    std::vector<PollSet::Event> events;
    if (set != nullptr) set->Wait(timeout_ms, events);
    absl::MutexLock lock(&mu_);
    if (set == nullptr) set = set_;
    Reap(*set, events);
    if (waiting_.empty()) {
      set_.reset();
      running_ = false;
      thread_.JoinUnlessSelf();  // lets it go
      return;
    }
    timeout_ms = TimeoutMs();
  }
}

}  // namespace internal
}  // namespace flow
