#include "flow/turn.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {

absl::Status FailureStatus(const Attempt& attempt, ErrorDetail detail,
                           const absl::Status& words,
                           absl::string_view context) {
  const int error = attempt.error();
  detail.kind = attempt.error_kind();
  detail.error = error;
  if (!words.ok()) {
    return MakeStatus(words.code(),
                      absl::StrCat(words.message(), "; ", context), detail);
  }
  const absl::StatusCode code =
      error != 0 ? MeaningOf(error).code : CodeOf(detail.kind);
  return MakeStatus(
      code,
      absl::StrCat(detail.operation, "() failed: ",
                   error != 0 ? ErrnoText(error)
                              : std::string(ErrorKindName(detail.kind)),
                   "; ", context),
      detail);
}

Answer Turn::Enter() {
  answer_ = core_.Enter(role_);
  drains_ = core_.state().read_end() == ReadEnd::kDraining;
  switch (answer_) {
    case Answer::kTry:
    case Answer::kSettle:
      place_ = Place::kHolding;
      break;
    case Answer::kTurn:
      place_ = Place::kInside;
      break;
    case Answer::kWait:
    case Answer::kMoved:
    case Answer::kEof:
    case Answer::kError:
    case Answer::kSealed:
    case Answer::kShut:
    case Answer::kClosed:
    case Answer::kCancelled:
      place_ = Place::kPinned;
      break;
  }
  return answer_;
}

Answer Turn::Granted() {
  place_ = Place::kHolding;
  return Resume();
}

Answer Turn::GaveUp() {
  answer_ = core_.state().Ask(role_);
  // Closed while it queued, not before it began.
  if (answer_ == Answer::kClosed) answer_ = Answer::kCancelled;
  return answer_;
}

Answer Turn::Look() {
  core_.Pin();
  place_ = Place::kPinned;
  answer_ = core_.state().Ask(role_);
  if (answer_ == Answer::kSettle) answer_ = Answer::kTry;
  return answer_;
}

Answer Turn::Resume() {
  answer_ = core_.Resume(role_);
  drains_ = core_.state().read_end() == ReadEnd::kDraining;
  return answer_;
}

Answer Turn::WaitFirst() {
  // The end of a try that took nothing and learnt nothing: who sleeps must not
  // be taken for one who is inside a try.
  core_.AfterTry(role_, Tried::kMoved, absl::OkStatus());
  const FlowState now = core_.state();
  // Draining: what is there is read without waiting.
  if (now.read_end() == ReadEnd::kOpen && now.Ask(role_) == Answer::kTry) {
    return answer_ = Answer::kWait;
  }
  return Resume();
}

Answer Turn::Record(const Attempt& attempt) {
  if (attempt.eof() && direction() == Direction::kWrite) {
    return Misbehaved("an end of stream that is no read's");
  }
  answer_ =
      core_.AfterTry(role_, Classify(attempt),
                     attempt.failed() ? ErrorOf(attempt) : absl::OkStatus(),
                     /*early=*/!drains_);
  // What had arrived before the writer met the end may be there by now, which
  // the try, or the last one of a spin that was cut, was too early to find.
  return answer_ == Answer::kMoved ? Resume() : answer_;
}

Answer Turn::GoOn() {
  const FlowState now = core_.state();
  answer_ = now.Ask(role_);
  // Unless somebody waits for the end of the try, the next one may as well be
  // taken for the same: no read-modify-write for each step of a long write.
  if (answer_ == Answer::kTry && now.read_end() != ReadEnd::kUnsettled &&
      now.write_end() != WriteEnd::kUnsettled) {
    return answer_;
  }
  core_.AfterTry(role_, Tried::kMoved, absl::OkStatus());
  return Resume();
}

Answer Turn::Misbehaved(absl::string_view what) {
  const absl::Status error = MakeStatus(
      absl::StatusCode::kInternal,
      absl::StrCat(operation_, "() failed: the transport broke its contract: ",
                   what, "; ", Context()),
      core_.Detail(operation_, done_));
  return answer_ = core_.AfterTry(role_, Tried::kFailedFlow, error);
}

void Turn::LeaveUnheld() {
  const Place place = place_;
  place_ = Place::kOutside;
  switch (place) {
    case Place::kOutside:
    case Place::kHolding:  // Leave has done it
      break;
    case Place::kPinned:
      core_.Unpin();
      break;
    case Place::kInside:
      core_.LeaveUnheld();
      break;
  }
}

