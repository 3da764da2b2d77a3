// File: turn.h (internal)
//
// Turn: one call's place in one direction of a flow, from entering to leaving,
// whoever drives it. It alone turns Attempts into events of the state machine
// and the machine's answers into Statuses, so that blocking calls and futures
// say the same words. It never waits; flow/call.h (blocking) and
// flow/async_op.h do.
//
// Belongs to one thread at a time; its destructor leaves.

#ifndef FLOW_TURN_H_
#define FLOW_TURN_H_

#include <cstdint>
#include <string>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/core.h"
#include "flow/observer.h"
#include "flow/observing.h"
#include "flow/sleeper.h"
#include "flow/state.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What a try that failed says: `detail` has the operation, and what else is
// known but the failure itself; `words` is Transport::last_error().
absl::Status FailureStatus(const Attempt& attempt, ErrorDetail detail,
                           const absl::Status& words,
                           absl::string_view context);

class Turn {
 public:
  // `operation` names the call in messages and outlives it; `total` is how many
  // bytes it is to move, 0 if that is open.
  Turn(Core& core, Role role, absl::string_view operation, uint64_t total)
      : core_(core), role_(role), operation_(operation), total_(total) {}
  ~Turn() { Leave(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  Core& core() const { return core_; }
  Role role() const { return role_; }
  Direction direction() const { return DirectionOf(role_); }

  // Comes in. kTry, kSettle: the direction is held. kTurn: queue for it, then
  // say Granted or GaveUp. Anything else: the call is over.
  Answer Enter();
  // Enter with kTry for the answer, if nothing is in the way; else false, and
  // nothing has happened. As kRead or kWrite.
  bool EnterPlainly() {
    if (!core_.EnterPlainly(direction())) return false;
    place_ = Place::kHolding;
    answer_ = Answer::kTry;
    return true;
  }
  // The direction was handed to this call.
  Answer Granted();
  // This call left the queue without it, for an ending or a limit.
  Answer GaveUp();
  // Only looks, for a call that moves nothing: kTry if the side is open.
  Answer Look();
  // After a sleep: kTry, kSettle, or over.
  Answer Resume();
  // Instead of a first try: the holder sleeps, unless something has happened.
  // kWait, or what Resume says. A read alone.
  Answer WaitFirst();
  // A try moved nothing: records an ending. kWait, kSettle, or over.
  Answer Record(const Attempt& attempt);
  // A try moved bytes and more is to be done: kTry, kSettle, or over.
  Answer GoOn();
  // The transport broke its contract, which ends the flow: over.
  Answer Misbehaved(absl::string_view what);
  // Goes out, if it is in.
  void Leave() {
    if (place_ == Place::kHolding) {
      place_ = Place::kOutside;
      core_.Leave(direction());
    } else if (place_ != Place::kOutside) {
      LeaveUnheld();
    }
  }

  // The last answer.
  Answer answer() const { return answer_; }
  // Whether that answer lets the call sleep or try.
  bool under_way() const {
    return answer_ == Answer::kTry || answer_ == Answer::kSettle ||
           answer_ == Answer::kWait || answer_ == Answer::kTurn;
  }

  absl::string_view operation() const { return operation_; }
  void CountDone(uint64_t bytes) { done_ += bytes; }
  uint64_t done() const { return done_; }
  uint64_t total() const { return total_; }
  bool cut_in_the_middle() const { return done_ > 0 && done_ < total_; }

  // ---- Reports to who observes the flow (flow/observer.h), by both drivers.
  // Nothing is reported of a turn that was not begun so. The flow is there.
  void Begun() {
    if (ABSL_PREDICT_FALSE(core_.observing() != nullptr)) ReportBegin();
  }
  // It is about to sleep or to be parked, within the limits of `sleeper`.
  void Waits(Activity what, Sleeper& sleeper) {
    if (ABSL_PREDICT_FALSE(core_.observing() != nullptr)) {
      ReportWait(what, sleeper);
    }
  }
  // It is over; `woke` as for StatusOf. Leaves, if somebody is told.
  void Ended(Woke woke) {
    if (ABSL_PREDICT_FALSE(observers_ != nullptr)) {
      ReportEnd(CodeOfEnd(woke), woke);
    }
  }
  // The same, with a code that is not the turn's.
  void EndedAs(absl::StatusCode code, Woke woke) {
    if (ABSL_PREDICT_FALSE(observers_ != nullptr)) ReportEnd(code, woke);
  }
  // Bytes that CountDone does not count: what is read, or taken in part.
  void CountMoved(uint64_t bytes) { moved_ += bytes; }
  // The same, of a call whose answer they are: OK, whatever it meets then.
  void CountAnswer(uint64_t bytes) {
    CountMoved(bytes);
    has_answer_ = true;
  }

  // Why the call is over; OK for an end of stream. `woke` is the limit that
  // ended it, kRetry if none did.
  absl::Status StatusOf(Woke woke) const;

  // "flow tcp a -> b, 12 of 40 bytes done".
  std::string Context() const;

 private:
  enum class Place : uint8_t { kOutside, kPinned, kInside, kHolding };

  void LeaveUnheld();
  Tried Classify(const Attempt& attempt) const;
  absl::Status ErrorOf(const Attempt& attempt) const;
  absl::Status RecordedError() const;
  Operation AsOperation() const;
  absl::StatusCode CodeOfEnd(Woke woke) const;
  void ReportBegin();
  void ReportWait(Activity what, Sleeper& sleeper);
  void ReportEnd(absl::StatusCode code, Woke woke);

  Core& core_;
  const Role role_;
  Place place_ = Place::kOutside;
  Answer answer_ = Answer::kClosed;
  bool has_answer_ = false;
  bool drains_ = false;  // the read side did, when the last try began
  const absl::string_view operation_;
  const uint64_t total_;
  uint64_t done_ = 0;
  uint64_t moved_ = 0;
  const Observing::Node* observers_ = nullptr;  // null: nobody is told
  uint64_t id_ = 0;                             // if somebody is told
  MonoTime began_;                              // the same
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TURN_H_
