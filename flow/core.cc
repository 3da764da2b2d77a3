#include "flow/core.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/sys/fork_generation.h"

namespace flow {
namespace internal {
namespace {

// In words; most flows have none, and one pointer for that.
std::unique_ptr<const std::string> LayersOf(const Transport& transport) {
  std::string layers = transport.layers();
  if (layers.empty()) return nullptr;
  return std::make_unique<const std::string>(std::move(layers));
}

}  // namespace

absl::Status ClosedLocallyStatus(ErrorDetail detail, absl::string_view context,
                                 bool pending) {
  detail.kind = ErrorKind::kClosedLocally;
  return MakeStatus(
      pending ? absl::StatusCode::kCancelled
              : absl::StatusCode::kFailedPrecondition,
      absl::StrCat(detail.operation,
                   pending ? "() cancelled: closed locally meanwhile"
                           : "() refused: closed locally",
                   context.empty() ? "" : "; ", context),
      detail);
}

absl::Status NoFlowStatus(absl::string_view operation) {
  ErrorDetail detail;
  detail.operation = std::string(operation);
  return ClosedLocallyStatus(
      detail, "no flow (default-constructed, moved from or released)",
      /*pending=*/false);
}

Core::Core(std::unique_ptr<Transport> transport, Syscalls* sys)
    : word_(FlowState::Born(transport->can_read(), transport->can_write())
                .bits()),
      transport_(std::move(transport)),
      sys_(sys),
      fork_generation_(ForkGeneration()),
      local_(transport_->local()),
      peer_(transport_->peer()),
      layers_(LayersOf(*transport_)),
      born_(sys->Now()),
      abort_is_visible_(transport_->abort_is_visible()),
      ends_are_visible_(transport_->ends_are_visible()),
      is_layer_(transport_->is_layer()),
      can_read_(transport_->can_read()),
      can_write_(transport_->can_write()),
      can_release_fd_(transport_->can_release_fd()),
      read_name_(transport_->read_name()) {}

// ------------------------------------------------------- entering and leaving

Answer Core::Enter(Role role) {
  return Apply([role](FlowState s) { return s.Enter(role); }).answer;
}

Answer Core::Resume(Role role) {
  return Apply([role](FlowState s) { return s.Resume(role); }).answer;
}

Answer Core::AfterTry(Role role, Tried tried, const absl::Status& error,
                      bool early) {
  const auto event = [role, tried, early](FlowState s) {
    const bool again = early && tried == Tried::kWouldBlock &&
                       s.read_end() == ReadEnd::kDraining;
    return s.AfterTry(role, again ? Tried::kMoved : tried);
  };
  Step step;
  if (error.ok()) {
    step = Apply(event);
  } else {
    MutexLock lock(&mu_);
    step = Apply(event);
    if (step.record_read) read_error_ = error;
    if (step.record_write) write_error_ = error;
  }
  if (step.wake) signal_.Notify();
  return step.answer;
}

void Core::Seal(const absl::Status& error) {
  MutexLock lock(&mu_);
  const Step step = Apply([](FlowState s) { return s.Seal(); });
  if (step.record_write) write_error_ = error;
}

void Core::ShutdownDone() {
  const Step step = Apply([](FlowState s) { return s.ShutdownDone(); });
  if (step.wake) signal_.Notify();
}

void Core::LeaveWithCare(Direction d) {
  for (;;) {
    const Step step = Apply([d](FlowState s) { return s.Leave(d); });
    if (step.wake) {
      signal_.Notify();
    } else if (step.run_shut) {
      // Whether the kernel could is of no interest: the flag decides.
      static_cast<void>(TryShutdown(ShutdownMode::kRead));
    } else if (step.hand_over) {
      if (HandOver(d)) return Unpin();
    } else {
      return Finish(step);
    }
  }
}

// Passes the direction to the first in its queue, which leaves the caller
// pinned only; false if nobody is there after all.
bool Core::HandOver(Direction d) {
  MutexLock lock(&mu_);
  TurnQueue& queue = QueueOf(d);
  Waiter* const next = queue.first;
  if (next == nullptr) {
    Apply([d](FlowState s) { return s.ClearQueued(d); });
    return false;
  }
  queue.Remove(next);
  CountQueued(d, -1);
  const bool more = queue.first != nullptr;
  Apply([d, more](FlowState s) { return s.HandOver(d, more); });
  // Under mu_, so that the waiter can't be gone before it has been told.
  next->granted = true;
  next->signal.Notify();
  return true;
}

void Core::LeaveUnheld() {
  Finish(Apply([](FlowState s) { return s.LeaveUnheld(); }));
}

void Core::Pin() {
  Apply([](FlowState s) { return s.Pin(); });
}

void Core::Unpin() {
  const Step step = Apply([](FlowState s) { return s.Unpin(); });
  if (step.destroy) delete this;
}

Answer Core::EnterUnheld() {
  return Apply([](FlowState s) { return s.EnterUnheld(); }).answer;
}

void Core::NoteReadWaits(const Wait& wait) {
  const bool plain = wait.fd >= 0 && wait.events == POLLIN &&
                     wait.signal == nullptr && wait.until.is_never();
  if (plain && transport_->adaptive_reads().waits_first) {
    read_habit_.Waited(wait.fd);
  }
}

void Core::Finish(const Step& step) {
  if (step.run_close) {
    RunClose();
    Unpin();
  } else if (step.destroy) {
    delete this;
  }
}

// ------------------------------------------------------------------ the queue

void Core::TurnQueue::Append(Waiter* waiter) {
  (last == nullptr ? first : last->next) = waiter;
  last = waiter;
}

void Core::TurnQueue::Remove(Waiter* waiter) {
  Waiter* previous = nullptr;
  for (Waiter* w = first; w != waiter; w = w->next) previous = w;
  (previous == nullptr ? first : previous->next) = waiter->next;
  if (last == waiter) last = previous;
  waiter->next = nullptr;
}

bool Core::Queue(Waiter* waiter, Direction d) {
  MutexLock lock(&mu_);
  TurnQueue& queue = QueueOf(d);
  queue.Append(waiter);
  CountQueued(d, 1);
  // Whoever stands behind others was preceded here by one who saw the direction
  // held; it will be handed on.
  if (queue.first != waiter) return false;
  const Step step = Apply([d](FlowState s) { return s.TakeTurn(d, false); });
  if (step.answer != Answer::kTry) return false;
  queue.Remove(waiter);
  CountQueued(d, -1);
  return true;
}

bool Core::WaitTurn(Role role, Sleeper& sleeper, Woke& woke) {
  const Direction d = DirectionOf(role);
  Waiter waiter;
  if (Queue(&waiter, d)) return true;
  for (;;) {
    sleeper.Arm();
    const Answer now = state().Ask(role);
    // An ending that has come meanwhile need not wait for its turn; a Shutdown
    // does, since it has to be the one to say so.
    const bool ended = role == Role::kRead || role == Role::kWrite
                           ? now != Answer::kTry && now != Answer::kSettle
                           : now == Answer::kClosed;
    // 0: the only notification of this signal is the grant, which may have come
    // since Queue() let go of mu_.
    woke = ended ? Woke::kRetry
                 : sleeper.Sleep(Wait::For(&waiter.signal, /*seq=*/0));
    MutexLock lock(&mu_);
    if (waiter.granted) return true;
    if (woke == Woke::kRetry && !ended) continue;
    QueueOf(d).Remove(&waiter);
    CountQueued(d, -1);
    return false;
  }
}

// ---------------------------------------------------------------------- facts

Observing& Core::observed() {
  MutexLock lock(&mu_);
  if (observing() == nullptr) {
    observing_.store(new Observing(transport_gone_), std::memory_order_release);
  }
  return *observing();
}

absl::Status Core::ReadError() {
  MutexLock lock(&mu_);
  return read_error_;
}

absl::Status Core::WriteError() {
  MutexLock lock(&mu_);
  return write_error_;
}

std::string Core::Describe() const {
  return absl::StrCat("flow ", layers_ == nullptr ? "" : *layers_,
                      EndpointPair(local_, peer_));
}

ErrorDetail Core::Detail(absl::string_view operation,
                         uint64_t bytes_done) const {
  ErrorDetail detail;
  detail.operation = std::string(operation);
  detail.local = local_.ToString();
  detail.peer = peer_.ToString();
  detail.bytes_done = bytes_done;
  return detail;
}

std::string Core::ToString() const {
  return absl::StrCat(Describe(), state().closed() ? ", closed, " : ", open, ",
                      bytes_read_.load(std::memory_order_relaxed), " B in, ",
                      bytes_written_.load(std::memory_order_relaxed), " B out");
}

int Core::Handle(int (Transport::*handle)() const) {
  if (EnterUnheld() != Answer::kTry) {
    Unpin();
    return -1;
  }
  const int fd = (transport_.get()->*handle)();
  LeaveUnheld();
  return fd;
}

Stats Core::GetStats() const {
  Stats stats;
  stats.bytes_read = bytes_read_.load(std::memory_order_relaxed);
  stats.bytes_written = bytes_written_.load(std::memory_order_relaxed);
  stats.reads = reads_.load(std::memory_order_relaxed);
  stats.writes = writes_.load(std::memory_order_relaxed);
  stats.age = sys_->Now() - born_;
  const FlowState now = state();
  for (const Direction d : {Direction::kRead, Direction::kWrite}) {
    Activity activity =
        activity_[static_cast<int>(d)].load(std::memory_order_relaxed);
    if (activity == Activity::kIdle && now.held(d)) {
      activity = Activity::kTrying;
    }
    (d == Direction::kRead ? stats.reading : stats.writing) = activity;
    (d == Direction::kRead ? stats.queued_reads : stats.queued_writes) =
        queued_[static_cast<int>(d)].load(std::memory_order_relaxed);
  }
  return stats;
}

}  // namespace internal
}  // namespace flow
