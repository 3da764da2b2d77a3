// The poller's lists: what is parked, what wakes it, and which descriptors are
// in the set for it. (poller.cc has the thread and its loop.)

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "flow/poller.h"

namespace flow {
namespace internal {
namespace {

// A descriptor that can't be watched, for want of memory or of a duplicate, is
// tried again after this long: each time costs four system calls (P4).
constexpr absl::Duration kShortage = absl::Milliseconds(250);
constexpr short kAlways = POLLERR | POLLHUP | POLLNVAL;

// What comes back with an event. No slot is ever the last, so that none is
// taken for the waker's.
uint64_t DataOf(uint32_t slot, uint32_t generation) {
  return (uint64_t{generation} << 32) | slot;
}
constexpr uint64_t kNobody = 0xfffffffe;

}  // namespace

// ---------------------------------------------------------------------- flows

void ParkedFlow::Attach(Poller* poller, Signal* signal) {
  poller_ = poller;
  notice_.flow_ = this;
  absl::MutexLock lock(&poller->mu_);
  poller->flows_.insert(this);
  notice_.LinkTo(signal, poller);
}

void ParkedFlow::Detach() {
  if (poller_ == nullptr || poller_->in_forked_child()) return;
  absl::MutexLock lock(&poller_->mu_);
  poller_->flows_.erase(this);
  notice_.UnlinkFrom(poller_);
  for (Watch& watch : watches_) poller_->Unregister(watch);
}

void ParkedFlow::CloseAfterFork() {
  for (Watch& watch : watches_) watch.duplicate.reset();
}

// --------------------------------------------------------- parking and waking

void Poller::Park(Parked& operation, ParkedFlow& flow, const Wait& wait,
                  Signal* token, MonoTime wake_at,
                  absl::FunctionRef<bool()> changed) {
  absl::MutexLock lock(&mu_);
  if (operation.place_ == Parked::Place::kReady) return;
  operation.place_ = Parked::Place::kParked;
  operation.woken_by_fd_ = false;
  operation.flow_ = &flow;
  operation.wake_at_ = std::min(wake_at, wait.until);
  operation.previous_ = nullptr;
  operation.next_ = flow.first_;
  if (flow.first_ != nullptr) flow.first_->previous_ = &operation;
  flow.first_ = &operation;
  operation.token_ = LinkOf(operation, token);
  operation.transport_ = LinkOf(operation, wait.signal);
  bool over = stopping() || changed();
  if (!over && wait.fd >= 0) {
    const int error = WatchFd(operation, wait.fd, wait.events);
    over = error == EPERM || error == EBADF;  // trying it says more
    operation.woken_by_fd_ = over;            // but not again and again
    if (error != 0 && !over) {
      operation.wake_at_ =
          std::min(operation.wake_at_, sys_->Now() + kShortage);
    }
  }
  const MonoTime at = operation.wake_at_;
  if (!at.is_never()) timers_.insert({at.nanos(), &operation});
  if (over) Ready(operation);
  const bool sooner = at < alarm_;
  if (sooner) alarm_ = at;
  if (over || sooner || (wait.fd >= 0 && !set_->sees_changes())) {
    PokeIfWaiting();
  }
}

// Null if there is no signal.
std::unique_ptr<Notice> Poller::LinkOf(Parked& operation, Signal* signal) {
  if (signal == nullptr) return nullptr;
  auto link = std::make_unique<Notice>();
  link->operation_ = &operation;
  link->LinkTo(signal, this);
  return link;
}

void Poller::Unlink(std::unique_ptr<Notice>& link) {
  if (link == nullptr) return;
  link->UnlinkFrom(this);
  link.reset();
}

void Poller::Unpark(Parked& operation) {
  ParkedFlow& flow = *operation.flow_;
  if (operation.previous_ != nullptr) {
    operation.previous_->next_ = operation.next_;
  }
  if (operation.next_ != nullptr) {
    operation.next_->previous_ = operation.previous_;
  }
  if (flow.first_ == &operation) flow.first_ = operation.next_;
  if (!operation.wake_at_.is_never()) {
    timers_.erase({operation.wake_at_.nanos(), &operation});
  }
  Unlink(operation.token_);
  Unlink(operation.transport_);
  // The descriptor stays armed: at worst it fires once for nobody.
  operation.on_fd_ = false;
  operation.place_ = Parked::Place::kNowhere;
}

void Poller::Ready(Parked& operation) {
  if (operation.place_ != Parked::Place::kParked) return;
  Unpark(operation);
  PushReady(operation);
}

void Poller::PushReady(Parked& operation) {
  operation.place_ = Parked::Place::kReady;
  operation.next_ = nullptr;
  operation.previous_ = last_ready_;
  (last_ready_ == nullptr ? first_ready_ : last_ready_->next_) = &operation;
  last_ready_ = &operation;
  ++ready_count_;
}

void Poller::RemoveReady(Parked& operation) {
  (operation.previous_ == nullptr ? first_ready_ : operation.previous_->next_) =
      operation.next_;
  (operation.next_ == nullptr ? last_ready_ : operation.next_->previous_) =
      operation.previous_;
  operation.place_ = Parked::Place::kNowhere;
  --ready_count_;
}

void Poller::MakeReady(Parked& operation) {
  absl::MutexLock lock(&mu_);
  if (operation.place_ == Parked::Place::kParked) Unpark(operation);
  if (operation.place_ == Parked::Place::kNowhere) PushReady(operation);
  PokeIfWaiting();
}

bool Poller::Claim(Parked& operation) {
  absl::MutexLock lock(&mu_);
  switch (operation.place_) {
    case Parked::Place::kNowhere:
      return false;
    case Parked::Place::kParked:
      Unpark(operation);
      break;
    case Parked::Place::kReady:
      RemoveReady(operation);
      break;
  }
  return true;
}

void Poller::WakeAll(ParkedFlow& flow) {
  while (flow.first_ != nullptr) Ready(*flow.first_);
}

// ---------------------------------------------------------------- descriptors

void Poller::HandleEvent(const PollSet::Event& event) {
  const auto slot = static_cast<uint32_t>(event.data);
  const auto generation = static_cast<uint32_t>(event.data >> 32);
  if (slot >= slots_.size() || slots_[slot].generation != generation ||
      slots_[slot].flow == nullptr) {
    return;  // the waker's, or for a descriptor that has left the set
  }
  ParkedFlow& flow = *slots_[slot].flow;
  const uint8_t index = slots_[slot].watch;
  flow.watches_[index].armed = 0;
  for (Parked* p = flow.first_; p != nullptr;) {
    Parked* const operation = p;
    p = p->next_;
    if (operation->on_fd_ && operation->watch_ == index &&
        (event.events & (operation->events_ | kAlways)) != 0) {
      operation->woken_by_fd_ = true;
      Ready(*operation);
    }
  }
  // Whoever still waits for it must not be left without a watch.
  if (Rearm(flow, index) != 0) WakeWatchers(flow, index);
}

void Poller::WakeWatchers(ParkedFlow& flow, uint8_t index) {
  for (Parked* p = flow.first_; p != nullptr;) {
    Parked* const operation = p;
    p = p->next_;
    if (operation->on_fd_ && operation->watch_ == index) Ready(*operation);
  }
}

int Poller::WatchFd(Parked& operation, int fd, short events) {
  ParkedFlow& flow = *operation.flow_;
  if (flow.shutting_ > 0) return EAGAIN;  // EndShut wakes it
  const uint8_t index = WatchOf(flow, fd);
  // A third descriptor of one flow, all of them waited for: looked at from time
  // to time.
  if (index == ParkedFlow::kWatches) return ENOSPC;
  flow.watches_[index].fd = fd;
  operation.on_fd_ = true;
  operation.watch_ = index;
  operation.events_ = events;
  const int error = Rearm(flow, index);
  if (error == 0) return 0;
  operation.on_fd_ = false;
  WakeWatchers(flow, index);
  return error;
}

// The watch for `fd`: its own, else one that is free, else one that nobody
// waits for any more.
uint8_t Poller::WatchOf(ParkedFlow& flow, int fd) {
  uint8_t idle = ParkedFlow::kWatches;
  for (uint8_t i = 0; i < ParkedFlow::kWatches; ++i) {
    if (flow.watches_[i].fd == fd) return i;
    const bool better =
        idle == ParkedFlow::kWatches ||
        (flow.watches_[i].fd < 0 && flow.watches_[idle].fd >= 0);
    if (better && IsIdle(flow, i)) idle = i;
  }
  if (idle != ParkedFlow::kWatches) Unregister(flow.watches_[idle]);
  return idle;
}

bool Poller::IsIdle(const ParkedFlow& flow, uint8_t index) {
  for (const Parked* p = flow.first_; p != nullptr; p = p->next_) {
    if (p->on_fd_ && p->watch_ == index) return false;
  }
  return true;
}

int Poller::Rearm(ParkedFlow& flow, uint8_t index) {
  ParkedFlow::Watch& watch = flow.watches_[index];
  bool any = false;
  short wanted = 0;
  for (const Parked* p = flow.first_; p != nullptr; p = p->next_) {
    if (!p->on_fd_ || p->watch_ != index) continue;
    any = true;
    wanted = static_cast<short>(wanted | p->events_);
  }
  // POLLHUP stands for "errors only", which are always watched for.
  if (wanted == 0) wanted = POLLHUP;
  if (!any || (wanted & ~watch.armed) == 0) return 0;
  if (!watch.registered) return Register(flow, index, wanted);
  const int registered =
      watch.duplicate.valid() ? watch.duplicate.get() : watch.fd;
  const Slot& slot = slots_[watch.slot];
  const int error =
      set_->Arm(registered, wanted, DataOf(watch.slot, slot.generation));
  if (error == ENOENT) {
    // Somebody else has closed the descriptor: its number may be another
    // stream's by now, or nobody's, which registering it tells.
    const int fd = watch.fd;
    Unregister(watch);
    watch.fd = fd;
    return Register(flow, index, wanted);
  }
  watch.armed = error == 0 ? wanted : short{0};
  return error;
}

int Poller::Register(ParkedFlow& flow, uint8_t index, short events) {
  ParkedFlow::Watch& watch = flow.watches_[index];
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t number = free_slots_.back();
  const uint64_t data = DataOf(number, slots_[number].generation);
  int error = set_->Add(watch.fd, events, data);
  if (error == EEXIST) {
    // Two flows on one descriptor (Borrow(0) twice): epoll keeps them apart by
    // number, so the second is registered under another one.
    watch.duplicate = UniqueFd(sys_->Fcntl(watch.fd, F_DUPFD_CLOEXEC, 0), sys_);
    error = watch.duplicate.valid()
                ? set_->Add(watch.duplicate.get(), events, data)
                : errno;
  }
  if (error != 0) {
    watch = ParkedFlow::Watch();
    return error;
  }
  free_slots_.pop_back();
  slots_[number].flow = &flow;
  slots_[number].watch = index;
  watch.slot = number;
  watch.armed = events;
  watch.registered = true;
  return 0;
}

void Poller::Unregister(ParkedFlow::Watch& watch) {
  if (watch.registered) {
    set_->Remove(watch.duplicate.valid() ? watch.duplicate.get() : watch.fd);
    slots_[watch.slot].flow = nullptr;
    ++slots_[watch.slot].generation;  // events under way hit nobody
    free_slots_.push_back(watch.slot);
  }
  watch = ParkedFlow::Watch();
}

// Takes all that is watched over to epoll, if there is one now.
bool Poller::MendSet() {
  std::unique_ptr<PollSet> better = PollSet::TryEpoll(sys_);
  if (better == nullptr) return false;
  if (wake_fd_.valid() && better->AddWaker(wake_fd_.get(), kWakerData) != 0) {
    return false;
  }
  absl::MutexLock lock(&mu_);
  set_ = std::move(better);
  for (ParkedFlow* const flow : flows_) {
    for (uint8_t i = 0; i < ParkedFlow::kWatches; ++i) {
      ParkedFlow::Watch& watch = flow->watches_[i];
      if (!watch.registered) continue;
      const Slot& slot = slots_[watch.slot];
      const int fd = watch.duplicate.valid() ? watch.duplicate.get() : watch.fd;
      const short events = watch.armed != 0 ? watch.armed : short{POLLHUP};
      if (set_->Add(fd, events, DataOf(watch.slot, slot.generation)) == 0) {
        continue;
      }
      // Whoever waits for it tries again, and parks anew.
      WakeWatchers(*flow, i);
      Unregister(watch);
    }
  }
  return true;
}

void Poller::Forget(ParkedFlow& flow) {
  if (in_forked_child()) return;
  absl::MutexLock lock(&mu_);
  for (ParkedFlow::Watch& watch : flow.watches_) Unregister(watch);
}

void Poller::BeginShut(ParkedFlow& flow) {
  if (in_forked_child()) return;
  absl::MutexLock lock(&mu_);
  ++flow.shutting_;
  flow.shuts_.fetch_add(1, std::memory_order_acq_rel);
  for (uint8_t i = 0; i < ParkedFlow::kWatches; ++i) {
    WakeWatchers(flow, i);
    Unregister(flow.watches_[i]);
  }
}

void Poller::EndShut(ParkedFlow& flow) {
  if (in_forked_child()) return;
  absl::MutexLock lock(&mu_);
  --flow.shutting_;
  flow.shuts_.fetch_add(1, std::memory_order_acq_rel);
  WakeAll(flow);
  PokeIfWaiting();
}

bool Poller::IsAlwaysReady(int fd) {
  absl::MutexLock lock(&mu_);
  const int error = set_->Add(fd, POLLIN, kNobody);
  if (error == 0) set_->Remove(fd);
  return error == EPERM;
}

}  // namespace internal
}  // namespace flow
