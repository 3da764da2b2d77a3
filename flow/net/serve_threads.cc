#include "flow/net/serve_threads.h"

#include <algorithm>
#include <utility>

namespace flow {
namespace internal {

ServeThreads::ServeThreads(Run run, absl::Duration linger, Syscalls* sys)
    : run_(std::move(run)), linger_(linger), sys_(sys) {}

bool ServeThreads::Reserve() {
  {
    absl::MutexLock lock(&mu_);
    if (reserved_ != nullptr) return true;
    if (!parked_.empty()) {
      reserved_ = parked_.back();
      reserved_->reserved = true;
      parked_.pop_back();
      return true;
    }
    ++count_;
  }
  auto made = std::make_unique<Worker>();
  Worker* const worker = made.get();
  // It ends only after a Give or a Join, both of which come after this.
  if (!worker->thread.StartWithoutSignals(
          "flow-serve", [this, worker] { RunWorker(worker); }, sys_)) {
    absl::MutexLock lock(&mu_);
    --count_;
    return false;
  }
  absl::MutexLock lock(&mu_);
  reserved_ = made.release();
  return true;
}

void ServeThreads::Give(std::unique_ptr<Served> served) {
  absl::MutexLock lock(&mu_);
  Worker* const worker = std::exchange(reserved_, nullptr);
  worker->reserved = false;
  worker->next = std::move(served);
  worker->wake.Signal();
}

void ServeThreads::Join() {
  OwnThread last;
  {
    absl::MutexLock lock(&mu_);
    joining_ = true;
    if (reserved_ != nullptr) reserved_->wake.Signal();
    for (Worker* const worker : parked_) worker->wake.Signal();
    while (count_ > 0) all_ended_.Wait(&mu_);
    last = std::move(ended_);
  }
  last.JoinUnlessSelf();
}

int ServeThreads::count() const {
  absl::MutexLock lock(&mu_);
  return count_;
}

void ServeThreads::RunWorker(Worker* worker) {
  for (;;) {
    std::unique_ptr<Served> next = Next(worker);
    if (next == nullptr) break;
    run_(std::move(next));
    if (!Park(worker)) break;
  }
  End(std::unique_ptr<Worker>(worker));
}

std::unique_ptr<Served> ServeThreads::Next(Worker* worker) {
  absl::MutexLock lock(&mu_);
  while (worker->next == nullptr && !joining_) {
    if (worker->reserved) {
      worker->wake.Wait(&mu_);
    } else if (worker->wake.WaitWithTimeout(&mu_, linger_) &&
               worker->next == nullptr && !worker->reserved) {
      parked_.erase(std::find(parked_.begin(), parked_.end(), worker));
      break;
    }
  }
  return std::move(worker->next);
}

bool ServeThreads::Park(Worker* worker) {
  absl::MutexLock lock(&mu_);
  if (joining_ || linger_ <= absl::ZeroDuration()) return false;
  parked_.push_back(worker);
  return true;
}

void ServeThreads::End(std::unique_ptr<Worker> worker) {
  OwnThread before;
  {
    absl::MutexLock lock(&mu_);
    before = std::move(ended_);
    ended_ = std::move(worker->thread);
    if (--count_ == 0) all_ended_.Signal();
  }
  before.JoinUnlessSelf();
}

}  // namespace internal
}  // namespace flow
