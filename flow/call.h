// File: call.h (internal)
//
// Call: the blocking driver's loop, one call in one direction of a flow.
//
//   Call call(core, Role::kRead, limits, "read");
//   ReadJob job(into);
//   if (call.Begin() && call.Run(job)) return job.got();
//   if (call.at_eof()) return Eof{};
//   return call.status();
//
// A read on a plain descriptor whose like had to wait twice in a row waits for
// the descriptor before it tries (flow/read_habit.h): of the three system calls
// of a wait (try, poll, try) the first is in vain. Found out anew every eighth
// time, and given up when a read finds data at once. One whose like had to wait
// for a short time only tries a few times more before it sleeps (flow/spin.h).
// AdaptiveReads turns both off.
//
// Lives on the stack of the thread that blocks; its destructor leaves.

#ifndef FLOW_CALL_H_
#define FLOW_CALL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/core.h"
#include "flow/job.h"
#include "flow/limits.h"
#include "flow/read_habit.h"
#include "flow/sleeper.h"
#include "flow/spin.h"
#include "flow/state.h"
#include "flow/turn.h"

namespace flow {
namespace internal {

class Call {
 public:
  // `core`, `limits` and `operation` outlive the call; see Turn.
  Call(Core& core, Role role, const Limits& limits, absl::string_view operation,
       uint64_t total = 0)
      : turn_(core, role, operation, total),
        sleeper_(core.sys(), limits, &core.signal()) {}
  ~Call() { turn_.Ended(woke_); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Comes in, waits for the turn, looks at the limits. False: over.
  bool Begin() {
    sleeper_.Arm();
    if (IsOneOfMany(turn_.role()) && sleeper_.FarFromLimits() &&
        turn_.EnterPlainly()) {
      turn_.Begun();
      if (turn_.role() != Role::kRead) return true;
      const int fd = turn_.core().read_habit().WaitFirst();
      return fd < 0 || WaitFirst(fd);
    }
    return BeginWithCare();
  }

  // Instead of Begin, for a call that moves nothing: does not wait for the
  // turn. True: the side is open, and no limit has been passed.
  bool Look();

  // Tries, sleeps and tries again until the job is done. False: over. For a job
  // whose class is final this is its functions, called directly.
  template <typename AJob>
  bool Run(AJob& job) {
    for (;;) {
      Attempt a = job.Try(turn_.core());
      if (a.would_block() && turn_.role() == Role::kRead && MaySpin(a.wait())) {
        a = Spun(job, a);
      }
      if (a.transferred()) {
        const Job::Then then = job.Moved(turn_, a.n());
        if (then == Job::Then::kDone) {
          if (turn_.role() == Role::kRead && waited_ == Waited::kNo) {
            turn_.core().read_habit().FoundData();
          }
          return true;
        }
        if (then != Job::Then::kOn && !GoOn(then)) return false;
      } else if (!SleepAfter(a)) {
        return false;
      }
    }
  }

  // Why it is over.
  bool at_eof() const { return ended_as(Answer::kEof); }
  bool is_shut() const { return ended_as(Answer::kShut); }
  bool closed_before() const { return ended_as(Answer::kClosed); }
  bool hit_limit() const { return woke_ != Woke::kRetry; }
  absl::Status status() const { return turn_.StatusOf(woke_); }

  // Ends with `refusal`, which is the caller's fault, in place of status().
  absl::Status Refuse(absl::Status refusal) {
    turn_.EndedAs(refusal.code(), woke_);
    return refusal;
  }

  const Turn& turn() const { return turn_; }

 private:
  bool ended_as(Answer answer) const {
    return woke_ == Woke::kRetry && turn_.answer() == answer;
  }
  // The roles that EnterPlainly is for.
  static bool IsOneOfMany(Role role) {
    return role == Role::kRead || role == Role::kWrite;
  }
  bool BeginWithCare();
  // Waits for `fd` instead of a first try (flow/read_habit.h). False: over.
  bool WaitFirst(int fd);
  void NoteWait(const Wait& wait);
  // Whether to spin after a first try that found nothing, before sleeping.
  bool MaySpin(const Wait& wait);
  // What the tries of the spin come to. None is made after the state, the token
  // or a limit has something to say: that goes before data that came later.
  template <typename AJob>
  Attempt Spun(AJob& job, Attempt a) {
    ReadHabit& habit = turn_.core().read_habit();
    Spin spin(turn_.core().sys(), habit.spin_ns(), sleeper_.LimitInstant());
    while (a.would_block()) {
      // Of a layer's try, which may take input that is no data yet.
      if (a.progressed()) sleeper_.SawProgress();
      if (!spin.Pause() || sleeper_.Signalled(a.wait())) break;
      a = job.Try(turn_.core());
    }
    const bool answer = habit.AwaitsAnswer(turn_.core().writes());
    const bool handed_over =
        a.transferred() && a.n() >= ReadHabit::kHandOver && job.FilledBy(a.n());
    habit.Spun((answer && a.transferred()) || handed_over, spin.ns());
    if (!a.would_block()) waited_ = Waited::kAfterTry;
    return a;
  }
  bool WithinLimits();
  // After a try that moved nothing, and after one that moved a part. True: try.
  bool SleepAfter(const Attempt& a);
  bool GoOn(Job::Then then);
  // Sleeps for as long as the machine says so. True: try.
  bool SleepUntilTry(const Wait& wait);
  // Once, and remembers how long a read slept.
  Woke Sleep(const Wait& wait);

  enum class Waited : uint8_t { kNo, kFirst, kAfterTry };

  Turn turn_;
  Sleeper sleeper_;
  Woke woke_ = Woke::kRetry;
  Waited waited_ = Waited::kNo;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_CALL_H_
