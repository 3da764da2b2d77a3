#include "flow/watch.h"

#include "absl/strings/str_cat.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"

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
  if (!inside_) {
    return ClosedLocallyStatus(kOperation, core_.Describe(),
                               /*pending=*/false, 0);
  }
  return Limit(sleeper_.Check());
}

std::optional<PeerEnd> Watch::Recorded() {
  const FlowState now = core_.state();
  if (now.read_end() == ReadEnd::kEof) return PeerEnd::kFinished;
  // A reset is the end of both directions, whichever has recorded it.
  if (now.read_end() == ReadEnd::kError && IsReset(core_.ReadError())) {
    return PeerEnd::kGone;
  }
  if (now.write_end() == WriteEnd::kError && IsReset(core_.WriteError())) {
    return PeerEnd::kGone;
  }
  return std::nullopt;
}

absl::Status Watch::Again(const Attempt& attempt) {
  if (!attempt.would_block()) return FailureOf(attempt);
  return Resume(sleeper_.Sleep(attempt.wait()));
}

absl::Status Watch::FailureOf(const Attempt& attempt) const {
  const int error = attempt.error();
  if (error != 0) return ErrnoStatus(error, kOperation, core_.Describe());
  return MakeStatus(
      CodeOf(attempt.error_kind()),
      absl::StrCat(kOperation, "() failed: ",
                   ErrorKindName(attempt.error_kind()), "; ", core_.Describe()),
      {attempt.error_kind(), 0, kOperation, "", "", 0});
}

absl::Status Watch::Resume(Woke woke) {
  if (woke != Woke::kRetry) return Limit(woke);
  sleeper_.Arm();
  const FlowState now = core_.state();
  if (now.closed() || now.retired()) {
    return ClosedLocallyStatus(kOperation, core_.Describe(), /*pending=*/true,
                               0);
  }
  return absl::OkStatus();
}

absl::Status Watch::Limit(Woke woke) const {
  return LimitStatus(woke, kOperation, core_.Describe(), 0);
}

}  // namespace internal
}  // namespace flow
