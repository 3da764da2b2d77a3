#include "flow/watch.h"

#include "flow/turn.h"

namespace flow {
namespace internal {
namespace {

constexpr char kOperation[] = "wait_peer_end";

}  // namespace

Watch::~Watch() {
  if (inside_) {
    core_.LeaveUnheld();
  } else if (pinned_) {
    core_.Unpin();
  }
}

absl::Status Watch::Begin() {
  sleeper_.Arm();
  inside_ = core_.EnterUnheld() == Answer::kTry;
  pinned_ = !inside_;
  told_.Begun();
  // A layer that has retired still knows how its peer ended.
  if (!inside_ && !core_.state().closed() && Recorded().has_value()) {
    return absl::OkStatus();
  }
  if (!inside_) {
    return ClosedLocallyStatus(core_.Detail(kOperation), core_.Describe(),
                               /*pending=*/false);
  }
  // An end comes before the limits, as for every call.
  return Recorded().has_value() ? absl::OkStatus() : Limit(sleeper_.Check());
}

std::optional<PeerEnd> Watch::Recorded() {
  const int end = RecordedSoFar();
  if (end < static_cast<int>(at_least_)) return std::nullopt;
  return static_cast<PeerEnd>(end);
}

int Watch::RecordedSoFar() {
  const FlowState now = core_.state();
  // A reset is the end of both directions, whichever has recorded it.
  if ((now.read_end() == ReadEnd::kError && IsReset(core_.ReadError())) ||
      (now.write_end() == WriteEnd::kError && IsReset(core_.WriteError()))) {
    return static_cast<int>(PeerEnd::kGone);
  }
  return now.read_end() == ReadEnd::kEof ? static_cast<int>(PeerEnd::kFinished)
                                         : 0;
}

Attempt Watch::Try() {
  const Attempt a = core_.transport().TryPeerEnd(at_least_);
  const bool good = a.transferred() &&
                    a.n() >= static_cast<size_t>(at_least_) &&
                    a.n() <= static_cast<size_t>(PeerEnd::kGone);
  if (good || a.would_block() || a.failed()) return a;
  return Attempt::Failed(ErrorKind::kOther, ErrorScope::kDirection);
}

absl::Status Watch::Again(const Attempt& attempt) {
  if (!attempt.would_block()) return FailureOf(attempt);
  sleeper_.BeginWait();
  Parks(attempt.wait());
  return Resume(sleeper_.Sleep(attempt.wait()));
}

absl::StatusOr<PeerEnd> Watch::Over(absl::StatusOr<PeerEnd> result) {
  told_.Ended(result.status().code());
  return result;
}

absl::Status Watch::FailureOf(const Attempt& attempt) const {
  return FailureStatus(attempt, core_.Detail(kOperation), absl::OkStatus(),
                       core_.Describe());
}

absl::Status Watch::Resume(Woke woke) {
  if (woke != Woke::kRetry) return Limit(woke);
  sleeper_.Arm();
  const FlowState now = core_.state();
  if (now.closed() || now.retired()) {
    return ClosedLocallyStatus(core_.Detail(kOperation), core_.Describe(),
                               /*pending=*/true);
  }
  return absl::OkStatus();
}

absl::Status Watch::Limit(Woke woke) const {
  return LimitStatus(woke, core_.Detail(kOperation), core_.Describe());
}

}  // namespace internal
}  // namespace flow
