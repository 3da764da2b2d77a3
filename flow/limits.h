// File: limits.h
//
// Limits: how long a call may take, and who may end it early.
//
//   f.Read(absl::Seconds(5));                 // a total of 5 s
//   flow::Limits limits = absl::Seconds(30);  // one total for several calls,
//   limits.cancel = source.token();           // and a way to give up
//   limits.stall_timeout = absl::Seconds(2);  // and no 2 s without a byte
//   f.Write(head, limits);
//   f.Write(body, limits);
//
// The deadline is fixed when the object is built, on the steady clock: used for
// several calls it is one total for all of them, and setting the wall clock
// does not move it.
//
// What a limit does: a call that has moved nothing when a limit hits has done
// nothing, and may simply be repeated. DEADLINE_EXCEEDED for the two times,
// CANCELLED for the token (also when both are true). A limit that had been
// passed before the call moves no byte even if data waits. Deadlines are never
// early, and at most 50 ms late on an idle machine; a token acts within 100 ms.
//
// Guarantees: a value; building it from a finite time reads the clock once.

#ifndef FLOW_LIMITS_H_
#define FLOW_LIMITS_H_

#include <ostream>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/sys/mono_time.h"

namespace flow {

struct Limits {
  // No limits: the call waits for as long as it takes.
  Limits() = default;

  // An instant. `absl::InfiniteFuture()` is no limit; `absl::InfinitePast()`
  // has always passed.
  Limits(absl::Time when)  // NOLINT(google-explicit-constructor)
      : deadline(MonoTime::At(when)) {}
  Limits(MonoTime when)  // NOLINT(google-explicit-constructor)
      : deadline(when) {}

  // From now on. `absl::InfiniteDuration()` is no limit; 0 and negative
  // durations have passed already (never "-1 means for ever").
  Limits(absl::Duration from_now)  // NOLINT(google-explicit-constructor)
      : deadline(MonoTime::In(from_now)) {}

  // Only a token.
  Limits(CancelToken token)  // NOLINT(google-explicit-constructor)
      : cancel(std::move(token)) {}

  // The same limits with the deadline brought forward to `when` if that is
  // earlier.
  Limits Within(MonoTime when) const;

  // The instant after which the call may wait no longer.
  MonoTime deadline = kNever;

  // The longest time without progress, for each call anew. Progress is a byte
  // accepted or received. Infinite by default; 0 and less are INVALID_ARGUMENT.
  absl::Duration stall_timeout = absl::InfiniteDuration();

  // Who may end the call early. Its source's deadline counts like `deadline`.
  CancelToken cancel;

  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Limits& limits) {
    sink.Append(limits.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Limits& limits) {
    return os << limits.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_LIMITS_H_
