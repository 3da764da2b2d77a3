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

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/core.h"
#include "flow/sleeper.h"
#include "flow/state.h"
#include "flow/status.h"
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

  Core& core_;
  const Role role_;
  Place place_ = Place::kOutside;
  Answer answer_ = Answer::kClosed;
  const absl::string_view operation_;
  const uint64_t total_;
  uint64_t done_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TURN_H_
