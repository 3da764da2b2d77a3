#include "flow/async_op.h"

#include <poll.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "flow/read_habit.h"
#include "flow/status.h"
#include "flow/writing.h"

namespace flow {
namespace internal {
namespace {

// How many tries an operation makes in one go before others have their turn.
constexpr int kTriesInATurn = 16;

// Shutdown(kRead) holds a direction while it lets go of the transport's half,
// which never waits: so soon it is asked for again.
constexpr absl::Duration kHeldPause = absl::Milliseconds(1);

}  // namespace

// ------------------------------------------------------------------ AsyncCore

AsyncCore::AsyncCore(Core* core, AsyncHome home)
    : core_(core), home_(std::move(home)) {
  const int in = core_->HandleOf(Direction::kRead);
  const int out = core_->HandleOf(Direction::kWrite);
  reads_always_ready_ = in >= 0 && poller().IsAlwaysReady(in);
  writes_always_ready_ =
      out == in ? reads_always_ready_ : out >= 0 && poller().IsAlwaysReady(out);
  core_->set_fd_guard(this);
  parked_.Attach(&poller(), &core_->signal());
}

AsyncCore::~AsyncCore() {
  if (core_ == nullptr) return;
  if (!poller().in_forked_child()) {
    parked_.Detach();
    core_->set_fd_guard(nullptr);
  }
  core_->DropHandle();
}

void AsyncCore::CloseAfterFork() {
  if (core_ == nullptr) return;
  parked_.CloseAfterFork();
  std::exchange(core_, nullptr)->DropHandle();
}

void AsyncCore::Submit(std::unique_ptr<AsyncOp> op) {
  AsyncOp* const o = op.release();
  o->outcome_ = home_.Begin();
  if (!o->outcome_.ok()) {
    o->Deliver(false);
    delete o;
    return;
  }
  o->was_open_ = core_->state().Ask(o->turn_.role()) != Answer::kClosed;
  o->turn_.Begun();
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
      core_->CountQueued(o->turn_.direction(), 1);
      o->sleeper_.Arm();
      o->turn_.Waits(Activity::kTurn, o->sleeper_);
      o->ParkInLine();
    }
  }
  // Not touched any more if it is queued: it may be over already.
  if (first) o->Start();
}

void AsyncCore::Remove(AsyncOp* op) {
  const Direction d = op->turn_.direction();
  Lane& lane = LaneOf(d);
  // Either this one waited, or the next comes first now.
  if (lane.first != lane.last) core_->CountQueued(d, -1);
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

void AsyncCore::RequestStep(Direction d, uint64_t step) {
  auto run = [flow = shared_from_this(), d, step](const absl::Status& why) {
    flow->RunStep(d, step, why);
  };
  if (!home_.executor().runs_inline) {
    return home_.executor().door(std::move(run));
  }
  poller().Post([run = std::move(run)]() mutable { run(absl::OkStatus()); });
}

void AsyncCore::RunStep(Direction d, uint64_t step, const absl::Status& why) {
  AsyncOp* op = nullptr;
  {
    absl::MutexLock lock(&mu_);
    op = LaneOf(d).first;
    if (op == nullptr || op->step_ != step) return;  // over without it
    if (!poller().Claim(*op)) {
      op->step_missed_ = true;
      return;
    }
    op->step_ = 0;
  }
  if (why.ok()) return op->Drive();
  op->woke_ = Woke::kStopped;
  op->refused_ = why;
  op->Finish(false);
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
  {
    absl::MutexLock lock(&flow_->mu_);
    const bool first = flow_->LaneOf(turn_.direction()).first == this;
    if ((!first || step_ != 0) && OnReadyInLine()) return;
    // It may have been made ready again meanwhile.
    if (queued_) flow_->poller().Claim(*this);
    if (first && step_ == 0) woke_ = Woke::kRetry;
  }
  if (woke_ == Woke::kRetry) return Start();
  TellEndingFirst();
  Finish(false);
}

// Endings come before limits. (A Shutdown has to be the one to tell an error,
// so it waits for its turn.)
void AsyncOp::TellEndingFirst() {
  if (IsOpen() || turn_.role() == Role::kShutdown) return;
  woke_ = Woke::kRetry;
  entered_ = true;
  if (was_open_) {
    turn_.GaveUp();
  } else {
    turn_.Look();
  }
}

// One that waits for its turn or for the executor. True if it still does.
bool AsyncOp::OnReadyInLine() {
  sleeper_.Arm();
  if (!WithinLimits()) return false;
  if (step_ == 0) {
    ParkInLine();
    return true;
  }
  if (step_missed_ || !IsOpen()) {
    // The executor is to be asked anew, or there is an ending to be told, which
    // needs no executor.
    step_ = 0;
    return false;
  }
  ParkInLine();
  return true;
}

void AsyncOp::Start() {
  if (!flow_->always_ready(turn_.direction())) return Drive();
  WaitForExecutor();
}

void AsyncOp::WaitForExecutor() {
  const std::shared_ptr<AsyncCore> flow = flow_;
  const Direction d = turn_.direction();
  // The executor is used after this has been parked, and perhaps ended.
  if (!flow->poller().Begin()) return Drive();
  const Poller::Handing handing(&flow->poller());
  uint64_t step = 0;
  {
    absl::MutexLock lock(&flow->mu_);
    sleeper_.Arm();
    if (IsOpen()) {
      step = step_ = ++flow->last_step_;
      step_missed_ = false;
      ParkInLine();
    }
  }
  // Not touched any more if it is parked.
  if (step == 0) return Drive();
  flow->RequestStep(d, step);
}

bool AsyncOp::IsOpen() const {
  const Answer answer = flow_->core().state().Ask(turn_.role());
  return answer == Answer::kTry || answer == Answer::kSettle;
}

bool AsyncOp::WithinLimits() {
  if (flow_->poller().stopping()) {
    woke_ = Woke::kStopped;
    return false;
  }
  woke_ = sleeper_.Check();
  if (woke_ == Woke::kRetry &&
      limits_.stall_timeout < absl::InfiniteDuration()) {
    woke_ = sleeper_.PassedLimit();
  }
  return woke_ == Woke::kRetry;
}

void AsyncOp::Drive() {
  flow_->core().SetActivity(turn_.direction(), Activity::kIdle);
  if (!entered_) {
    if (!Enter()) return;
  } else {
    // Armed before the look at the token, or a Cancel between them were lost.
    sleeper_.Arm();
    if (!WithinLimits()) return Finish(false);
    turn_.Resume();
  }
  Try();
}

// False: it is over, or parked.
bool AsyncOp::Enter() {
  sleeper_.Arm();
  if (turn_.Enter() == Answer::kTurn) {
    turn_.Leave();
    if (WithinLimits()) {
      ParkFor(Wait::Until(flow_->core().sys()->Now() + kHeldPause));
    } else {
      Finish(false);
    }
    return false;
  }
  entered_ = true;
  if (turn_.under_way() && WithinLimits()) return !ParkFirst();
  // Closed while it queued, not before it began.
  if (turn_.answer() == Answer::kClosed && was_open_) turn_.GaveUp();
  Finish(false);
  return false;
}

// True: it is parked, and not touched any more.
bool AsyncOp::ParkFirst() {
  if (turn_.role() != Role::kRead || turn_.answer() != Answer::kTry) {
    return false;
  }
  ReadHabit& habit = flow_->core().read_habit();
  const int fd = habit.ParkFirst();
  if (fd < 0) return false;
  waited_ = true;
  habit.WaitedFirst();
  if (turn_.WaitFirst() != Answer::kWait) return false;
  ParkFor(Wait::ForFd(fd, POLLIN));
  return true;
}

void AsyncOp::NoteWait(const Wait& wait) {
  if (waited_ || turn_.role() != Role::kRead) return;
  waited_ = true;
  flow_->core().NoteReadWaits(wait);
}

void AsyncOp::Try() {
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
      if (a.would_block()) NoteWait(wait);
      if (a.progressed()) sleeper_.SawProgress();
      turn_.Record(a);
    } else if (!Moved(job().Moved(turn_, a.n()))) {
      return;
    }
  }
}

