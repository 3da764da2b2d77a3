// File: mono_time.h
//
// MonoTime: an instant on the machine's steady clock (CLOCK_MONOTONIC), which
// no change of the wall clock moves. Deadlines are kept as such instants, so
// that a call's time limit can neither jump nor stand still when somebody sets
// the date.
//
//   flow::MonoTime deadline = flow::MonoTime::Now() + absl::Seconds(5);
//   flow.Read(deadline);
//
// Guarantees: a plain value; no function here blocks, allocates or fails, all
// may be called from any thread. Arithmetic saturates: what lies beyond the
// far end is `kNever`, what lies before the near end is `MonoTime::Past()`.

#ifndef FLOW_SYS_MONO_TIME_H_
#define FLOW_SYS_MONO_TIME_H_

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>

#include "absl/time/time.h"

namespace flow {

class MonoTime {
 public:
  // The steady clock's zero, which lies in the past of every running process.
  constexpr MonoTime() = default;

  // The present instant of the real clock. One vDSO call (about 30 ns).
  static MonoTime Now();

  // The instant `from_now` after Now(). An infinite duration gives `kNever`;
  // a negative one an instant in the past.
  static MonoTime In(absl::Duration from_now);

  // The steady instant that corresponds to wall time `time` if nobody sets the
  // wall clock meanwhile. `absl::InfiniteFuture()` gives `kNever`,
  // `absl::InfinitePast()` gives Past().
  static MonoTime At(absl::Time time);

  // The instant with `ns` nanoseconds on the steady clock.
  static constexpr MonoTime FromNanos(int64_t ns) { return MonoTime(ns); }

  // An instant that has always passed.
  static constexpr MonoTime Past() {
    return MonoTime(std::numeric_limits<int64_t>::min());
  }

  // An instant that never comes: "no deadline".
  static constexpr MonoTime Never() {
    return MonoTime(std::numeric_limits<int64_t>::max());
  }

  // Nanoseconds of the steady clock, as FromNanos takes them.
  constexpr int64_t nanos() const { return ns_; }
  // Whether it is Never().
  constexpr bool is_never() const { return ns_ == Never().ns_; }

  // Saturating; `kNever` and Past() stay what they are whatever is added.
  friend MonoTime operator+(MonoTime t, absl::Duration d);
  friend MonoTime operator-(MonoTime t, absl::Duration d) { return t + -d; }

  // The span from `b` to `a`; infinite when exactly one of them is endless.
  friend absl::Duration operator-(MonoTime a, MonoTime b);

  friend constexpr bool operator==(MonoTime a, MonoTime b) {
    return a.ns_ == b.ns_;
  }
  friend constexpr bool operator!=(MonoTime a, MonoTime b) {
    return a.ns_ != b.ns_;
  }
  friend constexpr bool operator<(MonoTime a, MonoTime b) {
    return a.ns_ < b.ns_;
  }
  friend constexpr bool operator<=(MonoTime a, MonoTime b) {
    return a.ns_ <= b.ns_;
  }
  friend constexpr bool operator>(MonoTime a, MonoTime b) { return b < a; }
  friend constexpr bool operator>=(MonoTime a, MonoTime b) { return b <= a; }

  // "never", "past", or seconds on the steady clock such as "12.345s".
  std::string ToString() const;

  template <typename Sink>
  friend void AbslStringify(Sink& sink, MonoTime t) {
    sink.Append(t.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, MonoTime t) {
    return os << t.ToString();
  }

 private:
  explicit constexpr MonoTime(int64_t ns) : ns_(ns) {}

  int64_t ns_ = 0;
};

// "No deadline": an instant that never comes.
inline constexpr MonoTime kNever = MonoTime::Never();

}  // namespace flow

#endif  // FLOW_SYS_MONO_TIME_H_
