#include "flow/async_op.h"

#include <algorithm>

#include "flow/status.h"
#include "flow/writing.h"

namespace flow {
namespace internal {
namespace {

// How many tries an operation makes in one go before others have their turn.
constexpr int kTriesInATurn = 16;

// The figures of flow/sleeper.cc, for a descriptor that is "ready" in vain.
constexpr uint8_t kFutileAllowed = 3;
constexpr uint8_t kFutileMax = 11;
constexpr absl::Duration kPauseMax = absl::Milliseconds(120);

}  // namespace

// ------------------------------------------------------------------ AsyncCore

AsyncCore::AsyncCore(Core* core, std::shared_ptr<Poller> poller,
                     Executor* executor)
    : core_(core),
      poller_(std::move(poller)),
      executor_(executor),
      exceptions_(executor->exceptions()),
      always_ready_([this] {
        const int fd = core_->NativeHandle();
        return fd >= 0 && poller_->IsAlwaysReady(fd);
      }()) {
  core_->set_fd_guard(this);
  parked_.Attach(poller_.get(), &core_->signal());
}

AsyncCore::~AsyncCore() {
  if (core_ == nullptr) return;
  if (!poller_->in_forked_child()) {
    parked_.Detach();
    core_->set_fd_guard(nullptr);
  }
  core_->DropHandle();
}

void AsyncCore::Submit(std::unique_ptr<AsyncOp> op) {
  AsyncOp* const o = op.release();
  o->refusal_ = Refusal();
  if (!o->refusal_.ok()) {
    o->Deliver(false);
    delete o;
    return;
  }
  poller_->CountLive(1);
  bool first = false;
  {
    absl::MutexLock lock(&mu_);
    ++outstanding_;
    Lane& lane = LaneOf(o->turn_.direction());
    first = lane.first == nullptr;
    (first ? lane.first : lane.last->next_in_lane_) = o;
    lane.last = o;
    if (!first) {
      o->queued_ = true;
      o->ParkQueued();
    }
  }
  // Not touched any more if it is queued: it may be over already.
  if (first) o->Start();
}

void AsyncCore::Remove(AsyncOp* op) {
  Lane& lane = LaneOf(op->turn_.direction());
  AsyncOp* previous = nullptr;
  for (AsyncOp* o = lane.first; o != op; o = o->next_in_lane_) previous = o;
  (previous == nullptr ? lane.first : previous->next_in_lane_) =
      op->next_in_lane_;
  if (lane.last == op) lane.last = previous;
  --outstanding_;
}

void AsyncCore::CountOutstanding(int change) {
  absl::MutexLock lock(&mu_);
  outstanding_ += change;
}

Core* AsyncCore::Release() {
  absl::MutexLock lock(&mu_);
  if (outstanding_ > 0) return nullptr;
  parked_.Detach();
  core_->set_fd_guard(nullptr);
  return std::exchange(core_, nullptr);
}

absl::Status AsyncCore::Refusal() const {
  if (poller_->in_forked_child()) {
    return absl::FailedPreconditionError(
        "refused: the AsyncContext's poller is not in this forked child");
  }
  if (poller_->stopping()) {
    return absl::FailedPreconditionError(
        "refused: the AsyncContext has been destroyed");
  }
  return absl::OkStatus();
}

void AsyncCore::RunCallback(
    absl::AnyInvocable<void(absl::Status) &&> callback) {
  Executor::Task task = [log = exceptions_, callback = std::move(callback)](
                            absl::Status why) mutable {
    log->Contain([&] { std::move(callback)(std::move(why)); });
  };
  if (poller_->in_forked_child() || poller_->stopping()) {
    // There is nobody else left to run it for certain; the executor may be
    // gone.
    if (!poller_->IsOwnThread()) return std::move(task)(absl::OkStatus());
  }
  if (!executor_->runs_inline() || poller_->IsOwnThread()) {
    return executor_->Execute(std::move(task));
  }
  poller_->Post([executor = executor_, task = std::move(task)]() mutable {
    executor->Execute(std::move(task));
  });
}

void AsyncCore::RunOnExecutor(absl::AnyInvocable<void(absl::Status) &&> step) {
  if (!executor_->runs_inline()) return executor_->Execute(std::move(step));
  poller_->Post([step = std::move(step)]() mutable {
    std::move(step)(absl::OkStatus());
  });
}

// -------------------------------------------------------------------- AsyncOp

AsyncOp::AsyncOp(std::shared_ptr<AsyncCore> flow, Role role,
                 const Limits& limits, absl::string_view operation,
                 uint64_t total)
    : flow_(std::move(flow)),
      limits_(limits),
      sleeper_(flow_->core().sys(), limits_, &flow_->core().signal()),
      turn_(flow_->core(), role, operation, total) {}

void AsyncOp::OnReady() {
  bool first = false;
  {
    absl::MutexLock lock(&flow_->mu_);
    first = flow_->LaneOf(turn_.direction()).first == this;
    if (!first) {
      woke_ =
          flow_->poller().stopping() ? Woke::kStopped : sleeper_.PassedLimit();
      if (woke_ == Woke::kRetry) return ParkQueued();
    }
    // It may have been made ready again meanwhile.
    flow_->poller().Claim(*this);
  }
  if (!first) return Finish(false);
  Start();
}

void AsyncOp::Start() {
  if (!flow_->always_ready()) return Drive();
  flow_->RunOnExecutor([this](absl::Status why) {
    if (!why.ok()) woke_ = Woke::kStopped;
    if (why.ok()) return Drive();
    Finish(false);
  });
}

bool AsyncOp::WithinLimits() {
  if (flow_->poller().stopping()) {
    woke_ = Woke::kStopped;
  } else {
    woke_ = entered_ ? sleeper_.PassedLimit() : sleeper_.Check();
  }
  return woke_ == Woke::kRetry;
}

bool AsyncOp::Enter() {
  sleeper_.Arm();
  turn_.Enter();
  // Nobody else uses this Core, so the direction is free.
  const bool under_way = turn_.under_way();
  // Closed while it queued, not before it began.
  if (!under_way && queued_ && turn_.answer() == Answer::kClosed) {
    turn_.GaveUp();
  }
  const bool may = under_way && WithinLimits();
  entered_ = true;
  return may;
}

void AsyncOp::Drive() {
  flow_->core().SetActivity(turn_.direction(), Activity::kIdle);
  if (!entered_) {
    if (!Enter()) return Finish(false);
  } else {
    if (!WithinLimits()) return Finish(false);
    sleeper_.Arm();
    turn_.Resume();
  }
  Wait wait;
  for (int tries = 0;; ++tries) {
    if (turn_.answer() == Answer::kWait || turn_.answer() == Answer::kSettle) {
      // What settles an end is the other side's notification alone.
      return ParkFor(turn_.answer() == Answer::kWait ? wait : Wait());
    }
    if (turn_.answer() != Answer::kTry) return Finish(false);
    if (tries == kTriesInATurn) return flow_->poller().MakeReady(*this);
    const Attempt a = job().Try(flow_->core());
    if (!a.transferred()) {
      wait = a.would_block() ? a.wait() : Wait();
      turn_.Record(a);
    } else if (!Moved(job().Moved(turn_, a.n()))) {
      return;
    }
  }
}

// After a try that transferred. False: it is over.
bool AsyncOp::Moved(Job::Then then) {
  futile_ = 0;
  switch (then) {
    case Job::Then::kDone:
      Finish(true);
      return false;
    case Job::Then::kOn:
      return true;
    case Job::Then::kMore:
      sleeper_.SawProgress();
      sleeper_.Arm();
      turn_.GoOn();
      if (WithinLimits()) return true;
      break;
    case Job::Then::kBroken:
      turn_.Misbehaved("it moved a number of bytes that it was not asked to");
      break;
  }
  Finish(false);
  return false;
}

void AsyncOp::ParkFor(const Wait& wait) {
  sleeper_.BeginWait();
  Wait until = wait;
  if (woken_by_fd()) futile_ = std::min<uint8_t>(futile_ + 1, kFutileMax);
  if (futile_ > kFutileAllowed) {
    until.fd = -1;
    const absl::Duration pause = std::min(
        absl::Milliseconds(1 << (futile_ - kFutileAllowed - 1)), kPauseMax);
    until.until = std::min(until.until, flow_->core().sys()->Now() + pause);
  }
  flow_->core().SetActivity(turn_.direction(), ActivityOf(wait));
  flow_->poller().Park(*this, flow_->parked(), until, limits_.cancel.signal(),
                       sleeper_.LimitInstant(),
                       [this, &until] { return sleeper_.Signalled(until); });
}

// Under the flow's mutex: an operation behind others waits for its limits
// alone.
void AsyncOp::ParkQueued() {
  sleeper_.Arm();
  const MonoTime limit = sleeper_.LimitInstant();
  if (limit.is_never() && !limits_.cancel.has_source()) return;
  flow_->poller().Park(*this, flow_->parked(), Wait(), limits_.cancel.signal(),
                       limit, [this] { return sleeper_.Signalled(Wait()); });
}

void AsyncOp::Finish(bool done) {
  if (woke_ != Woke::kRetry && turn_.cut_in_the_middle()) {
    flow_->core().Seal(SealedStatus(turn_));
  }
  turn_.Leave();
  {
    absl::MutexLock lock(&flow_->mu_);
    AsyncCore::Lane& lane = flow_->LaneOf(turn_.direction());
    const bool was_first = lane.first == this;
    flow_->Remove(this);
    if (was_first && lane.first != nullptr) {
      flow_->poller().MakeReady(*lane.first);
    }
  }
  // Before the delivery, in which the context may be destroyed: that waits for
  // all that are live.
  flow_->poller().CountLive(-1);
  Deliver(done);
  delete this;
}

}  // namespace internal
}  // namespace flow