Tried Turn::Classify(const Attempt& attempt) const {
  switch (attempt.kind()) {
    case Attempt::Kind::kTransferred:
      return Tried::kMoved;
    case Attempt::Kind::kEof:
      return Tried::kEof;
    case Attempt::Kind::kWouldBlock:
      return Tried::kWouldBlock;
    case Attempt::Kind::kFailed:
      break;
  }
  if (attempt.scope() == ErrorScope::kFlow) return Tried::kFailedFlow;
  return attempt.error_kind() == ErrorKind::kClosedByPeer &&
                 direction() == Direction::kWrite
             ? Tried::kPeerRefuses
             : Tried::kFailedSide;
}

absl::Status Turn::ErrorOf(const Attempt& attempt) const {
  return FailureStatus(attempt, core_.Detail(operation_, done_),
                       core_.transport().last_error(), Context());
}

absl::Status Turn::RecordedError() const {
  const absl::Status recorded =
      direction() == Direction::kRead ? core_.ReadError() : core_.WriteError();
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

absl::Status Turn::StatusOf(Woke woke) const {
  if (woke != Woke::kRetry) {
    return LimitStatus(woke, core_.Detail(operation_, done_), Context());
  }
  switch (answer_) {
    case Answer::kError:
    case Answer::kSealed:
      return RecordedError();
    case Answer::kShut:
    case Answer::kClosed:
    case Answer::kCancelled:
      return ClosedLocallyStatus(core_.Detail(operation_, done_), Context(),
                                 answer_ == Answer::kCancelled);
    case Answer::kTry:
    case Answer::kTurn:
    case Answer::kSettle:
    case Answer::kWait:
    case Answer::kMoved:
    case Answer::kEof:
      break;
  }
  return absl::OkStatus();
}

// ------------------------------------------------------------------- observed

Operation Turn::AsOperation() const {
  Operation operation;
  operation.id = id_;
  switch (role_) {
    case Role::kRead:
      operation.kind = OperationKind::kRead;
      break;
    case Role::kDrain:
      operation.kind = OperationKind::kDrain;
      break;
    case Role::kWrite:
      operation.kind = OperationKind::kWrite;
      break;
    case Role::kShutdown:
      operation.kind = OperationKind::kShutdown;
      break;
  }
  operation.name = operation_;
  operation.size = total_;
  operation.began = began_;
  return operation;
}

void Turn::ReportBegin() {
  Observing& observing = *core_.observing();
  observers_ = observing.first();
  if (observers_ == nullptr) return;
  id_ = observing.NextId();
  began_ = core_.sys()->Now();
  const Operation operation = AsOperation();
  for (const auto* node = observers_; node != nullptr; node = node->next) {
    node->observer->OnBegin(operation);
  }
}

void Turn::ReportWait(Activity what, Sleeper& sleeper) {
  sleeper.BeginWait();
  Waiting waiting;
  waiting.what = what;
  waiting.until = sleeper.LimitInstant();
  waiting.bytes = done_ + moved_;
  // Who stands in line has nothing to say of who is being served.
  if (what != Activity::kTurn) {
    core_.observing()->SetLimit(direction(), waiting.until);
  }
  if (observers_ == nullptr) return;
  const Operation operation = AsOperation();
  for (const auto* node = observers_; node != nullptr; node = node->next) {
    node->observer->OnWait(operation, waiting);
  }
}

absl::StatusCode Turn::CodeOfEnd(Woke woke) const {
  // As the caller is told: of a Shutdown that found nothing to do, or of a part
  // that was taken.
  const bool shut = role_ == Role::kShutdown && woke == Woke::kRetry &&
                    (answer_ == Answer::kShut || answer_ == Answer::kClosed);
  return shut || has_answer_ ? absl::StatusCode::kOk : StatusOf(woke).code();
}

void Turn::ReportEnd(absl::StatusCode code, Woke woke) {
  Outcome outcome;
  outcome.code = code;
  outcome.eof = code == absl::StatusCode::kOk && woke == Woke::kRetry &&
                answer_ == Answer::kEof;
  outcome.bytes = done_ + moved_;
  outcome.duration = core_.sys()->Now() - began_;
  const Operation operation = AsOperation();
  // Nobody should wait for the direction while observers look; they belong to
  // the Core, which might be gone when the last has left.
  core_.Pin();
  Leave();
  for (const auto* node = std::exchange(observers_, nullptr); node != nullptr;
       node = node->next) {
    node->observer->OnEnd(operation, outcome);
  }
  core_.Unpin();
}

std::string Turn::Context() const {
  std::string text = core_.Describe();
  if (total_ > 0) {
    absl::StrAppend(&text, ", ", done_, " of ", total_, " bytes done");
  } else if (done_ > 0) {
    absl::StrAppend(&text, ", ", done_, " bytes done");
  }
  return text;
}

}  // namespace internal
}  // namespace flow