// After a try that transferred. False: it is over.
bool AsyncOp::Moved(Job::Then then) {
  switch (then) {
    case Job::Then::kDone:
      if (turn_.role() == Role::kRead && !waited_) {
        flow_->core().read_habit().FoundData();
      }
      Finish(true);
      return false;
    case Job::Then::kOn:
      return true;
    case Job::Then::kMore:
      sleeper_.SawProgress();
      sleeper_.Arm();
      turn_.GoOn();
      // Endings come before limits.
      if (turn_.answer() != Answer::kTry || WithinLimits()) return true;
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
  const Wait until = sleeper_.Calmed(wait, woken_by_fd(), kFutileParked);
  turn_.Waits(ActivityOf(wait), sleeper_);
  flow_->core().SetActivity(turn_.direction(), ActivityOf(wait));
  flow_->poller().Park(*this, flow_->parked(), until, limits_.cancel.signal(),
                       sleeper_.LimitInstant(),
                       [this, &until] { return sleeper_.Signalled(until); });
}

// Under the flow's mutex: one that waits for its turn waits for its limits
// alone; one that waits for the executor also for an ending. Armed before.
void AsyncOp::ParkInLine() {
  sleeper_.BeginWait();
  const MonoTime limit = sleeper_.LimitInstant();
  if (step_ == 0 && limit.is_never() && !limits_.cancel.has_source()) return;
  flow_->poller().Park(
      *this, flow_->parked(), Wait(), limits_.cancel.signal(), limit, [this] {
        return sleeper_.Signalled(Wait()) || limits_.cancel.cancelled();
      });
}

absl::Status AsyncOp::Refused() const {
  ErrorDetail detail = flow_->core().Detail(turn_.operation(), turn_.done());
  detail.kind = ErrorKind::kCancelled;
  return MakeStatus(refused_.code(),
                    absl::StrCat(turn_.operation(), "() cancelled: ",
                                 refused_.message(), "; ", turn_.Context()),
                    detail);
}

void AsyncOp::Finish(bool done) {
  if (!done) outcome_ = refused_.ok() ? turn_.StatusOf(woke_) : Refused();
  if (woke_ != Woke::kRetry && turn_.cut_in_the_middle()) {
    flow_->core().Seal(SealedStatus(turn_));
  }
  // One that never had its turn holds nothing; its job may look at the flow
  // only in its turn (AsyncRead's at the hint of the read before).
  if (entered_) job().LetGo();
  if (refused_.ok()) {
    turn_.Ended(woke_);
  } else {
    turn_.EndedAs(outcome_.code(), woke_);
  }
  turn_.Leave();
  Poller& poller = flow_->poller();
  {
    absl::MutexLock lock(&flow_->mu_);
    AsyncCore::Lane& lane = flow_->LaneOf(turn_.direction());
    const bool was_first = lane.first == this;
    flow_->Remove(this);
    // The one before it may have made it ready this moment.
    if (queued_) poller.Claim(*this);
    if (was_first && lane.first != nullptr) poller.MakeReady(*lane.first);
  }
  {
    const Poller::Handing handing(&poller);
    Deliver(done);
  }
  delete this;
}

}  // namespace internal
}  // namespace flow
