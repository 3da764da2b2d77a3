#include "flow/signal.h"

#include <cerrno>
#include <cstdint>

#include "flow/sys/fork_generation.h"

namespace flow {

void Signal::Notify() {
  seq_.fetch_add(1, std::memory_order_seq_cst);
  if (links_.load(std::memory_order_seq_cst) == 0) return;
  internal::MutexLock lock(&mu_);
  for (SignalLink* link = first_; link != nullptr; link = link->next_) {
    link->Notified();
  }
}

void SignalLink::Link(Signal* signal) {
  signal_ = signal;
  if (signal_ == nullptr) return;
  internal::MutexLock lock(&signal_->mu_);
  previous_ = nullptr;
  next_ = signal_->first_;
  if (next_ != nullptr) next_->previous_ = this;
  signal_->first_ = this;
  signal_->links_.fetch_add(1, std::memory_order_seq_cst);
}

void SignalLink::Unlink() {
  if (signal_ == nullptr) return;
  {
    internal::MutexLock lock(&signal_->mu_);
    if (previous_ != nullptr) previous_->next_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    if (signal_->first_ == this) signal_->first_ = next_;
    signal_->links_.fetch_sub(1, std::memory_order_seq_cst);
  }
  signal_ = nullptr;
}

Waker& Waker::ForThisThread(Syscalls* sys) {
  static thread_local Waker waker;
  const uint32_t generation = ForkGeneration();
  if (waker.generation_ != generation) {
    // In a forked child: the eventfd is shared with the parent's thread, so it
    // is neither written nor read again, only closed.
    if (waker.fd_ >= 0) Syscalls::Real()->Close(waker.fd_);
    waker.fd_ = -1;
    waker.poked_.store(false, std::memory_order_relaxed);
    waker.generation_ = generation;
  }
  if (waker.fd_ < 0) waker.MakeFd(sys);
  return waker;
}

void Waker::MakeFd(Syscalls* sys) {
  const int saved = errno;
  fd_ = sys->Eventfd();
  errno = saved;
}

Waker::~Waker() {
  if (fd_ >= 0) Syscalls::Real()->Close(fd_);
}

void Waker::Poke() {
  // In a forked child this is a copy of a parent's thread's, which must not be
  // woken: it would find nothing to drain, and spin.
  if (generation_ != ForkGeneration()) return;
  if (poked_.exchange(true, std::memory_order_acq_rel) || fd_ < 0) return;
  const uint64_t one = 1;
  const int saved = errno;
  // The counter can't overflow: it is drained before it is poked again.
  while (Syscalls::Real()->Write(fd_, &one, sizeof(one)) < 0 &&
         errno == EINTR) {
  }
  errno = saved;
}

void Waker::Drain() {
  if (!poked_.load(std::memory_order_acquire)) return;
  uint64_t count = 0;
  const int saved = errno;
  if (fd_ >= 0) {
    while (Syscalls::Real()->Read(fd_, &count, sizeof(count)) < 0 &&
           errno == EINTR) {
    }
  }
  errno = saved;
  poked_.store(false, std::memory_order_release);
}

}  // namespace flow
