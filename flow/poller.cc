#include "flow/poller.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "flow/sys/errno_table.h"
#include "flow/sys/fork_generation.h"

namespace flow {
namespace internal {
namespace {

constexpr uint64_t kWakerData = std::numeric_limits<uint64_t>::max();
constexpr int64_t kMilli = 1'000'000;  // ns
// Without an eventfd nobody can end a wait, so waits are short: the figure of
// flow/sleeper.cc.
constexpr int kBlindMs = 60;
// A descriptor that can't be registered for want of memory or of a duplicate is
// tried again after this long.
constexpr absl::Duration kShortage = absl::Milliseconds(50);
constexpr short kAlways = POLLERR | POLLHUP | POLLNVAL;

thread_local const Poller* current = nullptr;

uint64_t DataOf(uint32_t slot, uint32_t generation) {
  return (uint64_t{generation} << 32) | slot;
}

}  // namespace

// -------------------------------------------------------------------- notices

void Notice::LinkTo(Signal* signal, Poller* poller) {
  poller_ = poller;
  Link(signal);
}

void Notice::UnlinkFrom(Poller* poller) {
  Unlink();
  poller->RemoveNotice(this);
}

void Notice::Notified() { poller_->AddNotice(this); }

void Poller::AddNotice(Notice* notice) {
  {
    absl::MutexLock lock(&notices_mu_);
    if (notice->listed_) return;
    notice->listed_ = true;
    notice->previous_ = nullptr;
    notice->next_ = first_notice_;
    if (first_notice_ != nullptr) first_notice_->previous_ = notice;
    first_notice_ = notice;
  }
  Poke();
}

void Poller::RemoveNotice(Notice* notice) {
  absl::MutexLock lock(&notices_mu_);
  if (!notice->listed_) return;
  notice->listed_ = false;
  if (notice->previous_ != nullptr) notice->previous_->next_ = notice->next_;
  if (notice->next_ != nullptr) notice->next_->previous_ = notice->previous_;
  if (first_notice_ == notice) first_notice_ = notice->next_;
}

void Poller::HandleNotices() {
  for (;;) {
    Notice* notice = nullptr;
    {
      absl::MutexLock lock(&notices_mu_);
      notice = first_notice_;
    }
    if (notice == nullptr) return;
    RemoveNotice(notice);
    // Still linked: what unlinks it holds mu_, as does this.
    if (notice->flow_ != nullptr) {
      WakeAll(*notice->flow_);
    } else {
      Ready(*notice->operation_);
    }
  }
}

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

// -------------------------------------------------------------- start and stop

Poller::Poller(Syscalls* sys)
    : sys_(sys),
      fork_generation_(ForkGeneration()),
      set_(PollSet::Make(sys)),
      wake_fd_(sys->Eventfd(), sys) {
  if (wake_fd_.valid()) set_->AddWaker(wake_fd_.get(), kWakerData);
}

bool Poller::Start(const std::shared_ptr<Poller>& self) {
  return self->thread_.Start("flow-poller", [self] { self->Run(); });
}

bool Poller::in_forked_child() const {
  return fork_generation_ != ForkGeneration();
}

bool Poller::IsOwnThread() const { return current == this; }

void Poller::Stop() {
  if (in_forked_child()) {
    thread_.Forget();
    return;
  }
  stopping_.store(true, std::memory_order_release);
  if (IsOwnThread()) {
    // A callback destroys the context that it runs in.
    while (live_.load(std::memory_order_acquire) > 0) Turn();
  }
  Poke();
  thread_.JoinUnlessSelf();
}

void Poller::CountLive(int change) {
  if (live_.fetch_add(change, std::memory_order_acq_rel) + change == 0 &&
      stopping()) {
    Poke();
  }
}

void Poller::Poke() {
  if (IsOwnThread()) return;  // it looks again before it waits
  if (poked_.exchange(true, std::memory_order_acq_rel)) return;
  if (!wake_fd_.valid()) return;
  const uint64_t one = 1;
  while (sys_->Write(wake_fd_.get(), &one, sizeof(one)) < 0 &&
         TreatmentOf(SysCall::kWrite, errno) == Treatment::kAgain) {
  }
}

// -------------------------------------------------------------------- the loop

void Poller::Run() {
  current = this;
  while (Turn()) {
  }
  current = nullptr;
}

bool Poller::Turn() {
  std::vector<PollSet::Event> events;
  int timeout = 0;
  {
    absl::MutexLock lock(&mu_);
    timeout = TimeoutMs();
  }
  set_->Wait(timeout, events);
  {
    absl::MutexLock lock(&mu_);
    // Before the notices are looked at, so that one that comes later pokes.
    poked_.store(false, std::memory_order_seq_cst);
    for (const PollSet::Event& event : events) HandleEvent(event);
    HandleNotices();
    HandleTimers();
    if (stopping()) {
      for (ParkedFlow* flow : flows_) WakeAll(*flow);
    }
  }
  return RunReady();
}

int Poller::TimeoutMs() {
  if (first_ready_ != nullptr || !tasks_.empty()) return 0;
  {
    absl::MutexLock lock(&notices_mu_);
    if (first_notice_ != nullptr) return 0;
  }
  if (stopping() && live_.load(std::memory_order_acquire) == 0) return 0;
  const int longest = wake_fd_.valid() ? -1 : kBlindMs;
  if (timers_.empty()) return longest;
  const int64_t now = sys_->Now().nanos();
  const int64_t first = timers_.begin()->first;
  if (first <= now) return 0;
  // Rounded up: a deadline is never early. Clamped: the loop looks again.
  const int64_t ms =
      std::min<int64_t>((first - now - 1) / kMilli + 1, 3'600'000);
  return longest < 0 ? static_cast<int>(ms)
                     : std::min(longest, static_cast<int>(ms));
}

bool Poller::RunReady() {
  // What becomes ready meanwhile comes after the descriptors have been looked
  // at again: no flow can keep the others waiting.
  std::deque<absl::AnyInvocable<void() &&>> tasks;
  Parked* last = nullptr;
  {
    absl::MutexLock lock(&mu_);
    last = last_ready_;
    tasks.swap(tasks_);
  }
  for (bool more = last != nullptr; more;) {
    Parked* operation = nullptr;
    {
      absl::MutexLock lock(&mu_);
      operation = first_ready_;
      if (operation == nullptr) break;
      more = operation != last;
      RemoveReady(*operation);
    }
    operation->OnReady();
  }
  for (auto& task : tasks) std::move(task)();
  absl::MutexLock lock(&mu_);
  return !stopping() || live_.load(std::memory_order_acquire) > 0 ||
         first_ready_ != nullptr || !tasks_.empty();
}

void Poller::HandleEvent(const PollSet::Event& event) {
  if (event.data == kWakerData) {
    uint64_t count = 0;
    while (sys_->Read(wake_fd_.get(), &count, sizeof(count)) < 0 &&
           TreatmentOf(SysCall::kRead, errno) == Treatment::kAgain) {
    }
    return;
  }
  const auto slot = static_cast<uint32_t>(event.data);
  const auto generation = static_cast<uint32_t>(event.data >> 32);
  if (slot >= slots_.size() || slots_[slot].generation != generation ||
      slots_[slot].flow == nullptr) {
    return;  // for a descriptor that has left the set
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
  static_cast<void>(Rearm(flow, index));
}

void Poller::HandleTimers() {
  if (timers_.empty()) return;
  const int64_t now = sys_->Now().nanos();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Ready(*timers_.begin()->second);
  }
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
  if (token != nullptr || wait.signal != nullptr) {
    operation.links_ = std::make_unique<Parked::Links>();
    operation.links_->token.operation_ = &operation;
    operation.links_->token.LinkTo(token, this);
    operation.links_->transport.operation_ = &operation;
    operation.links_->transport.LinkTo(wait.signal, this);
  }
  bool over = stopping() || changed();
  if (!over && wait.fd >= 0) {
    const int error = WatchFd(operation, wait.fd, wait.events);
    over = error == EPERM || error == EBADF;  // trying it says more
    if (error != 0 && !over) {
      operation.wake_at_ =
          std::min(operation.wake_at_, sys_->Now() + kShortage);
    }
  }
  bool first = false;
  if (!operation.wake_at_.is_never()) {
    const auto at =
        timers_.insert({operation.wake_at_.nanos(), &operation}).first;
    first = at == timers_.begin();
  }
  if (over) Ready(operation);
  if (over || first || (wait.fd >= 0 && !set_->sees_changes())) Poke();
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
  if (operation.links_ != nullptr) {
    operation.links_->token.UnlinkFrom(this);
    operation.links_->transport.UnlinkFrom(this);
    operation.links_.reset();
  }
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
}

void Poller::RemoveReady(Parked& operation) {
  (operation.previous_ == nullptr ? first_ready_ : operation.previous_->next_) =
      operation.next_;
  (operation.next_ == nullptr ? last_ready_ : operation.next_->previous_) =
      operation.previous_;
  operation.place_ = Parked::Place::kNowhere;
}

void Poller::MakeReady(Parked& operation) {
  absl::MutexLock lock(&mu_);
  if (operation.place_ == Parked::Place::kParked) Unpark(operation);
  if (operation.place_ == Parked::Place::kNowhere) PushReady(operation);
  Poke();
}

void Poller::Claim(Parked& operation) {
  absl::MutexLock lock(&mu_);
  if (operation.place_ == Parked::Place::kParked) Unpark(operation);
  if (operation.place_ == Parked::Place::kReady) RemoveReady(operation);
}

void Poller::WakeAll(ParkedFlow& flow) {
  while (flow.first_ != nullptr) Ready(*flow.first_);
}

void Poller::Post(absl::AnyInvocable<void() &&> task) {
  absl::MutexLock lock(&mu_);
  tasks_.push_back(std::move(task));
  Poke();
}

// ---------------------------------------------------------------- descriptors

int Poller::WatchFd(Parked& operation, int fd, short events) {
  ParkedFlow& flow = *operation.flow_;
  uint8_t index = ParkedFlow::kWatches;
  for (uint8_t i = 0; i < ParkedFlow::kWatches; ++i) {
    if (flow.watches_[i].fd == fd) index = i;
  }
  if (index == ParkedFlow::kWatches) {
    for (uint8_t i = 0; i < ParkedFlow::kWatches; ++i) {
      if (flow.watches_[i].fd < 0) index = i;
    }
  }
  // A third descriptor of one flow: looked at from time to time.
  if (index == ParkedFlow::kWatches) return ENOSPC;
  flow.watches_[index].fd = fd;
  operation.on_fd_ = true;
  operation.watch_ = index;
  operation.events_ = events;
  const int error = Rearm(flow, index);
  if (error != 0) operation.on_fd_ = false;
  return error;
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
    watch.duplicate.reset();
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

void Poller::Forget(ParkedFlow& flow) {
  if (in_forked_child()) return;
  absl::MutexLock lock(&mu_);
  for (ParkedFlow::Watch& watch : flow.watches_) Unregister(watch);
}

void Poller::ForgetIdle(ParkedFlow& flow) {
  if (in_forked_child()) return;
  absl::MutexLock lock(&mu_);
  bool used[ParkedFlow::kWatches] = {};
  for (const Parked* p = flow.first_; p != nullptr; p = p->next_) {
    if (p->on_fd_) used[p->watch_] = true;
  }
  for (uint8_t i = 0; i < ParkedFlow::kWatches; ++i) {
    if (!used[i]) Unregister(flow.watches_[i]);
  }
}

bool Poller::IsAlwaysReady(int fd) {
  absl::MutexLock lock(&mu_);
  const int error = set_->Add(fd, POLLIN, kWakerData - 1);
  if (error == 0) set_->Remove(fd);
  return error == EPERM;
}

}  // namespace internal
}  // namespace flow
