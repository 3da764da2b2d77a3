#include "flow/poller.h"

#include <algorithm>
#include <cerrno>

#include "flow/sys/errno_table.h"
#include "flow/sys/fork_generation.h"

namespace flow {
namespace internal {
namespace {

constexpr int64_t kMilli = 1'000'000;  // ns
// Without an eventfd nobody can end a wait, so waits are short: the figure of
// flow/sleeper.cc.
constexpr int kBlindMs = 60;
// How often what was short at birth is asked for again. With the short waits
// these two calls stay within P4.
constexpr int kMendMs = 1000;
// The longest wait for a timer.
constexpr int kMostMs = 3'600'000;

// Whose thread this is, and what it is handing over.
thread_local const Poller* current = nullptr;
thread_local Poller::Handing* innermost = nullptr;

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

void Notice::Notified() {
  // In a forked child this is a copy of what the parent has parked.
  if (!poller_->in_forked_child()) poller_->AddNotice(this);
}

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

// -------------------------------------------------------------- start and stop

Poller::Handing::Handing(Poller* poller) : poller_(poller), outer_(innermost) {
  innermost = this;
}

Poller::Handing::~Handing() {
  innermost = outer_;
  if (poller_ != nullptr) poller_->End();
}

bool Poller::Handing::IsUnderWay(const Poller* poller) {
  for (const Handing* h = innermost; h != nullptr; h = h->outer_) {
    if (h->poller_ == poller) return true;
  }
  return false;
}

Poller::Poller(Syscalls* sys)
    : sys_(sys), fork_generation_(ForkGeneration()), set_(PollSet::Make(sys)) {
  MakeWaker();
}

bool Poller::MakeWaker() {
  UniqueFd fd(sys_->Eventfd(), sys_);
  // An eventfd that can't be watched would leave every wake-up unseen.
  if (!fd.valid() || set_->AddWaker(fd.get(), kWakerData) != 0) return false;
  wake_fd_ = std::move(fd);
  wake_number_.store(wake_fd_.get(), std::memory_order_seq_cst);
  return true;
}

Poller::~Poller() {
  if (wake_fd_.valid() && !in_forked_child()) set_->Remove(wake_fd_.get());
}

bool Poller::Start(const std::shared_ptr<Poller>& self) {
  return self->thread_.StartWithoutSignals(
      "flow-poller", [self] { self->Run(); }, Syscalls::Real());
}

bool Poller::in_forked_child() const {
  return fork_generation_ != ForkGeneration();
}

bool Poller::IsOwnThread() const { return current == this; }

void Poller::Stop() {
  if (in_forked_child()) {
    // Only closed, so that the parent's registrations stay.
    thread_.Forget();
    set_.reset();
    wake_fd_.reset();
    return;
  }
  {
    absl::MutexLock lock(&mu_);
    stopping_.store(true, std::memory_order_seq_cst);
    // Here, since a poke is nothing to this thread if it is the poller's. Who
    // parks from now on is ready at once.
    for (ParkedFlow* flow : flows_) WakeAll(*flow);
    Poke();
  }
  // A callback destroys the context: what this thread is about to hand over can
  // only come after that.
  for (Handing* h = innermost; h != nullptr; h = h->outer_) {
    if (h->poller_ == this) std::exchange(h->poller_, nullptr)->End();
  }
  if (IsOwnThread()) {
    while (!IsOver()) Turn();
  }
  thread_.JoinUnlessSelf();
}

bool Poller::Begin() {
  // Sequentially consistent, as is stopping(): either this sees that the poller
  // is being stopped, or the poller sees this.
  live_.fetch_add(1, std::memory_order_seq_cst);
  if (!stopping()) return true;
  End();
  return false;
}

void Poller::End() {
  if (live_.fetch_sub(1, std::memory_order_seq_cst) > 1 || !stopping()) return;
  absl::MutexLock lock(&mu_);
  Poke();
}

void Poller::Poke() {
  if (IsOwnThread()) return;  // it looks again before it waits
  if (poked_.exchange(true, std::memory_order_acq_rel)) return;
  const int fd = wake_number_.load(std::memory_order_seq_cst);
  if (fd < 0) return;
  const uint64_t one = 1;
  while (sys_->Write(fd, &one, sizeof(one)) < 0 &&
         TreatmentOf(SysCall::kWrite, errno) == Treatment::kAgain) {
  }
}

void Poller::DrainPokes() {
  uint64_t count = 0;
  while (sys_->Read(wake_fd_.get(), &count, sizeof(count)) < 0 &&
         TreatmentOf(SysCall::kRead, errno) == Treatment::kAgain) {
  }
}

// -------------------------------------------------------------------- the loop

void Poller::Run() {
  current = this;
  while (!IsOver()) Turn();
  current = nullptr;
}

bool Poller::IsOver() {
  absl::MutexLock lock(&mu_);
  return stopping() && live_.load(std::memory_order_seq_cst) == 0 &&
         first_ready_ == nullptr && tasks_.empty();
}

void Poller::Turn() {
  events_.clear();
  int timeout = 0;
  // Who poked while there was no eventfd wrote to none, and who pokes after
  // that believes it poked: a short wait, and a look, let pokes count again.
  if (!Mend()) {
    absl::MutexLock lock(&mu_);
    timeout = TimeoutMs();
  }
  set_->Wait(timeout, events_);
  // Drained first, then forgotten, then looked at: a poke that came between the
  // last two and was drained would silence all that follow it.
  for (const PollSet::Event& event : events_) {
    if (event.data == kWakerData) DrainPokes();
  }
  {
    absl::MutexLock lock(&mu_);
    waits_ = false;
    poked_.store(false, std::memory_order_seq_cst);
    for (const PollSet::Event& event : events_) HandleEvent(event);
    HandleNotices();
    HandleTimers();
  }
  RunReady();
  RunTasks();
}

int Poller::TimeoutMs() {
  if (first_ready_ != nullptr || !tasks_.empty()) return 0;
  {
    absl::MutexLock lock(&notices_mu_);
    if (first_notice_ != nullptr) return 0;
  }
  if (stopping() && live_.load(std::memory_order_seq_cst) == 0) return 0;
  int timeout = set_->is_makeshift() ? kMendMs : -1;
  if (!wake_fd_.valid()) timeout = kBlindMs;
  if (!timers_.empty() || !alarm_.is_never()) {
    const MonoTime now = sys_->Now();
    alarm_ = NextAlarm(now);
    if (alarm_ <= now) return 0;
    if (!alarm_.is_never()) {
      // Rounded up: a deadline is never early. Clamped: the loop looks again.
      const int64_t ms = (alarm_.nanos() - now.nanos() - 1) / kMilli + 1;
      timeout = static_cast<int>(std::min<int64_t>(
          ms, timeout < 0 ? kMostMs : std::min(timeout, kMostMs)));
    }
  }
  waits_ = true;
  return timeout;
}

// The first timer's instant; or the last alarm's, if that is still to come and
// what it was set for is over: who parks next with a limit like that, as the
// calls of one flow do, so need not have it set anew. The thread then wakes
// once for nothing.
MonoTime Poller::NextAlarm(MonoTime now) {
  const MonoTime first =
      timers_.empty() ? kNever : MonoTime::FromNanos(timers_.begin()->first);
  return alarm_ < first && alarm_ > now ? alarm_ : first;
}

bool Poller::Mend() {
  const bool no_waker = !wake_fd_.valid();
  if (!no_waker && !set_->is_makeshift()) return false;
  const MonoTime now = sys_->Now();
  if (now < mend_at_) return false;
  mend_at_ = now + absl::Milliseconds(kMendMs);
  const bool set_is_new = set_->is_makeshift() && MendSet();
  const bool waker_is_new = no_waker && MakeWaker();
  return set_is_new || waker_is_new;
}

void Poller::HandleTimers() {
  if (timers_.empty()) return;
  const int64_t now = sys_->Now().nanos();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Ready(*timers_.begin()->second);
  }
}

// Runs as many as are ready now. What becomes ready meanwhile comes after the
// descriptors have been looked at again: no flow can keep the others waiting.
void Poller::RunReady() {
  size_t left = 0;
  {
    absl::MutexLock lock(&mu_);
    left = ready_count_;
  }
  for (; left > 0; --left) {
    Parked* operation = nullptr;
    {
      absl::MutexLock lock(&mu_);
      operation = first_ready_;
      if (operation == nullptr) return;
      RemoveReady(*operation);
    }
    operation->OnReady();
  }
}

// Likewise. One at a time, since a task may stop the poller, which runs the
// rest.
void Poller::RunTasks() {
  size_t left = 0;
  {
    absl::MutexLock lock(&mu_);
    left = tasks_.size();
  }
  for (; left > 0; --left) {
    absl::AnyInvocable<void() &&> task;
    {
      absl::MutexLock lock(&mu_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    std::move(task)();
  }
}

void Poller::Post(absl::AnyInvocable<void() &&> task) {
  absl::MutexLock lock(&mu_);
  tasks_.push_back(std::move(task));
  PokeIfWaiting();
}

}  // namespace internal
}  // namespace flow
