#include "flow/call.h"

#include <poll.h>

#include "absl/time/time.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace internal {
namespace {

// For input from a descriptor, and perhaps for a signal, which the tries of a
// spin notice by themselves.
bool IsForInput(const Wait& wait) {
  return wait.fd >= 0 && wait.events == POLLIN && wait.until.is_never();
}

}  // namespace

bool Call::BeginWithCare() {
  const Answer answer = turn_.Enter();
  turn_.Begun();
  if (!turn_.under_way() || !WithinLimits()) return false;
  if (answer == Answer::kTurn) {
    turn_.Waits(Activity::kTurn, sleeper_);
    if (!turn_.core().WaitTurn(turn_.role(), sleeper_, woke_)) {
      turn_.GaveUp();
      return false;
    }
    woke_ = Woke::kRetry;  // the turn has come, if only together with a limit
    sleeper_.Arm();
    turn_.Granted();
  }
  return SleepUntilTry(Wait()) &&
         (answer != Answer::kTurn || WithinLimits());  // it may have taken long
}

bool Call::Look() {
  const bool open = turn_.Look() == Answer::kTry;
  turn_.Begun();
  return open && WithinLimits();
}

bool Call::WithinLimits() {
  woke_ = sleeper_.Check();
  return woke_ == Woke::kRetry;
}

bool Call::WaitFirst(int fd) {
  waited_ = Waited::kFirst;
  turn_.core().read_habit().WaitedFirst();
  turn_.WaitFirst();
  return SleepUntilTry(Wait::ForFd(fd, POLLIN));
}

void Call::NoteWait(const Wait& wait) {
  if (waited_ != Waited::kNo) return;  // noted already
  waited_ = Waited::kAfterTry;
  turn_.core().NoteReadWaits(wait);
}

bool Call::MaySpin(const Wait& wait) {
  return waited_ == Waited::kNo && turn_.core().read_habit().spins_next() &&
         IsForInput(wait);
}

Woke Call::Sleep(const Wait& wait) {
  Core& core = turn_.core();
  // Where no spin would help no sleep is measured: a habit of spinning, even
  // one that nobody acts on, has the next read try before it waits.
  if (turn_.role() != Role::kRead || !IsForInput(wait) ||
      !core.transport().adaptive_reads().spins ||
      !core.sys()->SpinningHelps()) {
    return sleeper_.Sleep(wait);
  }
  ReadHabit& habit = core.read_habit();
  if (!habit.measures()) {
    habit.SleptUnmeasured();
    return sleeper_.Sleep(wait);
  }
  const MonoTime began = core.sys()->Now();
  const Woke woke = sleeper_.Sleep(wait);
  habit.Slept(absl::ToInt64Nanoseconds(core.sys()->Now() - began));
  return woke;
}

bool Call::SleepAfter(const Attempt& a) {
  if (turn_.role() == Role::kRead && a.would_block()) NoteWait(a.wait());
  if (a.progressed()) sleeper_.SawProgress();
  turn_.Record(a);
  return SleepUntilTry(a.would_block() ? a.wait() : Wait());
}

bool Call::GoOn(Job::Then then) {
  switch (then) {
    case Job::Then::kDone:
    case Job::Then::kOn:
      break;
    case Job::Then::kMore:
      sleeper_.SawProgress();
      sleeper_.Arm();
      turn_.GoOn();
      return SleepUntilTry(Wait()) && WithinLimits();
    case Job::Then::kBroken:
      turn_.Misbehaved("it moved a number of bytes that it was not asked to");
      return false;
  }
  return true;
}

bool Call::SleepUntilTry(const Wait& wait) {
  while (turn_.answer() == Answer::kWait || turn_.answer() == Answer::kSettle) {
    // What settles an end is the other side's notification alone.
    const Wait& until = turn_.answer() == Answer::kWait ? wait : Wait();
    turn_.Waits(ActivityOf(until), sleeper_);
    turn_.core().SetActivity(turn_.direction(), ActivityOf(until));
    woke_ = Sleep(until);
    turn_.core().SetActivity(turn_.direction(), Activity::kIdle);
    if (woke_ != Woke::kRetry) return false;
    sleeper_.Arm();
    turn_.Resume();
  }
  return turn_.answer() == Answer::kTry;
}

}  // namespace internal
}  // namespace flow
