// File: sleeper.h (internal)
//
// Sleeper: the one place where flow waits. It alone knows how a blocked call
// sleeps: which descriptors are in the poll, when the wake-up joins them, what
// a limit means, and how a spin is prevented.
//
//   Sleeper sleeper(sys, limits, &owner_signal);
//   Woke woke = sleeper.Check();
//   if (woke != Woke::kRetry) return LimitStatus(woke, ...);
//   for (;;) {
//     sleeper.Arm();                       // before looking at the state
//     Attempt a = transport->TryRead(...);
//     if (!a.would_block()) break;
//     woke = sleeper.Sleep(a.wait());
//     if (woke != Woke::kRetry) ...
//   }
//
// A sleep first polls the descriptor alone for at most 20 ms: most waits of a
// busy flow are shorter, and a second descriptor in the set costs half as much
// again as the first. Only then is the thread's waker linked to the owner's
// signal, the token's and the transport's, and polled too; so Close and Cancel
// come at most 20 ms late, and then at once. The slice is not shorter, since a
// poll timeout of 1 or 2 ms reprograms the timer and made a ping-pong up to 2.7
// times slower [run]. Where no eventfd can be had, the thread looks up every 60
// ms.
//
// Not thread-safe: lives on the stack of one call.

#ifndef FLOW_SLEEPER_H_
#define FLOW_SLEEPER_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/limits.h"
#include "flow/signal.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// How a sleep ended.
enum class Woke : uint8_t {
  kRetry,      // look again
  kDeadline,   // the call's deadline or its token's
  kStalled,    // no progress for `stall_timeout`
  kCancelled,  // the token
  kInvalid,    // `stall_timeout` <= 0 (from Check alone)
  kStopped,    // the AsyncContext of a parked call was destroyed
};

// How many tries in a row may be in vain before the next comes after a pause of
// 8, 64, 200, 200, ... ms (P4). Each costs who sleeps two system calls (poll,
// the try), also with a pause: 19 in the first second, 10 in the next. It costs
// the poller three (epoll_wait, the try, epoll_ctl), two with a pause: 20.
inline constexpr int kFutileAsleep = 2;
inline constexpr int kFutileParked = 1;

class Sleeper {
 public:
  // `owner`, if not null, wakes this call whenever it is notified. All three
  // must outlive the sleeper.
  Sleeper(Syscalls* sys, const Limits& limits, Signal* owner)
      : sys_(sys), limits_(limits), owner_(owner) {}

  // Whether a limit has been passed already. Reads no clock unless there is a
  // deadline, and then the coarse one unless the deadline is within 100 ms.
  Woke Check();

  // True only if Check() would say kRetry: surely no limit has been passed, nor
  // is one near. Says "no" more often than need be.
  bool FarFromLimits() const {
    if (limits_.stall_timeout != absl::InfiniteDuration() ||
        limits_.cancel.cancelled()) {
      return false;
    }
    const MonoTime deadline =
        std::min(limits_.deadline, limits_.cancel.deadline());
    return deadline.is_never() || IsFar(deadline, sys_->CoarseNow());
  }

  // Remembers where the owner's and the token's signals stand: a change after
  // this ends the next Sleep at once. Call before looking at the state.
  void Arm() {
    if (owner_ != nullptr) owner_seq_ = owner_->seq();
    if (limits_.cancel.has_source()) {
      token_seq_ = limits_.cancel.signal()->seq();
    }
  }

  // A byte has moved: the stall limit starts anew.
  void SawProgress() {
    stall_since_ = MonoTime::Past();
    futile_ = 0;
  }

  // What to sleep on after a try that found nothing: `wait`; or a pause, longer
  // each time, if tries keep being in vain (P4): more than `allowed` in a row
  // were made because the descriptor was "ready" (`woken_by_fd`) or an instant
  // had come that was as good as now.
  Wait Calmed(const Wait& wait, bool woken_by_fd, int allowed);

  // Sleeps until `asked` may be over, a signal moves, or a limit is passed.
  Woke Sleep(const Wait& asked);

  // ---- For a driver that parks instead of sleeping.
  // A stretch without progress begins now, unless one has begun.
  void BeginWait();
  // The instant of the earliest limit.
  MonoTime LimitInstant() const { return NearestLimit().when; }
  // Which limit has been passed by now; kRetry if none.
  Woke PassedLimit() const;
  // Whether the owner's, the token's or the wait's signal has moved since
  // Arm().
  bool Signalled(const Wait& wait) const;

 private:
  // The coarse clock is at most 10 ms behind, so with more than this left it
  // will do.
  static constexpr int64_t kCoarseEnoughNs = 100'000'000;
  static bool IsFar(MonoTime deadline, MonoTime coarse) {
    // Unsigned, since the two may be further apart than an int64_t says.
    return deadline > coarse && static_cast<uint64_t>(deadline.nanos()) -
                                        static_cast<uint64_t>(coarse.nanos()) >
                                    uint64_t{kCoarseEnoughNs};
  }
  // The earliest of the limits, and which one it is.
  struct Nearest {
    MonoTime when;
    Woke why;
  };
  Nearest NearestLimit() const;
  // One poll: of the fd if `with_fd`, of the waker if not null. True if the fd
  // was ready or in error. `now` is the instant, if it is known.
  bool Poll(const Wait& wait, bool with_fd, Waker* waker, MonoTime until,
            MonoTime now = MonoTime::Past());
  bool SleepLinked(const Wait& wait, MonoTime until);

  Syscalls* const sys_;
  const Limits& limits_;
  Signal* const owner_;
  uint64_t owner_seq_ = 0;
  uint64_t token_seq_ = 0;
  // When the current stretch without progress began; Past() until a sleep needs
  // it, so that calls that never sleep read no clock.
  MonoTime stall_since_ = MonoTime::Past();
  int futile_ = 0;            // tries in a row that were in vain
  bool paused_ = false;       // the last sleep was a pause
  bool soon_ = false;         // it was for an instant as good as now
  bool woken_by_fd_ = false;  // how the last Sleep ended
};

// What a call that sleeps on `wait` is doing, for statistics.
Activity ActivityOf(const Wait& wait);

// The Status for a call that a limit ended: `detail` has its name, and what
// else is known; `context` says what it was doing to whom ("flow tcp ..., 12 of
// 40 bytes done").
absl::Status LimitStatus(Woke woke, ErrorDetail detail,
                         absl::string_view context);
absl::Status LimitStatus(Woke woke, absl::string_view operation,
                         absl::string_view context, uint64_t bytes_done);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_SLEEPER_H_
