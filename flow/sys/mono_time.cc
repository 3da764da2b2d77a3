#include "flow/sys/mono_time.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "flow/sys/syscalls.h"

namespace flow {

MonoTime MonoTime::Now() { return Syscalls::Real()->Now(); }

MonoTime MonoTime::In(absl::Duration from_now) {
  // No clock is read for an endless limit: it is the commonest one.
  if (from_now == absl::InfiniteDuration()) return kNever;
  return Now() + from_now;
}

MonoTime MonoTime::At(absl::Time time) {
  if (time == absl::InfiniteFuture()) return kNever;
  if (time == absl::InfinitePast()) return Past();
  // The wall clock first: whatever comes between the two, it is not early.
  const absl::Duration left = time - absl::Now();
  return Now() + left;
}

MonoTime operator+(MonoTime t, absl::Duration d) {
  if (t.is_never() || t == MonoTime::Past()) return t;
  // Duration's own arithmetic saturates at infinity and rounds towards zero
  // when it becomes an integer; a deadline may be late by a nanosecond but
  // never early, so fractions of a nanosecond go up.
  const absl::Duration sum = absl::Nanoseconds(t.ns_) + d;
  const absl::Duration up = absl::Ceil(sum, absl::Nanoseconds(1));
  return MonoTime::FromNanos(absl::ToInt64Nanoseconds(up));
}

absl::Duration operator-(MonoTime a, MonoTime b) {
  if (a == b) return absl::ZeroDuration();
  if (a.is_never() || b == MonoTime::Past()) return absl::InfiniteDuration();
  if (b.is_never() || a == MonoTime::Past()) return -absl::InfiniteDuration();
  return absl::Nanoseconds(a.ns_) - absl::Nanoseconds(b.ns_);
}

std::string MonoTime::ToString() const {
  if (is_never()) return "never";
  if (*this == Past()) return "past";
  return absl::StrCat(static_cast<double>(ns_) / 1e9, "s");
}

}  // namespace flow
