#include "flow/call.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

Activity ActivityOf(const Wait& wait) {
  if (wait.fd >= 0) return Activity::kFd;
  return wait.signal != nullptr || wait.until.is_never() ? Activity::kSignal
                                                         : Activity::kTime;
}

}  // namespace

Call::~Call() {
  switch (place_) {
    case Place::kOutside:
      break;
    case Place::kPinned:
      core_.Unpin();
      break;
    case Place::kInside:
      core_.LeaveUnheld();
      break;
    case Place::kHolding:
      core_.Leave(DirectionOf(role_));
      break;
  }
}

bool Call::Begin() {
  sleeper_.Arm();
  answer_ = core_.Enter(role_);
  switch (answer_) {
    case Answer::kTry:
      place_ = Place::kHolding;
      return CheckLimits();
    case Answer::kSettle:
      place_ = Place::kHolding;
      return CheckLimits() && Follow(Wait());
    case Answer::kTurn:
      break;
    default:
      place_ = Place::kPinned;
      return false;
  }
  place_ = Place::kInside;
  if (!CheckLimits()) return false;
  if (!core_.WaitTurn(role_, sleeper_, woke_)) {
    answer_ = core_.state().Ask(role_);
    if (answer_ == Answer::kClosed) answer_ = Answer::kCancelled;
    return false;
  }
  place_ = Place::kHolding;
  sleeper_.Arm();
  answer_ = core_.Resume(role_);
  // The turn may have come together with a limit.
  return Follow(Wait()) && CheckLimits();
}

bool Call::Look() {
  core_.Pin();
  place_ = Place::kPinned;
  answer_ = core_.state().Ask(role_);
  return (answer_ == Answer::kTry || answer_ == Answer::kSettle) &&
         CheckLimits();
}

bool Call::CheckLimits() {
  woke_ = sleeper_.Check();
  return woke_ == Woke::kRetry;
}

bool Call::Again(const Attempt& attempt) {
  const Tried tried = Classify(attempt);
  const bool failed = attempt.failed() || tried == Tried::kFailedFlow;
  answer_ = core_.AfterTry(role_, tried,
                           failed ? ErrorOf(attempt) : absl::OkStatus());
  return Follow(attempt.would_block() ? attempt.wait() : Wait());
}

bool Call::Follow(const Wait& wait) {
  const Direction d = DirectionOf(role_);
  while (answer_ == Answer::kWait || answer_ == Answer::kSettle) {
    // What settles an end is the other side's notification alone.
    const Wait& until = answer_ == Answer::kWait ? wait : Wait();
    core_.SetActivity(d, ActivityOf(until));
    woke_ = sleeper_.Sleep(until);
    core_.SetActivity(d, Activity::kIdle);
    if (woke_ != Woke::kRetry) return false;
    sleeper_.Arm();
    answer_ = core_.Resume(role_);
  }
  return answer_ == Answer::kTry;
}

bool Call::Progress(uint64_t bytes) {
  done_ += bytes;
  sleeper_.SawProgress();
  sleeper_.Arm();
  const FlowState now = core_.state();
  answer_ = now.Ask(role_);
  if (answer_ == Answer::kTry && now.read_end() != ReadEnd::kUnsettled) {
    return CheckLimits();
  }
  return NextStep() && CheckLimits();
}

bool Call::NextStep() {
  core_.AfterTry(role_, Tried::kMoved, absl::OkStatus());
  sleeper_.Arm();
  answer_ = core_.Resume(role_);
  return Follow(Wait());
}

bool Call::Misbehaved(absl::string_view what) {
  const absl::Status error = MakeStatus(
      absl::StatusCode::kInternal,
      absl::StrCat(operation_, "() failed: the transport broke its contract: ",
                   what, "; ", Context()),
      {});
  answer_ = core_.AfterTry(role_, Tried::kFailedFlow, error);
  return false;
}

Tried Call::Classify(const Attempt& attempt) const {
  switch (attempt.kind()) {
    case Attempt::Kind::kTransferred:
      return Tried::kMoved;
    case Attempt::Kind::kEof:
      return DirectionOf(role_) == Direction::kRead ? Tried::kEof
                                                    : Tried::kFailedFlow;
    case Attempt::Kind::kWouldBlock:
      return Tried::kWouldBlock;
    case Attempt::Kind::kFailed:
      break;
  }
  if (attempt.scope() == ErrorScope::kFlow) return Tried::kFailedFlow;
  return attempt.error_kind() == ErrorKind::kClosedByPeer &&
                 DirectionOf(role_) == Direction::kWrite
             ? Tried::kPeerRefuses
             : Tried::kFailedSide;
}

absl::Status Call::ErrorOf(const Attempt& attempt) const {
  ErrorDetail detail;
  detail.kind = attempt.error_kind();
  detail.error = attempt.error();
  detail.operation = std::string(operation_);
  detail.local = core_.local().ToString();
  detail.peer = core_.peer().ToString();
  detail.bytes_done = done_;
  const absl::Status words = core_.transport().last_error();
  if (!words.ok()) {
    return MakeStatus(words.code(),
                      absl::StrCat(words.message(), "; ", Context()), detail);
  }
  if (attempt.error() != 0) {
    return MakeStatus(MeaningOf(attempt.error()).code,
                      absl::StrCat(operation_, "() failed: ",
                                   ErrnoText(attempt.error()), "; ", Context()),
                      detail);
  }
  return MakeStatus(CodeOf(detail.kind),
                    absl::StrCat(operation_, "() failed: ",
                                 ErrorKindName(detail.kind), "; ", Context()),
                    detail);
}

std::string Call::Context() const {
  std::string text = core_.Describe();
  if (total_ > 0) {
    absl::StrAppend(&text, ", ", done_, " of ", total_, " bytes done");
  } else if (done_ > 0) {
    absl::StrAppend(&text, ", ", done_, " bytes done");
  }
  return text;
}

absl::Status Call::status() const {
  if (woke_ != Woke::kRetry) {
    return LimitStatus(woke_, operation_, Context(), done_);
  }
  switch (answer_) {
    case Answer::kError:
    case Answer::kSealed:
      return RecordedError();
    case Answer::kShut:
    case Answer::kClosed:
      return ClosedLocallyStatus(operation_, Context(), /*pending=*/false,
                                 done_);
    case Answer::kCancelled:
      return ClosedLocallyStatus(operation_, Context(), /*pending=*/true,
                                 done_);
    case Answer::kTry:
    case Answer::kTurn:
    case Answer::kSettle:
    case Answer::kWait:
    case Answer::kMoved:
    case Answer::kEof:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Call::RecordedError() const {
  const absl::Status recorded = DirectionOf(role_) == Direction::kRead
                                    ? core_.ReadError()
                                    : core_.WriteError();
  if (done_ == 0 || BytesDone(recorded) == done_) return recorded;
  // The other direction met it while this call was half done: the same error,
  // with this call's count.
  ErrorDetail detail = DetailOf(recorded).value_or(ErrorDetail());
  detail.bytes_done = done_;
  return MakeStatus(recorded.code(),
                    absl::StrCat(recorded.message(), "; ", operation_, ": ",
                                 done_, " of ", total_, " bytes done"),
                    detail);
}

}  // namespace internal
}  // namespace flow
