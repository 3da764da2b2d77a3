// How a Core ends: shutting a half, closing, aborting, giving the transport
// away.

#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "flow/aside.h"
#include "flow/core.h"
#include "flow/sys/fork_generation.h"

namespace flow {
namespace internal {
namespace {

// How long Close waits for calls that are inside before it leaves close(2) to
// the last of them (DESIGN: P3).
constexpr absl::Duration kCloseWait = absl::Milliseconds(100);

}  // namespace

void Core::ShutRead() {
  const Step step = Apply([](FlowState s) { return s.ShutRead(); });
  if (step.wake) signal_.Notify();
  if (step.answer != Answer::kTry) return;
  static_cast<void>(TryShutdown(ShutdownMode::kRead));
  Leave(Direction::kRead);
}

bool Core::Linger() {
  if (!can_read_) return false;  // there is nothing that the peer could send
  const Step step = Apply([](FlowState s) { return s.Linger(); });
  if (step.wake) signal_.Notify();
  return step.answer == Answer::kTry;
}

void Core::Retire() {
  const Step step = Apply([](FlowState s) { return s.Retire(); });
  if (step.wake) signal_.Notify();
}

Attempt Core::TryShutdown(ShutdownMode half) {
  if (fd_guard_ != nullptr) fd_guard_->BeforeShut();
  const Attempt attempt = transport_->TryShutdown(half);
  if (fd_guard_ != nullptr) fd_guard_->AfterShut();
  return attempt;
}

void Core::RunClose() {
  if (fd_guard_ != nullptr) fd_guard_->BeforeClose();
  const absl::Status status = transport_->Close();
  transport_.reset();
  TellOver(status);
}

void Core::TellOver(const absl::Status& close_status) {
  {
    MutexLock lock(&mu_);
    transport_gone_ = true;
  }
  // Before a Close that waits returns, so that its caller finds it done.
  if (Observing* const told = observing(); told != nullptr) told->Over();
  {
    MutexLock lock(&mu_);
    close_status_ = close_status;
    close_done_ = true;
  }
  signal_.Notify();
}

std::optional<absl::Status> Core::CloseResult() {
  MutexLock lock(&mu_);
  if (!close_done_) return std::nullopt;
  return close_status_;
}

absl::Status Core::AwaitClosed(const Aside& told) {
  const Limits limits(sys_->Now() + kCloseWait);
  Sleeper sleeper(sys_, limits, &signal_);
  for (;;) {
    sleeper.Arm();
    const std::optional<absl::Status> result = CloseResult();
    if (result.has_value()) return *result;
    // The last one inside will close; OK, since the flow is closed for
    // everybody.
    told.Waits(Activity::kSignal, limits.deadline);
    if (sleeper.Sleep(Wait()) != Woke::kRetry) return absl::OkStatus();
  }
}

void Core::StartClose(bool abort) {
  // Abort has to be inside, so that the transport is there until it is done.
  const bool inside = abort && EnterUnheld() == Answer::kTry;
  const Step step = Apply([](FlowState s) { return s.Close(); });
  if (inside && step.answer == Answer::kTry) transport_->Abort();
  if (step.wake) signal_.Notify();
  if (step.run_close) {
    RunClose();
    Unpin();
  }
  if (inside) LeaveUnheld();
  if (abort && !inside) Unpin();
}

absl::Status Core::Close(bool abort) {
  if (fork_generation_ != ForkGeneration()) return absl::OkStatus();
  Pin();
  Aside told(*this, abort ? OperationKind::kAbort : OperationKind::kClose,
             abort ? "abort" : "close");
  told.Begun();
  StartClose(abort);
  const absl::Status status = AwaitClosed(told);
  told.Ended(status.code());
  Unpin();
  return status;
}

void Core::AbortUnwaited() {
  if (fork_generation_ != ForkGeneration()) return;
  Pin();
  StartClose(/*abort=*/true);
  Unpin();
}

void Core::DropHandle() {
  if (fork_generation_ != ForkGeneration()) {
    // A forked child: threads that held locks or were inside do not exist here,
    // and the stream is the parent's. Only the descriptors are given back.
    if (transport_ != nullptr) transport_->CloseAfterFork();
    return;
  }
  Pin();
  StartClose(/*abort=*/false);
  Apply([](FlowState s) { return s.DropHandle(); });
  Unpin();
}

absl::StatusOr<std::unique_ptr<Transport>> Core::Release(
    absl::string_view operation) {
  Pin();
  const Answer answer = Apply([this](FlowState s) {
                          return s.Release(can_read_, can_write_);
                        }).answer;
  std::unique_ptr<Transport> transport;
  if (answer == Answer::kTry) {
    // Nobody is inside, and nobody comes in any more.
    transport = std::move(transport_);
    released_.store(true, std::memory_order_release);
    TellOver(absl::OkStatus());
    Unpin();
    return transport;
  }
  const absl::Cleanup unpin = [this] { Unpin(); };
  if (answer == Answer::kClosed) {
    return ClosedLocallyStatus(Detail(operation), Describe(),
                               /*pending=*/false);
  }
  return MakeStatus(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(operation,
                   "() refused: a call is under way or a side has ended; ",
                   Describe()),
      Detail(operation));
}

}  // namespace internal
}  // namespace flow
